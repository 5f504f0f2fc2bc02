"""The nouns of the project: frozen, and plain JSON at every boundary (msgspec)."""

import hashlib
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import msgspec
from msgspec import Struct

# What plans have for an action that puts back what was done; and that changes nothing: its approval says "I saw it".
UNDO, SIGN_OFF = "undo", "sign_off"
Json = dict[str, Any]
Severity = Literal["Informational", "Low", "Medium", "High"]
SubjectKind = Literal["user", "guest", "service_principal", "managed_identity", "subscription", "vm"]
PrincipalKind = Literal["user", "guest", "service_principal", "managed_identity", "group", "foreign", "unknown"]
Gate = Literal["auto", "one", "two"]
Status = Literal["done", "already_so", "drifted", "failed", "unverified"]
SETTLED = frozenset({"done", "already_so"})  # the statuses of a change that is as it was wanted
Familiarity = Literal["familiar", "unfamiliar", "unknown"]
Suspicion = Literal["suspicious", "notable", "none"]


class Actor(Struct, frozen=True, kw_only=True):
    """Someone an alert names; any field may be empty."""

    id: str = ""  # Entra object id, lower case
    upn: str = ""
    name: str = ""
    tenant: str = ""  # Entra tenant id, lower case


class Alert(Struct, frozen=True, kw_only=True):
    """What Defender says, from whatever channel. Attacker-influenced text: shown, never executed or pasted."""

    name: str  # Defender's own id: what redeliveries share
    type: str  # "ARM_OperationFromSuspiciousIP"; of a sample alert without "SIMULATED_"
    title: str
    severity: Severity
    status: str  # Active, InProgress, Resolved or Dismissed
    start: datetime
    end: datetime
    id: str = ""  # ARM id, if the channel has one
    subscription: str = ""  # GUID, lower case; "" for alerts of the tenant
    tenant: str = ""  # home tenant of the subscription
    description: str = ""
    actors: tuple[Actor, ...] = ()  # the suspect first
    resources: tuple[str, ...] = ()  # ARM ids
    addresses: tuple[str, ...] = ()
    details: dict[str, str] = {}
    link: str = ""
    sample: bool = False  # made by Defender's simulator: never acted on for real
    concerns: tuple[str, ...] = ()  # what the alert type holds to be compromised; () for an unknown type


class Ignored(Struct, frozen=True, kw_only=True):
    """Something that arrived and is no alert of ours."""

    reason: str


class Principal(Struct, frozen=True, kw_only=True):
    """An identity as the directory knows it."""

    id: str
    kind: PrincipalKind
    name: str = ""
    upn: str = ""
    tenant: str = ""
    created: datetime | None = None
    app_id: str = ""  # of a service principal
    because: str = ""  # why it is a suspect, where the alert does not name it
    since: datetime | None = None  # from when on what it does is held against it; None for the whole window


class Subject(Struct, frozen=True, kw_only=True):
    """Something held to be compromised, and why."""

    kind: SubjectKind
    id: str  # object id, subscription GUID, or ARM id of a virtual machine
    name: str = ""
    reason: str = ""


class Point(Struct, frozen=True, kw_only=True):
    """One reason for or against an activity, and how much it weighs."""

    signal: str  # "rule", "new_network", "chain", …
    points: float  # below zero: it speaks against suspicion
    reason: str
    events: tuple[str, ...] = ()


