"""From events to activities: the two or three events of one operation, joined.

The request is on the event that says "started", the answer on a later one, the address on any of them; how it ended is
what the last one says. It streams: events may come newest first or oldest first, and what stands in memory is bounded.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import msgspec

from responders.investigation.activity import Activity, Source
from responders.investigation.events import Claims, Event, Notes, mended, word
from responders.model import Json

Outcome = Literal["started", "accepted", "succeeded", "failed"]
Ranked = tuple[datetime, int, Outcome, Event]  # an event, with what it is put in order by

# How long, in the log's own time, an operation is waited for after its last event seen: longer ones show as two.
WINDOW = timedelta(hours=6)
# How much may be waiting: bytes, estimated as `_EACH` for an event, and its bodies.
ROOM = 40_000_000
_EACH = 3_000
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # of an event without a time

_STARTED: tuple[int, Outcome] = (0, "started")
_ACCEPTED: tuple[int, Outcome] = (1, "accepted")
_SUCCEEDED: tuple[int, Outcome] = (2, "succeeded")
_FAILED: tuple[int, Outcome] = (2, "failed")
_OUTCOMES = {
    **dict.fromkeys(("start", "started", "begin"), _STARTED),
    **dict.fromkeys(("accept", "accepted", "inprogress", "in progress"), _ACCEPTED),
    **dict.fromkeys(("success", "succeeded", "completed", "active", "resolved"), _SUCCEEDED),
    **dict.fromkeys(("failure", "failed", "canceled", "cancelled"), _FAILED),
}


def join(events: Iterable[Event], notes: Notes, source: Source = "azure_monitor") -> Iterator[Activity]:
    """Activities of events in order of time, either way."""
    joined, some = Join(notes), iter(events)
    while batch := list(islice(some, 200)):
        yield from joined.take(batch, source)
    yield from joined.rest()


class _Operation:
    """Events that are of one operation, or of several that share its ids."""

    __slots__ = ("at", "events", "held", "name", "resource", "source")

    def __init__(self, name: str, resource: str, source: Source) -> None:
        self.name, self.resource, self.source = name, resource, source
        self.at = UNDATED
        self.events: list[Ranked] = []
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
            if event.says_nothing:
                continue
            event.event_data_id = id_ = event.own_id
            resource = event.resource
            key = f"{event.correlation_id or id_}\n{operation}\n{resource}".lower()
            known = waiting.get(key)
            if known is None:
                known = waiting[key] = _Operation(operation.lower(), resource, source)
            else:
                waiting.move_to_end(key)
                if id_ in [other.event_data_id for _, _, _, other in known.events]:
                    continue
                first = known.events[0][3]
                if event.claims == first.claims:
                    event.claims = first.claims  # one token, kept once
            _slim(event)
            self._add(known, event)
        return list(self._leave())

    def rest(self) -> list[Activity]:
        """All that is left."""
        left, self._open, self._held = list(self._open.values()), OrderedDict(), 0
        return [activity for one in left for activity in self._activities(one)]

    def _add(self, one: _Operation, event: Event) -> None:
        at = event.event_timestamp
        if at is None:
            one.at = self._at or UNDATED
        else:
            if self._at is not None and at != self._at:
                self._falling = at < self._at
            one.at = self._at = at
        # Of a word that nobody knows it is only known that it isn't the start.
        rank, outcome = _OUTCOMES.get(word(event.status).lower(), (1, "started"))
        one.events.append((at or UNDATED, rank, outcome, event))
        size = _EACH
        if said := event.properties:
            for body in (said.asked, said.answered):
                if body:
                    size += len(body) if isinstance(body, str) else _EACH
        one.held += size
        self._held += size

    def _leave(self) -> Iterator[Activity]:
        while self._open:
            key, oldest = next(iter(self._open.items()))
            if self._held <= self._room and abs((self._at or UNDATED) - oldest.at) <= WINDOW:
                return
            del self._open[key]
            self._held -= oldest.held
            yield from self._activities(oldest)

    def _activities(self, one: _Operation) -> Iterator[Activity]:
        # Azure lets a caller choose the correlation id: operations that share all ids are told apart by their starts.
        ordered = sorted(reversed(one.events) if self._falling else one.events, key=itemgetter(0, 1))
        run: list[Ranked] = []
        begun: Ranked | None = None
        for entry in ordered:
            if entry[1] == 0:
                if begun and not _twins(begun, entry):
                    yield _activity(one, run)
                    run = []
                begun = entry
            run.append(entry)
        yield _activity(one, run)


def _slim(event: Event) -> None:
    """Let go of texts that were read: a resource's id is in an event up to five times."""
    event.id = event.resource_id = event.resource_uri = event.operation_name = None
    if event.authorization:
        event.authorization.scope = event.authorization.action = None
    if event.properties:
        event.properties.entity = event.properties.message = None


