"""Groups in Microsoft Graph: who is in them, and who owns them."""

from typing import Any

from sandbox.azure.directory import COLLECTIONS, GROUP, USER
from sandbox.azure.directory_new import new_group
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import allow, unrestricted
from sandbox.azure.graph_audit import edge
from sandbox.azure.graph_reply import bad, fetch, many, missing, one, patch, payload
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import ROLE_NAMES, made_up_id

Json = dict[str, Any]

room = Room("")

_MEMBERS, _OWNERS = "/groups/{id}/members", "/groups/{id}/owners"


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
    """Delete it for good: security groups know no recycle bin. Microsoft 365 groups do."""
    entry, directory = fetch(call, GROUP), call.world.directory
    unrestricted(call, entry["id"])
    oid = entry["id"]
    if "Unified" in entry["groupTypes"]:
        directory.delete(oid, call.clock.now())
        return Reply(204)
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


@room.on("POST", _MEMBERS + "/$ref", "groups.members")
async def add_member(call: Call) -> Reply:
    """Add a member by reference."""
    entry, member = _changeable(call), reference(call)
    held = call.world.directory.members.get(entry["id"], [])
    if member["id"] in held:
        raise _held_already("members")
    call.world.directory.set_members(entry["id"], [*held, member["id"]])
    _log(call, "Add member to group", member, entry)
    return Reply(204)


@room.on("DELETE", _MEMBERS + "/{member}/$ref", "groups.members")
async def remove_member(call: Call) -> Reply:
    """Remove a member. Absent: 404."""
    entry, member = _changeable(call), call.params["member"].lower()
    held = call.world.directory.members.get(entry["id"], [])
    if member not in held or member not in call.world.directory.objects:
        raise missing(member)
    call.world.directory.set_members(entry["id"], [m for m in held if m != member])
    _log(call, "Remove member from group", call.world.directory.objects[member], entry)
    return Reply(204)


@room.on("POST", _OWNERS + "/$ref", "groups.members")
async def add_owner(call: Call) -> Reply:
    """Add an owner by reference."""
    entry, owner = _changeable(call), reference(call)
    held = call.world.directory.owners.setdefault(entry["id"], [])
    if owner["id"] in held:
        raise _held_already("owners")
    held.append(owner["id"])
    _log(call, "Add owner to group", owner, entry)
    return Reply(204)


@room.on("DELETE", _OWNERS + "/{owner}/$ref", "groups.members")
async def remove_owner(call: Call) -> Reply:
    """Remove an owner. Absent: 404. The last one who is a user stays: 400."""
    entry, owner = _changeable(call), call.params["owner"].lower()
    directory = call.world.directory
    held = directory.owners.get(entry["id"], [])
    if owner not in held or owner not in directory.objects:
        raise missing(owner)
    if held == [owner] and directory.objects[owner]["@odata.type"] == USER:
        raise bad("The group must have at least one owner, hence this owner cannot be removed.")
    held.remove(owner)
    _log(call, "Remove owner from group", directory.objects[owner], entry)
    return Reply(204)


@room.on("GET", "/groups/{id}/memberOf", "groups.read")
async def member_of(call: Call) -> Reply:
    """List the groups and roles that a group holds."""
    return many(call, roles_and_groups(call, fetch(call, GROUP)["id"], direct=True), "directoryObjects")


def roles_and_groups(call: Call, oid: str, *, direct: bool) -> list[Json]:
    """Everything that memberOf lists: groups, and the directory roles held by the object or (not direct) by those."""
    directory = call.world.directory
    near = {g for g, held in directory.members.items() if oid in held and g in directory.objects}
    found = near if direct else directory.groups_of(oid)
    holders = {oid} if direct else {oid, *found}
    roles = {a["roleDefinitionId"] for a in directory.role_assignments.values() if a["principalId"] in holders}
    named = [{"id": made_up_id("role", r), "displayName": ROLE_NAMES.get(r, r), "roleTemplateId": r} for r in roles]
    shown: list[Json] = [
        {"@odata.type": "#microsoft.graph.directoryRole", "description": None, **role} for role in named
    ]
    hidden = {"Member.Read.Hidden", "AdministrativeUnit.Read.All"}
    units = [u for u in directory.units_of(oid) if not u["visibility"] or oid == call.caller.oid or _any(call, hidden)]
    return [directory.objects[g] for g in found] + shown + units


def reference(call: Call) -> Json:
    """The object that a request's @odata.id names: "…/v1.0/directoryObjects/{id}". Raises ApiError 400 or 404."""
    link = str(payload(call).get("@odata.id", ""))
    collection, _, name = link.rpartition("/v1.0/")[2].partition("/")
    if collection not in {"directoryObjects", *COLLECTIONS.values()} or not name:
        raise bad("Invalid value specified for property '@odata.id' of resource 'Group'.")
    find = call.world.directory.find if collection == "users" else call.world.directory.objects.get
    entry = find(name.lower())  # users go by their principal name, too
    if entry is None:
        raise missing(name)
    return entry


def _any(call: Call, permissions: set[str]) -> bool:
    if call.caller.kind == "User":
        return bool(call.world.directory.roles_of(call.caller.oid))
    return bool(permissions & set(call.caller.claims.get("roles", ())))


def _changeable(call: Call) -> Json:
    entry = fetch(call, GROUP)
    unrestricted(call, entry["id"])
    if entry["isAssignableToRole"] and call.caller.oid not in call.world.directory.owners.get(entry["id"], ()):
        allow(call, "roles.write")
    if entry["onPremisesSyncEnabled"] or "DynamicMembership" in entry["groupTypes"]:
        raise bad("The membership of this group is not managed here: it is synchronized or dynamic.")
    return entry


def _held_already(what: str) -> ApiError:
    return bad(f"One or more added object references already exist for the following modified properties: '{what}'.")


def _log(call: Call, activity: str, who: Json, group: Json) -> None:
    names = {"Group.ObjectID": group["id"], "Group.DisplayName": group["displayName"]}
    edge(call, activity, "GroupManagement", who, group, names)
