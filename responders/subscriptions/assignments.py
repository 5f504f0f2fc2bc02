"""Which role assignments of a subscription are the suspects' doing: at its scopes, or above it.

Microsoft.Authorization/roleAssignments, api-version 2022-04-01.
"""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from responders import directory, familiarity
from responders.azure import rest, segment
from responders.ids import within
from responders.model import Case, Change, Finding, Json, Subject, Verdict
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

_TYPE, _VERSION = "Microsoft.Authorization/roleAssignments", "2022-04-01"
_WRITE = f"{_TYPE}/write"
_ELEVATE = "microsoft.authorization/elevateaccess/action"
# The same in every tenant.
ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"


class Judged(Struct, frozen=True, kw_only=True):
    """Assignments as they were listed, each with what is known of it."""

    doubtful: tuple[tuple[Json, Verdict], ...]  # planted, or perhaps so
    kept: tuple[tuple[Json, Verdict], ...]


class Found(Struct, frozen=True, kw_only=True):
    """What is to be taken away, or perhaps so, and what was looked at and is left."""

    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    labels: dict[str, str]  # of all of them, by id
    roles: dict[str, Json]  # that can be given here: properties by GUID; {} where nothing was found


async def judge(case: Case, subject: Subject, azure: "Azure", *, above: bool = False) -> Judged:
    """The assignments at every scope of a subscription, or those that it inherits, judged one by one."""
    scope = f"/subscriptions/{subject.id}"
    # The SDK's objects would take a quarter of a millisecond for each of thousands.
    listed = azure.arm_pages(f"{scope}/providers/{_TYPE}", _VERSION, {"$filter": "atScope()"} if above else {})
    deeds, we = case.deeds(_WRITE), await azure.own_id()
    doubtful: list[tuple[Json, Verdict]] = []
    kept: list[tuple[Json, Verdict]] = []
    async for item in listed:
        if within(item["properties"]["scope"], scope) == above:
            continue
        maker, made, deed = _origin(case, item, deeds.get(item["id"].lower()))
        if maker == we and not deed:
            continue  # what a suspect had taken away from somebody, and this responder gave back
        holder = item["properties"]["principalId"]
        theirs = case.suspect(holder) or case.suspect(maker, made)
        perhaps = theirs or deed or made is None or made >= case.since
        said = familiarity.vouched(case, item["id"])
        if not perhaps and not said:
            continue  # as most are, of thousands
        own = said and said.by and await _through(azure, said.by, item["properties"])
        verdict = familiarity.judge(case, maker, made, deed, thing=item["id"], holder=said.by if said and own else "")
        if deed and made and made < case.since and not said:
            verdict = _rewritten(verdict, deed)
        if verdict.familiarity != "familiar" and perhaps:
            doubtful.append((item, verdict))
        elif theirs or said:
            kept.append((item, verdict))
    doubtful.sort(key=lambda pair: str(pair[0]["id"]).lower())
    return Judged(doubtful=tuple(doubtful), kept=tuple(kept))


async def describe(action: str, judged: Judged, subscription: str, azure: "Azure") -> Found:
    """What is to be said of them, with the names of people and roles."""
    every = (*judged.doubtful, *judged.kept)
    if not every:
        return Found(changes=(), kept=(), labels={}, roles={})
    people = {str(id_) for i, _ in every for n in ("principalId", "createdBy") if (id_ := i["properties"].get(n))}
    roles, names = await asyncio.gather(_roles(azure, subscription), directory.names(azure, people))
    labels = {item["id"]: _label(item, roles, names) for item, _ in every}
    changes = tuple(
        Change(
            action=action,
            resource=item["id"],
            summary=f"delete the role assignment {labels[item['id']]}",
            reasons=_named(verdict.reasons, names),
            before=item,
            principals=(item["properties"]["principalId"],),
            familiarity=verdict.familiarity,
        )
        for item, verdict in judged.doubtful
    )
    left = tuple(f"{labels[item['id']]}: {'; '.join(_named(verdict.reasons, names))}" for item, verdict in judged.kept)
    return Found(changes=changes, kept=left, labels=labels, roles=roles)


