"""Groups, directory objects of any type, directory roles, the organization and the audit log in Microsoft Graph."""

from typing import Any

from sandbox.azure.directory import COLLECTIONS, GROUP, USER
from sandbox.azure.directory_file import new_group
from sandbox.azure.graph_access import allow
from sandbox.azure.graph_reply import bad, fetch, many, missing, one, patch, payload
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import DIRECTORY_ROLES, ROLE_NAMES, made_up_id

Json = dict[str, Any]

room = Room("")

_ROLES = "/roleManagement/directory/"


@room.on("GET", "/groups", "groups.read")
async def groups(call: Call) -> Reply:
    """List the tenant's groups."""
    return many(call, call.world.directory.of_type(GROUP), "groups", GROUP)


@room.on("GET", "/groups/{id}", "groups.read")
async def group(call: Call) -> Reply:
    """Read one."""
    return one(call, fetch(call, GROUP))


@room.on("POST", "/groups", "groups.write")
async def create(call: Call) -> Reply:
    """Create a security group."""
    body, directory = payload(call), call.world.directory
    if not body.get("displayName"):
        raise bad("A value is required for property 'displayName' of resource 'Group'.")
    if body.get("isAssignableToRole"):
        allow(call, "roles.write")
    entry = new_group({"id": directory.new_id("group", body["displayName"])}, call.clock.now())
    return one(call, directory.put(patch(entry, body)), 201)


@room.on("PATCH", "/groups/{id}", "groups.write")
async def update(call: Call) -> Reply:
    """Change properties."""
    entry = fetch(call, GROUP)
    fixed = frozenset({"id", "@odata.type", "createdDateTime", "isAssignableToRole"})
    call.world.directory.put(patch(entry, payload(call), fixed=fixed))
    return Reply(204)


@room.on("DELETE", "/groups/{id}", "groups.write")
async def delete(call: Call) -> Reply:
    """Delete it for good: security groups know no recycle bin."""
    directory, oid = call.world.directory, fetch(call, GROUP)["id"]
    directory.purge(oid)
    directory.set_members(oid, [])
    for edges in (directory.members, directory.owners):
        edges.pop(oid, None)
    for gone in [k for k, a in directory.role_assignments.items() if a["principalId"] == oid]:
        del directory.role_assignments[gone]
    return Reply(204)


@room.on("GET", "/groups/{id}/members", "groups.read")
async def members(call: Call) -> Reply:
    """List direct members."""
    directory = call.world.directory
    found = [o for m in directory.members.get(fetch(call, GROUP)["id"], ()) if (o := directory.find(m))]
    return many(call, found, "directoryObjects")


@room.on("GET", "/groups/{id}/transitiveMembers", "groups.read")
async def transitive_members(call: Call) -> Reply:
    """List members, through groups too; the nested groups are among them."""
    directory, oid = call.world.directory, fetch(call, GROUP)["id"]
    found, todo = dict[str, Json](), [oid]
    while todo:
        for member in directory.members.get(todo.pop(), ()):
            entry = directory.find(member)
            if entry and member not in found:
                found[member] = entry
                todo.append(member)
    return many(call, found.values(), "directoryObjects")


@room.on("GET", "/groups/{id}/owners", "groups.read")
async def owners(call: Call) -> Reply:
    """List owners."""
    directory = call.world.directory
    found = [o for m in directory.owners.get(fetch(call, GROUP)["id"], ()) if (o := directory.find(m))]
    return many(call, found, "directoryObjects")


@room.on("POST", "/groups/{id}/members/$ref", "groups.members")
async def add_member(call: Call) -> Reply:
    """Add a member by reference."""
    entry = _changeable(call)
    member = reference(call)
    held = call.world.directory.members.get(entry["id"], [])
    if member["id"] in held:
        raise bad("One or more added object references already exist for the following modified properties: 'members'.")
    call.world.directory.set_members(entry["id"], [*held, member["id"]])
    return Reply(204)


@room.on("DELETE", "/groups/{id}/members/{member}/$ref", "groups.members")
async def remove_member(call: Call) -> Reply:
    """Remove a member. Absent: 404."""
    group, member = _changeable(call)["id"], call.params["member"].lower()
    held = call.world.directory.members.get(group, [])
    if member not in held:
        raise missing(member)
    call.world.directory.set_members(group, [m for m in held if m != member])
    return Reply(204)


@room.on("GET", "/groups/{id}/memberOf", "groups.read")
async def member_of(call: Call) -> Reply:
    """List the groups and roles that a group holds."""
    return many(call, roles_and_groups(call, fetch(call, GROUP)["id"], direct=True), "directoryObjects")


@room.on("GET", "/directoryObjects/{id}", "directory.read")
async def directory_object(call: Call) -> Reply:
    """Read an object of any type."""
    entry = call.world.directory.objects.get(call.params["id"].lower())
    if entry is None:
        raise missing(call.params["id"])
    return one(call, entry, typed=True)


