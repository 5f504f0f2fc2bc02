"""Lighthouse: what a customer has delegated to another tenant. What the delegations allow is rbac.py's business."""

import re
from typing import Any

from sandbox.azure import providers, rbac, resources
from sandbox.azure.errors import bad_request
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

TYPE = rbac.DELEGATION
_ASSIGNMENTS = "/{scope}/providers/Microsoft.ManagedServices/registrationAssignments"

room = Room("Microsoft.ManagedServices", providers.PROVIDERS["Microsoft.ManagedServices"])


@room.on("GET", _ASSIGNMENTS, f"{TYPE}/read")
async def list_delegations(call: Call) -> Reply:
    """List the delegations at and below a scope; `$filter=managedByTenantId eq '…'` those to one tenant."""
    text = call.query.get("$filter", "")
    match = re.fullmatch(r"managedByTenantId\s+eq\s+'([^']+)'", text.strip(), re.IGNORECASE)
    if text and not match:
        raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
    found = [(d, _contract(call, d)) for d in call.world.list(TYPE, call.params["scope"])]
    tenant = match[1].lower() if match else ""
    kept = (
        d for d, c in found if not tenant or str(c.get("properties", {}).get("managedByTenantId")).lower() == tenant
    )
    return page(call, [_shown(call, d) for d in kept])


@room.on("GET", f"{_ASSIGNMENTS}/{{name}}", f"{TYPE}/read")
async def get_delegation(call: Call) -> Reply:
    """Read one delegation."""
    return Reply(200, _shown(call, resources.need(call)))


@room.on("PUT", f"{_ASSIGNMENTS}/{{name}}", f"{TYPE}/write")
async def put_delegation(call: Call) -> Reply:
    """Delegate, by a definition that exists."""
    wanted = str((call.body.get("properties") or {}).get("registrationDefinitionId", ""))
    if wanted not in call.world:
        message = f"The registration definition '{wanted}' could not be found."
        raise bad_request("RegistrationDefinitionNotFound", message)
    properties = {"registrationDefinitionId": wanted, "provisioningState": "Succeeded"}
    status = 200 if call.path in call.world else 201
    stored = call.world.put(call.path, {"type": TYPE, "properties": properties}, call.author, call.version)
    return Reply(status, _shown(call, stored))


def _contract(call: Call, delegation: Resource) -> Json:
    found = call.world.get(str(delegation.properties["registrationDefinitionId"]))
    return found.body if found else {}


def _shown(call: Call, delegation: Resource) -> Json:
    body = resources.rendered(delegation)
    if call.query.get("$expandregistrationdefinition", "").lower() != "true":
        return body
    return {**body, "properties": {**delegation.properties, "registrationDefinition": _contract(call, delegation)}}
