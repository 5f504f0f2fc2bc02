"""What hangs on a user in Microsoft Graph: groups and roles, what he owns, whom he answers to."""

from typing import Any

from sandbox.azure.directory import GROUP, SERVICE_PRINCIPAL, USER
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_groups import reference, roles_and_groups
from sandbox.azure.graph_reply import bad, fetch, many, missing, one, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")


@room.on("GET", "/users/{id}/memberOf", "directory.read")
async def member_of(call: Call) -> Reply:
    """List the groups, directory roles and administrative units it holds or is in directly."""
    return many(call, roles_and_groups(call, fetch(call, USER)["id"], direct=True), "directoryObjects")


@room.on("GET", "/users/{id}/memberOf/{of}", "directory.read")
async def one_member_of(call: Call) -> Reply:
    """Read one of them. One that it isn't in directly: 404."""
    held = roles_and_groups(call, fetch(call, USER)["id"], direct=True)
    found = next((entry for entry in held if entry["id"] == call.params["of"].lower()), None)
    if found is None:
        raise missing(call.params["of"])
    return one(call, found, typed=True)


@room.on("GET", "/users/{id}/transitiveMemberOf", "directory.read")
async def transitive_member_of(call: Call) -> Reply:
    """List the same, through groups too."""
    return many(call, roles_and_groups(call, fetch(call, USER)["id"], direct=False), "directoryObjects")


@room.on("POST", "/users/{id}/getMemberGroups", "directory.read")
@room.on("POST", "/groups/{id}/getMemberGroups", "directory.read")
@room.on("POST", "/servicePrincipals/{id}/getMemberGroups", "directory.read")
@room.on("POST", "/directoryObjects/{id}/getMemberGroups", "directory.read")
async def member_groups(call: Call) -> Reply:
    """Ids of all groups, through groups too."""
    return _texts(call, sorted(call.world.directory.groups_of(_anyone(call))))


@room.on("POST", "/users/{id}/checkMemberGroups", "directory.read")
@room.on("POST", "/groups/{id}/checkMemberGroups", "directory.read")
@room.on("POST", "/servicePrincipals/{id}/checkMemberGroups", "directory.read")
@room.on("POST", "/directoryObjects/{id}/checkMemberGroups", "directory.read")
async def check_member_groups(call: Call) -> Reply:
    """Which of the asked groups it is in."""
    groups = call.world.directory.groups_of(_anyone(call))
    return _texts(call, [g for g in payload(call).get("groupIds", ()) if g.lower() in groups])


@room.on("GET", "/users/{id}/ownedObjects", "directory.read")
async def owned(call: Call) -> Reply:
    """List the groups, applications and service principals it owns."""
    oid, directory = fetch(call, USER)["id"], call.world.directory
    found = [directory.objects[o] for o, owners in directory.owners.items() if oid in owners and o in directory.objects]
    return many(call, found, "directoryObjects")


@room.on("GET", "/users/{id}/manager", "users.read")
async def manager(call: Call) -> Reply:
    """Read whom a user answers to. Nobody: 404."""
    directory = call.world.directory
    found = directory.objects.get(directory.managers.get(fetch(call, USER)["id"], ""))
    if found is None:
        message = "Resource 'manager' does not exist or one of its queried reference-property objects are not present."
        raise ApiError(404, "Request_ResourceNotFound", message)
    return one(call, found, typed=True)


@room.on("PUT", "/users/{id}/manager/$ref", "users.write")
async def set_manager(call: Call) -> Reply:
    """Say whom a user answers to."""
    found = reference(call)
    if found["@odata.type"] != USER:
        raise bad("Invalid value specified for property 'manager' of resource 'User'.")
    call.world.directory.managers[fetch(call, USER)["id"]] = found["id"]
    return Reply(204)


@room.on("DELETE", "/users/{id}/manager/$ref", "users.write")
async def remove_manager(call: Call) -> Reply:
    """Let a user answer to nobody."""
    call.world.directory.managers.pop(fetch(call, USER)["id"], None)
    return Reply(204)


@room.on("GET", "/users/{id}/directReports", "users.read")
async def reports(call: Call) -> Reply:
    """List who answers to a user."""
    oid, directory = fetch(call, USER)["id"], call.world.directory
    found = [directory.objects[u] for u, m in directory.managers.items() if m == oid and u in directory.objects]
    return many(call, found, "directoryObjects")


def _anyone(call: Call) -> str:
    kind = {"users": USER, "groups": GROUP, "servicePrincipals": SERVICE_PRINCIPAL}
    if wanted := kind.get(call.path.split("/")[2]):
        return str(fetch(call, wanted)["id"])
    if found := call.world.directory.find(call.params["id"]):
        return str(found["id"])
    raise missing(call.params["id"])


def _texts(call: Call, found: list[str]) -> Reply:
    context = f"{call.endpoints.graph}/v1.0/$metadata#Collection(Edm.String)"
    return Reply(200, {"@odata.context": context, "value": found})
