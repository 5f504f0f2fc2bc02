"""Storage accounts: what Azure fills in when one is made, and the services that each has from the beginning.

Blobs lie elsewhere (blobs.py), keys too (keys.py).
"""

import re
from typing import Any

from sandbox.azure import ids, operations, providers
from sandbox.azure.clock import Clock
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.resources import merged, need, put, rendered
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import World

Json = dict[str, Any]

KIND = "Microsoft.Storage/storageAccounts"
room = Room("Microsoft.Storage", providers.PROVIDERS["Microsoft.Storage"])
_HOME = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{name}"
_NAME = re.compile(r"[a-z0-9]{3,24}")
_TAKEN = "AlreadyExists"
_ENDS = ("blob", "dfs", "file", "queue", "table", "web")
_OFF = {"enabled": False}
_DELETED = {"deleteRetentionPolicy": _OFF, "containerDeleteRetentionPolicy": _OFF, "cors": {"corsRules": []}}


def completed(name: str, body: Json) -> Json:
    """An account's body with what Azure fills in where its maker said nothing."""
    region, key = str(body.get("location") or ""), {"enabled": True, "keyType": "Account"}
    filled = {
        "accessTier": "Hot",
        "encryption": {"keySource": "Microsoft.Storage", "services": {"blob": key, "file": key}},
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []},
        "primaryEndpoints": {end: f"https://{name}.{end}.core.windows.net/" for end in _ENDS},
        "primaryLocation": region,
        "statusOfPrimary": "available",
        "supportsHttpsTrafficOnly": True,
    }
    return merged({"kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": filled}, body)


@room.on("PUT", _HOME, f"{KIND}/write")
async def put_account(call: Call) -> Reply:
    """Make an account, which takes its time, or replace one."""
    name = call.params["name"]
    if call.path not in call.world and (refusal := _unusable(call, name)):
        code, message = refusal
        if code == _TAKEN:
            raise ApiError(409, "StorageAccountAlreadyTaken", message)
        raise bad_request(code, message)
    reply = await put(call)
    made = need(call)
    stored = call.world.put(made.id, completed(made.name, made.body), call.author, call.version)
    if reply.status == 200:  # noqa: PLR2004
        return Reply(200, rendered(stored))
    at = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.Storage/locations"
    return operations.accept(call, "storage.made", {}, at=f"{at}/{stored.body['location']}/asyncoperations")


@operations.effect("storage.made")
def _made(world: World, clock: Clock, args: Json) -> None:
    """Nothing is left to do."""


@room.on(
    "POST",
    "/subscriptions/{subscription}/providers/Microsoft.Storage/checkNameAvailability",
    "Microsoft.Storage/checknameavailability/read",
)
async def check_name(call: Call) -> Reply:
    """Say whether a name can be had; all accounts of the world share them. Body: {name, type}."""
    if refusal := _unusable(call, str(call.body.get("name") or "")):
        return Reply(200, {"nameAvailable": False, "reason": refusal[0], "message": refusal[1]})
    return Reply(200, {"nameAvailable": True})


def _unusable(call: Call, name: str) -> tuple[str, str] | None:
    """Why no account can be made under a name, as code and message."""
    if not _NAME.fullmatch(name):
        return "AccountNameInvalid", (
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only."
        )
    if any(account.name.lower() == name for account in call.world.list(KIND, lag=False)):
        return _TAKEN, f"The storage account named {name} is already taken."
    return None


@room.on("GET", _HOME + "/blobServices/default", f"{KIND}/blobServices/read")
async def blob_service(call: Call) -> Reply:
    """Read the blob service's settings: those given, or those it has from the beginning."""
    need(call, ids.parse(call.path).scope + f"/providers/{KIND}/{call.params['name']}")
    if own := call.world.get(call.path):
        return Reply(200, rendered(own))
    body = {"id": call.path, "name": "default", "type": f"{KIND}/blobServices", "properties": _DELETED}
    return Reply(200, body)
