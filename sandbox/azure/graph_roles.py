"""Directory roles in Microsoft Graph: what there is, and who holds it now."""

from typing import Any

from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import unrestricted
from sandbox.azure.graph_audit import edge
from sandbox.azure.graph_groups import reference
from sandbox.azure.graph_reply import bad, many, missing, payload
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import DIRECTORY_ROLES, ROLE_NAMES, made_up_id

Json = dict[str, Any]

room = Room("")

_ROLES = "/roleManagement/directory/"
_GLOBAL = DIRECTORY_ROLES["Global Administrator"]


@room.on("GET", _ROLES + "roleDefinitions", "roles.read")
async def role_definitions(call: Call) -> Reply:
    """List the built-in directory roles."""
    found = [definition(template) for template in ROLE_NAMES]
    return many(call, found, "roleManagement/directory/roleDefinitions", "unifiedRoleDefinition")


@room.on("GET", _ROLES + "roleDefinitions/{definition}", "roles.read")
async def role_definition(call: Call) -> Reply:
    """Read one, by its template id."""
    if call.params["definition"].lower() not in ROLE_NAMES:
        raise missing(call.params["definition"])
    return Reply(200, definition(call.params["definition"].lower()))


@room.on("GET", _ROLES + "roleAssignments", "roles.read")
async def role_assignments(call: Call) -> Reply:
    """List who holds which directory role."""
    directory = call.world.directory
    found = [a for a in directory.role_assignments.values() if a["principalId"] in directory.objects]
    return many(call, expanded(call, found), "roleManagement/directory/roleAssignments", "unifiedRoleAssignment")


@room.on("GET", _ROLES + "roleAssignments/{assignment}", "roles.read")
async def role_assignment(call: Call) -> Reply:
    """Read one."""
    return Reply(200, dict(_find(call)))


@room.on("POST", _ROLES + "roleAssignments", "roles.write")
async def assign_role(call: Call) -> Reply:
    """Give a directory role."""
    body, directory = payload(call), call.world.directory
    principal, role = str(body.get("principalId", "")).lower(), str(body.get("roleDefinitionId", "")).lower()
    return Reply(201, dict(_give(call, principal, role, str(body.get("directoryScopeId", "/")), directory.new_id())))


@room.on("DELETE", _ROLES + "roleAssignments/{assignment}", "roles.write")
async def remove_role(call: Call) -> Reply:
    """Take a directory role away. Absent: 404."""
    gone = _find(call)
    take(call, gone)
    log(call, "Remove member from role", gone["principalId"], gone["roleDefinitionId"])
    return Reply(204)


@room.on("GET", "/directoryRoles", "roles.read")
async def directory_roles(call: Call) -> Reply:
    """List the roles that anybody holds, as objects of the directory."""
    held = dict.fromkeys(a["roleDefinitionId"] for a in call.world.directory.role_assignments.values())
    return many(call, [_role(template) for template in held], "directoryRoles", "directoryRole")


@room.on("GET", "/directoryRoles/{role}", "roles.read")
async def directory_role(call: Call) -> Reply:
    """Read one."""
    return Reply(200, _role(_template(call)))


@room.on("GET", "/directoryRoles/{role}/members", "roles.read")
async def role_members(call: Call) -> Reply:
    """List who holds it over the tenant."""
    directory, template = call.world.directory, _template(call)
    held = [a for a in directory.role_assignments.values() if a["roleDefinitionId"] == template]
    found = [directory.objects.get(a["principalId"]) for a in held if a["directoryScopeId"] == "/"]
    return many(call, [f for f in found if f], "directoryObjects")


@room.on("POST", "/directoryRoles/{role}/members/$ref", "roles.write")
async def add_role_member(call: Call) -> Reply:
    """Give it to somebody."""
    _give(call, reference(call)["id"], _template(call), "/", call.world.directory.new_id())
    return Reply(204)


