"""User-assigned managed identities: a resource in Azure, and a service principal in the directory."""

from typing import Any

from sandbox.azure import providers, resources
from sandbox.azure.directory_new import new_managed_identity
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
_PATH = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}/{{name}}"

room = Room("Microsoft.ManagedIdentity", providers.PROVIDERS["Microsoft.ManagedIdentity"])


@room.on("PUT", _PATH, f"{TYPE}/write")
async def put_identity(call: Call) -> Reply:
    """Make an identity, with its principal; or replace its tags. One that comes back is another principal."""
    old = call.world.get(call.path)
    own = dict(old.properties) if old else {}
    if not own.get("principalId"):
        principal = new_managed_identity(call.world.directory, call.path, call.clock.now())
        own = {"tenantId": call.world.tenant, "principalId": principal["id"], "clientId": principal["appId"]}
    body = {k: v for k, v in call.body.items() if k in {"location", "tags"}}
    stored = call.world.put(call.path, {"type": TYPE, **body, "properties": own}, call.author, call.version)
    return Reply(200 if old else 201, resources.rendered(stored))


@room.on("DELETE", _PATH, f"{TYPE}/delete")
async def delete_identity(call: Call) -> Reply:
    """Delete an identity and its principal."""
    found = call.world.get(call.path)
    if found is None:
        return Reply(204)
    call.world.directory.purge(str(found.properties.get("principalId") or ""))
    call.world.delete(found.id)
    return Reply(200)
