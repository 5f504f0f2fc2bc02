"""The Activity Log from Log Analytics or Sentinel: table AzureActivity of the workspace that it is streamed to.

First the rows of each hour are counted; then they are fetched in slices of time so small that no answer comes near the
service's limits (500,000 rows, 64 MB). No answer that is cut short is taken for whole. A query is constant text: what
differs stands in `let` statements, as literals made from parsed values.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from responders.azure import explained
from responders.errors import CountersignError, Permanent, Temporary
from responders.ids import is_guid
from responders.investigation.events import NOTHING, Event, Notes, event

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = (
    "Microsoft.OperationalInsights/workspaces/query/read",
    "Microsoft.OperationalInsights/workspaces/query/AzureActivity/read",
)
INSTEAD = "Log Analytics could not be read; as far as Azure Monitor goes back, it was read in its place. {error}"
ROWS = 2_500  # of a slice: 3 KB each
_SMALLEST = timedelta(milliseconds=1)
_HOUR = timedelta(hours=1)

_WANTED = f"""
AzureActivity
| where TimeGenerated >= since and TimeGenerated < until
| where SubscriptionId =~ subscription
| where CategoryValue !in~ ({", ".join(f'"{name}"' for name in NOTHING)})
"""
COUNT = (
    _WANTED
    + """
| summarize Rows = count(), Oldest = min(TimeGenerated), Newest = max(TimeGenerated) by Hour = bin(TimeGenerated, 1h)
| sort by Hour desc
"""
)
# The dynamic columns and their string twins say the same; whichever is filled comes, once.
_FETCH = (
    _WANTED
    + """
| project TimeGenerated, OperationNameValue, ActivityStatusValue, ActivitySubstatusValue, CategoryValue,
    Caller, CallerIpAddress, CorrelationId, EventDataId, SubscriptionId, Hierarchy,
    ResourceId = coalesce(ResourceId, _ResourceId),
    Authorization = coalesce(tostring(Authorization_d), Authorization),
    Claims = coalesce(tostring(Claims_d), Claims),
    Properties = coalesce(tostring(Properties_d), Properties)
| sort by TimeGenerated desc
| take """
)


def fetch() -> str:
    """What asks for rows."""
    return _FETCH + str(ROWS)


class Hour(Struct, frozen=True, kw_only=True):
    """How many rows an hour has, and which of them are the first and the last."""

    rows: int
    oldest: datetime
    newest: datetime


class Slice(Struct, frozen=True, kw_only=True):
    """Rows from `since` up to but without `until`, newest first. Not `whole`: some may be missing."""

    since: datetime
    until: datetime
    events: list[Event]
    whole: bool = True


class _Column(Struct):
    name: str


class _Table(Struct):
    columns: list[_Column]
    rows: list[list[Any]]


class _Fault(Struct):
    code: Any = ""
    message: Any = ""
    details: list["_Fault"] | None = None
    innererror: "_Fault | None" = None

    @property
    def told(self) -> str:
        """All that it says, as one line."""
        inner = [*(self.details or ()), *([self.innererror] if self.innererror else [])]
        return " ".join([str(self.message or self.code), *(one.told for one in inner)])


class _Answer(Struct):
    tables: list[_Table] = []
    error: _Fault | None = None

    @property
    def size(self) -> int:
        """How many rows the first table has."""
        return len(self.tables[0].rows) if self.tables else 0

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the first table, by column."""
        for table in self.tables[:1]:
            names = [column.name for column in table.columns]
            for row in table.rows:
                yield dict(zip(names, row, strict=False))


_answer = msgspec.json.Decoder(_Answer)


async def hours(azure: "Azure", workspace: str, subscription: str, since: datetime, until: datetime) -> list[Hour]:
    """The hours that have rows, newest first. Raises Permanent or Temporary, also for an answer that is not whole."""
    answer = await _query(azure, workspace, COUNT, subscription, since, until)
    if answer.error:
        raise Temporary(f"Log Analytics counted only a part of the Activity Log: {answer.error.told}")
    try:
        return [Hour(rows=int(r["Rows"]), oldest=_time(r["Oldest"]), newest=_time(r["Newest"])) for r in answer.rows]
    except (KeyError, TypeError, ValueError) as error:
        raise Temporary(f"Log Analytics counted the Activity Log in a way that can't be read: {error!r}") from error


def spans(counted: list[Hour]) -> list[tuple[datetime, datetime]]:
    """From … up to, but without …: what covers those hours, newest first, with fewer than ROWS rows each.

    As few as there can be. An hour with more is a span by itself.
    """
    found: list[tuple[datetime, datetime]] = []
    held = 0
    for hour in counted:
        start = _floor(hour.oldest)
        if found and held + hour.rows < ROWS:
            found[-1] = start, found[-1][1]
            held += hour.rows
        else:
            found.append((start, found[-1][0] if found else start + _HOUR))
            held = hour.rows
    return found


async def read(
    azure: "Azure", workspace: str, subscription: str, spans: list[tuple[datetime, datetime]], notes: Notes
) -> AsyncIterator[Slice]:
    """The events of those spans, slice by slice. One that comes back full is halved; newest first all the same.

    When Log Analytics fails, all that is left comes as one slice that is not whole, without events.
    """
    left = spans[::-1]
    while left:
        start, end = left.pop()
        try:
            answer = await _query(azure, workspace, fetch(), subscription, start, end)
        except CountersignError as error:
            notes.say(INSTEAD.format(error=error))
            yield Slice(since=spans[-1][0], until=end, events=[], whole=False)
            return
        full = answer.size >= ROWS
        too_much = full or (answer.error is not None and "E_QUERY_RESULT_SET_TOO_LARGE" in answer.error.told)
        if too_much and end - start > _SMALLEST:
            middle = start + (end - start) / 2
            left += [(start, middle), (middle, end)]
            continue
        if answer.error:
            notes.say(f"Log Analytics gave only a part of the events {_told(start, end)}: {answer.error.told}")
        elif full:
            notes.say(f"Log Analytics holds more events than it gives at once {_told(start, end)}.")
        whole = answer.error is None and not full
        yield Slice(since=start, until=end, events=[event(row) for row in answer.rows], whole=whole)


def asking(query: str, subscription: str, since: datetime, until: datetime) -> str:
    """A query with what it is about. Raises Permanent when that is no subscription."""
    if not is_guid(subscription):
        raise Permanent(f"{subscription[:200]!r} is no subscription. Log Analytics was not asked about it.")
    given = {"since": moment(since), "until": moment(until), "subscription": string(subscription)}
    return "".join(f"let {name} = {literal};\n" for name, literal in given.items()) + query.strip()


async def _query(
    azure: "Azure", workspace: str, query: str, subscription: str, since: datetime, until: datetime
) -> _Answer:
    query = asking(query, subscription, since, until)
    with explained("querying the Activity Log in Log Analytics"):
        content = await azure.logs(workspace, query)
    try:
        return _answer.decode(content) if content else _Answer()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Temporary(f"Log Analytics' answer about the Activity Log can't be read: {error}") from error


def moment(at: datetime) -> str:
    """A time as a literal of KQL."""
    return f"datetime({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z)"


def string(text: str) -> str:
    """A text as a literal of KQL: whatever it holds, it stays one."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else "".join(f"\\u{u:04x}" for u in _units(c)) for c in escaped) + '"'


def _units(character: str) -> list[int]:
    raw = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[i : i + 2]) for i in range(0, len(raw), 2)]


def _told(start: datetime, end: datetime) -> str:
    return f"from {start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC"


def _time(value: str) -> datetime:
    return msgspec.convert(value, datetime)


def _floor(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
