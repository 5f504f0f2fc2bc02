"""Subscriptions, tenants, and which providers there are."""

from typing import Any

from sandbox.azure import providers
from sandbox.azure.errors import ApiError, subscription_not_found
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

TYPE = "Microsoft.Resources/subscriptions"
_SUBSCRIPTION = "/subscriptions/{subscription}"

room = Room("")


def body(id_: str, name: str, tenant: str) -> Json:
    """A subscription as Resource Manager shows it."""
    return {
        "id": f"/subscriptions/{id_.lower()}",
        "type": TYPE,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": id_.lower(),
        "tenantId": tenant,
        "displayName": name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


@room.on("GET", "/subscriptions")
async def list_subscriptions(call: Call) -> Reply:
    """List the subscriptions that the caller has any role in."""
    return page(call, [_shown(s) for s in call.world.list(TYPE) if call.sees(s.id)])


@room.on("GET", _SUBSCRIPTION, "Microsoft.Resources/subscriptions/read")
async def get_subscription(call: Call) -> Reply:
    """Read one subscription."""
    found = call.world.get(call.path)
    if found is None:
        raise subscription_not_found(call.params["subscription"])
    return Reply(200, _shown(found))


@room.on("GET", f"{_SUBSCRIPTION}/locations", "Microsoft.Resources/subscriptions/locations/read")
async def list_locations(call: Call) -> Reply:
    """List the regions that the sandbox speaks of."""
    value = [
        {"id": f"{call.parent}/locations/{name}", "name": name, "type": "Region", "displayName": shown}
        for name, shown in providers.LOCATIONS.items()
    ]
    return Reply(200, {"value": value})


@room.on("GET", "/tenants")
async def list_tenants(call: Call) -> Reply:
    """List the caller's tenant."""
    tenant = call.world.tenant
    entry = {"id": f"/tenants/{tenant}", "tenantId": tenant, "countryCode": "US", "tenantCategory": "Home"}
    return Reply(200, {"value": [entry]})


@room.on("GET", f"{_SUBSCRIPTION}/providers", "Microsoft.Resources/subscriptions/providers/read")
async def list_providers(call: Call) -> Reply:
    """List all providers with their types and api-versions."""
    return page(call, [_provider(call, name) for name in _known(call)])


@room.on("GET", f"{_SUBSCRIPTION}/providers/{{namespace}}", "Microsoft.Resources/subscriptions/providers/read")
async def get_provider(call: Call) -> Reply:
    """Read one provider: what a client needs to find an api-version."""
    return Reply(200, _provider(call, _spelled(call)))


@room.on("GET", "/providers")
async def list_tenant_providers(call: Call) -> Reply:
    """List all providers, at tenant level."""
    return page(call, [_provider(call, name) for name in _known(call)])


@room.on("GET", "/providers/{namespace}")
async def get_tenant_provider(call: Call) -> Reply:
    """Read one provider, at tenant level."""
    return Reply(200, _provider(call, _spelled(call)))


@room.on("POST", f"{_SUBSCRIPTION}/providers/{{namespace}}/register", "*/register/action")
async def register(call: Call) -> Reply:
    """Register a provider: all are already."""
    return Reply(200, _provider(call, _spelled(call)))


def _shown(subscription: Resource) -> Json:
    return {k: v for k, v in subscription.body.items() if k not in {"name", "type"}}


def _spelled(call: Call) -> str:
    wanted = call.params["namespace"].lower()
    name = next((n for n in _known(call) if n.lower() == wanted), None)
    if name is None:
        message = f"The resource namespace '{call.params['namespace']}' is invalid."
        raise ApiError(404, "InvalidResourceNamespace", message)
    return name


def _known(call: Call) -> dict[str, dict[str, tuple[str, ...]]]:
    """Namespace -> type -> api-versions: of the table, and of whatever lies in the world."""
    found = {namespace: dict(types) for namespace, types in providers.PROVIDERS.items()}
    spelled = {namespace.lower(): namespace for namespace in found}
    for resource in call.world:
        namespace, _, name = resource.type.partition("/")
        types = found.setdefault(spelled.setdefault(namespace.lower(), namespace), {})
        if resource.version and name.lower() not in {t.lower() for t in types}:
            types[name] = (resource.version,)
    return found


def _provider(call: Call, namespace: str) -> Json:
    prefix = call.path.lower().partition("/providers")[0]
    entry: Json = {"id": f"{prefix}/providers/{namespace}"} if prefix else {}
    types = [
        {"resourceType": name, "locations": list(providers.LOCATIONS.values()), "apiVersions": list(versions)}
        | {"capabilities": "None"}
        for name, versions in _known(call)[namespace].items()
    ]
    entry |= {"namespace": namespace, "resourceTypes": types}
    if prefix:
        entry |= {"registrationPolicy": "RegistrationRequired", "registrationState": "Registered"}
    return entry
