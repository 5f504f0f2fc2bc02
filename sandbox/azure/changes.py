"""What changed, from what to what, and by whom: the record behind Resource Graph's table resourcechanges.

It covers resources and their containers, not what hangs on them (role assignments, locks), and is kept for 14 days.
While somebody's write runs, `world.writer` says who he is; whatever a world then puts or deletes is recorded. Bodies
are never changed in place, so the record holds on to the old ones: that is also what a lagging inventory shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.azure.clock import stamp, ticks

if TYPE_CHECKING:
    from sandbox.azure.world import World

Json = dict[str, Any]

KEPT = timedelta(days=14)
_CLIENTS = {
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
    "1950a258-227b-4e31-a9cf-717495945fc2": "Azure PowerShell",
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c": "Azure Portal",
}
_CONTAINERS = ("microsoft.resources/subscriptions", "microsoft.resources/resourcegroups")
_QUIET = frozenset({"id", "name", "type", "sandbox", "systemData", "etag"})


@contextmanager
def written(world: "World", event: Json, now: datetime) -> Iterator[None]:
    """While this lasts, record what is written as done by the caller of an activity log event."""
    claims = event.get("claims") or {}
    world.writer = {
        "at": stamp(now),
        "by": event.get("caller", ""),
        "kind": "User" if "@" in str(event.get("caller", "")) else "Application",
        "client": _CLIENTS.get(str(claims.get("appid", "")), "Unspecified"),
        "correlation": event.get("correlationId", ""),
        "operation": str((event.get("operationName") or {}).get("value", "")).lower(),
    }
    try:
        yield
    finally:
        world.writer = None


def record(world: "World", id_: str, kind: str, before: Json | None, after: Json | None) -> None:
    """Keep one change, if somebody writes now, and it is one."""
    if world.writer is None or before == after or not _covered(id_.lower(), kind.lower(), after or before or {}):
        return
    world.changes.append({**world.writer, "id": id_, "type": kind.lower(), "before": before, "after": after})


def shown(world: "World", now: datetime) -> Iterator[Json]:
    """The rows of resourcechanges, oldest first."""
    oldest, until = stamp(now - KEPT), stamp(now)
    for number, change in enumerate(world.changes):
        if oldest <= change["at"] <= until:
            yield _row(number, change)


def bodies(world: "World", until: str) -> dict[str, Json | None]:
    """What differed at a time (as a stamp): the body of each id then, None where there was nothing."""
    found: dict[str, Json | None] = {}
    for change in reversed(world.changes):
        if change["at"] > until:
            found[change["id"].lower()] = change["before"]
    return found


def _covered(key: str, kind: str, body: Json) -> bool:
    return kind in _CONTAINERS or ("location" in body and key.count("/providers/") == 1)


def _row(number: int, change: Json) -> Json:
    moment = datetime.fromisoformat(change["at"])
    name = f"{ticks(moment):020d}_{number:08x}"
    before, after = change["before"], change["after"]
    made, gone = before is None, after is None
    differences = {} if made or gone else dict(_differences(before, after, ""))
    return {
        "id": f"{change['id']}/providers/Microsoft.Resources/changes/{name}",
        "name": name,
        "type": "microsoft.resources/changes",
        "target": change["id"],
        "properties": {
            "targetResourceId": change["id"],
            "targetResourceType": change["type"],
            "changeType": "Create" if made else ("Delete" if gone else "Update"),
            "changes": differences,
            "changeAttributes": {
                "timestamp": change["at"],
                "correlationId": change["correlation"],
                "changesCount": len(differences),
                "previousResourceSnapshotId": None if made else f"{name}_before",
                "newResourceSnapshotId": None if gone else f"{name}_after",
                "changedBy": change["by"],
                "changedByType": change["kind"],
                "clientType": change["client"],
                "operation": change["operation"],
            },
        },
    }


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Json]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after} - (_QUIET if not path else set())):
            yield from _differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old, new = (side[index] if index < len(side) else None for side in (before, after))
            yield from _differences(old, new, f"{path}[{index}]")
    elif before != after:
        kind = "Insert" if before is None else ("Remove" if after is None else "Update")
        yield path, {"previousValue": before, "newValue": after, "changeCategory": "User", "propertyChangeType": kind}
