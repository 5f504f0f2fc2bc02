"""Role assignments, deny assignments, one's own permissions, and elevated access."""

import re
from functools import cache
from typing import Any

from sandbox.azure import conditions, ids, providers, rbac, roles
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError, bad_request, resource_not_found
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

TYPE = rbac.ASSIGNMENT
OWNER = roles.BY_NAME["owner"].id
ACCESS_ADMINISTRATOR = roles.BY_NAME["user access administrator"].id
_ASSIGNMENTS = "/{scope}/providers/Microsoft.Authorization/roleAssignments"
_DENIALS = "/{scope}/providers/Microsoft.Authorization/denyAssignments"
_SCHEDULES = "Microsoft.Authorization/roleAssignmentSchedules"  # of PIM, see pim.py
_ELEVATE = "Microsoft.Authorization/elevateAccess/action"
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_FIELDS = ("condition", "conditionVersion", "description", "delegatedManagedIdentityResourceId")
IMMUTABLE = ("roleDefinitionId", "principalId", "scope")

room = Room("Microsoft.Authorization", providers.PROVIDERS["Microsoft.Authorization"])


@room.on("GET", _ASSIGNMENTS, f"{TYPE}/read")
async def list_assignments(call: Call) -> Reply:
    """List assignments at a scope, inherited ones and those below.

    Filters, joined by "and": atScope() leaves out those below; principalId eq '…' are direct ones; assignedTo('…') adds
    those through groups.
    """
    wanted = _wanted(call)
    found = _at(call, TYPE)
    return page(call, [e.body for e in found if not wanted or str(e.properties["principalId"]).lower() in wanted])


@room.on("GET", f"{_ASSIGNMENTS}/{{name}}", f"{TYPE}/read")
async def get_assignment(call: Call) -> Reply:
    """Read one assignment."""
    found = call.world.get(call.path)
    if found is None:
        message = f"The role assignment '{call.params['name']}' is not found."
        raise ApiError(404, "RoleAssignmentNotFound", message)
    return Reply(200, found.body)


@room.on("PUT", f"{_ASSIGNMENTS}/{{name}}", f"{TYPE}/write")
async def put_assignment(call: Call) -> Reply:
    """Give a role. The names of assignments are unique in the whole tenant, and so is what they give."""
    name, scope = call.params["name"], call.params["scope"]
    if not _GUID.fullmatch(name):
        message = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        raise bad_request("InvalidRoleAssignmentId", message)
    if ids.parse(scope).names and scope not in call.world:
        parts = ids.parse(scope)
        raise resource_not_found(parts.type, parts.name, parts.group)
    given = checked(call, call.body.get("properties") or {}, scope)
    now = stamp(call.clock.now())
    old = _clash(call.world, name, given)
    stamps = {"createdOn": now, "updatedOn": now, "createdBy": call.caller.oid, "updatedBy": call.caller.oid}
    if old:
        stamps |= {k: old.properties[k] for k in ("createdOn", "createdBy")}
    body = {"type": TYPE, "properties": {**given, **stamps}}
    stored = call.world.put(old.id if old else call.path, body, version=call.version)
    if old:
        return Reply(200, stored.body)
    # Azure leaves createdBy out of the answer to the creation itself.
    return Reply(201, {**stored.body, "properties": {**stored.properties, "createdBy": None}})


@room.on("DELETE", f"{_ASSIGNMENTS}/{{name}}", f"{TYPE}/delete")
async def delete_assignment(call: Call) -> Reply:
    """Take a role away; the answer is what was taken. What isn't there is taken already."""
    found = call.world.get(call.path)
    if found is None:
        return Reply(204)
    keep_last_owner(call, found)
    _keep_timed(call.world, found)
    call.world.delete(found.id)
    return Reply(200, found.body)


@room.on("GET", _DENIALS, f"{rbac.DENIAL}/read")
async def list_denials(call: Call) -> Reply:
    """List deny assignments at a scope, inherited ones and those below."""
    return page(call, [entry.body for entry in _at(call, rbac.DENIAL)])


@room.on("PUT", f"{_DENIALS}/{{name}}", f"{rbac.DENIAL}/write")
@room.on("DELETE", f"{_DENIALS}/{{name}}", f"{rbac.DENIAL}/delete")
async def refuse_denial(call: Call) -> Reply:
    """Refuse: deny assignments are made by Azure itself, for managed applications and deployment stacks."""
    message = f"The requested resource does not support http method '{call.method}'."
    raise ApiError(405, "MethodNotAllowed", message)


