"""What infra/ deploys besides the responder's identity, put into a world: `doctor` and `smoke` then have a deployment.

Exercises do without it: there the alert is handed over by the drill itself.
"""

from typing import Any

from sandbox import logic_app
from sandbox.azure import Sandbox
from sandbox.azure.blobs import CONTAINER, IMMUTABILITY
from sandbox.scene import Scene
from sandbox.stage import AGE, GROUP, identity
from sandbox.stage import EVIDENCE as EVIDENCE_GROUP

Json = dict[str, Any]

ACCOUNT, KEEPER = "stcountersign", "stevidence"  # of dead letters, and of evidence
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
KEPT = f"{EVIDENCE_GROUP}/providers/Microsoft.Storage/storageAccounts/{KEEPER}"
DEAD_LETTERS, EVIDENCE = f"{STORAGE}/{CONTAINER}/deadletters", f"{KEPT}/{CONTAINER}/evidence"
POLICY = f"{EVIDENCE}/{IMMUTABILITY}"
TOPIC = f"{GROUP}/providers/Microsoft.EventGrid/topics/evgt-countersign"
DELIVERY = f"{TOPIC}/eventSubscriptions/responder"
LOGIC_APP = f"{GROUP}/providers/Microsoft.Logic/workflows/logic-countersign"
_FUNCTION = f"{GROUP}/providers/Microsoft.Web/sites/func-countersign/functions/on_event"
_SEVERITIES = ("High", "Medium", "Low")


def automation(subscription: str) -> str:
    """The id of the workflow automation in a guarded subscription."""
    group = f"/subscriptions/{subscription}/resourceGroups/rg-countersign-alerts"
    return f"{group}/providers/Microsoft.Security/automations/countersign"


def deploy(sandbox: Sandbox, scene: Scene, url: str) -> dict[str, str]:
    """Put a deployment whose API is at `url` into a sandbox that runs. Returns the settings that it gives."""
    world, me = sandbox.world, identity(scene)
    subscriptions = scene.world.responder.subscriptions

    def account(id_: str) -> Json:
        url_ = f"{sandbox.endpoints.blob}/{id_.rpartition('/')[2]}/"
        properties = {"allowSharedKeyAccess": False, "primaryEndpoints": {"blob": url_}}
        return {"id": id_, "location": "westeurope", "kind": "StorageV2", "properties": properties}

    world.load(
        {
            "resource_groups": [
                {"id": automation(s).partition("/providers/")[0], "location": "westeurope"} for s in subscriptions
            ],
            "resources": [
                *map(account, (STORAGE, KEPT)),
                *({"id": f"{one}/blobServices/default", "properties": {}} for one in (STORAGE, KEPT)),
                {"id": DEAD_LETTERS, "properties": {"publicAccess": "None"}},
                {"id": EVIDENCE, "properties": {"immutableStorageWithVersioning": {"enabled": True}}},
                {"id": POLICY, "properties": {"immutabilityPeriodSinceCreationInDays": 365, "state": "Unlocked"}},
                {"id": TOPIC, "location": "westeurope", "properties": {"provisioningState": "Succeeded"}},
                {"id": DELIVERY, "properties": _delivery()},
                {"id": LOGIC_APP, "location": "westeurope", "properties": _workflow(url)},
                *({"id": automation(s), "location": "westeurope", "properties": _automation(s)} for s in subscriptions),
            ],
            "role_assignments": [
                {"scope": KEPT, "role": f"Countersign Evidence ({scene.world.responder.name})", "principal": me},
            ],
        },
        scene.now - AGE,
    )
    return {"COUNTERSIGN_EVIDENCE": f"{sandbox.endpoints.blob}/{KEEPER}/evidence", "COUNTERSIGN_URL": url}


def _delivery() -> Json:
    letters = {"resourceId": STORAGE, "blobContainerName": "deadletters"}
    return {
        "provisioningState": "Succeeded",
        "destination": {"endpointType": "AzureFunction", "properties": {"resourceId": _FUNCTION}},
        "deadLetterWithResourceIdentity": {
            "identity": {"type": "SystemAssigned"},
            "deadLetterDestination": {"endpointType": "StorageBlob", "properties": letters},
        },
    }


def _workflow(url: str) -> Json:
    filled = {"function-url": f"{url}/api/alerts", "identity": "", "audience": "api://countersign"}
    filled |= {
        "topic-url": "https://evgt-countersign.example/api/events",
        "topic-audience": "https://eventgrid.azure.net",
    }
    return {"state": "Enabled", "definition": logic_app.definition(filled)}


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