@room.on("POST", "/directoryObjects/getByIds", "directory.read")
async def by_ids(call: Call) -> Reply:
    """Read up to 1000 objects at once; those that don't exist are left out."""
    body, directory = payload(call), call.world.directory
    asked = [str(i).lower() for i in body.get("ids", ())]
    if not asked or len(asked) > 1000:  # noqa: PLR2004
        raise bad("The ids collection must hold between 1 and 1000 ids.")
    kinds = {f"#microsoft.graph.{t}".lower() for t in body.get("types", ())}
    found = [o for i in dict.fromkeys(asked) if (o := directory.objects.get(i))]
    found = [o for o in found if not kinds or o["@odata.type"].lower() in kinds]
    return many(call, found, "directoryObjects")


@room.on("GET", "/organization", "organization.read")
async def organization(call: Call) -> Reply:
    """Read the tenant itself."""
    domains = {u["userPrincipalName"].partition("@")[2] for u in call.world.directory.of_type(USER)}
    verified = [
        {"name": d, "isDefault": i == 0, "isInitial": i == 0, "type": "Managed"} for i, d in enumerate(sorted(domains))
    ]
    name = verified[0]["name"] if verified else "sandbox"
    entry = {"id": call.world.tenant, "displayName": name, "verifiedDomains": verified, "tenantType": "AAD"}
    return many(call, [entry], "organization", "organization")


@room.on("GET", _ROLES + "roleDefinitions", "roles.read")
async def role_definitions(call: Call) -> Reply:
    """List the built-in directory roles."""
    found = [_definition(template) for template in ROLE_NAMES]
    return many(call, found, "roleManagement/directory/roleDefinitions", "unifiedRoleDefinition")


@room.on("GET", _ROLES + "roleDefinitions/{definition}", "roles.read")
async def role_definition(call: Call) -> Reply:
    """Read one, by its template id."""
    if call.params["definition"].lower() not in ROLE_NAMES:
        raise missing(call.params["definition"])
    return Reply(200, _definition(call.params["definition"].lower()))


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
    return Reply(201, dict(assignment))


@room.on("DELETE", _ROLES + "roleAssignments/{assignment}", "roles.write")
async def remove_role(call: Call) -> Reply:
    """Take a directory role away. Absent: 404."""
    if call.world.directory.role_assignments.pop(call.params["assignment"], None) is None:
        raise missing(call.params["assignment"])
    return Reply(204)


@room.on("GET", "/auditLogs/directoryAudits", "audits.read")
async def audits(call: Call) -> Reply:
    """List what was changed in the directory, and by whom."""
    return many(call, call.world.directory.audits, "auditLogs/directoryAudits", "directoryAudit")


def roles_and_groups(call: Call, oid: str, *, direct: bool) -> list[Json]:
    """Everything that memberOf lists: groups, and the directory roles held by the object or (not direct) by those."""
    directory = call.world.directory
    near = {g for g, held in directory.members.items() if oid in held and g in directory.objects}
    found = near if direct else directory.groups_of(oid)
    holders = {oid} if direct else {oid, *found}
    roles = {a["roleDefinitionId"] for a in directory.role_assignments.values() if a["principalId"] in holders}
    named = [{"id": made_up_id("role", r), "displayName": ROLE_NAMES.get(r, r), "roleTemplateId": r} for r in roles]
    shown = [{"@odata.type": "#microsoft.graph.directoryRole", "description": None, **role} for role in named]
    return [directory.objects[g] for g in found] + shown


def reference(call: Call) -> Json:
    """The object that a request's @odata.id names: "…/v1.0/directoryObjects/{id}". Raises ApiError 400 or 404."""
    link = str(payload(call).get("@odata.id", ""))
    collection, _, name = link.rpartition("/v1.0/")[2].partition("/")
    if collection not in {"directoryObjects", *COLLECTIONS.values()} or not name:
        raise bad("Invalid value specified for property '@odata.id' of resource 'Group'.")
    entry = call.world.directory.objects.get(name.lower())
    if entry is None:
        raise missing(name)
    return entry


def _changeable(call: Call) -> Json:
    entry = fetch(call, GROUP)
    if entry["isAssignableToRole"] and call.caller.oid not in call.world.directory.owners.get(entry["id"], ()):
        allow(call, "roles.write")
    if entry["onPremisesSyncEnabled"] or "DynamicMembership" in entry["groupTypes"]:
        raise bad("The membership of this group is not managed here: it is synchronized or dynamic.")
    return entry


def _definition(template: str) -> Json:
    name = ROLE_NAMES[template]
    privileged = name in {n for n in DIRECTORY_ROLES if "Administrator" in n}
    return {"id": template, "templateId": template, "displayName": name, "isBuiltIn": True, "isEnabled": True} | {
        "isPrivileged": privileged
    }
