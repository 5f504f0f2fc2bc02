"""An exercise's alert in the shapes in which it exists: in Defender, in a Logic App's call, in an Event Grid event."""

from datetime import datetime
from typing import Any

from sandbox.azure.well_known import made_up_id
from sandbox.exercise import Entities
from sandbox.scene import Scene

Json = dict[str, Any]
LOCATION = "centralus"
# Keys that don't merely begin with another letter in Defender's other spelling.
_PASCAL = {"timeGeneratedUtc": "TimeGenerated", "processingEndTimeUtc": "ProcessingEndTime", "id": "AzureResourceId"}


def alert(scene: Scene) -> Json:
    """The alert as the Microsoft.Security REST API answers it (api-version 2022-01-01)."""
    told, world = scene.exercise.alert, scene.world
    subscription = told.subscription or _subscription(scene)
    name = made_up_id("alert", scene.exercise.id, scene.now.isoformat())
    raised = scene.now + told.at
    happened = [scene.now + call.at for call in scene.exercise.attack if call.at <= told.at] or [raised]
    link = f"https://portal.azure.com/#blade/Microsoft_Azure_Security_AzureDefenderForData/AlertBlade/alertId/{name}"
    properties = {
        "version": "2022-01-01.0",
        "alertType": told.type,
        "systemAlertId": name,
        "vendorName": "Microsoft",
        "productName": "Microsoft Defender for Cloud",
        "alertDisplayName": told.title or told.type,
        "description": told.description or told.title or told.type,
        "severity": told.severity,
        "intent": "Unknown",
        "status": "Active",
        "startTimeUtc": _stamp(min(happened)),
        "endTimeUtc": _stamp(max(happened)),
        "timeGeneratedUtc": _stamp(raised),
        "processingEndTimeUtc": _stamp(raised),
        "isIncident": False,
        "compromisedEntity": subscription,
        "resourceIdentifiers": [
            {
                "$id": f"{LOCATION}_1",
                "type": "AzureResource",
                "azureResourceId": f"/subscriptions/{subscription}",
                "azureResourceTenantId": world.tenant.id,
            },
            {"$id": f"{LOCATION}_2", "type": "AAD", "aadTenantId": world.tenant.id},
        ],
        "entities": _entities(scene),
        "extendedProperties": {"resourceType": "Azure Resource", **told.details},
        "remediationSteps": ["Ask the owner whether this was expected. If not, treat the identity as compromised."],
        "alertUri": f"{link}/subscriptionId/{subscription}/referencedFrom/alertDeepLink/location/{LOCATION}",
    }
    return {
        "id": f"/subscriptions/{subscription}/providers/Microsoft.Security/locations/{LOCATION}/alerts/{name}",
        "name": name,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": properties,
    }


def exported(body: Json) -> Json:
    """The same alert as workflow automation and continuous export write it: bare, in PascalCase, without an ARM id."""
    properties = body["properties"]
    known = {name: value for name, value in properties.items() if name != "version"}
    pascal: Json = _pascal(known)
    first = properties["resourceIdentifiers"][0]["azureResourceId"]
    pascal |= {"AzureResourceId": first, "ExtendedProperties": properties["extendedProperties"], "Status": "New"}
    return pascal


def event(body: Json) -> list[Json]:
    """The same alert as a forwarder sends it by Event Grid: one EventGridEvent."""
    properties = body["properties"]
    return [
        {
            "id": body["name"],
            "topic": f"/subscriptions/{properties['compromisedEntity']}/resourceGroups/rg-countersign"
            "/providers/Microsoft.EventGrid/topics/alerts",
            "subject": f"alerts/{body['name']}",
            "eventType": "Countersign.DefenderAlert",
            "eventTime": properties["timeGeneratedUtc"],
            "data": exported(body),
            "dataVersion": "1.0",
            "metadataVersion": "1",
        }
    ]


def _entities(scene: Scene) -> list[Json]:
    told = scene.exercise.alert.entities
    if not isinstance(told, Entities):
        return list(told)
    bare = [
        *(_account(scene, name) for name in told.accounts()),
        *({"type": "ip", "address": address} for address in told.addresses()),
        *({"type": "azure-resource", "resourceId": resource} for resource in told.resources()),
    ]
    return [{"$id": f"{LOCATION}_{number}", **entity} for number, entity in enumerate(bare, 3)]


def _account(scene: Scene, name: str) -> Json:
    oid = scene.who(name)
    upn = next((user.upn for user in scene.world.users if user.id == oid), name)
    local, _, suffix = upn.partition("@")
    suffixed = {"upnSuffix": suffix} if suffix else {}
    return {"type": "account", "name": local, **suffixed, "aadTenantId": scene.world.tenant.id, "aadUserId": oid}


def _subscription(scene: Scene) -> str:
    told = scene.exercise.alert.entities
    for resource in told.resources() if isinstance(told, Entities) else ():
        kind, _, rest = resource.strip("/").partition("/")
        if kind.lower() == "subscriptions":
            return rest.partition("/")[0]
    return scene.world.responder.subscriptions[0]


def _pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {_PASCAL.get(k, k if k.startswith("$") else k[:1].upper() + k[1:]): _pascal(v) for k, v in value.items()}
    return [_pascal(item) for item in value] if isinstance(value, list) else value


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
