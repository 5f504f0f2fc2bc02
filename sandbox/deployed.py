"""What infra/ deploys besides the responder's identity, put into a world: `doctor` and `smoke` then have a deployment.

Exercises do without it: there the alert is handed over by the drill itself.
"""

from typing import Any
from urllib.parse import urlsplit

from sandbox import logic_app
from sandbox.azure import Sandbox
from sandbox.azure.blobs import CONTAINER, IMMUTABILITY
from sandbox.azure.directory_file import APP_NAME
from sandbox.azure.directory_new import new_application
from sandbox.azure.well_known import made_up_id
from sandbox.scene import Scene
from sandbox.stage import AGE, GROUP, VAULT, identity
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
CONNECTION = f"{GROUP}/providers/Microsoft.Web/connections/ascalert-countersign"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/func-countersign"
SIGN_IN = f"{SITE}/config/authsettingsV2"
LINK_KEY = f"{VAULT}/secrets/link-key"
_FUNCTION = f"{SITE}/functions/on_event"
_IDENTITIES = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
_RESPONDER, _SIGNS_IN, _SENDS = (f"{_IDENTITIES}/id-countersign-{name}" for name in ("responder", "sign-in", "sender"))
_ENGINE = ("Storage Blob Data Owner", "Storage Queue Data Contributor", "Storage Table Data Contributor")
_SEVERITIES = ("High", "Medium", "Low")


def automation(subscription: str) -> str:
    """The id of the workflow automation in a guarded subscription."""
    group = f"/subscriptions/{subscription}/resourceGroups/rg-countersign-alerts"
    return f"{group}/providers/Microsoft.Security/automations/countersign"


def deploy(sandbox: Sandbox, scene: Scene, url: str) -> dict[str, str]:
    """Put a deployment whose API is at `url` into a sandbox that runs. Returns the settings that it gives."""
    world, me = sandbox.world, identity(scene)
    client, signs_in = made_up_id("app", APP_NAME), made_up_id("service principal", _SIGNS_IN)
    issuer = f"{sandbox.endpoints.login}/{world.tenant}/v2.0"
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
                {"id": LOGIC_APP, **_identities({_SENDS: scene.role("Sender")[0]}), "properties": _workflow(url)},
                {"id": CONNECTION, "location": "westeurope", "properties": {"displayName": "Alerts of Defender"}},
                {"id": SITE, **_identities({_RESPONDER: me, _SIGNS_IN: signs_in}), "properties": _site(sandbox, url)},
                {"id": SIGN_IN, "properties": _sign_in(client, issuer)},
                {"id": f"{SITE}/config/appsettings", "properties": {"COUNTERSIGN_LINK_KEY": _reference(sandbox)}},
                {"id": LINK_KEY, "properties": {"contentType": "text/plain"}},
                *({"id": automation(s), "location": "westeurope", "properties": _automation(s)} for s in subscriptions),
            ],
            "role_assignments": [
                {"scope": KEPT, "role": f"Countersign Evidence ({scene.world.responder.name})", "principal": me},
                {"scope": LINK_KEY, "role": "Key Vault Secrets User", "principal": me},
                *({"scope": STORAGE, "role": role, "principal": me} for role in _ENGINE),
            ],
        },
        scene.now - AGE,
    )
    secret = {"value": made_up_id("secret", LINK_KEY), "version": "1", "attributes": {"enabled": True}}
    kept = world.state.setdefault("vault", {}).setdefault(VAULT.lower(), {"secrets": {}, "deleted": {}})
    kept["secrets"].setdefault("link-key", [secret])
    body = {"id": made_up_id("application", client), "appId": client, "displayName": APP_NAME}
    web = {"redirectUris": [f"{url}/.auth/login/aad/callback"]}
    application = world.directory.put(new_application(body | {"web": web}, scene.now - AGE))
    trust = {"id": made_up_id("trust", client), "name": "sign-in", "issuer": issuer, "subject": signs_in}
    world.directory.federated[application["id"]] = [trust | {"audiences": ["api://AzureADTokenExchange"]}]
    return {"COUNTERSIGN_EVIDENCE": f"{sandbox.endpoints.blob}/{KEEPER}/evidence", "COUNTERSIGN_URL": url}


def _identities(held: dict[str, str]) -> Json:
    attached = {id_: {"principalId": principal} for id_, principal in held.items()}
    return {"location": "westeurope", "identity": {"type": "UserAssigned", "userAssignedIdentities": attached}}


def _site(sandbox: Sandbox, url: str) -> Json:
    storage = {"type": "blobContainer", "value": f"{sandbox.endpoints.blob}/{ACCOUNT}/packages"}
    return {
        "state": "Running",
        "defaultHostName": urlsplit(url).netloc,
        "keyVaultReferenceIdentity": _RESPONDER,
        "functionAppConfig": {"deployment": {"storage": storage}},
    }


def _sign_in(client: str, issuer: str) -> Json:
    return {
        "platform": {"enabled": True},
        "globalValidation": {"requireAuthentication": True, "excludedPaths": ["/runtime/webhooks/eventgrid"]},
        "identityProviders": {
            "azureActiveDirectory": {"enabled": True, "registration": {"clientId": client, "openIdIssuer": issuer}}
        },
    }


def _reference(sandbox: Sandbox) -> str:
    name = VAULT.rpartition("/")[2]
    return f"@Microsoft.KeyVault(SecretUri={sandbox.endpoints.vault}/{name}/secrets/link-key)"


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
    used = {"ascalert": {"connectionId": CONNECTION, "connectionName": CONNECTION.rpartition("/")[2]}}
    parameters = {"$connections": {"value": used}}
    return {"state": "Enabled", "definition": logic_app.definition(filled), "parameters": parameters}


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
