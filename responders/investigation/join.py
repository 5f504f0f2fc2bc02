"""From events to activities: the two or three events of one operation, joined.

The request is on the event that says "started", the answer on a later one, the address on any of them; how it ended is
what the last one says. It streams: events may come newest first or oldest first, and what stands in memory is bounded.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

import msgspec

from responders.investigation.activity import Activity, Source
from responders.investigation.events import (
    Authorization,
    Claims,
    Event,
    Evidence,
    Http,
    Notes,
    Properties,
    parsed,
    says_nothing,
    text,
    word,
)
from responders.model import Json

Outcome = Literal["started", "accepted", "succeeded", "failed"]

# How long, in the log's own time, an operation is waited for after its last event seen: longer ones show as two.
WINDOW = timedelta(hours=6)
# How much may be waiting, in bytes as estimated: 2,000 an event, and its bodies.
ROOM = 40_000_000
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # of an event without a time

_OUTCOMES: dict[str, Outcome] = {
    "start": "started",
    "started": "started",
    "begin": "started",
    "accept": "accepted",
    "accepted": "accepted",
    "in progress": "accepted",
    "inprogress": "accepted",
    "success": "succeeded",
    "succeeded": "succeeded",
    "completed": "succeeded",
    "active": "succeeded",
    "resolved": "succeeded",
    "failure": "failed",
    "failed": "failed",
    "canceled": "failed",
    "cancelled": "failed",
}
_RANK = {"started": 0, "accepted": 1, "succeeded": 2, "failed": 2, None: 1}


def join(events: Iterable[Event], notes: Notes, source: Source = "azure_monitor") -> Iterator[Activity]:
    """Activities of events in order of time, either way."""
    joined, some = Join(notes), iter(events)
    while batch := list(islice(some, 200)):
        yield from joined.take(batch, source)
    yield from joined.rest()


class _Operation:
    """Events that are of one operation, or of several that share its ids."""

    __slots__ = ("at", "events", "held", "name", "source")

    def __init__(self, name: str, source: Source) -> None:
        self.name, self.source = name, source
        self.at = UNDATED
        self.events: list[Event] = []
        self.held = 0


class Join:
    """Takes events, gives activities once nothing more is expected of them."""

    def __init__(self, notes: Notes, room: int = ROOM) -> None:
        self._notes, self._room = notes, room
        self._open: OrderedDict[str, _Operation] = OrderedDict()  # least recently touched first
        self._held = 0
        self._at: datetime | None = None  # where the stream is
        self._falling = True  # whether it goes back in time

    def take(self, events: Iterable[Event], source: Source) -> list[Activity]:
        """Add events; what is complete by now comes back."""
        waiting = self._open
        for event in events:
            operation = event.operation
            if not operation:
                self._notes.unreadable += 1
                continue
            if says_nothing(event):
                continue
            at, id_ = event.event_timestamp, _id(event)
            event.event_data_id = id_
            key = f"{text(event.correlation_id) or id_}\n{operation}\n{event.resource}".lower()
            known = waiting.get(key)
            if known is None:
                known = waiting[key] = _Operation(operation.lower(), source)
            else:
                waiting.move_to_end(key)
                if any(id_ == other.event_data_id for other in known.events):
                    continue
            known.events.append(event)
            size = _size(event)
            known.held += size
            self._held += size
            if at is None:
                known.at = self._at or UNDATED
                continue
            if self._at is not None and at != self._at:
                self._falling = at < self._at
            known.at = self._at = at
        return list(self._leave())

    def rest(self) -> list[Activity]:
        """All that is left."""
        left, self._open, self._held = list(self._open.values()), OrderedDict(), 0
        return [activity for one in left for activity in self._activities(one)]

    def _leave(self) -> Iterator[Activity]:
        while self._open:
            key, oldest = next(iter(self._open.items()))
            if self._held <= self._room and abs((self._at or UNDATED) - oldest.at) <= WINDOW:
                return
            del self._open[key]
            self._held -= oldest.held
            yield from self._activities(oldest)

    def _activities(self, one: _Operation) -> Iterator[Activity]:
        if len(one.events) == 1:
            yield _activity(one, one.events)
            return
        # Azure lets a caller choose the correlation id: operations that share all ids are told apart by their starts.
        ordered = one.events[::-1] if self._falling else one.events
        ordered.sort(key=lambda e: (e.event_timestamp or UNDATED, _RANK[_outcome(e)]))
        run: list[Event] = []
        begun: Event | None = None
        for event in ordered:
            if _outcome(event) == "started":
                if begun is not None and not _twins(begun, event):
                    yield _activity(one, run)
                    run = []
                begun = event
            run.append(event)
        yield _activity(one, run)


def _id(event: Event) -> str:
    """The event's id. The stream gives none: then its time and status tell it from others of its operation."""
    if said := text(event.event_data_id):
        return said.lower()
    if found := text(event.id).rpartition("/events/")[2].partition("/")[0]:
        return found.lower()
    return " ".join(filter(None, (_stamp(event), word(event.status), text(event.correlation_id))))


def _stamp(event: Event) -> str:
    return event.event_timestamp.isoformat() if event.event_timestamp else ""


