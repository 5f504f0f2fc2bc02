"""App roles that a principal was given: what an application lets a user do, or another application.

An application's permissions in Graph are app roles too. Graph has the time, Entra's audit log who gave it. What a
principal has by way of a group is the group's. POST and DELETE /servicePrincipals/{id}/appRoleAssignedTo.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from responders import familiarity, trail
from responders.azure import absent_is_fine, segment
from responders.model import Case, Change, Json, Outcome, Verdict
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

Holders = Literal["users", "servicePrincipals"]

LASTING = "Given back, it has a new id, and the time of that."
_ENDS = ("principalId", "resourceId", "appRoleId")
_KEPT = ("id", *_ENDS, "createdDateTime", "resourceDisplayName")
_GIVEN: Mapping[Holders, str] = {  # what the log calls it
    "users": "Add app role assignment grant to user",
    "servicePrincipals": "Add app role assignment to service principal",
}


async def judged(azure: "Azure", case: Case, holders: Holders, id_: str) -> list[tuple[str, Json, Verdict]]:
    """A principal's own: of each its Graph path, what a change keeps of it, and whether it is known good."""
    held = [a for a in await _held(azure, holders, id_) if a["principalId"] == id_]
    log = trail.Trail(())
    if any((made := _made(a)) is None or made >= case.since for a in held):
        log = await trail.of_activity(azure, case, _GIVEN[holders])
    ordered = sorted(held, key=lambda a: str(a["id"]))
    return [(_path(a), {name: a.get(name) for name in _KEPT}, _judge(case, a, log, _GIVEN[holders])) for a in ordered]


async def apply(azure: "Azure", change: Change, holders: Holders) -> Outcome:
    """Take it back. Whoever gives it again, under another id, gives nothing else."""
    now = await read(azure, change, holders)
    if now is None:
        return Outcome(status="already_so", reason="It is taken back already.")
    with absent_is_fine():
        await azure.graph("DELETE", _path(now))
    if now["id"] != change.before["id"]:
        return Outcome(status="done", reason="It had been given again since the plan.", after=now)
    return Outcome(status="done")


async def undo(azure: "Azure", change: Change, holders: Holders) -> Outcome:
    """Give it back."""
    if await read(azure, change, holders) is not None:
        return Outcome(status="already_so", reason="It is given again already.")
    with absent_is_fine():
        await azure.graph("POST", _collection(change.before), body={end: change.before[end] for end in _ENDS})
        return Outcome(status="done", reason=change.lasting)
    return Outcome(status="failed", reason="One of its ends is gone: restore it first, then undo again.")


async def read(azure: "Azure", change: Change, holders: Holders) -> Json | None:
    """The assignment as it is; by what it gives to whom, since one that is given back has a new id."""
    before = change.before
    held = await _held(azure, holders, before["principalId"], {"$filter": f"resourceId eq {before['resourceId']}"})
    return next((a for a in held if all(a[end] == before[end] for end in _ENDS)), None)


async def _held(azure: "Azure", holders: Holders, id_: str, query: Mapping[str, str] = {}) -> list[Json]:
    """A principal's app roles, those of its groups among them; none for a principal that there is not."""
    return await azure.graph_list(f"/{holders}/{segment(id_)}/appRoleAssignments", query)


def _collection(assignment: Json) -> str:
    return f"/servicePrincipals/{segment(assignment['resourceId'])}/appRoleAssignedTo"


def _path(assignment: Json) -> str:
    return f"{_collection(assignment)}/{segment(assignment['id'])}"


def _made(assignment: Json) -> datetime | None:
    return time_of(assignment.get("createdDateTime"))


def _judge(case: Case, assignment: Json, log: trail.Trail, given: str) -> Verdict:
    made = _made(assignment)
    if made and made < case.since:
        return Verdict(familiarity="familiar", reasons=(f"given {made:%Y-%m-%d}, before the window",))
    principal, resource, role = (assignment[end] for end in _ENDS)
    entry = log.last([given], principal, resource, role) or log.last([given], principal, resource)
    if entry is not None:
        return trail.verdict(case, entry, thing=_path(assignment), holder=principal)
    if made is None:
        return trail.absent(case, log, _path(assignment))
    verdict = familiarity.judge(case, None, made, thing=_path(assignment), holder=principal)
    return trail.awaited(case, log, _path(assignment), verdict)
