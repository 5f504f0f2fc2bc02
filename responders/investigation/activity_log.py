"""The Activity Log of a subscription, from Azure Monitor (REST, api-version 2015-04-01).

It goes back 90 days, lags minutes behind, and holds no reads. The server filters by time only; who did it is looked at
here.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.model import Json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from responders.azure import Azure

PERMISSIONS = ("Microsoft.Insights/eventtypes/values/read",)
_OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


class Activity(Struct, frozen=True, kw_only=True):
    """One event of the log, in one spelling."""

    at: datetime
    operation: str  # lower case
    outcome: str  # Started, Accepted, Succeeded or Failed
    resource: str  # ARM id as spelled
    caller: str  # user principal name, or an id
    oid: str  # object id of the caller, lower case; may be empty
    correlation: str
    event: str


async def activities(azure: "Azure", subscription: str, since: datetime, until: datetime) -> "AsyncIterator[Activity]":
    """All administrative events of the time frame, newest first, page by page."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    window = f"eventTimestamp ge '{_utc(since)}' and eventTimestamp le '{_utc(until)}'"
    async for event in azure.arm_pages(path, "2015-04-01", {"$filter": window}):
        if _value(event, "category") in {"", "Administrative", "Security", "Action"}:
            yield _activity(event)


def _activity(event: Json) -> Activity:
    claims = event.get("claims") or {}
    return Activity(
        at=datetime.fromisoformat(event["eventTimestamp"]),
        operation=_value(event, "operationName").lower(),
        outcome=_value(event, "status"),
        resource=event.get("resourceId") or event.get("resourceUri") or "",
        caller=event.get("caller") or "",
        oid=str(claims.get(_OID) or claims.get("oid") or "").lower(),
        correlation=event.get("correlationId") or "",
        event=event.get("eventDataId") or "",
    )


def _value(event: Json, name: str) -> str:
    pair = event.get(name) or ""
    return str(pair.get("value") or "") if isinstance(pair, dict) else str(pair)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
