"""Recovery Services as far as a responder reads it: whether a machine is protected, and its recovery points.

Vaults, protected items and recovery points are resources like any other (resources.py):
…/vaults/v/backupFabrics/Azure/protectionContainers/c/protectedItems/i/recoveryPoints/p.
"""

from typing import Any

from sandbox.azure.lists import page
from sandbox.azure.resources import need, rendered
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

BACKUP = "Microsoft.RecoveryServices"
room = Room(BACKUP)
_ITEMS = f"{BACKUP}/vaults/backupFabrics/protectionContainers/protectedItems"
_VAULT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.RecoveryServices/vaults/{vault}"


@room.on("GET", _VAULT + "/backupProtectedItems", f"{BACKUP}/vaults/backupProtectedItems/read")
async def protected_items(call: Call) -> Reply:
    """List what a vault protects. The filter is not applied: who reads it looks at each item."""
    vault = need(call, call.parent)
    return page(call, [rendered(item) for item in call.world.beneath(vault.id, _ITEMS)])


@room.on(
    "POST",
    "/subscriptions/{subscription}/providers/Microsoft.RecoveryServices/locations/{location}/backupStatus",
    f"{BACKUP}/locations/backupStatus/action",
)
async def status(call: Call) -> Reply:
    """Say which vault protects a machine. Body: {resourceType: "VM", resourceId}."""
    machine = str(call.body.get("resourceId") or "").lower()
    for item in call.world.list(_ITEMS):
        if str(item.properties.get("sourceResourceId") or "").lower() == machine:
            parts = item.id.split("/")
            body: Json = {"protectionStatus": "Protected", "vaultId": "/".join(parts[:9]), "fabricName": parts[10]}
            names = {"containerName": parts[12], "protectedItemName": parts[14]}
            return Reply(200, {**body, **names, "policyName": item.properties.get("policyName", "")})
    return Reply(200, {"protectionStatus": "NotProtected"})