class Finding(Struct, frozen=True, kw_only=True):
    """One activity: of a suspect, or a suspicious one of somebody else."""

    rule: str  # name of the gravest that it met; "other" for none
    reason: str
    at: datetime
    operation: str
    resource: str
    caller: str  # object id, or what the log has instead
    events: tuple[str, ...] = ()
    name: str = ""  # of the caller, as the log has it
    suspect: bool = True  # whether a suspect of the incident did it
    outcome: str = ""  # started, accepted, succeeded or failed
    address: str = ""
    usual: bool = False  # whether the caller used that network before the window
    tenant: str = ""  # of the caller's token
    score: float = 0  # sum of the points
    level: Suspicion = "none"
    points: tuple[Point, ...] = ()
    techniques: tuple[str, ...] = ()  # ATT&CK: "T1098.003"

    @property
    def is_deed(self) -> bool:
        """Whether a suspect did it: what failed is none."""
        return self.suspect and self.outcome != "failed"


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether something is known good, and why. A lookup that failed is `unknown`, never `unfamiliar`."""

    familiarity: Familiarity
    reasons: tuple[str, ...]
    awaits: str = ""  # the unknown thing of which Entra's audit log, which lags, may still tell
    spared: bool = False  # whether it is left alone until then, since it is most likely old

    @property
    def left_alone(self) -> bool:
        """Whether no plan offers to change it."""
        return self.familiarity == "familiar" or self.spared


class Known(Struct, frozen=True, kw_only=True):
    """Something that people say is known good."""

    id: str  # object id, principal name or resource id
    because: str  # "declared in COUNTERSIGN_FAMILIAR", "said so by owner@contoso.example"
    by: str = ""  # object id of the owner who said it of this one thing; "" for a setting, which covers all beneath too


class Maker(Struct, frozen=True, kw_only=True):
    """Who else than a suspect first wrote something in the window, as the log has it."""

    id: str  # object id, or what the log has instead
    at: datetime
    regular: str = ""  # why that is his routine; "" where it is not known to be
    name: str = ""
    address: str = ""


class Case(Struct, frozen=True, kw_only=True, dict=True):  # dict: what is looked up often is kept, and is no field
    """All that an action needs to know of an incident."""

    incident: str
    alert: Alert
    subscription: str
    tenant: str
    suspects: tuple[Principal, ...]
    since: datetime  # the window in which the suspects' doings are held against them
    until: datetime
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()  # what the report has to say about the findings: what could not be read or told
    done: tuple["Change", ...] = ()  # what was changed for the subject so far, and not undone
    failed: tuple["Change", ...] = ()  # what was tried for him and came to nothing
    joined: tuple[Alert, ...] = ()  # other alerts of the same root cause
    others: tuple[Subject, ...] = ()  # other subscriptions in which the suspects worked, each with why
    machines: tuple[Subject, ...] = ()  # machines that suspects got into without running anything in them by name
    known: tuple[Known, ...] = ()  # what people say is known good
    pipelines: tuple[str, ...] = ()  # object ids and names of those whose deployments are familiar
    familiar_tags: tuple[str, ...] = ()  # "countersign=familiar"
    makers: dict[str, Maker] = {}  # by resource id, in lower case
    settled: tuple[str, ...] = ()  # what plans saw so long ago that Entra's audit log now tells all of it
    late: bool = False  # whether it is the plan that is made once the log has told
    gaps: dict[str, str] = {}  # by subscription, why its log may not show all that was done in the window

    def having(self, **fields: Any) -> "Case":
        """The same case with other values in some fields."""
        return msgspec.structs.replace(self, **fields)

    def suspect(self, identity: str | None, at: datetime | None = None) -> Principal | None:
        """The suspect with that object id or user principal name, who was the intruder at that time already."""
        wanted = (identity or "").lower()
        for one in self.suspects:
            if wanted and wanted in {one.id.lower(), one.upn.lower()}:
                return one if at is None or one.since is None or at >= one.since else None
        return None

    def changed(self, action: str, resource: str) -> bool:
        """Whether this incident made a change of that action to that resource."""
        return any((c.action, c.resource) == (action, resource) for c in self.done)

    def did(self, operation: str, resource: str) -> Finding | None:
        """The suspects' first doing of that kind to that resource that did not fail, if there was one."""
        return self._deeds.get((operation.lower(), resource.lower()))

    def wrote(self, resource: str) -> Finding | None:
        """The suspects' first write of that resource itself that did not fail, if there was one."""
        return self._writes.get(resource.lower()) if resource else None

    def gap(self, resource: str) -> str:
        """Why the log may not show who wrote a resource in the window; "" where it would."""
        return self.gaps.get(resource.lower().partition("/subscriptions/")[2].partition("/")[0], "")

    def deeds(self, operation: str) -> dict[str, Finding]:
        """The same for all resources, by id in lower case: for whoever asks of thousands."""
        wanted = operation.lower()
        return {resource: finding for (done, resource), finding in self._deeds.items() if done == wanted}

    @cached_property
    def _deeds(self) -> dict[tuple[str, str], Finding]:
        """The suspects' first doings that did not fail, by operation and resource."""
        first: dict[tuple[str, str], Finding] = {}
        for finding in sorted((f for f in self.findings if f.is_deed), key=lambda f: f.at):
            first.setdefault((finding.operation.lower(), finding.resource.lower()), finding)
        return first

    @cached_property
    def _writes(self) -> dict[str, Finding]:
        """The first of those that are writes, by resource."""
        first: dict[str, Finding] = {}
        for (operation, resource), finding in self._deeds.items():
            if operation.endswith("/write") and (resource not in first or finding.at < first[resource].at):
                first[resource] = finding
        return first


