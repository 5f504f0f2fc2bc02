"""Lighthouse: what a customer has delegated to another tenant. What the delegations allow is rbac.py's business.

A definition says to whom and what; an assignment makes it so at a subscription or group. Both of an assignment's
writes are long-running.
"""

import re
from typing import TYPE_CHECKING, Any

from sandbox.azure import authorization, ids, operations, providers, rbac, resources
from sandbox.azure.errors import bad_request
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock

Json = dict[str, Any]

TYPE = rbac.DELEGATION
CONTRACT = "Microsoft.ManagedServices/registrationDefinitions"
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
    """Delegate, by a definition that exists. It counts when the operation has ended."""
    wanted = str((call.body.get("properties") or {}).get("registrationDefinitionId", ""))
    if wanted not in call.world:
        message = f"The registration definition '{wanted}' could not be found."
        raise bad_request("RegistrationDefinitionNotFound", message)
    # Whoever delegates what a role may do must be able to give that role.
    call.require("Microsoft.Authorization/roleAssignments/write", call.params["scope"])
    properties = {"registrationDefinitionId": wanted, "provisioningState": "Creating"}
    status = 200 if call.path in call.world else 201
    stored = call.world.put(call.path, {"type": TYPE, "properties": properties}, call.author, call.version)
    shown = _shown(call, stored)
    return operations.accept(call, "delegations.put", {"id": stored.id}, at=_statuses(call), status=status, body=shown)


@room.on("DELETE", f"{_ASSIGNMENTS}/{{name}}", f"{TYPE}/delete")
async def delete_delegation(call: Call) -> Reply:
    """End a delegation."""
    found = call.world.get(call.path)
    if found is None:
        return Reply(204)
    call.world.put(found.id, {**found.body, "properties": {**found.properties, "provisioningState": "Deleting"}})
    return operations.accept(call, "delegations.delete", {"id": found.id}, at=_statuses(call))


@operations.effect("delegations.put")
def _made(world: World, _: "Clock", args: Json) -> Json | None:
    found = world.get(args["id"])
    if found is None:
        return None
    properties = {**found.properties, "provisioningState": "Succeeded"}
    return world.put(found.id, {**found.body, "properties": properties}).body


@operations.effect("delegations.delete")
def _ended(world: World, _: "Clock", args: Json) -> None:
    world.delete(args["id"])


@room.on("PUT", f"/{{scope}}/providers/{CONTRACT}/{{name}}", f"{CONTRACT}/write")
async def put_contract(call: Call) -> Reply:
    """Define what is to be delegated: never to the own tenant, never Owner, never a role with data actions."""
    given = call.body.get("properties") or {}
    home = str((call.world.get(f"/subscriptions/{ids.parse(call.path).subscription}") or _NOBODY).body.get("tenantId"))
    tenant = str(given.get("managedByTenantId") or "").lower()
    if not tenant or tenant == home.lower():
        raise _unfit(f"The managing tenant '{tenant}' must be another one than the managed tenant '{home}'.")
    for entry in (*(given.get("authorizations") or ()), *(given.get("eligibleAuthorizations") or ())):
        guid = str(entry.get("roleDefinitionId") or "").rpartition("/")[2].lower()
        role = rbac.definition(call.world, guid)
        if role is None or role["type"] != "BuiltInRole" or guid == authorization.OWNER:
            raise _unfit(f"The role definition '{guid}' cannot be delegated.")
        if any(p.get("dataActions") for p in role["permissions"]):
            raise _unfit(f"The role definition '{guid}' has data actions and cannot be delegated.")
    status = 200 if call.path in call.world else 201
    properties = {**given, "manageeTenantId": home, "provisioningState": "Succeeded"}
    body = {**{k: v for k, v in call.body.items() if k == "plan"}, "type": CONTRACT, "properties": properties}
    return Reply(status, resources.rendered(call.world.put(call.path, body, call.author, call.version)))


@room.on("DELETE", f"/{{scope}}/providers/{CONTRACT}/{{name}}", f"{CONTRACT}/delete")
async def delete_contract(call: Call) -> Reply:
    """Delete a definition by which nothing is delegated any more."""
    users = [
        d.id for d in call.world.list(TYPE) if d.properties["registrationDefinitionId"].lower() == call.path.lower()
    ]
    if users:
        message = (
            f"The registration definition '{call.params['name']}' cannot be deleted because it is used by the "
            f"registration assignments '{', '.join(users)}'."
        )
        raise bad_request("InvalidRegistrationDefinitionDeleteRequest", message)
    return Reply(200 if call.world.delete(call.path) else 204)


_NOBODY = Resource("", "", {})


def _statuses(call: Call) -> str:
    return f"/subscriptions/{ids.parse(call.path).subscription}/providers/Microsoft.ManagedServices/operationStatuses"


def _unfit(message: str) -> Exception:
    return bad_request("InvalidRegistrationDefinitionCreateRequest", message)


def _contract(call: Call, delegation: Resource) -> Json:
    found = call.world.get(str(delegation.properties["registrationDefinitionId"]))
    return found.body if found else {}


def _shown(call: Call, delegation: Resource) -> Json:
    body = resources.rendered(delegation)
    if call.query.get("$expandregistrationdefinition", "").lower() != "true":
        return body
    return {**body, "properties": {**delegation.properties, "registrationDefinition": _contract(call, delegation)}}
