"""Key vaults and Cognitive Services accounts: what is deleted is listed, recovered and purged (see soft_delete.py).

And the access policies of vaults, which are changed by a path of their own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sandbox.azure import ids, operations, providers, resources, soft_delete
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.soft_delete import ACCOUNTS, VAULTS

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock
    from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = _SUBSCRIPTION + "/resourceGroups/{group}/providers/"
_VAULT_HOME = _SUBSCRIPTION + "/providers/Microsoft.KeyVault"
_VAULT = _VAULT_HOME + "/locations/{location}/deletedVaults/{name}"
_ACCOUNT_HOME = _SUBSCRIPTION + "/providers/Microsoft.CognitiveServices"
_ACCOUNT = _ACCOUNT_HOME + "/locations/{location}/resourceGroups/{group}/deletedAccounts/{name}"

vaults = Room("Microsoft.KeyVault", {"vaults": providers.PROVIDERS["Microsoft.KeyVault"]["vaults"]})
accounts = Room("Microsoft.CognitiveServices")


def _kept(call: Call, kind: str) -> Iterator[Json]:
    return soft_delete.kept(call.world, call.clock, kind)


def _find(call: Call, kind: str, id_: str) -> Json | None:
    """What is kept of the resource that had this id."""
    return next((e for e in _kept(call, kind) if e["id"].lower() == id_.lower()), None)


def _need(call: Call, kind: str, path: str) -> Json:
    found = next((e for e in _kept(call, kind) if e["record"].lower() == path.lower()), None)
    if found is None:
        name = path.rpartition("/")[2]
        raise ApiError(
            404, "DeletedVaultNotFound" if kind == VAULTS else "ResourceNotFound", f"'{name}' was not found."
        )
    return found


def _recover(call: Call, kept: Json) -> "Resource":
    soft_delete.take(call.world, kept["record"])
    body = resources.with_identity(call, kept["body"], None)
    made = call.world.put(kept["id"], body, None, call.version)
    made.stamps = dict(kept["stamps"])
    return made


# -- key vaults --------------------------------------------------------------------------------------------------------


@vaults.on("PUT", _GROUP + "Microsoft.KeyVault/vaults/{name}", f"{VAULTS}/write")
async def put_vault(call: Call) -> Reply:
    """Make a vault, or recover a deleted one by createMode "recover"."""
    kept = _find(call, VAULTS, call.path)
    recover = str((call.body.get("properties") or {}).get("createMode", "")).lower() == "recover"
    if recover and kept is None:
        raise ApiError(404, "VaultNotFound", f"No deleted vault '{call.params['name']}' was found to recover.")
    if recover and kept:
        return Reply(200, resources.rendered(_recover(call, kept)))
    same = [e for e in _kept(call, VAULTS) if e["id"].rpartition("/")[2].lower() == call.params["name"].lower()]
    if same and call.path not in call.world:
        message = (
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
            "key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft "
            "delete."
        )
        raise ApiError(409, "ConflictError", message)
    old = call.world.get(call.path)
    given = call.body.get("properties") or {}
    if old and old.properties.get("enablePurgeProtection") and given.get("enablePurgeProtection") is False:
        message = 'The property "enablePurgeProtection" cannot be set to false.'
        raise bad_request("BadRequest", message)
    reply = await resources.put(call)
    made = resources.need(call)
    stored = call.world.put(made.id, with_policies(made.body), call.author, call.version)
    return Reply(reply.status, resources.rendered(stored))


def with_policies(body: Json) -> Json:
    """A vault's body with its access policies: a list in any case."""
    return {**body, "properties": {"accessPolicies": [], **(body.get("properties") or {})}}


@vaults.on("GET", _VAULT_HOME + "/deletedVaults", "Microsoft.KeyVault/deletedVaults/read")
async def list_deleted_vaults(call: Call) -> Reply:
    """List the deleted vaults of a subscription."""
    mine = (e for e in _kept(call, VAULTS) if ids.within(e["record"], f"/subscriptions/{call.params['subscription']}"))
    return page(call, [_vault(e) for e in mine])


@vaults.on("GET", _VAULT, "Microsoft.KeyVault/locations/deletedVaults/read")
async def get_deleted_vault(call: Call) -> Reply:
    """Read one deleted vault."""
    return Reply(200, _vault(_need(call, VAULTS, call.path)))


