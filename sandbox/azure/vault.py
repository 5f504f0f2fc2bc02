"""Key Vault's secrets. One port for all vaults, the vault's name first in the path: {endpoint}/{vault}/secrets/{name}.

By a vault's own host name (doorway.py) the path is Azure's.

The vault itself is a resource of Resource Manager; rights on its secrets are RBAC data actions. Its secrets are kept
apart from the world's snapshot: what is stored there is the caller's to keep.
"""

from datetime import datetime, timedelta
from typing import Any

from sandbox.azure import rbac
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Caller, Reply, Room, Router
from sandbox.azure.tokens import Invalid
from sandbox.azure.world import Resource

Json = dict[str, Any]

VAULT, KIND = "microsoft.keyvault/vaults", "Microsoft.KeyVault/vaults/secrets"
VERSIONS = frozenset({"7.3", "7.4", "7.5", "7.6", "2025-07-01"})
PAGE, LARGEST = 25, 25 * 1024
RETENTION = timedelta(days=90)

room = Room("")
_SECRET, _DELETED = "/{vault}/secrets/{name}", "/{vault}/deletedsecrets/{name}"


async def handle(call: Call) -> Reply:
    """Answer one request."""
    call.request = call.world.new_id("request")
    headers = {"x-ms-request-id": call.request, "x-ms-keyvault-region": "sandbox", "Cache-Control": "no-cache"}
    try:
        reply = await _answer(call)
    except ApiError as error:
        reply = Reply(error.status, error.body(), error.headers)
    reply.headers = {**headers, **reply.headers}
    return reply


async def _answer(call: Call) -> Reply:
    found = _ROUTER.find(call.method, call.path)
    if found is None:
        raise ApiError(501, "NotImplemented", f"The sandbox does not know {call.method} {call.path} of Key Vault.")
    route, params = found
    call.params.update(params)
    _sign_in(call)
    if call.version not in VERSIONS:
        raise ApiError(400, "BadParameter", f"The specified version ({call.version}) is not recognized.")
    vault = _vault(call)
    try:
        rbac.require(call, route.action or "", vault.id, data=True)
    except ApiError as error:
        message = f"Caller is not authorized to perform action on resource. Caller: {call.caller.name}"
        raise ApiError(
            403, "Forbidden", f"{message} Action: '{route.action}'", innererror={"code": "ForbiddenByRbac"}
        ) from error
    return await route.handler(call)


@room.on("PUT", _SECRET, f"{KIND}/setSecret/action")
async def set_secret(call: Call) -> Reply:
    """Store a new version. The answer holds the value."""
    body, kept = _body(call), _kept(call)
    value = body.get("value")
    if not isinstance(value, str) or len(value.encode()) > LARGEST:
        raise ApiError(400, "BadParameter", "Property value is missing or too long.")
    name = call.params["name"]
    if name in kept["deleted"]:
        message = (
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; "
            "in this state, the secret can only be recovered or purged."
        )
        raise ApiError(409, "Conflict", message, innererror={"code": "ObjectIsDeletedButRecoverable"})
    now = int(call.clock.now().timestamp())
    given = {k: v for k, v in (body.get("attributes") or {}).items() if k in {"enabled", "nbf", "exp"}}
    attributes = {"enabled": True, **given, "created": now, "updated": now, "recoveryLevel": "Recoverable+Purgeable"}
    version = call.world.new_id("secret", call.path).replace("-", "")
    secret = {"value": value, "version": version, "attributes": {**attributes, "recoverableDays": RETENTION.days}}
    secret |= {k: body[k] for k in ("contentType", "tags") if body.get(k)}
    kept["secrets"].setdefault(name, []).append(secret)
    return Reply(200, _bundle(call, name, secret))


@room.on("GET", _SECRET, f"{KIND}/getSecret/action")
async def get_secret(call: Call) -> Reply:
    """Read the newest version."""
    return _read(call, _versions(call)[-1])


@room.on("GET", _SECRET + "/versions", f"{KIND}/readMetadata/action")
async def versions(call: Call) -> Reply:
    """List versions, without values."""
    name = call.params["name"]
    return _page(call, [_bundle(call, name, s, "value") for s in _versions(call)])


@room.on("GET", _SECRET + "/{version}", f"{KIND}/getSecret/action")
async def get_version(call: Call) -> Reply:
    """Read one version."""
    return _read(call, _version(call))


@room.on("PATCH", _SECRET, f"{KIND}/update/action")
@room.on("PATCH", _SECRET + "/{version}", f"{KIND}/update/action")
async def update(call: Call) -> Reply:
    """Change tags, content type or attributes of a version, the newest unless it is named."""
    secret, body = _version(call) if "version" in call.params else _versions(call)[-1], _body(call)
    secret |= {k: body[k] for k in ("contentType", "tags") if k in body}
    secret["attributes"] |= {k: v for k, v in (body.get("attributes") or {}).items() if k in {"enabled", "nbf", "exp"}}
    secret["attributes"]["updated"] = int(call.clock.now().timestamp())
    return Reply(200, _bundle(call, call.params["name"], secret, "value"))


@room.on("GET", "/{vault}/secrets", f"{KIND}/readMetadata/action")
async def secrets(call: Call) -> Reply:
    """List the names and newest attributes, without values."""
    found = [_bundle(call, name, held[-1], "value", "version") for name, held in sorted(_kept(call)["secrets"].items())]
    return _page(call, found)


