"""What lets a caller into an App Service or function app: host and function keys, settings, publishing credentials.

Keys that somebody adds are resources, so they are in a world's snapshot; the host's own are regenerated without trace,
as keys.py says.
"""

import dataclasses
import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.azure import keys, providers, rbac, resources
from sandbox.azure.errors import resource_not_found
from sandbox.azure.router import Call, Caller, Reply, Room
from sandbox.azure.vault import VAULT
from sandbox.azure.world import Resource

Json = dict[str, Any]

TYPE = "Microsoft.Web/sites"
_SITE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}/{{site}}"
_HOST = _SITE + "/host/default"
_REFERENCE = re.compile(r"@Microsoft\.KeyVault\(SecretUri=([^)]+)\)")
_READS = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
_KEYS = {"functionKeys": "functionKeys", "systemKeys": "systemKeys"}

room = Room("Microsoft.Web", providers.PROVIDERS["Microsoft.Web"])


@room.on("POST", _HOST + "/listKeys", f"{TYPE}/host/listKeys/action")
async def list_host_keys(call: Call) -> Reply:
    """List the master key, and the keys that open all functions."""
    site = _site(call)
    own = {"masterKey": keys.key(call.world, site, "_master")}
    shared = {"default": keys.key(call.world, site, "default")}
    return Reply(
        200,
        {**own, "functionKeys": shared | _added(call, "functionKeys"), "systemKeys": _added(call, "systemKeys")},
    )


@room.on("POST", _SITE + "/functions/{function}/listKeys", f"{TYPE}/functions/listKeys/action")
async def list_function_keys(call: Call) -> Reply:
    """List the keys of one function."""
    function = resources.need(call, call.parent)
    added = {k.name: str(k.properties.get("value")) for k in call.world.beneath(function.id, f"{TYPE}/functions/keys")}
    return Reply(200, {"default": keys.key(call.world, function.id, "default"), **added})


@room.on("PUT", _SITE + "/functions/{function}/keys/{key}", f"{TYPE}/functions/keys/write")
async def put_function_key(call: Call) -> Reply:
    """Add a key to a function, or change it; without a value it is made up."""
    function = resources.need(call, call.parent.rpartition("/")[0])
    return _put(call, function.id, f"{TYPE}/functions/keys")


@room.on("DELETE", _SITE + "/functions/{function}/keys/{key}", f"{TYPE}/functions/keys/delete")
async def delete_function_key(call: Call) -> Reply:
    """Delete a function's key."""
    return Reply(204 if call.world.delete(call.path) else 404)


@room.on("PUT", _HOST + "/{collection}/{key}", f"{TYPE}/host/functionKeys/write")
async def put_host_key(call: Call) -> Reply:
    """Add a key to the host, or change it: of functionkeys or systemkeys."""
    collection = _collection(call)
    own = {"_master": "_master", "default": "default"}.get(call.params["key"].lower())
    if own and collection == "functionKeys":
        value = keys.renew(call, _site(call), own)
        return Reply(200, {"name": call.params["key"], "properties": {"name": call.params["key"], "value": value}})
    return _put(call, _site(call), f"{TYPE}/host/{collection}")


@room.on("DELETE", _HOST + "/{collection}/{key}", f"{TYPE}/host/functionKeys/delete")
async def delete_host_key(call: Call) -> Reply:
    """Delete a key of the host."""
    _collection(call)
    return Reply(204 if call.world.delete(call.path) else 404)


@room.on("POST", _SITE + "/config/appsettings/list", f"{TYPE}/config/list/action")
async def list_settings(call: Call) -> Reply:
    """List the application's settings, secrets and all."""
    site = _site(call)
    kept = call.world.get(f"{site}/config/appsettings")
    body = {"id": f"{site}/config/appsettings", "name": "appsettings", "type": f"{TYPE}/config"}
    return Reply(200, {**body, "properties": dict(kept.properties) if kept else {}})