@room.on("DELETE", "/directoryRoles/{role}/members/{member}/$ref", "roles.write")
async def remove_role_member(call: Call) -> Reply:
    """Take it away from somebody. Absent: 404."""
    ends = (call.params["member"].lower(), _template(call), "/")
    held = call.world.directory.role_assignments.values()
    gone = next((a for a in held if (a["principalId"], a["roleDefinitionId"], a["directoryScopeId"]) == ends), None)
    if gone is None:
        raise missing(ends[0])
    take(call, gone)
    log(call, "Remove member from role", gone["principalId"], gone["roleDefinitionId"])
    return Reply(204)


def take(call: Call, assignment: Json) -> None:
    """End a role assignment. The last Global Administrator stays: 400."""
    directory = call.world.directory
    held = [a for a in directory.role_assignments.values() if a["roleDefinitionId"] == _GLOBAL]
    if assignment in held and len([a for a in held if a["principalId"] in directory.objects]) == 1:
        raise bad("The last remaining Global Administrator role assignment of the tenant cannot be removed.")
    unrestricted(call, assignment["principalId"])
    del directory.role_assignments[assignment["id"]]
    directory.activated.pop(assignment["id"], None)


def expanded(call: Call, found: list[Json]) -> list[Json]:
    """The entries with what $expand asks for: principal and roleDefinition."""
    asked = {part.partition("(")[0].strip() for part in call.query.pop("$expand", "").split(",")} - {""}
    if unknown := asked - {"principal", "roleDefinition"}:
        raise ApiError(501, "NotImplemented", f"The sandbox cannot expand {', '.join(sorted(unknown))} of a role.")
    objects = call.world.directory.objects
    more = [
        ({"principal": objects[f["principalId"]]} if "principal" in asked else {})
        | ({"roleDefinition": definition(f["roleDefinitionId"])} if "roleDefinition" in asked else {})
        for f in found
    ]
    return [f | m for f, m in zip(found, more, strict=True)]


def log(call: Call, activity: str, principal: str, role: str, by: Json | None = None) -> None:
    """Record that a role was given or taken, in the shape of the live log."""
    name = ROLE_NAMES.get(role, role)
    names = {"Role.ObjectID": role, "Role.DisplayName": name, "Role.TemplateId": role}
    names["Role.WellKnownObjectName"] = name.replace(" ", "")
    what = {"id": role, "@odata.type": "#microsoft.graph.role"}
    who = call.world.directory.objects.get(principal, {"id": principal})
    edge(call, activity, "RoleManagement", who, what, names, by=by)


def definition(template: str) -> Json:
    """A built-in role as unifiedRoleDefinition."""
    name = ROLE_NAMES[template]
    privileged = name in {n for n in DIRECTORY_ROLES if "Administrator" in n}
    return {"id": template, "templateId": template, "displayName": name, "isBuiltIn": True, "isEnabled": True} | {
        "isPrivileged": privileged
    }


def _give(call: Call, principal: str, role: str, scope: str, id_: str) -> Json:
    directory = call.world.directory
    if principal not in directory.objects:
        raise missing(principal)
    if role not in ROLE_NAMES:
        raise bad("The provided roleDefinitionId does not exist.")
    ends = (principal, role, scope)
    held = directory.role_assignments.values()
    if any((a["principalId"], a["roleDefinitionId"], a["directoryScopeId"]) == ends for a in held):
        raise bad("A conflicting object with one or more of the specified property values is present in the directory.")
    made = directory.assign_role(principal, role, id_, scope)
    log(call, "Add member to role", principal, role)
    return made


def _find(call: Call) -> Json:
    directory = call.world.directory
    found = directory.role_assignments.get(call.params["assignment"])
    if found is None or found["principalId"] not in directory.objects:
        raise missing(call.params["assignment"])
    return found


def _role(template: str) -> Json:
    shown = {"id": made_up_id("role", template), "deletedDateTime": None, "description": None}
    return {**shown, "displayName": ROLE_NAMES[template], "roleTemplateId": template}


def _template(call: Call) -> str:
    """The template id of the path's role, by its own id or by roleTemplateId='…'."""
    name = call.params["role"].lower()
    found = next((t for t in ROLE_NAMES if name in {made_up_id("role", t), t}), None)
    if found is None:
        raise missing(call.params["role"])
    return found
