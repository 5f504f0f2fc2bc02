"""One event of the Activity Log, in REST's words.

REST (Insights 2015-04-01) is decoded straight into `Event`, a page at a time; other spellings are put into its words
first. Whatever an event holds, reading it never raises: values of a wrong kind are left out, and what is no event at
all is counted.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from responders.errors import Temporary
from responders.investigation.spellings import in_rest_words, parsed
from responders.model import Json

# What Azure says of itself, of policies and of health: nothing that somebody did.
NOTHING = ("Policy", "ResourceHealth", "ServiceHealth", "Autoscale", "Alert", "Recommendation")
_NOTHING = frozenset(name.lower() for name in NOTHING)

_MS, _SOAP = "http://schemas.microsoft.com/", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

_Aware = Annotated[datetime, Meta(tz=True)]


class Notes:
    """What the report has to say about a reading of the log: limits that were hit, and what could not be read."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}
        self.unreadable = 0  # events

    def say(self, sentence: str) -> None:
        """Keep a sentence, once."""
        self._said[sentence] = None

    def __iter__(self) -> Iterator[str]:
        yield from self._said
        if self.unreadable:
            yield f"{self.unreadable} events of the log could not be read and are left out."


class Pair(Struct, gc=False):
    """A value that comes with its label."""

    value: str | None = None


class Claims(Struct, gc=False):
    """What of a token's claims is used, by long and by short names. Lists are written "a,b"."""

    oid: str | None = field(name=_MS + "identity/claims/objectidentifier", default=None)
    short_oid: str | None = field(name="oid", default=None)
    tid: str | None = field(name=_MS + "identity/claims/tenantid", default=None)
    short_tid: str | None = field(name="tid", default=None)
    amr: str | None = field(name=_MS + "claims/authnmethodsreferences", default=None)
    short_amr: str | None = field(name="amr", default=None)
    upn: str | None = field(name=_SOAP + "upn", default=None)
    short_upn: str | None = field(name="upn", default=None)
    name: str | None = field(name=_SOAP + "name", default=None)
    mail: str | None = field(name=_SOAP + "emailaddress", default=None)
    appid: str | None = None
    appidacr: str | None = None
    idtyp: str | None = None
    wids: str | None = None
    uti: str | None = None
    ipaddr: str | None = None


class Http(Struct, gc=False, rename="camel"):
    """The request, as far as the log keeps it."""

    client_ip_address: str | None = None
    method: str | None = None


class Evidence(Struct, gc=False, rename="camel"):
    """The role assignment by which the call was allowed."""

    role: str | None = None
    principal_type: str | None = None


class Authorization(Struct, gc=False):
    """What was allowed, and by which role."""

    action: str | None = None
    role: str | None = None
    scope: str | None = None
    evidence: Evidence | None = None


class Properties(Struct, gc=False, rename="camel"):
    """What the provider adds. Bodies are JSON in a string, or the JSON itself."""

    requestbody: Any = None
    request_body: Any = None
    responsebody: Any = None
    response_body: Any = None
    status_message: Any = None
    status_code: str | None = None
    entity: str | None = None
    message: str | None = None
    hierarchy: str | None = None

    @property
    def asked(self) -> Any:
        """The body of the request, if this event has it."""
        return self.requestbody or self.request_body

    @property
    def answered(self) -> Any:
        """The body of the answer, if this event has it."""
        return self.response_body or self.responsebody or self.status_message