@vaults.on("POST", _VAULT + "/purge", "Microsoft.KeyVault/locations/deletedVaults/purge/action")
async def purge_vault(call: Call) -> Reply:
    """Delete a deleted vault for good. Purge protection forbids it until its time is over."""
    kept = _need(call, VAULTS, call.parent)
    if kept["body"]["properties"].get("enablePurgeProtection"):
        raise ApiError(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    at = (
        f"/subscriptions/{call.params['subscription']}/providers/Microsoft.KeyVault/locations/{call.params['location']}"
    )
    return operations.accept(call, "deleted.purge", {"record": kept["record"]}, at=f"{at}/operationResults")


@operations.effect("deleted.purge")
def _purged(world: "World", _: "Clock", args: Json) -> None:
    soft_delete.take(world, str(args["record"]))


def _vault(kept: Json) -> Json:
    body = kept["body"]
    properties = {"vaultId": kept["id"], "location": body["location"], "tags": body.get("tags") or {}}
    properties |= {k: kept[k] for k in ("deletionDate", "scheduledPurgeDate")}
    if body["properties"].get("enablePurgeProtection"):
        properties["purgeProtectionEnabled"] = True
    head = {"id": kept["record"], "name": kept["id"].rpartition("/")[2], "type": "Microsoft.KeyVault/deletedVaults"}
    return {**head, "properties": properties}


@vaults.on("PUT", _GROUP + "Microsoft.KeyVault/vaults/{name}/accessPolicies/{verb}", f"{VAULTS}/accessPolicies/write")
async def change_policies(call: Call) -> Reply:
    """Add, replace or remove access policies: the verb at the end of the path says which."""
    vault = resources.need(call, call.parent.rpartition("/")[0])
    given = (call.body.get("properties") or {}).get("accessPolicies") or []
    held = {_holder(policy): policy for policy in vault.properties.get("accessPolicies") or ()}
    changed = {_holder(policy): policy for policy in given}
    verb = call.params["verb"].lower()
    if verb == "add":
        held |= {who: _joined(held.get(who), policy) for who, policy in changed.items()}
    elif verb == "replace":
        held |= changed
    elif verb == "remove":
        held = {who: policy for who, policy in held.items() if who not in changed}
    else:
        raise bad_request("BadRequest", f"The operation kind '{call.params['verb']}' is invalid.")
    properties = {**vault.properties, "accessPolicies": list(held.values())}
    call.world.put(vault.id, {**vault.body, "properties": properties}, call.author, call.version)
    head = {
        "id": f"{vault.id}/accessPolicies/",
        "type": f"{VAULTS}/accessPolicies",
        "location": vault.body.get("location"),
    }
    return Reply(200, {**head, "properties": {"accessPolicies": properties["accessPolicies"]}})


def _holder(policy: Json) -> str:
    return "|".join(str(policy.get(k) or "").lower() for k in ("tenantId", "objectId", "applicationId"))


def _joined(old: Json | None, new: Json) -> Json:
    """Both policies in one: everything that either permits."""
    if old is None:
        return new
    before, after = old.get("permissions") or {}, new.get("permissions") or {}
    both = {k: [*(before.get(k) or ()), *(after.get(k) or ())] for k in {**before, **after}}
    return {**old, "permissions": {k: list(dict.fromkeys(v)) for k, v in both.items()}}


# -- Cognitive Services accounts ---------------------------------------------------------------------------------------


@accounts.on("PUT", _GROUP + "Microsoft.CognitiveServices/accounts/{name}", f"{ACCOUNTS}/write")
async def put_account(call: Call) -> Reply:
    """Make an account, or restore a deleted one by properties.restore."""
    kept = _find(call, ACCOUNTS, call.path)
    if kept is None:
        return await resources.put(call)
    if not (call.body.get("properties") or {}).get("restore"):
        message = (
            f"An existing resource with ID '{kept['id']}' has been soft-deleted. To restore the resource, you must "
            "specify 'restore' to be 'true' in the property. If you don't want to restore existing resource, please "
            "purge it first."
        )
        raise ApiError(409, "FlagMustBeSetForRestore", message)
    return Reply(200, resources.rendered(_recover(call, kept)))


@accounts.on("GET", _ACCOUNT_HOME + "/deletedAccounts", "Microsoft.CognitiveServices/deletedAccounts/read")
async def list_deleted_accounts(call: Call) -> Reply:
    """List the deleted accounts of a subscription."""
    at = f"/subscriptions/{call.params['subscription']}"
    return page(call, [_account(e) for e in _kept(call, ACCOUNTS) if ids.within(e["record"], at)])


@accounts.on("GET", _ACCOUNT, "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/read")
async def get_deleted_account(call: Call) -> Reply:
    """Read one deleted account."""
    return Reply(200, _account(_need(call, ACCOUNTS, call.path)))


@accounts.on("DELETE", _ACCOUNT, "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/delete")
async def purge_account(call: Call) -> Reply:
    """Delete a deleted account for good."""
    kept = _need(call, ACCOUNTS, call.path)
    return operations.accept(
        call, "deleted.purge", {"record": kept["record"]}, location=call.params["location"].lower()
    )


def _account(kept: Json) -> Json:
    times = {k: kept[k] for k in ("deletionDate", "scheduledPurgeDate")}
    head = {k: kept["body"].get(k) for k in ("location", "kind", "sku", "tags")}
    kind = "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts"
    properties = {**kept["body"].get("properties", {}), **times}
    return {"id": kept["record"], "name": kept["id"].rpartition("/")[2], "type": kind, **head, "properties": properties}