@room.on("GET", "/{scope}/providers/Microsoft.Authorization/permissions")
async def list_permissions(call: Call) -> Reply:
    """List what the caller may do at a scope."""
    scope = call.params["scope"]
    if not call.sees(scope):
        call.require("Microsoft.Authorization/permissions/read", scope)
    above = call.world.scopes(scope)
    held = [g.role for g in rbac.grants(call.world, call.caller) if g.scope in above]
    found = [p for role in held for p in (rbac.definition(call.world, role) or {}).get("permissions", ())]
    return Reply(200, {"value": found})


@room.on("POST", "/providers/Microsoft.Authorization/elevateAccess", _ELEVATE, guarded=False)
async def elevate_access(call: Call) -> Reply:
    """Make a Global Administrator User Access Administrator of everything."""
    caller, world = call.caller, call.world
    if "Global Administrator" not in world.directory.roles_of(caller.oid):
        raise rbac.forbidden(call, call.action, "")
    if not any(g.scope == "" and g.role == ACCESS_ADMINISTRATOR for g in rbac.grants(world, caller)):
        assign(world, "", ACCESS_ADMINISTRATOR, caller.oid, made_up_id("elevated access", caller.oid), call)
    return Reply(200)


def assign(
    world: World, scope: str, role: str, principal: str, name: str, call: Call | None = None, **more: str
) -> Resource:
    """Give a role without asking anybody. `role` is a GUID, `more` e.g. condition or createdOn."""
    entry = world.directory.find(principal)
    properties: Json = {
        "roleDefinitionId": role_id(scope, role),
        "principalId": principal,
        "principalType": principal_type(entry) if entry else "ServicePrincipal",
        "scope": scope or "/",
        **dict.fromkeys(_FIELDS),
    }
    if call:
        now = stamp(call.clock.now())
        properties |= {"createdOn": now, "updatedOn": now, "createdBy": call.caller.oid, "updatedBy": call.caller.oid}
    id_ = f"{scope}/providers/{TYPE}/{name}"
    return world.put(id_, {"type": TYPE, "properties": {**properties, **more}})


def role_id(scope: str, role: str) -> str:
    """The id of a role as it is shown at a scope: with the subscription in front, inside one."""
    subscription = ids.parse(scope).subscription
    prefix = f"/subscriptions/{subscription}" if subscription else ""
    return f"{prefix}/providers/{rbac.DEFINITION}/{role.rpartition('/')[2].lower()}"


def principal_type(entry: Json) -> str:
    """User, Group or ServicePrincipal."""
    kind = str(entry["@odata.type"]).rpartition(".")[2]
    return kind[0].upper() + kind[1:]


def _at(call: Call, kind: str) -> list[Resource]:
    """What of a kind lies at, above or (but for atScope()) below the call's scope."""
    scope = call.params["scope"].lower()
    above = call.world.scopes(scope)
    only = re.search(r"\batscope\(\)", call.query.get("$filter", ""), re.IGNORECASE)

    @cache  # of thousands most share their scope with others
    def here(own: str) -> bool:
        own = own.lower().rstrip("/")
        return own in above or (not only and scope in call.world.scopes(own))

    return [entry for entry in call.world.list(kind) if here(str(entry.properties["scope"]))]


def _wanted(call: Call) -> set[str]:
    """The principals that the filter asks for; empty for all."""
    wanted: set[str] = set()
    text = call.query.get("$filter", "")
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else ():
        if match := re.fullmatch(r"principalId\s+eq\s+'([^']+)'", part, re.IGNORECASE):
            wanted |= {match[1].lower()}
        elif match := re.fullmatch(r"assignedTo\('([^']+)'\)", part, re.IGNORECASE):
            wanted |= {match[1].lower(), *call.world.directory.groups_of(match[1].lower())}
        elif not re.fullmatch(r"atScope(AndBelow)?\(\)", part, re.IGNORECASE):
            message = (
                f"The filter '{text}' is not supported. Supported filters are either 'atScope()' or 'principalId eq "
                "'{value}' or assignedTo('{value}')'."
            )
            raise bad_request("UnsupportedQuery", message)
    return wanted