class Event(Struct, gc=False, rename="camel"):
    """One event, in REST's words."""

    event_timestamp: _Aware | None = None
    operation_name: Pair | str | None = None
    status: Pair | str | None = None
    sub_status: Pair | str | None = None
    category: Pair | str | None = None
    event_source: Pair | str | None = None  # what old events call their category
    caller: str | None = None
    resource_id: str | None = None
    resource_uri: str | None = None
    subscription_id: str | None = None
    tenant_id: str | None = None
    correlation_id: str | None = None
    event_data_id: str | None = None
    id: str | None = None
    claims: Claims | None = None
    http_request: Http | None = None
    authorization: Authorization | None = None
    properties: Properties | None = None

    @property
    def operation(self) -> str:
        """What was done, as spelled; "" when the event doesn't say."""
        said = word(self.operation_name) or (self.authorization and self.authorization.action) or ""
        if not said and self.properties and self.properties.message:
            message = self.properties.message
            said = message if "/" in message and " " not in message else ""
        return said

    @property
    def resource(self) -> str:
        """What it was done to: an ARM id, as spelled."""
        return (
            self.resource_id
            or self.resource_uri
            or (self.properties and self.properties.entity)
            or (self.authorization and self.authorization.scope)
            or (self.id or "").partition("/events/")[0]
        )

    @property
    def own_id(self) -> str:
        """The event's id. The stream gives none: then its time and status tell it from others of its operation."""
        if said := self.event_data_id or (self.id or "").rpartition("/events/")[2].partition("/")[0]:
            return said.lower()
        at = self.event_timestamp.isoformat() if self.event_timestamp else ""
        return " ".join(filter(None, (at, word(self.status), self.correlation_id)))

    @property
    def kind(self) -> str:
        """Its category. Events of a $select may lack it; those of policies and health show by their operation."""
        said = word(self.category) or word(self.event_source)
        if said:
            return said
        operation = self.operation.lower()
        if operation.startswith("microsoft.authorization/policies/"):
            return "Policy"
        return "ResourceHealth" if operation.startswith("microsoft.resourcehealth/") else ""

    @property
    def says_nothing(self) -> bool:
        """Whether its category shows nobody's doing."""
        return self.kind.lower() in _NOTHING


class Page(Struct, rename="camel"):
    """One answer of the REST API."""

    value: list[Event]
    next_link: str | None = None


_page = msgspec.json.Decoder(Page)


def page(content: bytes, notes: Notes) -> Page:
    """Read an answer of the REST API. Raises Temporary when it is no list of events at all."""
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        return _page.decode(content)
    try:  # one event among them is odd: read with more patience
        said = mended(content)
        events = [found for raw in said["value"] if (found := _counted(raw, notes))]
        return Page(events, str(said.get("nextLink") or ""))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Temporary(f"Azure's answer about the Activity Log is no list of events: {error!r}") from error


def decoded(content: bytes, notes: Notes) -> Event | None:
    """One event from its JSON, in any spelling; None, counted in the notes, when it is no JSON object."""
    try:
        return _counted(mended(content), notes)
    except (ValueError, RecursionError):
        return _counted(None, notes)


def mended(content: bytes) -> Any:
    """JSON in which no half of a character and no byte that is no UTF-8 hides an event: they become "?"."""
    said = json.loads(content.decode(errors="replace"))
    return json.loads(json.dumps(said, ensure_ascii=False).encode(errors="replace"))


def _counted(raw: object, notes: Notes) -> Event | None:
    if isinstance(raw, dict):
        return event(raw)
    notes.unreadable += 1
    return None


def event(raw: Json) -> Event:
    """One event from its JSON object, in any spelling."""
    rest = in_rest_words(raw)
    with suppress(msgspec.ValidationError):
        return msgspec.convert(rest, Event)
    return _fit(Event, rest)  # slower, and not choosy


def word(value: Pair | str | None) -> str:
    """A text that may come with a label."""
    return (value.value if isinstance(value, Pair) else value) or ""


S = TypeVar("S", bound=Struct)


def _fit(kind: type[S], raw: object) -> S:
    """As much of a struct as an object's values, whatever they are, make."""
    said = parsed(raw)
    fields = ((one.name, one.type, said.get(one.encode_name)) for one in msgspec.structs.fields(kind))
    return kind(**{name: _FITS[type_](value) for name, type_, value in fields if value is not None})


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return None if isinstance(value, dict) else str(value)


def _label(value: object) -> str | None:
    return _text(value["value"] if isinstance(value, dict) and value.get("value") is not None else value)


def _time(value: object) -> datetime | None:
    with suppress(msgspec.ValidationError):
        return msgspec.convert(value, _Aware)
    with suppress(ValueError):
        at = datetime.fromisoformat(str(value))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None


_FITS: dict[Any, Callable[[Any], Any]] = {
    str | None: _text,
    Pair | str | None: _label,
    _Aware | None: _time,
    Any: lambda value: value,
    **{kind | None: partial(_fit, kind) for kind in (Claims, Http, Authorization, Evidence, Properties)},
}
