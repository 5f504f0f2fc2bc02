"""The function app itself: whether it runs, has its secrets, and reaches what it keeps things in."""

from playbooks.doctor.check import NAME_IT, Deployment, Result, broken, can_t_tell, labels, ok, redeployed
from responders.ids import ResourceId
from responders.model import Json

WEB = "2024-04-01"
_REFERENCES = "/config/configreferences/appsettings"
_AGAIN = "Deploy infra/main.bicep again: docs/deploy.md, step 2."
_STORAGE, _VAULTS = "Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"


async def site(deployment: Deployment) -> Json | None:
    """The function app in the deployment's group, as Azure has it."""
    if not deployment.group:
        return None
    found = deployment.beneath(deployment.group, "providers/Microsoft.Web/sites", WEB)
    return next(iter([one async for one in found]), None)


def principals(resource: Json) -> set[str]:
    """Object ids of the identities that are attached to a resource."""
    identity = resource.get("identity") or {}
    attached = [identity, *(identity.get("userAssignedIdentities") or {}).values()]
    return {str(one["principalId"]).lower() for one in attached if one.get("principalId")}


def engine_account(app: Json) -> str:
    """The name of the storage account that the host keeps packages and runs in; "" where it is not to be seen."""
    kept = ((app["properties"].get("functionAppConfig") or {}).get("deployment") or {}).get("storage") or {}
    return labels(str(kept["value"]))[0] if kept.get("value") else ""


async def references(deployment: Deployment, app: Json) -> dict[str, str]:
    """The settings of the app that are kept in a Key Vault, and whether it can read them: "Resolved"."""
    found = deployment.its.azure.arm_pages(f"{app['id']}{_REFERENCES}", WEB)
    return {str(one["name"]): str(one["properties"].get("status", "")) async for one in found}


async def app(deployment: Deployment) -> list[Result]:
    """The function app."""
    if not deployment.group:
        return [can_t_tell(app, "The deployment's resource group is not known.", NAME_IT)]
    found = await site(deployment)
    if found is None:
        return [broken(app, f"function app in {deployment.group}", "There is none: no alert is taken.", _AGAIN)]
    where, state = f"function app {found['name']}", found["properties"].get("state", "Running")
    if state != "Running":
        at = ResourceId.parse(found["id"])
        start = f"az functionapp start --subscription {at.subscription} --resource-group {at.group} --name {at.name}"
        return [broken(app, where, f"It is {state}: no alert is taken, and runs that wait stand still.", start)]
    return [ok(app, where, "It runs.")]


async def secrets(deployment: Deployment) -> list[Result]:
    """Whether the app has the settings that are kept in the Key Vault."""
    found = await site(deployment)
    if found is None:
        return [can_t_tell(secrets, "No function app is to be seen.", NAME_IT)]
    kept = await references(deployment, found)
    lost = {name: status for name, status in kept.items() if status != "Resolved"}
    where = f"Key Vault references of {found['name']}"
    if not lost:
        return [ok(secrets, where, f"{len(kept)} of {len(kept)} are resolved.")]
    why = "; ".join(f"{name} is {status}" for name, status in lost.items())
    url = f"{deployment.settings.arm}{found['id']}{_REFERENCES}/refresh?api-version=2022-03-01"
    fix = (
        f"{_AGAIN} It makes the secret, and lets the app read it. Where both are right, have them read anew:\n"
        f"az rest --method POST --url '{url}'"
    )
    return [broken(secrets, where, f"{why}: the app has no such setting.", fix)]


async def network(deployment: Deployment) -> list[Result]:
    """Whether firewalls let the app reach storage, evidence and Key Vault."""
    found = await site(deployment)
    if found is None:
        return [can_t_tell(network, "No function app is to be seen.", NAME_IT)]
    places = [(_STORAGE, engine_account(found), "2025-06-01")]
    if deployment.settings.evidence.startswith("https://"):
        places.append((_STORAGE, labels(deployment.settings.evidence)[0], "2025-06-01"))
    if deployment.settings.vault:
        places.append((_VAULTS, labels(deployment.settings.vault)[-1], "2024-11-01"))
    kept = [one for kind, name, version in places if name and (one := await deployment.resource(kind, name, version))]
    closed = [one for one in kept if _closed(one["properties"])]
    where = f"firewalls of {', '.join(one['name'] for one in kept)}"
    if closed and not found["properties"].get("virtualNetworkSubnetId"):
        shut = ", ".join(one["name"] for one in closed)
        why = f"{shut} can be reached from a private network alone, and the app calls out from none."
        return [broken(network, where, why, redeployed("privateNetwork=true, or without what closed it"))]
    return [ok(network, where, "Reached by private endpoints." if closed else "They let the app in.")]


def _closed(properties: Json) -> bool:
    rules = properties.get("networkAcls") or {}
    return properties.get("publicNetworkAccess") == "Disabled" or rules.get("defaultAction") == "Deny"
