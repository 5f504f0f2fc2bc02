"""What infra/ deploys besides the responder's identity, put into a world: `doctor` and `smoke` then have a deployment.

Exercises do without it: there the alert is handed over by the drill itself.
"""

from typing import Any

from sandbox.azure import Sandbox
from sandbox.azure.blobs import CONTAINER
from sandbox.scene import Scene
from sandbox.stage import AGE, GROUP, identity

Json = dict[str, Any]

ACCOUNT = "stcountersign"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
EVIDENCE, DEAD_LETTERS = f"{STORAGE}/{CONTAINER}/evidence", f"{STORAGE}/{CONTAINER}/deadletter"
TOPIC = f"{GROUP}/providers/Microsoft.EventGrid/topics/evgt-countersign"
DELIVERY = f"{TOPIC}/eventSubscriptions/alerts-to-responder"
LOGIC_APP = f"{GROUP}/providers/Microsoft.Logic/workflows/logic-countersign"
_FUNCTION = f"{GROUP}/providers/Microsoft.Web/sites/func-countersign/functions/on_event"
_SEVERITIES = ("High", "Medium", "Low")


def automation(subscription: str) -> str:
    """The id of the workflow automation in a guarded subscription."""
    group = f"/subscriptions/{subscription}/resourceGroups/rg-countersign-protect"
    return f"{group}/providers/Microsoft.Security/automations/countersign"


def deploy(sandbox: Sandbox, scene: Scene, url: str) -> dict[str, str]:
    """Put a deployment whose API is at `url` into a sandbox that runs. Returns the settings that it gives."""
    world, me = sandbox.world, identity(scene)
    subscriptions = scene.world.responder.subscriptions
    blobs = f"{sandbox.endpoints.blob}/{ACCOUNT}"
    account: Json = {"allowSharedKeyAccess": False, "primaryEndpoints": {"blob": f"{blobs}/"}}
    world.load(
        {
            "resource_groups": [
                {"id": automation(s).partition("/providers/")[0], "location": "westeurope"} for s in subscriptions
            ],
            "resources": [
                {"id": STORAGE, "location": "westeurope", "kind": "StorageV2", "properties": account},
                {"id": EVIDENCE.rpartition("/containers/")[0], "properties": {"isVersioningEnabled": True}},
                {"id": EVIDENCE, "properties": _immutable()},
                {"id": DEAD_LETTERS, "properties": {"publicAccess": "None"}},
                {"id": TOPIC, "location": "westeurope", "properties": {"provisioningState": "Succeeded"}},
                {"id": DELIVERY, "properties": _delivery()},
                {"id": LOGIC_APP, "location": "westeurope", "properties": _workflow(url)},
                *({"id": automation(s), "location": "westeurope", "properties": _automation(s)} for s in subscriptions),
            ],
            "role_assignments": [
                {"scope": STORAGE, "role": f"Countersign Evidence ({scene.world.responder.name})", "principal": me},
            ],
        },
        scene.now - AGE,
    )
    return {"COUNTERSIGN_EVIDENCE": f"{blobs}/evidence", "COUNTERSIGN_URL": url}


def _immutable() -> Json:
    policy = {"immutabilityPeriodSinceCreationInDays": 365, "state": "Locked"}
    return {"hasImmutabilityPolicy": True, "immutabilityPolicy": {"properties": policy}}


def _delivery() -> Json:
    letters = {"resourceId": STORAGE, "blobContainerName": "deadletter"}
    return {
        "provisioningState": "Succeeded",
        "destination": {"endpointType": "AzureFunction", "properties": {"resourceId": _FUNCTION}},
        "deadLetterWithResourceIdentity": {
            "identity": {"type": "SystemAssigned"},
            "deadLetterDestination": {"endpointType": "StorageBlob", "properties": letters},
        },
    }


def _workflow(url: str) -> Json:
    call = {"type": "Http", "inputs": {"method": "POST", "uri": f"{url}/api/alerts", "body": "@triggerBody()"}}
    return {"state": "Enabled", "definition": {"triggers": {"alert": {}}, "actions": {"responder": call}}}


def _automation(subscription: str) -> Json:
    component = {"propertyJPath": "ProductComponentName", "propertyType": "String", "operator": "Equals"}
    severity = {"propertyJPath": "Severity", "propertyType": "String", "operator": "Equals"}
    sets = [
        {"rules": [{**component, "expectedValue": "ResourceManager"}, {**severity, "expectedValue": one}]}
        for one in _SEVERITIES
    ]
    return {
        "isEnabled": True,
        "scopes": [{"description": "this subscription", "scopePath": f"/subscriptions/{subscription}"}],
        "sources": [{"eventSource": "Alerts", "ruleSets": sets}],
        "actions": [{"actionType": "LogicApp", "logicAppResourceId": LOGIC_APP}],
    }