def elevations(case: Case, item: Json) -> list[str]:
    """Ids of the events by which a suspect took an assignment himself (elevateAccess), however often."""
    return [event for deed in _elevations(case, item) for event in deed.events]


async def _roles(azure: "Azure", subscription: str) -> dict[str, Json]:
    defined = azure.authorization(subscription).role_definitions.list(f"subscriptions/{subscription}")
    return {str(d.name).lower(): rest(d)["properties"] async for d in defined}


def because(change: Change, *reasons: str, **before: object) -> Change:
    """A change with more reasons, and with more of what was there before."""
    return replace(change, reasons=(*change.reasons, *reasons), before={**change.before, **before})


def role(properties: Json) -> str:
    """The GUID of the role that an assignment gives."""
    return str(properties["roleDefinitionId"]).lower().rpartition("/")[2]


def allows(permissions: Iterable[Json], actions: Collection[str]) -> bool:
    """Whether the permissions of a role, or of a deny assignment, cover one of these actions."""
    return any(
        any(_matches(p, action) for p in permission.get("actions") or ())
        and not any(_matches(p, action) for p in permission.get("notActions") or ())
        for permission in permissions
        for action in actions
    )


def _matches(pattern: str, action: str) -> bool:
    """Whether an action is one of a pattern's, in which * stands for anything."""
    first, *others = pattern.lower().split("*")
    text = action.lower()
    if not others:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(others[-1]) and len(text) - len(others[-1]) >= at


def _origin(case: Case, item: Json, deed: Finding | None) -> tuple[str | None, datetime | None, Finding | None]:
    """Who made an assignment, when, and the deed in the log; `deed`: a suspect's write of it."""
    properties = item["properties"]
    made = time_of(properties.get("createdOn"))
    maker = properties.get("createdBy")
    deed = deed or min(_elevations(case, item), key=lambda f: f.at, default=None)
    # What an undo put back has our mark on it: the log still knows who first made it. An older one only was changed.
    if deed and not case.suspect(maker) and (made is None or made >= case.since):
        maker, made = deed.caller, deed.at
    return maker, made, deed


def _rewritten(verdict: Verdict, deed: Finding) -> Verdict:
    """Of one that was there before, and that a suspect wrote again: perhaps its condition is gone."""
    why = f"but {deed.name or deed.caller} wrote it again {utc(deed.at)}: look at its condition"
    return Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))


def _elevations(case: Case, item: Json) -> list[Finding]:
    """A suspect's calls of elevateAccess, which gives its caller this role at the root; [] for another assignment."""
    properties = item["properties"]
    suspect = case.suspect(properties["principalId"])
    if properties["scope"] != "/" or role(properties) != ACCESS_ADMINISTRATOR or suspect is None:
        return []
    took = (f for f in case.findings if f.is_deed and f.operation.lower() == _ELEVATE)
    return [f for f in took if case.suspect(f.caller) == suspect]


async def _through(azure: "Azure", person: str, grant: Json) -> bool:
    """Whether that person has his rights by an assignment: then his word on it does not count."""
    if str(grant.get("principalType")) != "Group":
        return bool(grant["principalId"].lower() == person.lower())
    path = f"/users/{segment(person)}/checkMemberGroups"
    return bool((await azure.graph("POST", path, body={"groupIds": [grant["principalId"]]}))["value"])


def _label(item: Json, roles: dict[str, Json], names: dict[str, str]) -> str:
    properties = item["properties"]
    name = str(roles.get(role(properties), {}).get("roleName") or "a role")
    holder = names.get(properties["principalId"], properties["principalId"])
    group = "the group " if properties.get("principalType") == "Group" else ""
    return f"{name} of {group}{holder} on {properties['scope']}"


def _named(reasons: Iterable[str], names: dict[str, str]) -> tuple[str, ...]:
    """Reasons with the names of those whom they know by object id."""
    found = []
    for reason in reasons:
        text = reason
        for id_, name in names.items():
            text = text.replace(id_, name)
        found.append(text)
    return tuple(found)