@room.on("DELETE", _SECRET, f"{KIND}/delete")
async def delete(call: Call) -> Reply:
    """Soft-delete it with all versions."""
    kept, name, held = _kept(call), call.params["name"], _versions(call)
    kept["deleted"][name] = {"versions": held, "at": call.clock.now().isoformat()}
    del kept["secrets"][name]
    return Reply(200, _deleted(call, name))


@room.on("GET", _DELETED, f"{KIND}/readMetadata/action")
async def deleted(call: Call) -> Reply:
    """Read about a deleted one."""
    return Reply(200, _deleted(call, call.params["name"]))


@room.on("GET", "/{vault}/deletedsecrets", f"{KIND}/readMetadata/action")
async def all_deleted(call: Call) -> Reply:
    """List the deleted ones."""
    return _page(call, [_deleted(call, name) for name in sorted(_kept(call)["deleted"])])


@room.on("POST", _DELETED + "/recover", f"{KIND}/recover/action")
async def recover(call: Call) -> Reply:
    """Bring it back."""
    kept, name = _kept(call), call.params["name"]
    _deleted(call, name)
    kept["secrets"][name] = kept["deleted"].pop(name)["versions"]
    return Reply(200, _bundle(call, name, kept["secrets"][name][-1], "value"))


@room.on("DELETE", _DELETED, f"{KIND}/purge/action")
async def purge(call: Call) -> Reply:
    """Delete it for good."""
    _deleted(call, call.params["name"])
    del _kept(call)["deleted"][call.params["name"]]
    return Reply(204)


_ROUTER = Router((room,))


def _sign_in(call: Call) -> None:
    authority = f"{call.endpoints.login}/{call.world.tenant}"
    challenge = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="https://vault.azure.net"'}
    if not call.bearer:
        message = "AKV10000: Request is missing a Bearer or PoP token."
        raise ApiError(401, "Unauthorized", message, headers=challenge)
    try:
        claims = call.tokens.verify(call.bearer, "vault")
    except Invalid as error:
        raise ApiError(401, "Unauthorized", f"AKV10022: {error}", headers=challenge) from error
    if why := call.world.directory.usable(claims):
        raise ApiError(401, "Unauthorized", f"AKV10046: {why}.", headers=challenge)
    forwarded = call.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    call.caller = Caller.of(claims, forwarded or str(claims.get("ipaddr", "")))


def _vault(call: Call) -> Resource:
    name = call.params["vault"].lower()
    found = next((v for v in call.world.list(VAULT) if v.name.lower() == name), None)
    if found is None:
        # In Azure the name wouldn't resolve; here there is one host for all.
        raise ApiError(404, "VaultNotFound", f"There is no vault '{call.params['vault']}' in this world.")
    return found


def _kept(call: Call) -> Json:
    vaults: Json = call.world.state.setdefault("vault", {})
    kept: Json = vaults.setdefault(_vault(call).key, {"secrets": {}, "deleted": {}})
    return kept


def _versions(call: Call) -> list[Json]:
    held: list[Json] | None = _kept(call)["secrets"].get(call.params["name"])
    if held is None:
        raise _absent(call.params["name"])
    return held


def _version(call: Call) -> Json:
    found = next((s for s in _versions(call) if s["version"] == call.params["version"]), None)
    if found is None:
        raise _absent(f"{call.params['name']}/{call.params['version']}")
    return found


def _read(call: Call, secret: Json) -> Reply:
    if not secret["attributes"]["enabled"]:
        inner = {"code": "SecretDisabled"}
        message = "Operation get is not allowed on a disabled secret."
        raise ApiError(403, "Forbidden", message, innererror=inner)
    return Reply(200, _bundle(call, call.params["name"], secret))


def _bundle(call: Call, name: str, secret: Json, *leave: str) -> Json:
    base = f"{_home(call)}/secrets/{name}"
    id_ = base if "version" in leave else f"{base}/{secret['version']}"
    return {"id": id_, **{k: v for k, v in secret.items() if k not in {"version", *leave}}}


def _deleted(call: Call, name: str) -> Json:
    gone = _kept(call)["deleted"].get(name)
    if gone is None:
        raise _absent(name)
    at = datetime.fromisoformat(gone["at"])
    times = {"deletedDate": int(at.timestamp()), "scheduledPurgeDate": int((at + RETENTION).timestamp())}
    recovery = f"{_home(call)}/deletedsecrets/{name}"
    return {"recoveryId": recovery, **times, **_bundle(call, name, gone["versions"][-1], "value")}


def _body(call: Call) -> Json:
    body = call.body
    if not isinstance(body, dict) or not isinstance(body.get("attributes") or {}, dict):
        raise ApiError(400, "BadParameter", "The request body is not valid.")
    return body


def _home(call: Call) -> str:
    return call.home or f"{call.endpoints.vault}/{call.params['vault']}"


def _page(call: Call, found: list[Json]) -> Reply:
    given = call.query.get("$skiptoken", "0"), call.query.get("maxresults", str(PAGE))
    if not all(number.isdecimal() for number in given) or not 0 < int(given[1]) <= PAGE:
        raise ApiError(400, "BadParameter", f"The maxresults or the skiptoken is not valid: at most {PAGE} are listed.")
    start, size = (int(number) for number in given)
    more = start + size < len(found)
    query = {**call.query, "$skiptoken": str(start + size)}
    return Reply(200, {"value": found[start : start + size], "nextLink": call.url(query=query) if more else None})


def _absent(name: str) -> ApiError:
    message = f"A secret with (name/id) {name} was not found in this key vault."
    return ApiError(404, "SecretNotFound", message)
