"""How a part of the Activity Log is asked for at Azure Monitor (REST, Insights 2015-04-01), and how an event is read.

For whoever has one question. What a whole window tells is read by the investigation, which decodes the pages itself.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from responders.azure import odata
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("Microsoft.Insights/eventtypes/values/read",)
VERSION = "2015-04-01"
VALUES = "/providers/Microsoft.Insights/eventtypes/management/values"  # of the tenant, or after a subscription's path
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"  # the caller's, among an event's claims


async def events(
    azure: "Azure", subscription: str, since: datetime, until: datetime, which: str = ""
) -> AsyncIterator[Json]:
    """The events of a subscription from `since` to `until`, newest first. `which` as for `within`."""
    async for event in azure.arm_pages(f"/subscriptions/{subscription}{VALUES}", VERSION, within(since, until, which)):
        yield event


async def done(
    azure: "Azure", resource: str, operation: str, since: datetime, until: datetime | None = None
) -> list[Json]:
    """What was done to one resource by operations that end in `operation`, e.g. "/reimage/action"; minutes late.

    Events in no order, those of what failed or is under way too. Without `until`: up to now.
    """
    path, which = f"{'/'.join(resource.split('/')[:3])}{VALUES}", f"resourceUri eq {odata(resource)}"
    pages = azure.arm_pages(path, VERSION, within(since, until, which))
    return [e async for e in pages if value(e, "operationName").lower().endswith(operation.lower())]


def within(since: datetime, until: datetime | None, which: str = "") -> dict[str, str]:
    """The query for the events between two times.

    `which` is one more comparison of OData, e.g. "resourceProvider eq 'Microsoft.Compute'": Azure takes no second.
    """
    window = f"eventTimestamp ge '{_utc(since)}'" + (f" and eventTimestamp le '{_utc(until)}'" if until else "")
    return {"$filter": f"{window} and {which}" if which else window}


def value(event: Json, name: str) -> str:
    """A property that an event has as a pair, of which `value` is the one that no language changes; "" for none."""
    pair = event.get(name) or ""
    return str(pair.get("value") or "") if isinstance(pair, dict) else str(pair)


def succeeded(event: Json) -> bool:
    """Whether it tells the end of what was done; other events of it tell that it started or was accepted."""
    return value(event, "status") == "Succeeded"


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
