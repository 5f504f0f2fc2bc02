"""What makes one activity suspicious beyond its rules: what is new about it for this caller, and what shows in itself.

A signal is a reason in words; how much it weighs is scoring.py's business. What can't be known gives none: an address
that is missing is not a new one, and neither is one of a caller whose history is too short.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from responders.investigation.activity import Activity
from responders.investigation.baseline import Baseline, History, is_strong, network
from responders.investigation.rules import Match

# Azure's own services act on resources too; an application can't borrow their ids. Listed by Microsoft and in the logs
# of many: https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
FIRST_PARTY = {
    "4962773b-9cdb-44cf-a8bf-237846a00ab7": "Event Grid",
    "262044b1-e2ce-469f-a196-69ab7ada62d3": "Azure Backup",
    "7c33bfcb-8d33-48d6-8e60-dc6404003489": "Network Watcher",
    "2cf9eb86-36b5-49dc-86ae-9a63135dfa8c": "Traffic Manager and DNS",
    "8edd93e1-2103-40b4-bd70-6e34e586362d": "Defender for Cloud",
    "1d78a85d-813d-46f0-b496-dd72f50a3ec0": "Azure Policy",
    "60e6cd67-9c8c-4951-9b3c-23c25a2169af": "the compute resource provider",
    "7319c514-987d-4e9b-ac3d-d38c4f427f4c": "Azure Kubernetes Service",
    "abfa0a7c-a6b6-4736-8310-5855508787cd": "App Service",
    "e406a681-f3d4-42a8-90b6-c2b029497af1": "Azure Storage",
}
# Their calls come from Azure, wherever the person sits: the portal, and the two of Cloud Shell.
_FROM_AZURE = frozenset(
    {
        "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
        "b677c290-cf4b-4a8e-a60e-91ba650a4abe",
        "2233b157-f44d-4812-b777-036cdaf9a96e",
    }
)
# What a caller did on that many different days, from a network and by a client that he always uses, is his routine.
ROUTINE_DAYS = 3
# MicroBurst draws the letters of a name without putting them back.
_DRAWN = re.compile(r"/(?:runbooks|deploymentscripts)/([a-z]{15})(?:/|$)")
RANDOM_NAME = "script-with-random-name"  # the rule, which can't see whether letters repeat
# Extensions that watch a machine: Defender for Endpoint, antimalware, and the agents of Azure Monitor and Sentinel.
_WATCHING = re.compile(r"/extensions/[^/]*(mde\.|iaasantimalware|monitor|oms|guestconfig|securityagent)[^/]*$")
# A rule for one of these matched what was asked; two of them on one activity saw two things.
_HIGH = frozenset({"high", "critical"})


class Signal(Struct, frozen=True):
    """A reason, and the events that show it; those of the activity itself are not repeated."""

    name: str
    reason: str
    events: tuple[str, ...] = ()


def signals(
    activity: Activity, matches: tuple[Match, ...], baseline: Baseline, *, suspect: bool = False
) -> Iterator[Signal]:
    """All that speaks for or against one activity; `suspect`: whether a suspect of the incident did it."""
    history = baseline.of(activity)
    yield from _itself(activity, matches)
    yield from _token(activity, matches, history, sure=history is not None and baseline.enough(history))
    if history is not None and baseline.enough(history):
        yield from _new(activity, history)
    elif history is None and baseline.covers and _lasting(matches) and not quiet(activity):
        yield Signal("dormant", f"the caller did nothing in the {baseline.span} days before the window")
    elif suspect and matches:
        # What is usual for him is unknown, which is not the same as usual: then the word of who suspects him counts.
        yield Signal("suspect", "a suspect did it, and too little is known of him to tell whether it is usual")


def quiet(activity: Activity) -> str:
    """The name of the service of Azure's own that did it; "" for everyone else."""
    return "" if activity.human else FIRST_PARTY.get(activity.appid, "")


def is_drawn(resource: str) -> bool:
    """Whether a script's name is of fifteen different letters, as MicroBurst's are."""
    found = _DRAWN.search(resource.lower())
    return found is not None and len(set(found[1])) == len(found[1])


def _itself(activity: Activity, matches: tuple[Match, ...]) -> Iterator[Signal]:
    resource = activity.resource.lower()
    if is_drawn(resource):
        yield Signal("tool", "the script's name is of fifteen different letters, as MicroBurst draws them")
    asked = [match.title for match in matches if match.level in _HIGH]
    if len(asked) > 1:
        yield Signal("content", f"it asks for more than one such thing: {'; '.join(asked)}")
    elif activity.operation.endswith("/extensions/delete") and (watching := _WATCHING.search(resource)):
        yield Signal("content", f"what it removes watches the machine: {watching[0].rpartition('/')[2]}")
    if service := quiet(activity):
        yield Signal("quiet", f"the caller is a service of Azure's own, {service}")


def _token(activity: Activity, matches: tuple[Match, ...], history: History | None, *, sure: bool) -> Iterator[Signal]:
    called, issued = network(activity.address), network(activity.token_address)
    elsewhere = called and issued and called != issued and _comparable(called, issued)
    usual = history is not None and called in history.networks
    if elsewhere and not usual and activity.appid not in _FROM_AZURE:
        said = f"the token was issued to {activity.token_address} and used from {activity.address}"
        yield Signal("token_elsewhere", said)
    if activity.tid and activity.home and activity.tid != activity.home:
        yield Signal("other_tenant", f"the caller is of another tenant, {activity.tid}")
    never = sure and history is not None and not history.strong
    weak = activity.human and activity.amr and not is_strong(activity.amr)
    if weak and not never and any(match.level in _HIGH for match in matches):
        yield Signal("no_mfa", f"the token came of {' and '.join(activity.amr)} alone, without a second factor")


def _new(activity: Activity, history: History) -> Iterator[Signal]:
    """What of an activity the caller's history doesn't have. Where not all was learned, nothing missing is new."""
    days = history.operations.get(activity.operation, 0)
    where, app = network(activity.address), activity.appid
    from_new = bool(where) and where not in history.networks and any(_comparable(where, n) for n in history.networks)
    by_new = bool(app) and app not in history.apps and bool(history.apps)
    if not history.partial:
        if not days:
            yield Signal("new_operation", f"the caller did that never before, in {history.count} activities")
        if from_new and not history.roams:
            known = ", ".join(sorted(history.networks, key=lambda n: -history.networks[n].bit_count())[:3])
            yield Signal("new_network", f"the caller came never before from {where}, but from {known}")
        if by_new:
            yield Signal("new_app", f"the caller never used the client {app} before")
        if activity.human and not _near(activity.at.hour, history.hours):
            yield Signal("off_hours", f"the caller was never active around {activity.at.hour} o'clock UTC before")
    elsewhere = from_new and not history.roams
    if days.bit_count() >= ROUTINE_DAYS and not elsewhere and not by_new:
        yield Signal(
            "routine", f"the caller did that on {days.bit_count()} days before, from there and with that client"
        )


def _lasting(matches: tuple[Match, ...]) -> bool:
    """Whether it gives a way back, or rights: what a long unused account is stolen for."""
    return any(tag in {"attack.persistence", "attack.privilege-escalation"} for match in matches for tag in match.tags)


def _comparable(one: str, other: str) -> bool:
    """Whether two networks are of one family: a house with both looks new from the other side."""
    return (":" in one) == (":" in other)


def _near(hour: int, hours: int) -> bool:
    return any(hours >> ((hour + step) % 24) & 1 for step in (-1, 0, 1))
