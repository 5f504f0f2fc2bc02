"""Role definitions: the built-in ones, and custom ones, which belong to the tenant."""

import re
from typing import Any

from sandbox.azure import rbac, roles
from sandbox.azure.authorization import role_id
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import clauses, invalid, page, unquote
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

TYPE = rbac.DEFINITION
_DEFINITIONS = "/{scope}/providers/Microsoft.Authorization/roleDefinitions"
# Azure's own list of operations lacks it, so no custom role can have it (seen in public tools).
_UNKNOWN_ACTIONS = {"microsoft.security/locations/alerts/inprogress/action"}

room = Room("Microsoft.Authorization")


@room.on("GET", _DEFINITIONS)
async def list_definitions(call: Call) -> Reply:
    """List the roles that can be given at a scope; with atScopeAndBelow() also those for scopes beneath it."""
    scope, text = call.params["scope"], call.query.get("$filter", "")
    _check_read(call)
    test = clauses(text, _clause) if text else (lambda _: True)
    above, below = set(call.world.scopes(scope)), "atscopeandbelow()" in text.lower()

    def here(properties: Json) -> bool:
        spread = _spread(properties)
        return bool(spread & above) or (below and any(scope.lower() in call.world.scopes(s) for s in spread))

    built_in = [_shown(scope, r.id, rbac.built_in_properties(r)) for r in roles.BUILT_IN]
    custom = [_shown(scope, r.name, r.properties) for r in call.world.list(TYPE) if here(r.properties)]
    return page(call, [d for d in built_in + custom if test(d)])


@room.on("GET", f"{_DEFINITIONS}/{{role}}")
async def get_definition(call: Call) -> Reply:
    """Read one role."""
    _check_read(call)
    found = rbac.definition(call.world, call.params["role"])
    if found is None:
        raise _absent(call.params["role"])
    return Reply(200, _shown(call.params["scope"], call.params["role"], found))


@room.on("PUT", f"{_DEFINITIONS}/{{role}}", f"{TYPE}/write")
async def put_definition(call: Call) -> Reply:
    """Make or change a custom role. Takes the right to write at every scope it can be given at, old and new."""
    guid, given = call.params["role"].lower(), call.body.get("properties") or {}
    if guid in roles.BY_ID:
        raise ApiError(400, "RoleDefinitionCannotBeUpdated", "Built-in role definitions cannot be changed.")
    old = call.world.get(_key(guid))
    properties = _checked(call.world, guid, given)
    for scope in {*properties["assignableScopes"], *(old.properties["assignableScopes"] if old else ())}:
        call.require(f"{TYPE}/write", scope)
    now = stamp(call.clock.now())
    properties |= {"createdOn": now, "updatedOn": now, "createdBy": call.caller.oid, "updatedBy": call.caller.oid}
    if old:
        properties |= {k: old.properties[k] for k in ("createdOn", "createdBy")}
    define(call.world, guid, properties)
    return Reply(201, _shown(call.params["scope"], guid, properties))


@room.on("DELETE", f"{_DEFINITIONS}/{{role}}", f"{TYPE}/delete")
async def delete_definition(call: Call) -> Reply:
    """Delete a custom role that nobody holds."""
    guid = call.params["role"].lower()
    if guid in roles.BY_ID:
        raise ApiError(400, "RoleDefinitionCannotBeDeleted", "Built-in role definitions cannot be deleted.")
    found = call.world.get(_key(guid))
    if found is None:
        return Reply(204)
    for scope in found.properties["assignableScopes"]:
        call.require(f"{TYPE}/delete", scope)
    if any(a.properties["roleDefinitionId"].lower().endswith(guid) for a in call.world.list(rbac.ASSIGNMENT)):
        message = "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments)."
        raise ApiError(409, "RoleDefinitionHasAssignments", message)
    call.world.delete(found.id)
    return Reply(200, _shown(call.params["scope"], guid, found.properties))


def _check_read(call: Call) -> None:
    # At the root anybody who has signed in may read them: which roles there are is no secret.
    if call.params["scope"]:
        call.require(f"{TYPE}/read", call.scope)


def define(world: World, guid: str, properties: Json) -> Resource:
    """Keep a custom role."""
    return world.put(_key(guid), {"type": TYPE, "properties": properties})


def _checked(world: World, guid: str, given: Json) -> Json:
    name, scopes = str(given.get("roleName") or ""), given.get("assignableScopes") or []
    if not name:
        raise bad_request("RoleDefinitionNameNullOrEmpty", "The role definition name is null or empty.")
    if not scopes or any(s.rstrip("/") == "" for s in scopes):
        raise bad_request("InvalidAssignableScopes", "A custom role needs assignable scopes, and the root is none.")
    taken = {r.properties["roleName"].lower() for r in world.list(TYPE) if r.name.lower() != guid} | set(roles.BY_NAME)
    if name.lower() in taken:
        message = f"A role definition cannot be created with the name '{name}': a role of that name exists."
        raise ApiError(409, "RoleDefinitionWithSameNameExists", message)
    permissions = [
        {k: list(p.get(k) or ()) for k in ("actions", "notActions", "dataActions", "notDataActions")}
        for p in given.get("permissions") or ()
    ]
    for action in (a for p in permissions for a in p["actions"] + p["notActions"]):
        if action.lower() in _UNKNOWN_ACTIONS or not re.fullmatch(r"\*|[\w.*]+(/[\w.*\-]+)+", action):
            message = f"'{action}' does not match any of the actions supported by the providers."
            raise bad_request("InvalidActionOrNotAction", message)
    return {
        "roleName": name,
        "type": "CustomRole",
        "description": given.get("description") or "",
        "assignableScopes": list(scopes),
        "permissions": permissions,
    }


def _key(guid: str) -> str:
    return f"/providers/{TYPE}/{guid.lower()}"


def _shown(scope: str, guid: str, properties: Json) -> Json:
    return {"properties": properties, "id": role_id(scope, guid), "type": TYPE, "name": guid.lower()}


def _spread(properties: Json) -> set[str]:
    return {str(s).lower().rstrip("/") for s in properties["assignableScopes"]}


def _absent(guid: str) -> ApiError:
    message = f"The specified role definition with ID '{guid}' does not exist."
    return ApiError(404, "RoleDefinitionDoesNotExist", message)


def _clause(match: "re.Match[str]") -> Any:
    field, value = (match["field"] or "").lower(), unquote(match, "value").lower()
    if match["function"] and match["function"].lower() in {"atscopeandbelow", "atscope"}:
        return lambda _: True
    if field in {"rolename", "type"}:
        name = {"rolename": "roleName", "type": "type"}[field]
        return lambda definition: definition["properties"][name].lower() == value
    raise invalid(match[0])
