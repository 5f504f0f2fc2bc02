"""One alert's fields, by whichever names its channel has for them."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from responders.alerts import concerns
from responders.alerts.entities import named, resource_id
from responders.alerts.ids import PortalLink, alert_name, alert_resource, guid
from responders.alerts.untrusted import Fields
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Alert, Severity
from responders.utc import time_of

_SIMULATED = "simulated_"
_SEVERITIES: dict[str, Severity] = {
    "informational": "Informational",
    "information": "Informational",
    "low": "Low",
    "medium": "Medium",
    "high": "High",
}
_STATES = {"inprogress": "InProgress", "resolved": "Resolved", "closed": "Resolved", "dismissed": "Dismissed"}
_YEARS = range(2000, 2100)  # leaves room to widen a time frame on both sides
# What Defender's serializer makes lower case in REST, and exports leave as it is: "Client IP", "OMS agent ID".
_CAPITALS = re.compile(r"\A(?:[A-Z]+(?![A-Za-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z])")


def type_id(alert: Fields) -> str:
    """The type as the channel says it, "" if this is no alert. Raises Permanent when it isn't a text."""
    said = alert.text("alertType")
    # In the schemas of 2015 and 2019 the name is the type; elsewhere it's the title.
    if not said and alert.word("reportedSeverity", "detectedTimeUtc", "instanceId"):
        said = alert.text("alertName")
    return said


def plain_type(said: str) -> str:
    """A type without the mark of Defender's simulator."""
    return said[len(_SIMULATED) :] if said.lower().startswith(_SIMULATED) else said


def read(outer: Fields, inner: Fields, said: str, *, tenant: str = "", related: list[Any] | None = None) -> Alert:
    """An alert from its fields.

    `outer` is the resource around `inner`, or the same; `said` is its type; `related` is what an incident around it
    names. Raises Permanent when it has no usable id or time; what else is unusable is left out.
    """
    kind = plain_type(said)
    known = concerns.find(kind)
    title = (
        inner.word("alertDisplayName", "displayName", "friendlyName", "title", "alertName")
        or kind
        or "Alert without a title"
    )
    description = inner.word("description")
    link = PortalLink.parse(inner.word("alertUri", "alertLink", "alertWebUrl"))
    own = _own_id(outer, inner)
    name = _name(outer, inner, own, link)
    if link and link.name.lower() not in ("", name.lower()):
        link = None  # another alert's, which must not say where to read this one
    details = _details(inner.fields("extendedProperties", "additionalData"))
    identifiers = inner.items("resourceIdentifiers")
    direct = [inner.word("azureResourceId"), inner.word("resourceId"), inner.word("associatedResource")]
    direct += [inner.word("_ResourceId"), details.get("effectiveAzureResourceId", "")]
    entities = inner.items("entities", "evidence") or related or []
    found = named(inner.raw, [identifiers, [{"resourceId": text} for text in direct], entities], details)
    subscription = _subscription(inner, [_word(i, "azureResourceId") for i in identifiers] + direct, details)
    subscription = subscription or (own.subscription if own else "") or (link.subscription if link else "")
    if not subscription:
        subscription = next((ResourceId.parse(text).subscription for text in found.resources), "")
    subscription = guid(subscription) or guid(inner.word("compromisedEntity"))
    start, end = _times(inner)
    return Alert(
        name=name,
        type=known.id if known else kind,
        title=title,
        severity=_severity(inner),
        status=_STATES.get(inner.word("status", "state").lower(), "Active"),
        start=start,
        end=end,
        id=own.text if own else link.id(subscription) if link else "",
        subscription=subscription,
        tenant=next(filter(None, (guid(_word(i, "aadTenantId")) for i in identifiers)), "")
        or next(filter(None, (guid(_word(i, "azureResourceTenantId")) for i in identifiers)), "")
        or guid(tenant),
        description=description,
        actors=tuple(found.actors),
        resources=tuple(found.resources),
        addresses=tuple(found.addresses),
        details=details,
        link=link.url if link else "",
        sample=kind != said
        or title.lower().startswith("[sample alert]")
        or description.lower().startswith("this is a sample alert"),
        concerns=known.concerns if known else (),
    )


def _own_id(outer: Fields, inner: Fields) -> ResourceId | None:
    """The alert's Resource Manager id; None where the channel has none. Raises Permanent when it is no alert's."""
    said = outer.text("id")
    if not said.startswith("/") and (outer is inner or not said):
        return None  # Graph's own id
    if outer.word("kind") and "/alerts/" not in said.lower():
        return None  # Sentinel's copy of the alert
    return alert_resource(said)


def _name(outer: Fields, inner: Fields, own: ResourceId | None, link: PortalLink | None) -> str:
    if own:
        return own.name
    # Where the link is called `alertLink`, in Sentinel and its tables, `systemAlertId` is Sentinel's own id.
    linked = link.name if link else ""
    name = inner.text("vendorOriginalId", "providerAlertId") or ("" if inner.word("alertUri") else linked)
    name = name or inner.text("systemAlertId") or linked or outer.text("name", "id")
    if not name:
        raise Permanent("The alert has no id: no systemAlertId, name or alertUri. Send it as Defender made it.")
    return alert_name(name)


def _subscription(inner: Fields, resources: list[str], details: dict[str, str]) -> str:
    """Where the alert says it belongs. Never the workspace's, which is often another."""
    for text in resources:
        resource = resource_id(text)
        if resource and guid(resource.subscription):
            return resource.subscription
    for text in (inner.word("azureResourceSubscriptionId"), details.get("effectiveSubscriptionId", "")):
        if guid(text):
            return text
    return guid(inner.word("subscriptionId"))


def _severity(inner: Fields) -> Severity:
    # What isn't said is taken for grave; the alert as read again from Defender has the true one.
    return _SEVERITIES.get(inner.word("severity", "alertSeverity", "reportedSeverity").lower(), "High")


def _times(inner: Fields) -> tuple[datetime, datetime]:
    """First and last event. Raises Permanent when no time is usable: Defender itself writes each as ISO 8601."""
    start = _time(inner, "startTimeUtc", "startTime", "firstActivityDateTime", "detectedTimeUtc")
    end = _time(inner, "endTimeUtc", "endTime", "lastActivityDateTime")
    made = None
    if not (start or end):
        made = _time(inner, "timeGeneratedUtc", "timeGenerated", "createdDateTime", "reportedTimeUtc")
    start = start or end or made
    if not start:
        said = inner.get("startTimeUtc")
        what = "has no startTimeUtc" if said is None else f"has {str(said)[:60]!r} for startTimeUtc"
        raise Permanent(f"The alert {what}, nor any other ISO 8601 time. Send it as Defender made it.")
    return start, max(start, end or start)


def _time(inner: Fields, *names: str) -> datetime | None:
    """The first of these that is a time, and one that an alert of Azure can be from."""
    for name in names:
        try:
            time = time_of(inner.word(name))
            time = time.astimezone(UTC) if time else None
        except (ValueError, OverflowError):
            continue
        if time and time.year in _YEARS:
            return time
    return None


def _details(said: Fields) -> dict[str, str]:
    """What else the alert says, as text, by the keys that REST has for it."""
    details: dict[str, str] = {}
    for key, value in said.raw.items():
        if value is not None:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            rest = _CAPITALS.sub(lambda match: match[0].lower(), key)
            if key == rest:
                details[key] = text
            details.setdefault(rest, text)
    return details


def _word(node: object, name: str) -> str:
    return Fields(node).word(name) if isinstance(node, dict) else ""
