"""What was deleted, in Microsoft Graph: kept for 30 days, to be restored or purged.

A restored user has again what he had: properties, groups, roles, app roles, what he owns, his ways to sign in
(Microsoft: "the user's account is restored along with all associated directory information"; "with its original
configuration and dependencies, such as membership, assignments, and permissions"). Whether eligible roles come back
nobody has written down; here they do. An application comes back without its service principal, which is restored by
itself; a security group is gone for good, and so is a managed identity, which goes with its Azure resource.
"""

from typing import Any

from sandbox.azure.directory import USER
from sandbox.azure.graph_access import allow
from sandbox.azure.graph_reply import bad, many, missing, one
from sandbox.azure.graph_users import free
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")


@room.on("GET", "/directory/deletedItems")
async def deleted_items(call: Call) -> Reply:
    """List what was deleted, of the type cast in the path."""
    cast = call.query.get("cast", "")
    if not cast:
        raise bad("The type of the deleted items must be specified.")
    allow(call, {"user": "users.read", "group": "groups.read"}.get(cast, "apps.read"))
    return many(call, call.world.directory.deleted.values(), "directoryObjects", f"#microsoft.graph.{cast}")


@room.on("GET", "/directory/deletedItems/{id}")
async def deleted_item(call: Call) -> Reply:
    """Read what was deleted."""
    return one(call, _deleted(call, "users.read", "apps.read"), typed=True)


@room.on("POST", "/directory/deletedItems/{id}/restore")
async def restore(call: Call) -> Reply:
    """Bring it back, with its object id."""
    entry = _deleted(call, "users.delete", "apps.write")
    if entry["@odata.type"] == USER:
        free(call, entry["userPrincipalName"])
    return one(call, call.world.directory.undelete(entry["id"]), typed=True)


@room.on("DELETE", "/directory/deletedItems/{id}")
async def purge(call: Call) -> Reply:
    """Delete for good."""
    entry = _deleted(call, "users.delete", "apps.write")
    call.world.directory.purge(entry["id"])
    return Reply(204)


def _deleted(call: Call, for_users: str, for_others: str) -> Json:
    entry = call.world.directory.deleted.get(call.params["id"].lower())
    allow(call, for_users if entry is None or entry["@odata.type"] == USER else for_others)
    if entry is None:
        raise missing(call.params["id"])
    return entry
