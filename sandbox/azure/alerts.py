"""Defender for Cloud alerts in the shape of Microsoft.Security 2022-01-01: how they are made. Their API is security.py.

alert_types.json: alert type -> name, severity and intent, from Microsoft's reference of Resource Manager alerts.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.azure import activity_log
from sandbox.azure.activity_log import pair
from sandbox.azure.clock import stamp, ticks

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock
    from sandbox.azure.world import World

Json = dict[str, Any]

TYPE = "Microsoft.Security/Locations/alerts"
LOCATION = "centralus"
SAMPLE = "SIMULATED_"
_LAST_TICK = 3155378975999999999  # .NET's end of time: alert names count down from it, so that the newest sort first
_LATENCY = timedelta(seconds=86)  # from the event to the alert, as seen in a live sample
_STEPS = """\
1. To determine whether this was a legitimate operation performed by the actual account owner, contact that owner.
2. If the activity is legitimate, dismiss this alert. Otherwise, treat the account as compromised and go on.
3. Change the password of the account, or block it entirely.
4. Using Azure Activity Logs and audit logs, review all activities performed by the account.
5. Treat the subscription as compromised: remove unfamiliar runbooks, review its IAM permissions, its resources, its
other alerts and its activities."""


@lru_cache(maxsize=1)
def types() -> dict[str, dict[str, str]]:
    """Every alert type: {"name", "severity", "intent"}."""
    text = Path(__file__).with_name("alert_types.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def raise_alert(  # noqa: PLR0913  an alert has that many parts
    world: "World",
    clock: "Clock",
    type_: str,
    subscription: str,
    at: datetime,
    entities: Sequence[Json] = (),
    *,
    group: str = "",
    location: str = LOCATION,
    resources: Sequence[str] = (),
    details: dict[str, str] | None = None,
    severity: str = "",
    compromised: str = "",
    description: str = "",
) -> Json:
    """Raise an alert about something that happened `at`; its body.

    `entities` as REST writes them, without $id: {"type": "account", "name", "upnSuffix", "aadUserId", "aadTenantId"},
    {"type": "ip", "address"}, {"type": "azure-resource", "resourceId"}. An address also gets its network-connection.
    `resources` are the affected ids, by default the subscription's; `details` are the extendedProperties. A type with
    SIMULATED_ in front becomes a sample alert. With `group` the alert's id lies in a resource group.
    """
    sample = type_.startswith(SAMPLE)
    known = types().get(type_.removeprefix(SAMPLE), {"name": type_, "severity": "Medium", "intent": "Unknown"})
    name = f"{_LAST_TICK - ticks(at)}_{world.new_id('alert', type_)}"
    scope = f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")
    affected = list(resources) or [f"/SUBSCRIPTIONS/{subscription}"]
    number = _Numbers(world, location)
    identifiers = [
        {"$id": number(), "azureResourceId": id_, "type": "AzureResource", "azureResourceTenantId": world.tenant}
        for id_ in affected
    ]
    found = [{"$id": number(), **entity} for entity in [*entities, *_resources(entities, affected)]]
    addresses = [e["$id"] for e in found if e["type"] == "ip"]
    found += [{"$id": number(), "sourceAddress": {"$ref": a}, "type": "network-connection"} for a in addresses]
    shown = max(clock.now(), at + _LATENCY)
    about = description or f"Microsoft Defender for Resource Manager detected: {known['name']}."
    intent = {} if known["intent"] == "Unknown" else {"killChainIntent": known["intent"]}
    place = f"/resourceGroup/{group}" if group else ""
    properties: Json = {
        "status": "Active",
        "timeGeneratedUtc": stamp(shown),
        "processingEndTimeUtc": stamp(shown),
        "version": "2022-01-01.0",
        "vendorName": "Microsoft",
        "productName": "Microsoft Defender for Cloud",
        "productComponentName": "ARM",
        "alertType": type_,
        "startTimeUtc": stamp(at),
        "endTimeUtc": stamp(at),
        "severity": severity or known["severity"],
        "isIncident": False,
        "systemAlertId": name,
        "intent": known["intent"],
        "resourceIdentifiers": identifiers,
        "compromisedEntity": compromised or (affected[0].rpartition("/")[2]),
        "alertDisplayName": f"[SAMPLE ALERT] {known['name']}" if sample else known["name"],
        "description": f"THIS IS A SAMPLE ALERT: {about}" if sample else about,
        "remediationSteps": [_STEPS],
        "extendedProperties": {**(details or {}), "resourceType": "Azure Resource", **intent},
        "entities": found,
        "alertUri": (
            "https://portal.azure.com/#blade/Microsoft_Azure_Security_AzureDefenderForData/AlertBlade/alertId/"
            f"{name}/subscriptionId/{subscription}{place}/referencedFrom/alertDeepLink/location/{location}"
        ),
    }
    id_ = f"{scope}/providers/Microsoft.Security/locations/{location}/alerts/{name}"
    body = world.put(id_, {"type": TYPE, "properties": properties}).body
    _log(world, clock, body, subscription, group)
    return body


class _Numbers:
    """Gives $ids: one count for a region, going on from alert to alert."""

    def __init__(self, world: "World", location: str) -> None:
        self._counts, self._location = world.state.setdefault("alerts", {}), location

    def __call__(self) -> str:
        self._counts[self._location] = self._counts.get(self._location, 0) + 1
        return f"{self._location}_{self._counts[self._location]}"


def _resources(entities: Sequence[Json], affected: list[str]) -> list[Json]:
    """The affected resources as entities, as far as the entities don't hold them."""
    named = {str(e.get("resourceId", "")).lower() for e in entities}
    return [{"resourceId": id_, "type": "azure-resource"} for id_ in affected if id_.lower() not in named]


def _log(world: "World", clock: "Clock", alert: Json, subscription: str, group: str) -> None:
    """Defender's own event: category Security, flat properties, neither alert type nor entities."""
    shown = alert["properties"]
    action = "Microsoft.Security/locations/alerts/activate/action"
    event = {
        "authorization": {"action": action, "scope": alert["id"]},
        "caller": "Microsoft Defender for Cloud",
        "channels": "Operation",
        "claims": {},
        "correlationId": shown["systemAlertId"],
        "description": shown["description"],
        "category": pair("Security"),
        "operationId": shown["systemAlertId"],
        "operationName": pair(action),
        "resourceGroupName": group,
        "resourceProviderName": pair("Microsoft.Security"),
        "resourceType": pair("Microsoft.Security/locations/alerts"),
        "resourceId": alert["id"],
        "subscriptionId": subscription.lower(),
        "tenantId": world.tenant,
        "properties": {
            "eventCategory": "Security",
            "severity": shown["severity"],
            "compromisedEntity": shown["compromisedEntity"],
            "intent": json.dumps(shown["intent"].split(", ")),
            "remediationSteps": json.dumps(shown["remediationSteps"]),
        },
        "relatedEvents": [],
    }
    now, id_ = clock.now(), shown["systemAlertId"]
    activity_log.add(world.activity, event, "Active", now, id_, name=shown["alertDisplayName"])
