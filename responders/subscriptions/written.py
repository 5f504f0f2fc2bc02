"""What was written to a resource before a time, from the Activity Log: for what Azure keeps no versions of."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import activity_log
from responders.azure import odata
from responders.ids import ResourceId
from responders.investigation import azure_monitor
from responders.investigation.activity import Activity
from responders.investigation.events import Event, Notes, page
from responders.investigation.join import join
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = activity_log.PERMISSIONS


class Write(Struct, frozen=True, kw_only=True):
    """One write that succeeded."""

    at: datetime
    by: str
    body: Json  # of the request; {} where the log does not have it


class History(Struct, frozen=True):
    """What was done to a resource."""

    done: list[Activity]  # oldest first
    parts: frozenset[str]  # ids of events of PATCH: their bodies are not all that was there then


async def before(
    azure: "Azure", subscription: str, resource: str, operation: str, at: datetime, now: datetime
) -> list[Write]:
    """The writes of a resource before a time, newest first, as far back as Azure Monitor keeps them."""
    found = [
        Write(at=done.at, by=done.caller or done.oid, body=done.request)
        for done in (await history(azure, subscription, resource, at, now)).done
        if done.operation == operation.lower() and done.outcome == "succeeded" and done.at < at
    ]
    return sorted(found, key=lambda write: write.at, reverse=True)


async def history(azure: "Azure", subscription: str, resource: str, at: datetime, now: datetime) -> History:
    """All that was done to a resource until a time, as far back as Azure Monitor keeps it."""
    since = azure_monitor.reach(now)
    if since >= at:
        return History([], frozenset())
    query = activity_log.within(since, at, f"resourceUri eq {odata(ResourceId.parse(resource).text)}")
    notes, events = Notes(), list[Event]()
    path = f"/subscriptions/{subscription}{activity_log.VALUES}"
    async for one in azure.arm_decoded(path, activity_log.VERSION, query, partial(page, notes=notes)):
        events += one.value
    done = sorted(join(events, notes), key=lambda one: one.at)
    parts = frozenset(e.own_id for e in events if e.http_request and (e.http_request.method or "").upper() == "PATCH")
    return History(done, parts)
