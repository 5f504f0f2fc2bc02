import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import uuid4

from responders import directory, familiarity, locks
from responders.azure import fine, odata
from responders.errors import Permanent, Temporary
from responders.ids import ResourceId, within
from responders.model import Case, Change, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import pim
from responders.subscriptions.pim import Kind
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_KEPT = ("scope", "roleDefinitionId", "principalId", "principalType", "condition", "conditionVersion", "endDateTime")
_GIVING = frozenset({"adminassign", "selfactivate"})
_LONGER = frozenset({"adminupdate", "adminextend", "adminrenew", "selfextend", "selfrenew"})
_NOT_GRANTED = ("Pending", "Canceled", "Denied", "AdminDenied", "Failed", "Invalid", "TimedOut")
_WHY = "Countersign: taken back, or put back, after approval"


class RemoveEligibleRoles:
    """Take the Azure roles that a suspect gave by Privileged Identity Management in the window, or activated in it.

    Whoever may activate a role comes back however often it is taken from him, so that goes first: eligible schedules,
    and then active ones, at every scope of the subscription, by requests (AdminRemove; undo by AdminAssign). What was
    active for less than five minutes is asked again. Locks in the way are lifted for as long as it takes.
    Microsoft.Authorization/roleEligibilitySchedules and roleAssignmentSchedules, api-version 2020-10-01.
    """

    id = "subscriptions.remove_eligible_roles"
    permissions = (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/locks/read",
        "Microsoft.Authorization/locks/delete",
        "Microsoft.Authorization/locks/write",
        "Directory.Read.All",
    )
    reversible = True
    undoes = Undoes(operations=tuple(f"{name}/write" for name in pim.TYPES.values()), along=("requests",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        scope = f"/subscriptions/{subject.id}"
        what = (*pim.SCHEDULES.values(), *pim.REQUESTS.values())
        eligible, active, asked, activated = await asyncio.gather(*(pim.listed(azure, w, scope) for w in what))
        own = await azure.own_id()
        doubtful: list[tuple[Kind, Json, Verdict, list[Json]]] = []
        kept, by_hand = list[str](), list[str]()
        both: tuple[tuple[Kind, list[Json], list[Json]], ...] = (
            ("eligible", eligible, asked),
            ("active", [schedule for schedule in active if pim.managed(schedule)], activated),
        )
        for kind, schedules, requests in both:
            for schedule in schedules:
                verdict = _judge(case, kind, schedule, requests, own)
                said = f"{_title(kind, schedule)}: {'; '.join(verdict.reasons)}"
                longer = _extended(case, schedule, requests)
                if verdict.familiarity == "familiar" and longer:
                    by_hand.append(f"{said}, but {longer}")
                elif verdict.familiarity == "familiar":
                    if case.suspect(schedule["properties"]["principalId"]):
                        kept.append(said)
                elif within(schedule["properties"]["scope"], scope):
                    doubtful.append((kind, schedule, verdict, _given(schedule, requests)))
                elif verdict.familiarity == "unfamiliar":
                    by_hand.append(
                        f"{said}. An Owner of that scope has to remove it in Privileged Identity Management."
                    )
                else:
                    kept.append(said)
        held = await locks.read(azure, scope) if doubtful else []
        ids = {str(schedule["properties"]["principalId"]) for _, schedule, *_ in doubtful}
        names = await directory.names(azure, ids) if ids else {}
        changes = tuple(_change(self.id, *one, held, names) for one in doubtful)
        reason = (
            "" if changes else "No role here was given by Privileged Identity Management, by a suspect, in the window."
        )
        return Plan(
            action=self.id, subject=subject, changes=changes, reason=reason, kept=tuple(kept), by_hand=tuple(by_hand)
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now, held = await _now(azure, change), change.before["locks"]
        if now is None:
            await locks.ensure(azure, held)
            return Outcome(status="already_so", reason="There is no such schedule.")
        # Given again it has another name, and made to last longer another end: it is the same role of the same one.
        other = now["name"] != change.before["name"] or _essence(now) != change.before["properties"]
        if lock := await locks.changed(azure, held):
            return Outcome(status="drifted", reason="A lock in the way is another one now.", after=lock)
        done = Outcome(status="done")
        async with locks.lifted(azure, held, []):
            with fine("RoleAssignmentDoesNotExist"):
                done = await _request(azure, change, "AdminRemove")
        if other and done.status == "done":
            return Outcome(status="done", reason="It had been changed, or given again, since the plan.", after=now)
        return done

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _now(azure, change) is not None:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        if await _now(azure, change) is not None:
            await locks.ensure(azure, change.before["locks"])
            return Outcome(status="already_so", reason="It is given again already.")
        until = change.before["properties"].get("endDateTime")
        expiration = {"type": "AfterDateTime", "endDateTime": until} if until else {"type": "NoExpiration"}
        start = {"startDateTime": change.before["starts"]} if change.before["starts"] else {}
        only = [lock for lock in change.before["locks"] if lock["properties"]["level"] == "ReadOnly"]
        async with locks.lifted(azure, only, []):
            done = await _request(azure, change, "AdminAssign", scheduleInfo={**start, "expiration": expiration})
        return Outcome(status=done.status, reason=done.reason or change.lasting)


def _judge(case: Case, kind: Kind, schedule: Json, requests: Iterable[Json], own: str) -> Verdict:
    """Judge by the newest request that gave it; by one of ours, which put it back, only where there is no other."""
    properties = schedule["properties"]
    giving = [r for r in requests if pim.ends(r) == pim.ends(schedule) and _kind(r) in _GIVING and _granted(r)]
    giving.sort(key=lambda r: str(r["properties"].get("createdOn") or ""), reverse=True)
    request = next((r for r in giving if str(r["properties"].get("requestorId")).lower() != own), None)
    made = time_of(properties.get("createdOn"))
    if request is None or made is None or made < case.since:
        maker = giving[0]["properties"].get("requestorId") if giving else None
        return familiarity.judge(case, maker, made, thing=schedule["id"], holder=properties["principalId"])
    maker = request["properties"].get("requestorId")
    at = time_of(request["properties"].get("createdOn")) or made
    deed = case.did(f"{pim.TYPES[kind]}/write", request["id"])
    return familiarity.judge(case, maker, at, deed, thing=schedule["id"], holder=properties["principalId"])


def _extended(case: Case, schedule: Json, requests: Iterable[Json]) -> str:
    """What to do about an older one that a suspect made last longer in the window; "" where none did."""
    for request in requests:
        if _kind(request) not in _LONGER or not _granted(request) or pim.ends(request) != pim.ends(schedule):
            continue
        at, asked = time_of(request["properties"].get("createdOn")), request["properties"].get("requestorId")
        if at is None or not asked:
            return (
                "it was made to last longer, and Azure does not say when, or who asked: an Owner has to look at that."
            )
        who = case.suspect(asked, at)
        if who and at >= case.since:
            until = schedule["properties"].get("endDateTime") or "for ever"
            return (
                f"the suspect {who.upn or who.name or who.id} asked {utc(at)} to have it last longer "
                f"(now: {until}): an Owner of that scope has to look at its end in Privileged Identity Management."
            )
    return ""


def _given(schedule: Json, requests: Iterable[Json]) -> list[Json]:
    """The requests that gave it, or had it last longer: what they came to ends with it."""
    its = (r for r in requests if pim.ends(r) == pim.ends(schedule) and _kind(r) in _GIVING | _LONGER and _granted(r))
    return [{"id": id_} for id_ in sorted(str(request["id"]) for request in its)]


def _change(
    action: str,
    kind: Kind,
    schedule: Json,
    verdict: Verdict,
    given: list[Json],
    held: list[Json],
    names: dict[str, str],
) -> Change:
    properties = schedule["properties"]
    _, above = locks.in_the_way(held, [schedule["id"]])
    lifted = [f"{', '.join(locks.label(lock) for lock in above)} is lifted for it and put back"] if above else []
    whom = names.get(properties["principalId"], properties["principalId"])
    starts = str(properties["startDateTime"]) if properties.get("startDateTime") else ""
    begins, made = time_of(starts), time_of(properties.get("createdOn"))
    later = starts if begins and made and begins > made else ""  # made for a time to come
    activated = properties.get("assignmentType") == "Activated"
    return Change(
        action=action,
        resource=schedule["id"],
        summary=f"take {_title(kind, schedule, whom)}",
        reasons=(*verdict.reasons, *lifted),
        before={
            "kind": kind,
            "name": schedule["name"],
            "properties": _essence(schedule),
            "starts": later,
            "locks": above,
            "requests": given,
        },
        principals=(properties["principalId"],),
        lasting="What was activated comes back as given, until the same time." if activated else "",
        familiarity=verdict.familiarity,
    )


async def _now(azure: "Azure", change: Change) -> Json | None:
    """It as it is now; by who has which role where, since what is put back has another name."""
    properties = change.before["properties"]
    scope = ResourceId.parse(properties["scope"]).text
    only = f"principalId eq {odata(properties['principalId'])}"
    found = await pim.listed(azure, pim.SCHEDULES[change.before["kind"]], scope, only)
    return next((s for s in found if pim.ends(s) == pim.ends(change.before)), None)


async def _request(azure: "Azure", change: Change, kind: str, **more: Json) -> Outcome:
    """Ask, and say what it came to: an answer of 201 is no success yet."""
    properties = change.before["properties"]
    scope = ResourceId.parse(properties["scope"])
    asked = {n: properties[n] for n in ("principalId", "roleDefinitionId") if properties.get(n)}
    if kind == "AdminAssign":
        asked |= {n: properties[n] for n in ("condition", "conditionVersion") if properties.get(n)}
    body = {"properties": {**asked, "requestType": kind, "justification": _WHY, **more}}
    client = getattr(azure.authorization(scope.subscription), pim.REQUESTS[change.before["kind"]])
    status = str((await client.create(scope.text, str(uuid4()), body)).status)
    if status == "FailedAsResourceIsLocked":
        raise Permanent(f"A lock came in the way of: {change.summary}. Remove it, then run the incident again.")
    if status.startswith(_NOT_GRANTED[1:]):
        return Outcome(status="failed", reason=f"Privileged Identity Management says {status} to: {change.summary}.")
    return Outcome(status="done")


def _title(kind: Kind, schedule: Json, whom: str = "") -> str:
    properties = schedule["properties"]
    known = properties.get("expandedProperties") or {}
    role = (known.get("roleDefinition") or {}).get("displayName") or properties["roleDefinitionId"]
    who = whom or (known.get("principal") or {}).get("displayName") or properties["principalId"]
    until = f" (until {properties['endDateTime']})" if properties.get("endDateTime") else ""
    what = f"the right to activate {role}" if kind == "eligible" else f"the active role {role}"
    return f"{what} on {properties['scope']} from {who}{until}"


def _essence(schedule: Json) -> Json:
    return {name: schedule["properties"][name] for name in _KEPT if schedule["properties"].get(name) is not None}


def _kind(request: Json) -> str:
    return str(request["properties"].get("requestType")).lower()


def _granted(request: Json) -> bool:
    """Whether it did not stay a wish."""
    return not str(request["properties"].get("status")).startswith(_NOT_GRANTED)