@room.on("GET", _SITE + "/config/configreferences/appsettings", f"{TYPE}/config/read")
async def references(call: Call) -> Reply:
    """Say of each setting that is kept in a Key Vault whether the site can read it; its value is not told."""
    site = resources.need(call, _site(call))
    kept = call.world.get(f"{site.id}/config/appsettings")
    found = {k: m[1] for k, v in (kept.properties if kept else {}).items() if (m := _REFERENCE.fullmatch(str(v)))}
    at = f"{site.id}/config/configreferences/appsettings"
    return Reply(200, {"value": [_resolved(call, site, f"{at}/{name}", uri) for name, uri in found.items()]})


def _resolved(call: Call, site: Resource, id_: str, uri: str) -> Json:
    vault, _, secret = urlsplit(uri).path.strip("/").partition("/secrets/")
    found = next((v for v in call.world.list(VAULT) if v.name.lower() == vault.lower()), None)
    held = call.world.state.get("vault", {}).get(found.key, {}).get("secrets", {}) if found else {}
    attached = (site.body.get("identity") or {}).get("userAssignedIdentities") or {}
    reader = (attached.get(site.properties.get("keyVaultReferenceIdentity")) or {}).get("principalId", "")
    asked = dataclasses.replace(call, caller=Caller(oid=reader, tenant=call.world.tenant))
    if not reader:
        status = "MSINotEnabled"
    elif found is None:
        status = "VaultNotFound"
    elif _shut(found, site) or not rbac.allowing_role(asked, _READS, f"{found.id}/secrets/{secret}", data=True):
        status = "AccessToKeyVaultDenied"
    else:
        status = "Resolved" if secret in held else "SecretNotFound"
    properties = {"reference": f"@Microsoft.KeyVault(SecretUri={uri})", "status": status, "vaultName": vault}
    return {"id": id_, "name": id_.rpartition("/")[2], "properties": {**properties, "secretName": secret}}


def _shut(vault: Resource, site: Resource) -> bool:
    """Whether a vault's firewall keeps the site out: one that calls out from a network may have an endpoint there."""
    rules = vault.properties.get("networkAcls") or {}
    closed = vault.properties.get("publicNetworkAccess") == "Disabled" or rules.get("defaultAction") == "Deny"
    return closed and not site.properties.get("virtualNetworkSubnetId")


@room.on("POST", _SITE + "/config/publishingcredentials/list", f"{TYPE}/config/list/action")
async def list_publishing(call: Call) -> Reply:
    """Show the user and password that may deploy."""
    site = _site(call)
    name = site.rpartition("/")[2]
    password = keys.key(call.world, site, "_publishing")
    properties = {"name": name, "publishingUserName": f"${name}", "publishingPassword": password}
    body = {"id": f"{site}/publishingcredentials/${name}", "name": name, "type": f"{TYPE}/publishingcredentials"}
    return Reply(200, {**body, "properties": properties})


@room.on("POST", _SITE + "/newpassword", f"{TYPE}/newpassword/action")
async def new_password(call: Call) -> Reply:
    """Make another publishing password."""
    keys.renew(call, _site(call), "_publishing")
    return Reply(200)


def _site(call: Call) -> str:
    at = "/".join(call.path.split("/")[:9])
    return resources.need(call, at).id


def _collection(call: Call) -> str:
    found = {name.lower(): name for name in _KEYS}.get(call.params["collection"].lower())
    if found is None:
        raise resource_not_found(f"{TYPE}/host/{call.params['collection']}", call.params["key"], call.params["group"])
    return found


def _added(call: Call, collection: str) -> Json:
    found = call.world.beneath(_site(call), f"{TYPE}/host/{collection}")
    return {k.name: str(k.properties.get("value")) for k in found}


def _put(call: Call, home: str, kind: str) -> Reply:
    given, name = call.body.get("properties") or {}, call.params["key"]
    value = given.get("value") or keys.renew(call, home, name)
    status = 200 if call.path in call.world else 201
    body = {"type": kind, "properties": {"name": name, "value": value}}
    return Reply(status, resources.rendered(call.world.put(call.path, body, call.author, call.version)))
