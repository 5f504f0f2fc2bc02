"""The Activity Log from Azure Monitor (REST, Insights 2015-04-01): of a subscription, and of the tenant itself.

It goes back 90 days, lags minutes behind, and holds no reads. The server filters by time only; who did it is looked at
here. An empty answer is no proof that nothing happened.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from responders import activity_log
from responders.azure import explained
from responders.errors import Permanent
from responders.investigation.events import Event, Notes, page
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = activity_log.PERMISSIONS
KEPT = timedelta(days=90)
# Azure refuses a start that is a moment too early; its clock isn't ours.
_MARGIN = timedelta(hours=1)


async def read(
    azure: "Azure", subscription: str, since: datetime, until: datetime, *, now: datetime, notes: Notes
) -> AsyncIterator[list[Event]]:
    """All events of a subscription's log from `since` to `until`, newest first, page by page."""
    first = reach(now)
    if since < first:
        notes.say(
            f"Azure Monitor keeps the Activity Log for {KEPT.days} days: what was done before "
            f"{utc(first)} is not known from it."
        )
    if max(since, first) < until:
        path = f"/subscriptions/{subscription}{activity_log.VALUES}"
        async for events in _pages(azure, path, max(since, first), until, notes):
            yield events


async def tenant(
    azure: "Azure", since: datetime, until: datetime, *, now: datetime, notes: Notes
) -> AsyncIterator[list[Event]]:
    """All events of the tenant's own log: access taken at the root is in no other. Who may not read it gets a note."""
    try:
        with explained("reading the tenant's Activity Log"):
            async for events in _pages(azure, activity_log.VALUES, max(since, reach(now)), until, notes):
                yield events
    except Permanent as error:
        notes.say(
            "The tenant's own Activity Log was not read, so it is not known whether somebody took access to all "
            f"subscriptions (elevateAccess): look in Entra's audit log. {error}"
        )


def reach(now: datetime) -> datetime:
    """How far back it can be read."""
    return now - KEPT + _MARGIN


async def _pages(
    azure: "Azure", path: str, since: datetime, until: datetime, notes: Notes
) -> AsyncIterator[list[Event]]:
    query = activity_log.within(since, until)
    async for one in azure.arm_decoded(path, activity_log.VERSION, query, partial(page, notes=notes)):
        yield one.value
