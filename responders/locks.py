"""Management locks in the way of a delete: taken off for as long as it takes, and put back as they were.

Microsoft.Authorization/locks, api-version 2020-05-01. A lock holds at its scope and beneath; what has one beneath can't
be deleted either.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from responders import familiarity
from responders.azure import absent_is_fine
from responders.ids import ResourceId, called, within
from responders.model import Case, Json, Verdict
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

_TYPE = "Microsoft.Authorization/locks"
_VERSION = "2020-05-01"
_turns: "WeakKeyDictionary[Azure, dict[str, asyncio.Lock]]" = WeakKeyDictionary()


async def read(azure: "Azure", scope: str) -> list[Json]:
    """All locks at, above and beneath a scope, but for those on things with names that we don't handle.

    Whatever such a lock is in the way of, Azure's refusal names it; and nobody is to stop all else by one.
    """
    found = [lock async for lock in azure.arm_pages(f"{scope}/providers/{_TYPE}", _VERSION)]
    return [lock for lock in found if ResourceId.read(lock["id"])]


def scope_of(lock: Json) -> str:
    """What a lock is on."""
    return ResourceId.parse(lock["id"]).scope


def label(lock: Json) -> str:
    return f"the lock {lock['name']} ({lock['properties']['level']}) of {called(scope_of(lock))}"


def in_the_way(locks: Iterable[Json], ids: Iterable[str]) -> tuple[list[Json], list[Json]]:
    """Of some locks those that go with these resources, and those above them, which hold for others too."""
    wanted = list(ids)
    own = [lock for lock in locks if any(within(scope_of(lock), id_) for id_ in wanted)]
    above = [lock for lock in locks if lock not in own and any(within(id_, scope_of(lock)) for id_ in wanted)]
    return own, above


async def changed(azure: "Azure", locks: Iterable[Json]) -> Json | None:
    """The first of these locks that is another one now. One that is gone is not."""
    for lock in locks:
        now = await stands(azure, lock)
        if now is not None and _essence(now) != _essence(lock):
            return now
    return None


def respected(case: Case, verdict: Verdict, own: Iterable[Json]) -> Verdict:
    """The verdict on something, with regard to locks on it that no suspect made: perhaps it is to stay as evidence."""
    for lock in own:
        stamps = lock.get("systemData") or {}
        made = time_of(stamps.get("createdAt"))
        deed = case.did(f"{_TYPE}/write", lock["id"])
        origin = familiarity.judge(case, stamps.get("createdBy"), made, deed, thing=lock["id"])
        if verdict.familiarity == "unfamiliar" and origin.familiarity != "unfamiliar":
            why = f"on it is {label(lock)}, {origin.reasons[0]}: perhaps it is to stay as evidence"
            return Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))
    return verdict


@asynccontextmanager
async def lifted(azure: "Azure", above: list[Json], own: list[Json]) -> AsyncIterator[None]:
    """Inside, none of these locks holds. Those above are there again afterwards, and after an error all of them.

    Who needs the same lock off waits for his turn, since somebody else would put it back in between.
    """
    async with alone(azure, above):
        back = [*above, *own]
        try:
            for lock in (*above, *own):
                with absent_is_fine():
                    await azure.arm("DELETE", lock["id"], _VERSION)
            yield
            back = above
        finally:
            await _put(azure, back)


async def ensure(azure: "Azure", locks: list[Json]) -> bool:
    """Put back those that are missing: whoever took them off may have died. Whether one was."""
    async with alone(azure, locks):
        return await _put(azure, locks)


async def _put(azure: "Azure", locks: Iterable[Json]) -> bool:
    missing = [lock for lock in locks if await stands(azure, lock) is None]
    for lock in missing:
        await azure.arm("PUT", lock["id"], _VERSION, body={"properties": _essence(lock)})
    return bool(missing)


@asynccontextmanager
async def alone(azure: "Azure", locks: Iterable[Json]) -> AsyncIterator[None]:
    """Alone with these locks. All are asked for in the same order, so that nobody waits for whom waits for him."""
    held = _turns.setdefault(azure, {})
    turns = [held.setdefault(id_, asyncio.Lock()) for id_ in sorted(lock["id"].lower() for lock in locks)]
    taken: list[asyncio.Lock] = []
    try:
        for turn in turns:
            await turn.acquire()
            taken.append(turn)
        yield
    finally:
        for turn in reversed(taken):
            turn.release()


async def stands(azure: "Azure", lock: Json) -> Json | None:
    """A lock as it is now; None when it is gone."""
    return await azure.arm_read(lock["id"], _VERSION)


def _essence(lock: Json) -> Json:
    return {name: lock["properties"][name] for name in ("level", "notes", "owners") if lock["properties"].get(name)}
