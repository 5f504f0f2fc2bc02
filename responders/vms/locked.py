"""Locks in the way of what is done to a machine: named to the approver, off for as long as a write takes, and put back.

A ReadOnly lock forbids run commands, starts and stops too, not just writes. A lock is taken off only when Azure has
refused a write because of it: each apply and undo may be begun anew, and is, with the locks off that were approved.
Microsoft.Authorization/locks, api-version 2020-05-01.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar, cast

from msgspec.structs import replace

from responders import locks
from responders.azure import fine
from responders.errors import Temporary
from responders.ids import within
from responders.memo import Memo
from responders.model import Case, Change, Json, Outcome
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

READ = "Microsoft.Authorization/locks/read"
PERMISSIONS = (READ, "Microsoft.Authorization/locks/write", "Microsoft.Authorization/locks/delete")
REFUSED = "ScopeLocked"
_Function = TypeVar("_Function", bound=Callable[..., Awaitable[Outcome]])

# The machines of an incident often lie in one subscription.
_locks = Memo[list[Json]](60)


async def read(azure: "Azure", id_: str) -> list[Json]:
    """All locks of the subscription in which something lies."""
    scope = _subscription(id_)
    return await _locks.get(azure, scope, lambda: locks.read(azure, scope))


async def shut(azure: "Azure", case: Case, id_: str) -> bool:
    """Whether a ReadOnly lock has held at or above a resource since before the window: nothing was done to it then."""
    held = [lock for lock in await read(azure, id_) if lock["properties"]["level"] == "ReadOnly"]
    own = await azure.own_id()
    return any(within(id_, locks.scope_of(lock)) and _old(case, lock, own) for lock in held)


def _old(case: Case, lock: Json, own: str) -> bool:
    """Whether a lock is from before the window. One that we put back looks younger: its making is in the log."""
    stamps = lock.get("systemData") or {}
    made = time_of(stamps.get("createdAt"))
    if made and made < case.since:
        return True
    maker = case.makers.get(lock["id"].lower())
    stranger = maker is not None and maker.id.lower() != own
    suspects = case.suspect(stamps.get("createdBy")) or case.wrote(lock["id"])
    return not (stranger or suspects or case.gap(lock["id"]))


async def through(
    azure: "Azure", case: Case, change: Change, writes: Iterable[str] = (), deletes: Iterable[str] = ()
) -> Change:
    """The change with the locks that may be in its way, or in that of its undo, and a summary that names them.

    A delete meets all locks at, above and beneath what goes; a write the strict ones at and above. Those that a suspect
    made are put back too, since to take them away is a step of its own, but only by who took them off.
    """
    held = await read(azure, change.resource)
    own, above = locks.in_the_way(held, deletes)
    strict = [lock for lock in held if lock["properties"]["level"] == "ReadOnly" and lock not in above]
    above += [lock for lock in strict if lock not in own and any(within(id_, locks.scope_of(lock)) for id_ in writes)]
    if not above and not own:
        return change
    names = ", ".join(locks.label(lock) for lock in (*above, *own))
    theirs = [lock["id"] for lock in above if case.wrote(lock["id"])]
    return replace(
        change,
        summary=f"{change.summary}; {names}: taken off where it is in the way, and put back",
        before={**change.before, "locks": {"above": above, "own": own, "theirs": theirs}},
    )


async def again(azure: "Azure", change: Change) -> bool:
    """Put back the locks that were on what a change removed, when it is there again. Whether one was missing."""
    return await locks.ensure(azure, (change.before.get("locks") or {}).get("own", []))


def lifting(function: _Function) -> _Function:
    """Have an action's apply or undo begin anew when Azure refuses by a lock: with those off that its change names."""

    @wraps(function)
    async def tried(self: object, change: Change, azure: "Azure") -> Outcome:
        held: Json = change.before.get("locks") or {"above": [], "own": [], "theirs": []}
        steady = [lock for lock in held["above"] if lock["id"] not in held["theirs"]]
        with fine(REFUSED):
            try:
                return await function(self, change, azure)
            finally:  # whoever took them off in an earlier attempt may have died
                await locks.ensure(azure, steady)
        if other := await locks.changed(azure, [*held["above"], *held["own"]]):
            return _drifted(azure, change, f"{locks.label(other)} is another one now", other)
        there = [lock for lock in held["above"] if lock in steady or await locks.stands(azure, lock)]
        with fine(REFUSED) as still:
            async with locks.lifted(azure, there, held["own"]):
                return await function(self, change, azure)
        known, said = {lock["id"].lower() for lock in (*held["above"], *held["own"])}, still[REFUSED].lower()
        found = [
            lock for lock in await locks.read(azure, _subscription(change.resource)) if lock["id"].lower() not in known
        ]
        if new := next((lock for lock in found if locks.scope_of(lock).lower() in said), None):
            return _drifted(azure, change, f"another lock was put there after the plan: {still[REFUSED]}", new)
        raise Temporary(f"{change.summary}: Azure does not show yet that the locks are off: {still[REFUSED]}")

    return cast("_Function", tried)


def _drifted(azure: "Azure", change: Change, why: str, lock: Json) -> Outcome:
    _locks.forget(azure, _subscription(change.resource))
    return Outcome(status="drifted", reason=f"{why[0].upper()}{why[1:]}.", after=lock)


def _subscription(id_: str) -> str:
    """The id of the subscription in which something lies; names beneath it may be of any kind, as in backup vaults."""
    return "/".join(id_.split("/")[:3]).lower()
