"""An exercise's alert: raised in the sandbox's Defender, and in the shapes in which it is sent to a responder."""

from typing import Any

from sandbox.azure import Clock, World, raise_alert
from sandbox.exercise import Entities
from sandbox.scene import Scene

Json = dict[str, Any]
# Names that differ by more than their first letter in Defender's other spelling.
_PASCAL = {"timeGeneratedUtc": "TimeGenerated", "processingEndTimeUtc": "ProcessingEndTime"}


def raised(scene: Scene, world: World, clock: Clock) -> Json:
    """Raise the alert where Defender keeps it. Returns it as the REST API answers it (api-version 2022-01-01)."""
    told = scene.exercise.alert
    return raise_alert(
        world,
        clock,
        told.type,
        told.subscription or _subscription(scene),
        scene.now + told.at,
        _entities(scene),
        details=told.details,
        severity=told.severity,
        description=told.description,
    )


def exported(body: Json) -> Json:
    """The same alert as workflow automation and continuous export write it: bare, in PascalCase, without an ARM id."""
    properties = body["properties"]
    pascal: Json = _pascal({name: value for name, value in properties.items() if name != "version"})
    affected = properties["resourceIdentifiers"][0]["azureResourceId"]
    return {
        **pascal,
        "AzureResourceId": affected,
        "ExtendedProperties": properties["extendedProperties"],
        "Status": "New",
    }


def event(body: Json) -> list[Json]:
    """The same alert as a forwarder sends it by Event Grid: one EventGridEvent."""
    scope = body["id"].partition("/providers/")[0]
    return [
        {
            "id": body["name"],
            "topic": f"{scope}/resourceGroups/rg-countersign/providers/Microsoft.EventGrid/topics/alerts",
            "subject": f"alerts/{body['name']}",
            "eventType": "Countersign.DefenderAlert",
            "eventTime": body["properties"]["timeGeneratedUtc"],
            "data": exported(body),
            "dataVersion": "1.0",
            "metadataVersion": "1",
        }
    ]


def _entities(scene: Scene) -> list[Json]:
    told = scene.exercise.alert.entities
    if not isinstance(told, Entities):
        return list(told)
    return [
        *(_account(scene, name) for name in told.accounts()),
        *({"type": "ip", "address": address} for address in told.addresses()),
        *({"type": "azure-resource", "resourceId": resource} for resource in told.resources()),
    ]


def _account(scene: Scene, name: str) -> Json:
    oid = scene.who(name)
    upn = next((user.upn for user in scene.world.users if user.id == oid), name)
    local, _, suffix = upn.partition("@")
    suffixed = {"upnSuffix": suffix} if suffix else {}
    return {"type": "account", "name": local, **suffixed, "aadTenantId": scene.world.tenant, "aadUserId": oid}


def _subscription(scene: Scene) -> str:
    """That of the first resource that the alert names; else the first that the responder guards."""
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
