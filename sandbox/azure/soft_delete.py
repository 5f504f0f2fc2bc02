"""What is deleted and can still be had back: key vaults and Cognitive Services accounts.

The bodies of the deleted lie in `world.state["deleted"]`, by the id of the record: they are no part of the world's
snapshot. What hung on the resource (role assignments, locks, diagnostic settings) is gone for good, as in Azure.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.azure import ids
from sandbox.azure.clock import stamp

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock
    from sandbox.azure.world import Resource, World

Json = dict[str, Any]

VAULTS, ACCOUNTS = "Microsoft.KeyVault/vaults", "Microsoft.CognitiveServices/accounts"
_DAYS = {VAULTS.lower(): 90, ACCOUNTS.lower(): 2}


def keep(world: "World", clock: "Clock", doomed: "Resource") -> None:
    """Keep what is deleted now, if its type is one of those."""
    kind = doomed.type.lower()
    if kind not in _DAYS:
        return
    days = int(doomed.properties.get("softDeleteRetentionInDays") or _DAYS[kind])
    now = clock.now()
    times = {"deletionDate": stamp(now), "scheduledPurgeDate": stamp(now + timedelta(days=days))}
    body = {k: v for k, v in doomed.body.items() if k != "systemData"}
    entry = {"id": doomed.id, "type": doomed.type, "body": body, "stamps": doomed.stamps, **times}
    world.state.setdefault("deleted", {})[_record(doomed).lower()] = {**entry, "record": _record(doomed)}


def _record(resource: "Resource") -> str:
    parts = ids.parse(resource.id)
    home = f"/subscriptions/{parts.subscription}/providers/{parts.namespace}/locations/{resource.region}"
    if resource.type.lower() == VAULTS.lower():
        return f"{home}/deletedVaults/{parts.name}"
    return f"{home}/resourceGroups/{parts.group}/deletedAccounts/{parts.name}"


def kept(world: "World", clock: "Clock", kind: str) -> Iterator[Json]:
    """What is kept of a type, and has not been purged by time."""
    now, everything = stamp(clock.now()), world.state.get("deleted", {})
    for key in [k for k, entry in everything.items() if entry["scheduledPurgeDate"] <= now]:
        del everything[key]
    return (e for e in everything.values() if e["type"].lower() == kind.lower())


def take(world: "World", record: str) -> Json:
    """Forget a record, and return it: {} if there is none."""
    return dict(world.state.get("deleted", {}).pop(record.lower(), None) or {})
