"""Every shape in which an alert of Defender for Resource Manager arrives, made into one.

Shapes: the REST resource (2015-06-01-preview to 2022-01-01) and lists of it, the Logic App trigger, continuous export
to Event Hubs and to Log Analytics, EventGridEvent and CloudEvents, Sentinel's incidents and alerts, Graph's alerts_v2,
and what the Activity Log has of an alert. An alert is found by its fields, not by the channel, whatever is around it.

What is returned is a hint and no more: anyone could have sent it. Read the alert again from Defender before acting.
"""

import base64
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from responders.alerts import concerns, reading
from responders.alerts.ids import PortalLink, alert_resource, is_alert
from responders.alerts.untrusted import MAX_DEPTH, Fields, NotJson, load
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Alert, Ignored, Json

_ACTIVATED = "microsoft.security/locations/alerts/activate/action"
_GRAPH_ALERT = "#microsoft.graph.security.alert"
_GRAPH_OURS = "microsoftdefenderforresourcemanager"
# What Graph says without `Prefer: include-unknown-enum-members`, or for the whole of Defender for Cloud.
_GRAPH_MAYBE = ("", "unknown", "unknownfuturevalue", "microsoftdefenderforcloud")
_LISTS = ("value", "records", "events", "alerts", "tables")
_IN_BASE64 = ("$content", "contentData")  # what Logic Apps make of a body that they don't take for JSON


class Reference(Struct, frozen=True, kw_only=True):
    """Something that names an alert of the Resource Manager id `id`, and says no more: read it from Defender."""

    id: str


Arrival = Alert | Reference | Ignored


def parse(payload: object) -> tuple[Arrival, ...]:
    """Read a body: bytes or text of JSON, what JSON was decoded to, or just an alert's Resource Manager id or link.

    One body may hold several; each comes once. One that is unusable becomes Ignored, with the reason, where there are
    others, so that it can't hold them up; alone, it raises Permanent. So does what is no JSON, is over 1 MiB, is nested
    over 64 levels, or holds nothing known.
    """
    reader = _Reader()
    document = load(payload)
    if isinstance(document, list):
        for item in document:
            if not reader.finds(item, 1):
                reader.refused.append(_unknown(item))
    elif not reader.finds(document, 0):
        raise _unknown(document)
    if reader.refused and not reader.arrivals:
        raise reader.refused[0]
    refused = [Ignored(reason=f"Refused: {error}") for error in reader.refused]
    return _each_once([*reader.arrivals, *refused]) or (Ignored(reason="The body is an empty list."),)


def from_arm(body: Json) -> Alert:
    """Read the REST resource, as Defender returns it. Raises Permanent when it is no alert of Resource Manager."""
    document = load(body)
    outer = Fields(document if isinstance(document, dict) else {})
    resource = alert_resource(outer.text("id"))
    inner = outer.fields("properties")
    said = reading.type_id(inner)
    if not concerns.is_ours(reading.plain_type(said)):
        raise Permanent(
            f"{resource.text} is no alert of Resource Manager: its type is {said[:100]!r}. Answer it by hand."
        )
    return reading.read(outer, inner, said)


