"""One event of the Activity Log, whatever its spelling, in REST's words.

REST (Insights 2015-04-01) is decoded straight into `Event`, a page at a time. What the stream (Event Hub, storage
account), Log Analytics (table AzureActivity) and the Python SDK say is put into REST's words first. Whatever an event
holds, reading it never raises: values of a wrong kind are left out, and what is no event at all is counted.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from responders.errors import Temporary
from responders.model import Json

# What Azure says of itself, of policies and of health: nothing that somebody did.
NOTHING = ("Policy", "ResourceHealth", "ServiceHealth", "Autoscale", "Alert", "Recommendation")
_NOTHING = frozenset(name.lower() for name in NOTHING)

_MS, _SOAP = "http://schemas.microsoft.com/", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


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

    value: Any = None


class Claims(Struct, gc=False):
    """What of a token's claims is used, by long and by short names. Lists come as "a,b" or as lists."""

    oid: Any = field(name=_MS + "identity/claims/objectidentifier", default=None)
    short_oid: Any = field(name="oid", default=None)
    tid: Any = field(name=_MS + "identity/claims/tenantid", default=None)
    short_tid: Any = field(name="tid", default=None)
    amr: Any = field(name=_MS + "claims/authnmethodsreferences", default=None)
    short_amr: Any = field(name="amr", default=None)
    upn: Any = field(name=_SOAP + "upn", default=None)
    short_upn: Any = field(name="upn", default=None)
    name: Any = field(name=_SOAP + "name", default=None)
    mail: Any = field(name=_SOAP + "emailaddress", default=None)
    appid: Any = None
    appidacr: Any = None
    idtyp: Any = None
    wids: Any = None
    uti: Any = None
    ipaddr: Any = None


class Http(Struct, gc=False, rename="camel"):
    """The request, as far as the log keeps it."""

    client_ip_address: Any = None


class Evidence(Struct, gc=False, rename="camel"):
    """The role assignment by which the call was allowed."""

    role: Any = None
    principal_type: Any = None


class Authorization(Struct, gc=False):
    """What was allowed, and by which role."""

    action: Any = None
    role: Any = None
    scope: Any = None
    evidence: Evidence | str | None = None


class Properties(Struct, gc=False, rename="camel"):
    """What the provider adds. Bodies are JSON in a string, or the JSON itself."""

    requestbody: Any = None
    request_body: Any = None
    response_body: Any = None
    responsebody: Any = None
    status_code: Any = None
    status_message: Any = None
    entity: Any = None
    message: Any = None
    hierarchy: Any = None


class Event(Struct, gc=False, rename="camel"):
    """One event, in REST's words. Values are as they came, of whatever kind."""

    event_timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    operation_name: Pair | str | None = None
    status: Pair | str | None = None
    sub_status: Pair | str | None = None
    category: Pair | str | None = None
    event_source: Pair | str | None = None  # what old events call their category
    caller: Any = None
    resource_id: Any = None
    resource_uri: Any = None
    subscription_id: Any = None
    tenant_id: Any = None
    correlation_id: Any = None
    event_data_id: Any = None
    id: Any = None
    claims: Claims | str | None = None
    http_request: Http | str | None = None
    authorization: Authorization | str | None = None
    properties: Properties | str | None = None

    @property
    def operation(self) -> str:
        """What was done, as spelled; "" when the event doesn't say."""
        said = word(self.operation_name)
        if not said and isinstance(self.authorization, Authorization):
            said = text(self.authorization.action)
        if not said and isinstance(self.properties, Properties):
            message = text(self.properties.message)
            said = message if "/" in message and " " not in message else ""
        return said

    @property
    def resource(self) -> str:
        """What it was done to: an ARM id, as spelled."""
        said = text(self.resource_id) or text(self.resource_uri)
        if not said and isinstance(self.properties, Properties):
            said = text(self.properties.entity)
        if not said and isinstance(self.authorization, Authorization):
            said = text(self.authorization.scope)
        return said or text(self.id).partition("/events/")[0]

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


def says_nothing(event: Event) -> bool:
    """Whether an event is of a category that shows nobody's doing."""
    return event.kind.lower() in _NOTHING


class Page(Struct, rename="camel"):
    """One answer of the REST API."""

    value: list[Event] = []
    next_link: str | None = None


class _RawPage(Struct, rename="camel"):
    value: list[msgspec.Raw] = []
    next_link: str | None = None


_page, _raw_page, _event = (msgspec.json.Decoder(kind) for kind in (Page, _RawPage, Event))
_object = msgspec.json.Decoder(dict[str, Any])


def page(content: bytes, notes: Notes) -> Page:
    """Read an answer of the REST API. Raises Temporary when it is no list of events at all."""
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        return _page.decode(content)
    try:  # one event among them is odd: each by itself
        raw = _raw_page.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Temporary(f"Azure's answer about the Activity Log is no list of events: {error}") from error
    return Page([event for one in raw.value if (event := decoded(bytes(one), notes))], raw.next_link)