def _twins(one: Event, other: Event) -> bool:
    """Whether two starts are one, written twice: a workspace may get the log by two ways, each with ids of its own."""
    return one.event_timestamp == other.event_timestamp and _asked(one) == _asked(other)


def _size(event: Event) -> int:
    asked, answered = _asked(event), _answered(event)
    return 2000 + sum(len(body) if isinstance(body, str) else 4000 for body in (asked, answered) if body)


def _outcome(event: Event) -> Outcome | None:
    return _OUTCOMES.get(word(event.status).lower())


def _asked(event: Event) -> Any:
    said = event.properties
    return (said.requestbody or said.request_body) if isinstance(said, Properties) else None


def _answered(event: Event) -> Any:
    said = event.properties
    if not isinstance(said, Properties):
        return None
    return said.response_body or said.responsebody or said.status_message


def _activity(one: _Operation, events: list[Event]) -> Activity:
    """One activity of the events of one operation, in order of time."""
    outcome, status = _ended(events)
    claims = _claims(events)
    role, principal_type = _right(events)
    resource = next(filter(None, (e.resource for e in events)), "")
    oid, appid = _first(claims.oid, claims.short_oid).lower(), text(claims.appid).lower()
    upn = _first(claims.upn, claims.short_upn, claims.name, claims.mail)
    caller = next(filter(None, (text(e.caller) for e in events)), "") or upn or oid or appid
    return Activity(
        at=events[0].event_timestamp or UNDATED,
        until=events[-1].event_timestamp or UNDATED,
        operation=one.name,
        outcome=outcome,
        resource=resource,
        subscription=_subscription(events, resource),
        caller=caller,
        oid=oid,
        tid=_first(claims.tid, claims.short_tid).lower(),
        home=_home(events),
        appid=appid,
        appidacr=text(claims.appidacr),
        idtyp=text(claims.idtyp),
        amr=_list(claims.amr or claims.short_amr),
        wids=_list(claims.wids),
        uti=text(claims.uti),
        address=next(filter(None, map(_address, events)), ""),
        token_address=text(claims.ipaddr),
        role=role,
        principal_type=principal_type,
        status=status,
        correlation=next(filter(None, (text(e.correlation_id) for e in events)), ""),
        category=next(filter(None, (e.kind for e in events)), ""),
        request=_body(next(filter(None, map(_asked, events)), None)),
        response=_body(next(filter(None, map(_answered, reversed(events))), None)),
        events=tuple(e.event_data_id for e in events),
        source=one.source,
    )


def _ended(events: list[Event]) -> tuple[Outcome, str]:
    """How it ended, as far as it is known, and the status that came with it."""
    outcome: Outcome = "started"
    status = ""
    for event in events:
        said = _outcome(event)
        if said and _RANK[said] >= _RANK[outcome]:
            outcome = said
        detail = word(event.sub_status).partition(" (")[0]
        if not detail and isinstance(event.properties, Properties):
            detail = text(event.properties.status_code)
        status = detail or status
    return outcome, status


def _claims(events: list[Event]) -> Claims:
    for event in events:
        if isinstance(event.claims, Claims):
            return event.claims
        if event.claims and (said := parsed(event.claims)):
            return msgspec.convert(said, Claims)
    return Claims()


def _right(events: list[Event]) -> tuple[str, str]:
    """The role by which the call was allowed, and the kind of principal that held it."""
    role = kind = ""
    for event in events:
        if isinstance(event.authorization, Authorization):
            evidence = event.authorization.evidence
            if isinstance(evidence, Evidence):
                role, kind = role or text(evidence.role), kind or text(evidence.principal_type)
            role = role or text(event.authorization.role)
    return role, kind


def _address(event: Event) -> str:
    return text(event.http_request.client_ip_address) if isinstance(event.http_request, Http) else ""


def _subscription(events: list[Event], resource: str) -> str:
    for event in events:
        if said := text(event.subscription_id):
            return said.lower()
    parts = resource.lower().split("/", 3)
    return parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else ""  # noqa: PLR2004


def _home(events: list[Event]) -> str:
    """The tenant of the subscription: said, or first in the hierarchy, which may begin with the subscription itself."""
    for event in events:
        if said := text(event.tenant_id):
            return said.lower()
        if isinstance(event.properties, Properties):
            tenant, below, _ = text(event.properties.hierarchy).lower().partition("/")
            if below:
                return tenant
    return ""


def _body(said: Any) -> Json:
    """A body as a JSON object: parsed; {"value": …} around a list; {"text": …} around what is no JSON."""
    for _ in range(2):  # JSON in a string, which may be in a string again
        if isinstance(said, str) and said:
            try:
                said = msgspec.json.decode(said)
            except (msgspec.DecodeError, ValueError, RecursionError):
                return {"text": said}
    if isinstance(said, dict):
        return said
    if isinstance(said, str):
        return {"text": said} if said else {}
    return {} if said is None else {"value": said}


def _first(*values: Any) -> str:
    return next(filter(None, map(text, values)), "")


def _list(said: Any) -> tuple[str, ...]:
    parts = said.split(",") if isinstance(said, str) else said if isinstance(said, list) else ()
    return tuple(filter(None, (text(part).strip() for part in parts)))