def _twins(one: Ranked, other: Ranked) -> bool:
    """Whether two starts are one, written twice: a workspace may get the log by two ways, each with ids of its own."""
    asked, again = ((said.asked if said else None) for said in (one[3].properties, other[3].properties))
    return one[0] == other[0] and bool(asked == again)


def _activity(one: _Operation, run: list[Ranked]) -> Activity:
    """One activity of the events of one operation, in order of time."""
    rank, outcome = _STARTED
    claims: Claims | None = None
    asked = answered = None
    caller = address = correlation = subscription = home = category = status = role = kind = ""
    for _, its_rank, its_outcome, event in run:
        if its_rank >= rank and its_outcome != "started":
            rank, outcome = its_rank, its_outcome
        claims = claims or event.claims
        caller = caller or event.caller or ""
        correlation = correlation or event.correlation_id or ""
        subscription = subscription or event.subscription_id or ""
        home = home or event.tenant_id or ""
        category = category or event.kind
        if event.http_request:
            address = address or event.http_request.client_ip_address or ""
        if event.authorization:
            evidence = event.authorization.evidence
            role = role or (evidence and evidence.role) or event.authorization.role or ""
            kind = kind or (evidence and evidence.principal_type) or ""
        detail = word(event.sub_status).partition(" (")[0]
        if said := event.properties:
            asked = asked or said.asked
            answered = said.answered or answered
            detail = detail or said.status_code or ""
            home = home or _tenant(said.hierarchy or "")
        status = detail or status
    claims = claims or Claims()
    oid, appid = (claims.oid or claims.short_oid or "").lower(), (claims.appid or "").lower()
    return Activity(
        at=run[0][0],
        until=run[-1][0],
        operation=one.name,
        outcome=outcome,
        resource=one.resource,
        subscription=(subscription or _subscription(one.resource)).lower(),
        caller=caller or claims.upn or claims.short_upn or claims.name or claims.mail or oid or appid,
        oid=oid,
        tid=(claims.tid or claims.short_tid or "").lower(),
        home=home.lower(),
        appid=appid,
        appidacr=claims.appidacr or "",
        idtyp=claims.idtyp or "",
        amr=_list(claims.amr or claims.short_amr),
        wids=_list(claims.wids),
        uti=claims.uti or "",
        address=address,
        token_address=claims.ipaddr or "",
        role=role,
        principal_type=kind,
        status=status,
        correlation=correlation,
        category=category,
        request=_body(asked),
        response=_body(answered),
        events=tuple([event.event_data_id or "" for _, _, _, event in run]),
        source=one.source,
    )


def _subscription(resource: str) -> str:
    parts = resource.split("/", 3)
    return parts[2] if len(parts) > 2 and parts[1].lower() == "subscriptions" else ""  # noqa: PLR2004


def _tenant(hierarchy: str) -> str:
    """The tenant that a hierarchy begins with. Old ones hold only the subscription."""
    tenant, below, _ = hierarchy.partition("/")
    return tenant if below else ""


def _body(said: Any) -> Json:
    """A body as a JSON object: parsed; {"value": …} around a list; {"text": …} around what is no JSON."""
    if not said:
        return {}
    for _ in range(2):  # JSON in a string, which may be in a string again
        if isinstance(said, str):
            try:
                said = _decoded(said)
            except (ValueError, RecursionError):
                return {"text": said}
    if isinstance(said, dict):
        return said
    return {"text" if isinstance(said, str) else "value": said}


def _decoded(said: str) -> Any:
    try:
        return msgspec.json.decode(said)
    except msgspec.DecodeError:
        return mended(said.encode(errors="replace"))


@lru_cache(maxsize=4096)
def _list(said: str | None) -> tuple[str, ...]:
    return tuple([part.strip() for part in said.split(",")]) if said else ()
