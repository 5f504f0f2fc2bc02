"""What was done: the activities of a subscription, from the best sources there are.

The window of an incident is read from Azure Monitor, which nobody can alter: who owns a workspace can purge rows of it,
a few in the middle just as well, and nothing shows that. Log Analytics, where a workspace is set, tells what was usual
before the window, and what is older than Azure Monitor keeps. There what it lacks is filled from Azure Monitor: what
came after its newest rows, what was before its oldest, long silences, the time before streaming was set up anew, and
slices that it doesn't give whole. Events that both have are kept once, by their ids.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from responders.azure import explained
from responders.errors import CountersignError
from responders.investigation import azure_monitor, log_analytics
from responders.investigation.activity import Activity, Source
from responders.investigation.events import Event, Notes
from responders.investigation.join import Join
from responders.investigation.log_analytics import Hour
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.settings import Settings

PERMISSIONS = (*azure_monitor.PERMISSIONS, *log_analytics.PERMISSIONS)
# Rows arrive out of order: what is older than the newest one by this is held to be complete.
LATE = timedelta(minutes=15)
# So long after they were logged rows may still be on their way.
_LAG = timedelta(hours=1)
# So long without any row, and Azure Monitor is asked whether there was nothing.
HOLE = timedelta(hours=12)
# An intruder may stop the stream, and set it up again: what was done in between is not in it.
_STREAMING = "microsoft.insights/diagnosticsettings/"
_TICK = timedelta(milliseconds=1)

Some = AsyncIterator[tuple[list[Event], Source]]


async def activities(
    azure: "Azure",
    settings: "Settings",
    subscription: str,
    since: datetime,
    until: datetime,
    *,
    window: datetime,
    now: datetime,
    notes: Notes,
) -> AsyncIterator[Activity]:
    """Everything done to a subscription from `since` to `until`, newest first as a rule; nothing of it stays in memory.

    From `window` on it must be whole: that is never left to Log Analytics. `notes` gets what the report has to say
    about it. Raises Permanent or Temporary when Azure Monitor can't be read.
    """
    log = _Log(azure, settings.workspace, subscription, since, window, until, now, notes)
    seen = 0
    joined = Join(notes)
    async for events, source in log.both() if settings.workspace else log.monitor(since, until):
        seen += len(events)
        for activity in joined.take(events, source):
            yield activity
    for activity in joined.rest():
        yield activity
    if not seen:
        notes.say(
            f"The Activity Log of subscription {subscription} gave no event of {_hours(since, until)}. "
            "That is no proof that nothing was done."
        )


async def tenant_activities(
    azure: "Azure", since: datetime, until: datetime, *, now: datetime, notes: Notes
) -> AsyncIterator[Activity]:
    """What was done to the tenant itself, elevateAccess above all; nothing but a note when it may not be read."""
    joined = Join(notes)
    async for events in azure_monitor.tenant(azure, since, until, now=now, notes=notes):
        for activity in joined.take(events, "azure_monitor"):
            yield activity
    for activity in joined.rest():
        yield activity


@dataclass
class _Log:
    """One reading of a subscription's log: its events, from both sources, newest first."""

    azure: "Azure"
    workspace: str  # "" for none
    subscription: str
    since: datetime
    window: datetime
    until: datetime
    now: datetime
    notes: Notes

    async def monitor(self, after: datetime, before: datetime) -> Some:
        """What Azure Monitor has of a time."""
        after = max(after, self.since)
        with explained("reading the Activity Log"):
            async for events in azure_monitor.read(
                self.azure, self.subscription, after, before, now=self.now, notes=self.notes
            ):
                yield events, "azure_monitor"

    async def both(self) -> Some:
        """The window from Azure Monitor; before it what Log Analytics has, and what that lacks from Azure Monitor."""
        end = min(self.until, max(self.window, azure_monitor.reach(self.now)))
        if end < self.until:
            async for some in self.monitor(end, self.until):
                yield some
        if end <= self.since:
            return
        try:
            counted = await log_analytics.hours(self.azure, self.workspace, self.subscription, self.since, end + _TICK)
        except CountersignError as error:
            self.notes.say(log_analytics.INSTEAD.format(error=error))
            async for some in self.monitor(self.since, end):
                yield some
            return
        left = end  # what is after it has been read
        for run in _runs(counted):
            newest = run[0].newest
            arriving = left == end and self.now - end < _LAG
            async for some in self.monitor(newest - LATE, left) if arriving else self._gap(newest, left):
                yield some
            async for some in self._rows(run, end):
                yield some
            left = max(run[-1].oldest, self.since)
        async for some in self._gap(self.since, left):
            yield some

    async def _rows(self, run: list[Hour], end: datetime) -> Some:
        spans = [(max(a, self.since), min(b, end + _TICK)) for a, b in log_analytics.spans(run)]
        begun: datetime | None = None  # when streaming was set up anew: what is next older may be older than it should
        async for part in log_analytics.read(self.azure, self.workspace, self.subscription, spans, self.notes):
            if not part.whole and part.until >= azure_monitor.reach(self.now):
                async for some in self.monitor(part.since, part.until):
                    yield some
                continue
            given = 0
            for number, event in enumerate(part.events):
                at = event.event_timestamp or self.until
                if event.operation.lower().startswith(_STREAMING):
                    begun = at
                elif begun is not None and at < begun:
                    yield part.events[given:number], "log_analytics"
                    async for some in self._gap(at, begun):
                        yield some
                    given, begun = number, None
            yield part.events[given:], "log_analytics"

    async def _gap(self, after: datetime, before: datetime) -> Some:
        async for events, source in self.monitor(after, before):
            if any(after < (e.event_timestamp or after) < before and not e.says_nothing for e in events):
                self.notes.say(f"Log Analytics lacks events of {_hours(after, before)}; Azure Monitor has them.")
            yield events, source


def _runs(counted: list[Hour]) -> Iterator[list[Hour]]:
    """The hours, parted where there was nothing for long."""
    start = 0
    for at in range(1, len(counted) + 1):
        if at == len(counted) or counted[at - 1].oldest - counted[at].newest > HOLE:
            yield counted[start:at]
            start = at


def _hours(after: datetime, before: datetime) -> str:
    return f"{after:%Y-%m-%d %H:%M} to {utc(before)}"
