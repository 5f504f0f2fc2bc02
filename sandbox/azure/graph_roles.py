"""Directory roles in Microsoft Graph: what there is, and who holds it now."""

from typing import Any

from sandbox.azure.graph_audit import edge
from sandbox.azure.graph_reply import bad, many, missing, payload
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import DIRECTORY_ROLES, ROLE_NAMES

Json = dict[str, Any]

room = Room("")

_ROLES = "/roleManagement/directory/"


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
    found = call.world.directory.role_assignments.values()
    return many(call, found, "roleManagement/directory/roleAssignments", "unifiedRoleAssignment")


@room.on("POST", _ROLES + "roleAssignments", "roles.write")
async def assign_role(call: Call) -> Reply:
    """Give a directory role."""
    body, directory = payload(call), call.world.directory
    principal, role = str(body.get("principalId", "")).lower(), str(body.get("roleDefinitionId", "")).lower()
    if principal not in directory.objects:
        raise missing(principal)
    if role not in ROLE_NAMES:
        raise bad("The provided roleDefinitionId does not exist.")
    if any((a["principalId"], a["roleDefinitionId"]) == (principal, role) for a in directory.role_assignments.values()):
        raise bad("A conflicting object with one or more of the specified property values is present in the directory.")
    assignment = directory.assign_role(principal, role, directory.new_id("role assignment", principal, role))
    log(call, "Add member to role", principal, role)
    return Reply(201, dict(assignment))


@room.on("DELETE", _ROLES + "roleAssignments/{assignment}", "roles.write")
async def remove_role(call: Call) -> Reply:
    """Take a directory role away. Absent: 404."""
    gone = call.world.directory.role_assignments.pop(call.params["assignment"], None)
    if gone is None:
        raise missing(call.params["assignment"])
    log(call, "Remove member from role", gone["principalId"], gone["roleDefinitionId"])
    return Reply(204)


def log(call: Call, activity: str, principal: str, role: str, **more: str) -> None:
    """Record that a role was given or taken, in the shape of the live log."""
    names = {"Role_ObjectID": role, "Role_DisplayName": ROLE_NAMES.get(role, role), "Role_TemplateId": role}
    names["Role_WellKnownObjectName"] = ROLE_NAMES.get(role, role).replace(" ", "")
    what = {"id": role, "@odata.type": "#microsoft.graph.role"}
    who = call.world.directory.objects.get(principal, {"id": principal})
    edge(call, activity, "RoleManagement", who, what, **names, **more)


def definition(template: str) -> Json:
    name = ROLE_NAMES[template]
    privileged = name in {n for n in DIRECTORY_ROLES if "Administrator" in n}
    return {"id": template, "templateId": template, "displayName": name, "isBuiltIn": True, "isEnabled": True} | {
        "isPrivileged": privileged
    }