def checked(call: Call, given: Json, scope: str) -> Json:
    """The properties of an assignment, complete and in order. Raises ApiError for whatever is wrong."""
    role, principal = str(given.get("roleDefinitionId") or ""), str(given.get("principalId") or "").lower()
    if not role or not _GUID.fullmatch(principal):
        raise bad_request("BadRequestFormat", "The request was incorrectly formatted.")
    known = rbac.definition(call.world, role)
    spread = {str(s).lower().rstrip("/") for s in known["assignableScopes"]} if known else set()
    if not spread & set(call.world.scopes(scope)):
        message = f"The specified role definition with ID '{role.rpartition('/')[2]}' does not exist."
        raise ApiError(404, "RoleDefinitionDoesNotExist", message)
    kind = _kind(call, given, principal)
    if condition := given.get("condition"):
        try:
            conditions.parse(str(condition))
        except conditions.Unreadable as error:
            message = f"The condition is invalid: {error}"
            raise bad_request("RoleAssignmentConditionNotValid", message) from error
    return {
        "roleDefinitionId": role_id(scope, role),
        "principalId": principal,
        "principalType": kind,
        "scope": scope or "/",
        **{k: given.get(k) for k in _FIELDS},
    }


def _kind(call: Call, given: Json, principal: str) -> str:
    """The principal's type. A service principal may be so new that the directory has not heard of it."""
    claimed, entry = str(given.get("principalType") or ""), call.world.directory.find(principal)
    if entry is None:
        if claimed.lower() not in {"serviceprincipal", "foreigngroup"}:
            message = (
                f"Principal {principal.replace('-', '')} does not exist in the directory {call.world.tenant}. Check "
                "that you have the correct principal ID. If you are creating this principal and then immediately "
                "assigning a role, this error might be related to a replication delay. In this case, set the role "
                "assignment principalType property to a value, such as ServicePrincipal, User, or Group. See "
                "https://aka.ms/docs-principaltype"
            )
            raise bad_request("PrincipalNotFound", message)
        return claimed
    actual = principal_type(entry)
    if claimed and claimed.lower() != actual.lower():
        message = (
            f"The PrincipalId '{principal.replace('-', '')}' has type '{actual}' , which is different from specified "
            f"PrinciaplType '{claimed}'."
        )
        raise bad_request("UnmatchedPrincipalType", message)
    return actual


def _clash(world: World, name: str, given: Json) -> Resource | None:
    """The assignment of the same name, if it gives the same. Raises ApiError when name or gift are taken."""
    same = None
    for entry in world.list(TYPE):
        equal = all(str(entry.properties[k]).lower() == given[k].lower() for k in IMMUTABLE)
        if entry.name.lower() == name.lower():
            if not equal:
                message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
                raise bad_request("RoleAssignmentUpdateNotPermitted", message)
            same = entry
        elif equal:
            message = (
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{entry.name.replace('-', '')}."
            )
            raise ApiError(409, "RoleAssignmentExists", message)
    return same


def _keep_timed(world: World, entry: Resource) -> None:
    """Refuse to end by an ordinary delete what PIM made. Azure's own words for it are not documented."""
    if f"{entry.id.rpartition('/providers/')[0]}/providers/{_SCHEDULES}/{entry.name}" in world:
        message = (
            f"The role assignment '{entry.name}' is managed by Privileged Identity Management and cannot be deleted. "
            "Remove it by a role assignment schedule request."
        )
        raise bad_request("RoleAssignmentManagedByPIM", message)


def keep_last_owner(call: Call, entry: Resource) -> None:
    """Refuse to leave a subscription without a direct Owner; who has access to everything may do even that."""
    scope = str(entry.properties["scope"]).lower()
    if not entry.properties["roleDefinitionId"].lower().endswith(OWNER) or scope.count("/") != 2:  # noqa: PLR2004
        return
    owners = [
        other
        for other in call.world.list(TYPE)
        if other.properties["scope"].lower() == scope and other.properties["roleDefinitionId"].lower().endswith(OWNER)
    ]
    root = any(g.scope == "" and g.role in {OWNER, ACCESS_ADMINISTRATOR} for g in rbac.grants(call.world, call.caller))
    if len(owners) == 1 and not root:
        message = "Cannot delete the last RBAC admin assignment"
        raise ApiError(412, "CannotDeleteLastRbacAdminAssignment", message)