class _Reader:
    """Walks a body and keeps what it finds."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.refused: list[Permanent] = []

    def finds(self, node: object, depth: int) -> bool:
        """Read one value and all in it; whether anything known was there, be it refused."""
        before = len(self.arrivals) + len(self.refused)
        # Depth also counts through JSON in text in JSON, which no single decoding sees.
        if depth > MAX_DEPTH:
            self.refused.append(
                Permanent(f"The body is nested deeper than {MAX_DEPTH} levels, texts of JSON included.")
            )
            return True
        try:
            if isinstance(node, str):
                self._text(node, depth)
            elif isinstance(node, list):
                for item in node:
                    self.finds(item, depth + 1)
            elif isinstance(node, dict):
                fields = Fields(node)
                if not any(shape(fields, depth) for shape in self._shapes()):
                    self._wrapped(fields, depth)
        except Permanent as error:
            self.refused.append(error)
        return len(self.arrivals) + len(self.refused) > before

    def _shapes(self) -> tuple[Callable[[Fields, int], bool], ...]:
        return (self._event, self._incident, self._table, self._activity, self._alert, self._graph, self._resource)

    def _ignore(self, reason: str) -> bool:
        self.arrivals.append(Ignored(reason=reason))
        return True

    def _text(self, text: str, depth: int) -> None:
        start = text.lstrip()[:8].lower()
        if start[:1] == "/":
            self.arrivals.append(Reference(id=alert_resource(text).text))
        elif start == "https://":
            link = PortalLink.parse(text)
            if not link or not link.id():
                raise Permanent(f"{text[:200]!r} is not the portal's link of an alert. Send the alert, or its id.")
            self.arrivals.append(Reference(id=link.id()))
        elif start[:1] in ("{", "["):
            self.finds(load(text), depth + 1)

    def _wrapped(self, fields: Fields, depth: int) -> bool:
        """Look into whatever lies around an alert: `body`, `value`, `records`, `input.message` and so on."""
        before = len(self.arrivals) + len(self.refused)
        for key, value in fields.raw.items():
            if value == [] and key.lower() in _LISTS:
                self._ignore(f"Nothing in {key}: an empty list.")
            elif isinstance(value, dict | list):
                self.finds(value, depth + 1)
            elif isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
                try:
                    inner = load(value)
                except NotJson:
                    continue  # some other text that begins with a bracket
                self.finds(inner, depth + 1)
        for name in _IN_BASE64:
            self._base64(fields.word(name), depth)
        return len(self.arrivals) + len(self.refused) > before

    def _base64(self, text: str, depth: int) -> None:
        if text:
            try:
                inner = load(base64.b64decode(text, validate=True))
            except ValueError as error:
                raise NotJson(f"Not base64: {error}, at {text[:60]!r}. Send the alert as JSON.") from error
            self.finds(inner, depth + 1)

    def _event(self, event: Fields, depth: int) -> bool:
        """EventGridEvent and CloudEvents 1.0."""
        cloud = event.get("specversion") is not None
        if not cloud and (event.get("eventType") is None or (event.get("data") is None and event.get("topic") is None)):
            return False
        sort = event.text("type") if cloud else event.text("eventType")
        known = self.finds(event.get("data"), depth + 1)
        packed = event.word("data_base64")
        if packed:
            self._base64(packed, depth)
            known = True
        return known or self._ignore(f"The event of type {sort[:100]!r} holds no alert.")

    def _incident(self, incident: Fields, _depth: int) -> bool:
        """Sentinel's incident: the trigger's body, or the resource."""
        within = incident.fields("object") if incident.word("objectSchemaType").lower() == "incident" else incident
        if within is incident and incident.word("type").lower() != "microsoft.securityinsights/incidents":
            return False
        properties = within.fields("properties")
        alerts = [item for item in properties.items("alerts") if isinstance(item, dict)]
        related = properties.items("relatedEntities")
        for item in alerts:
            # The incident doesn't say whose its entities are. Defender does, when the alert is read again.
            try:
                if not self._alert(Fields(item), 0, related):
                    self._ignore("One of the incident's alerts has no type.")
            except Permanent as error:
                self.refused.append(error)
        return bool(alerts) or self._ignore(f"The incident {within.word('name')[:100]!r} holds no alerts.")

    def _table(self, result: Fields, depth: int) -> bool:
        """A table of Log Analytics: rows by column, as the query API returns them."""
        columns, rows = result.get("columns"), result.get("rows")
        if not isinstance(columns, list) or not isinstance(rows, list):
            return False
        names = [Fields(c).word("name", "columnName") if isinstance(c, dict) else str(c) for c in columns]
        for row in rows:
            record = dict(zip(names, row, strict=False)) if isinstance(row, list) else row
            if not self.finds(record, depth + 1):
                self._ignore("A row of the query's answer is no alert.")
        return bool(rows) or self._ignore("The query's answer has no rows.")

    def _graph(self, alert: Fields, _depth: int) -> bool:
        """Graph's alerts_v2, which has no alert type; the title stands for it."""
        source = alert.word("detectionSource").lower()
        if alert.get("evidence") is None and not source and alert.word("@odata.type").lower() != _GRAPH_ALERT:
            return False
        ours = source == _GRAPH_OURS
        known = concerns.titled(alert.text("title"))
        service = alert.word("serviceSource").lower()
        if not ours and not (known and source in _GRAPH_MAYBE and service in _GRAPH_MAYBE):
            return self._ignore(
                f"{alert.text('title')[:200]!r} is no alert of Resource Manager, but of {source or service}."
            )
        said = alert.word("alertType", "detectorId")
        kind = said if concerns.is_ours(reading.plain_type(said)) else known.id if known else ""
        self.arrivals.append(reading.read(alert, alert, kind, tenant=alert.word("tenantId")))
        return True

    def _activity(self, event: Fields, _depth: int) -> bool:
        """The Activity Log's copy, which has neither type nor entities, in any of its own channels."""
        said = event.get("operationName") or event.get("operationNameValue")
        operation = Fields(said).word("value") if isinstance(said, dict) else said
        if not isinstance(operation, str):
            return False
        if operation.lower() != _ACTIVATED:
            return self._ignore(f"The Activity Log's {operation[:100]!r} is no new alert.")
        for text in (event.word("resourceId", "resourceUri", "_ResourceId"), event.word("id").partition("/events/")[0]):
            try:
                self.arrivals.append(Reference(id=alert_resource(text).text))
            except Permanent:
                continue
            return True
        name = event.word("eventDataId", "correlationId")[:100]
        return self._ignore(f"The Activity Log's copy of the alert {name!r} has no usable resource id.")

    def _alert(self, outer: Fields, _depth: int, related: list[Any] | None = None) -> bool:
        """An alert, bare or as the `properties` of a resource."""
        inner, said = outer, reading.type_id(outer)
        if not said:
            inner = outer.fields("properties")
            said = reading.type_id(inner)
        if not said:
            return False
        kind = reading.plain_type(said)
        if not concerns.is_ours(kind):
            name = inner.word("vendorOriginalId", "providerAlertId", "systemAlertId") or outer.word("name", "id")
            return self._ignore(f"{said[:100]!r} is no alert type of Resource Manager (alert {name[:100]!r}).")
        self.arrivals.append(reading.read(outer, inner, said, related=related))
        return True

    def _resource(self, resource: Fields, depth: int) -> bool:
        """Any other resource by its id: an alert's is one to read, the rest (assessments, scores…) is not for us."""
        sort = resource.word("type")
        text = resource.word("id", "alertId", "resourceId") or resource.word("alertUri", "alertLink", "alertWebUrl")
        if text[:8].lower() == "https://":
            self._text(text, depth)
            return True
        if not text.startswith("/"):
            return sort.lower().startswith("microsoft.") and self._ignore(f"{sort[:100]!r} is no alert.")
        if not sort or sort.lower() == "microsoft.security/locations/alerts":
            try:
                found = ResourceId.parse(text.rstrip("/"))
            except Permanent:
                if self._wrapped(resource, depth):
                    return True  # it was the id of whatever is around an alert
                raise
            if is_alert(found):
                self.arrivals.append(Reference(id=alert_resource(text).text))
                return True
            sort = found.type
        return self._ignore(f"{text[:200]!r} is no alert, but of type {sort[:100] or 'subscription'!r}.")


def _each_once(arrivals: list[Arrival]) -> tuple[Arrival, ...]:
    """The same alert may be in a body twice, in two spellings of its id."""
    found: dict[tuple[str, str], Arrival] = {}
    for arrival in arrivals:
        match arrival:
            case Alert(name=key) | Reference(id=key) | Ignored(reason=key):
                found.setdefault((type(arrival).__name__, key.lower()), arrival)
    return tuple(found.values())


def _unknown(node: object) -> Permanent:
    sort = "null" if node is None else type(node).__name__
    what = (
        f"an object with {', '.join(map(repr, list(node)[:8])) or 'nothing'}"[:300] if isinstance(node, dict) else sort
    )
    return Permanent(
        f"No alert in this: {what}. Send an alert as Defender for Cloud exports it, or an alert's id, "
        "/subscriptions/…/alerts/…."
    )