class Change(Struct, frozen=True, kw_only=True):
    """One write, small enough to approve, apply, check and undo by itself."""

    action: str  # id of the action whose write it is
    resource: str  # ARM id, or "/users/<object id>" in Graph
    summary: str  # "delete the role assignment Owner of mallory on subscription …"
    reasons: tuple[str, ...] = ()  # why: verdict, who made it, when
    before: Json = {}  # what apply compares with, and undo restores
    principals: tuple[str, ...] = ()  # object ids it concerns: they may not countersign it
    lasting: str = ""  # what undo can't bring back
    familiarity: Familiarity = "unfamiliar"  # of what would be changed; `unknown` runs only where an approver names it
    follows: tuple[str, ...] = ()  # resources of changes further up in the plan that have to be made before

    @property
    def id(self) -> str:
        return digest(self)[:16]


class Undoes(Struct, frozen=True, kw_only=True):
    """What each change of an action undoes of that which the Activity Log has: nothing, unless it says so."""

    operations: tuple[str, ...] = ()  # on its resource: "Microsoft.Storage/storageAccounts/listKeys/action"
    gone: bool = False  # all that was done to its resource, and beneath: that is deleted
    along: tuple[str, ...] = ()  # where `Change.before` has other resources ({"id": …}) for which the same holds
    events: str = ""  # where `Change.before` has the ids of events that it undoes, of whatever resource


class Plan(Struct, frozen=True, kw_only=True):
    """What an action would do now. No changes needs a reason."""

    action: str
    subject: Subject
    changes: tuple[Change, ...] = ()
    reason: str = ""
    kept: tuple[str, ...] = ()  # what was looked at and left alone, with the reason: for the approver to see
    by_hand: tuple[str, ...] = ()  # what only a person can do, and who
    awaits: tuple[str, ...] = ()  # things of which Entra's audit log may still tell: it is planned again then

    def __post_init__(self) -> None:
        if not self.changes and not self.reason:
            raise ValueError("A plan without changes needs a reason.")

    @property
    def proposed(self) -> tuple[Change, ...]:
        """What runs when the plan is approved as a whole: all but what is unknown. What was done is known to undo."""
        return tuple(c for c in self.changes if c.familiarity != "unknown" or self.action == UNDO)


class Outcome(Struct, frozen=True, kw_only=True):
    """What a change came to."""

    status: Status
    reason: str = ""
    after: Json = {}


def encode(noun: object) -> bytes:
    """Canonical JSON: the same noun gives the same bytes."""
    return msgspec.json.encode(noun, order="deterministic")


def digest(noun: object) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(encode(noun)).hexdigest()


def plain(noun: object) -> Any:
    """A noun as dicts, lists, strings and numbers."""
    return msgspec.json.decode(encode(noun))
