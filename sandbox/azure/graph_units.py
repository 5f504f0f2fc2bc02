"""Administrative units in Microsoft Graph: parts of the directory with administrators of their own.

Of a unit with hidden members only Member.Read.Hidden shows who is in it; without it the list is empty. Members of a
restricted one are beyond every permission over the tenant: see graph_access.unrestricted.
"""

from typing import Any

from sandbox.azure.directory import UNIT
from sandbox.azure.directory_new import new_unit
from sandbox.azure.graph_access import holds
from sandbox.azure.graph_audit import edge
from sandbox.azure.graph_groups import reference
from sandbox.azure.graph_reply import bad, fetch, many, missing, one, patch, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_UNIT = "/directory/administrativeUnits/{id}"


@room.on("GET", "/directory/administrativeUnits", "units.read")
async def units(call: Call) -> Reply:
    """List all."""
    return many(call, call.world.directory.of_type(UNIT), "directory/administrativeUnits", UNIT)


@room.on("GET", _UNIT, "units.read")
async def unit(call: Call) -> Reply:
    """Read one."""
    return one(call, fetch(call, UNIT))


@room.on("POST", "/directory/administrativeUnits", "units.write")
async def create(call: Call) -> Reply:
    """Make one. Whether its members are restricted is said now or never."""
    body, directory = payload(call), call.world.directory
    if not body.get("displayName"):
        raise bad("A value is required for property 'displayName' of resource 'AdministrativeUnit'.")
    entry = patch(new_unit({"id": directory.new_id("administrative unit", body["displayName"])}), body)
    return one(call, directory.put(entry), 201)


@room.on("GET", _UNIT + "/members", "units.read")
async def members(call: Call) -> Reply:
    """List who is in it."""
    entry, directory = fetch(call, UNIT), call.world.directory
    seen = not entry["visibility"] or holds(call, "Member.Read.Hidden") or directory.roles_of(call.caller.oid)
    held = directory.units.get(entry["id"], ()) if seen else ()
    return many(call, [directory.objects[m] for m in held if m in directory.objects], "directoryObjects")


@room.on("GET", _UNIT + "/scopedRoleMembers", "units.read")
async def scoped(call: Call) -> Reply:
    """List who administers it."""
    entry, directory = fetch(call, UNIT), call.world.directory
    scope = f"/administrativeUnits/{entry['id']}"
    found = [
        {
            "id": a["id"],
            "roleId": a["roleDefinitionId"],
            "administrativeUnitId": entry["id"],
            "roleMemberInfo": {"id": a["principalId"]},
        }
        for a in directory.role_assignments.values()
        if a["directoryScopeId"] == scope
    ]
    return many(call, found, "scopedRoleMemberships", "scopedRoleMembership")


@room.on("POST", _UNIT + "/members/$ref", "units.write")
async def add_member(call: Call) -> Reply:
    """Put an object into it."""
    entry, member = fetch(call, UNIT), reference(call)
    held = call.world.directory.units.setdefault(entry["id"], [])
    if member["id"] in held:
        raise bad("One or more added object references already exist for the following modified properties: 'members'.")
    held.append(member["id"])
    edge(call, _named("Add member to", entry), "AdministrativeUnit", member, entry)
    return Reply(204)


@room.on("DELETE", _UNIT + "/members/{member}/$ref", "units.write")
async def remove_member(call: Call) -> Reply:
    """Take an object out of it. Absent: 404."""
    entry, member, directory = fetch(call, UNIT), call.params["member"].lower(), call.world.directory
    held = directory.units.get(entry["id"], [])
    if member not in held or member not in directory.objects:
        raise missing(member)
    held.remove(member)
    edge(call, _named("Remove member from", entry), "AdministrativeUnit", directory.objects[member], entry)
    return Reply(204)


def _named(activity: str, entry: Json) -> str:
    restricted = "restricted management " if entry["isMemberManagementRestricted"] else ""
    return f"{activity} {restricted}administrative unit"
