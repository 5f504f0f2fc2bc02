"""Make anew what was deleted, from the definitions that were kept: the undo of `subscriptions.delete_resources`."""

import asyncio
from typing import TYPE_CHECKING

from responders import locks
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Outcome
from responders.subscriptions import definition, inventory
from responders.subscriptions.resource_types import MADE_BY_ANOTHER, NEVER_AGAIN

if TYPE_CHECKING:
    from responders.azure import Azure

_AT_REST = frozenset({"", "succeeded", "failed", "canceled"})
# What a new resource takes besides the right to write it: to join networks, to be given identities, to copy disks.
PERMISSIONS = (
    "*/write",
    "Microsoft.Compute/*/beginGetAccess/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.Network/*/join/action",
)


async def redeploy(azure: "Azure", change: Change) -> Outcome:
    """Put back what is missing, and leave what is there: groups, then what is used, then what uses it, then locks.

    Raises Temporary while Azure makes it: the next call goes on from there, by what it then reads.
    """
    before = change.before
    own, above = before["locks"]["own"], before["locks"]["above"]
    missing = await absent(azure, [*before["parts"], *before["children"]])
    final = [part for part in missing if _final(part)]
    missing = [part for part in missing if part not in final]
    refused = " ".join(f"{part['id']} is not made anew: {_final(part)}." for part in final)
    if refused and before["parts"][0] in final:
        return Outcome(status="failed", reason=refused)
    if not missing:
        again = await locks.ensure(azure, own)
        await _at_rest(azure, before["parts"][0])
        reason = " ".join(filter(None, ["Its locks are back." if again else "It is there.", refused]))
        return Outcome(status="done" if again else "already_so", reason=reason)
    disks = frozenset(part["id"].lower() for part in before["parts"] if part.get("made"))
    closed = [lock for lock in above if lock["properties"]["level"] == "ReadOnly"]
    async with locks.lifted(azure, closed, []):
        missing.reverse()
        for part in sorted(missing, key=_depth):
            if part["id"].lower() not in disks and _kind(part) not in MADE_BY_ANOTHER:
                await azure.arm("PUT", part["id"], part["version"], body=definition.again(part["body"], disks))
    await locks.ensure(azure, own)
    await _at_rest(azure, before["parts"][0])
    reason = " ".join(filter(None, ["Made anew from its definition.", refused, change.lasting]))
    return Outcome(status="done", reason=reason)


def _final(part: Json) -> str:
    return NEVER_AGAIN.get(_kind(part), "")


def _kind(part: Json) -> str:
    return str(part["body"].get("type") or "").lower()


async def absent(azure: "Azure", parts: list[Json]) -> list[Json]:
    """Those of some parts that are not there."""
    return [part for part, body in await current(azure, parts) if body is None]


async def current(azure: "Azure", parts: list[Json]) -> list[tuple[Json, Json | None]]:
    """Each part with its definition as it is now; None for what is not there."""
    room = asyncio.Semaphore(inventory.AT_ONCE)

    async def one(part: Json) -> tuple[Json, Json | None]:
        async with room:
            return part, await inventory.read(azure, part["id"], part["version"])

    return await asyncio.gather(*(one(part) for part in parts))


async def _at_rest(azure: "Azure", part: Json) -> None:
    body = await inventory.read(azure, part["id"], part["version"])
    state = state_of(body) if body else "not there yet"
    if state not in _AT_REST:
        raise Temporary(f"{part['id']} is being made anew ({state}).")


def state_of(body: Json) -> str:
    """What Azure is doing with a resource, in lower case: deleting, succeeded, …; "" where it does not say."""
    return str((body.get("properties") or {}).get("provisioningState") or "").lower()


def _depth(part: Json) -> int:
    """Groups before all, parents before their children."""
    return len(ResourceId.parse(part["id"]).names)