def decoded(content: bytes, notes: Notes) -> Event | None:
    """One event from its JSON, in any spelling; None, counted in the notes, when it is no JSON object."""
    with suppress(ValueError, RecursionError):
        # Half of a character's escape, or bytes that are no UTF-8, must not hide an event: they become "?".
        mended = json.dumps(json.loads(content.decode(errors="replace")), ensure_ascii=False).encode(errors="replace")
        if isinstance(raw := json.loads(mended), dict):
            return event(raw)
    notes.unreadable += 1
    return None


def event(raw: Json) -> Event:
    """One event from its JSON object, in any spelling."""
    rest = _in_rest_words(raw)
    said: Json = {name: rest[name] for name in _NAMES if name in rest}
    for name in ("claims", "httpRequest", "authorization", "properties"):
        said[name] = parsed(said.get(name))
    said["authorization"]["evidence"] = parsed(said["authorization"].get("evidence"))
    for name in ("operationName", "status", "subStatus", "category", "eventSource"):
        value = said.get(name)
        said[name] = str(value) if value is not None and not isinstance(value, str | dict) else value
    said["eventTimestamp"] = _time(said.get("eventTimestamp"))
    return msgspec.convert(said, Event)


_NAMES = msgspec.structs.fields(Event)
_NAMES = tuple(one.encode_name for one in _NAMES)


def _in_rest_words(raw: Json) -> Json:
    if "OperationNameValue" in raw or "TimeGenerated" in raw:
        return _from_row(raw)
    if "operation_name" in raw or "event_timestamp" in raw:
        return _from_sdk(raw)
    if isinstance(raw.get("operationName"), dict) or "eventTimestamp" in raw:
        return raw
    return _from_stream(raw)


def _from_row(row: Json) -> Json:
    """A row of AzureActivity. Its TenantId is the workspace. The dynamic columns may be null, the strings empty."""

    def either(name: str) -> Json:
        return parsed(row.get(name + "_d")) or parsed(row.get(name))

    properties = either("Properties")
    return {
        "eventTimestamp": row.get("TimeGenerated"),
        "operationName": row.get("OperationNameValue") or row.get("OperationName"),
        "status": row.get("ActivityStatusValue") or row.get("ActivityStatus"),
        "subStatus": row.get("ActivitySubstatusValue") or row.get("ActivitySubstatus"),
        "category": row.get("CategoryValue") or row.get("Category"),
        "caller": row.get("Caller"),
        "resourceId": row.get("ResourceId") or row.get("_ResourceId"),
        "subscriptionId": row.get("SubscriptionId"),
        "correlationId": row.get("CorrelationId"),
        "eventDataId": row.get("EventDataId"),
        "claims": either("Claims"),
        "httpRequest": {"clientIpAddress": row.get("CallerIpAddress")}
        if row.get("CallerIpAddress")
        else parsed(row.get("HTTPRequest")),
        "authorization": either("Authorization"),
        "properties": {**properties, "hierarchy": row.get("Hierarchy") or properties.get("hierarchy")},
    }


def _from_stream(raw: Json) -> Json:
    """What diagnostic settings send to an event hub or a storage account."""
    identity = parsed(raw.get("identity"))
    signature = text(raw.get("resultSignature"))  # "Failed.Forbidden", or a number
    return {
        **raw,
        "eventTimestamp": raw.get("time"),
        "status": raw.get("resultType") or signature.partition(".")[0],
        "subStatus": _words(signature) if signature.isdecimal() else signature.partition(".")[2],
        "claims": identity.get("claims"),
        "authorization": identity.get("authorization"),
        "httpRequest": {"clientIpAddress": raw.get("callerIpAddress")},
        "eventDataId": raw.get("eventDataId") or parsed(raw.get("properties")).get("eventDataId"),
    }


def _from_sdk(raw: Json) -> Json:
    """What `as_dict()` of the SDK's models gives."""
    rest = {_camel(name): value for name, value in raw.items()}
    request = parsed(rest.get("httpRequest"))
    return {**rest, "httpRequest": {_camel(name): value for name, value in request.items()}}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def parsed(value: object) -> Json:
    """A JSON object that may be written in a string; {} for anything else."""
    if isinstance(value, str) and value:
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            return _object.decode(value)
    return dict(value) if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A text; of what is none, how Python writes it."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def word(value: Pair | str | None) -> str:
    """A text that may come with a label."""
    return text(value.value if isinstance(value, Pair) else value)


def _words(status: str) -> str:
    """A status code as .NET names it: "403" is Forbidden."""
    with suppress(ValueError):
        found = HTTPStatus(int(status))
        return "OK" if found is HTTPStatus.OK else found.name.title().replace("_", "")
    return status


def _time(value: object) -> datetime | None:
    if isinstance(value, str):
        with suppress(ValueError, msgspec.ValidationError):
            return msgspec.convert(value, Annotated[datetime, Meta(tz=True)])
        with suppress(ValueError):
            at = datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
