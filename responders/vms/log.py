"""What the Activity Log has of one resource (Microsoft.Insights, api-version 2015-04-01)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from responders.azure import odata

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Json

PERMISSIONS = ("Microsoft.Insights/eventtypes/values/read",)


async def events(
    azure: "Azure", id_: str, operation: str, since: datetime, until: datetime | None = None
) -> "list[Json]":
    """Its events of operations that end in `operation`, such as "/reimage/action", in no order. Minutes late."""
    span = f"eventTimestamp ge '{_utc(since)}'" + (f" and eventTimestamp le '{_utc(until)}'" if until else "")
    path = f"{'/'.join(id_.split('/')[:3])}/providers/Microsoft.Insights/eventtypes/management/values"
    pages = azure.arm_pages(path, "2015-04-01", {"$filter": f"{span} and resourceUri eq {odata(id_)}"})
    wanted = operation.lower()
    return [e async for e in pages if str((e.get("operationName") or {}).get("value", "")).lower().endswith(wanted)]


def state(event: "Json") -> str:
    """Started, Accepted, Succeeded or Failed."""
    return str((event.get("status") or {}).get("value", ""))


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
