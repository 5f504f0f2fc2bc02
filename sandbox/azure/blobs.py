"""Blob Storage, as far as evidence needs it: one port for all accounts, {endpoint}/{account}/{container}/{blob}.

Accounts and containers are resources of Resource Manager; rights on blobs are RBAC data actions. What is stored is kept
apart from the world's snapshot. A container under an immutability policy lets nothing be overwritten.
"""

from base64 import b64decode, b64encode
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from xml.sax.saxutils import escape

from sandbox.azure import rbac
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Caller, Reply
from sandbox.azure.tokens import Invalid
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

ACCOUNT, CONTAINER = "Microsoft.Storage/storageAccounts", "blobServices/default/containers"
IMMUTABILITY = "immutabilityPolicies/default"  # beneath a container
_BLOBS = f"{ACCOUNT}/blobServices/containers/blobs"
_PAGE = 5000
_PARTS = 4  # of a path: "", account, container, blob


async def handle(call: Call) -> Reply:
    """Answer one request."""
    call.request = call.world.new_id("request")
    try:
        reply = _answer(call)
    except ApiError as error:
        body = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        reply = Reply(error.status, body, {**error.headers, "x-ms-error-code": error.code, **_XML})
    reply.headers = {"x-ms-request-id": call.request, "x-ms-version": "2023-11-03", **reply.headers}
    return reply


_XML = {"Content-Type": "application/xml"}


def _answer(call: Call) -> Reply:
    _sign_in(call)
    parts = call.path.split("/", _PARTS - 1)
    if len(parts) < _PARTS - 1:
        if call.method == "GET" and call.query.get("comp") == "list":
            return _containers(call, parts[-1])
        raise _not_built(call)
    held = _container(call.world, parts)
    if len(parts) < _PARTS and call.method == "GET" and call.query.get("comp") == "list":
        _allow(call, f"{_BLOBS}/read", held)
        return _list(call, kept(call.world, held.id))
    if len(parts) == _PARTS and call.method == "PUT":
        _allow(call, f"{_BLOBS}/write", held)
        return _put(call, held, parts[-1])
    if len(parts) == _PARTS and call.method == "GET":
        _allow(call, f"{_BLOBS}/read", held)
        return _get(kept(call.world, held.id), parts[-1])
    raise _not_built(call)


def _not_built(call: Call) -> ApiError:
    message = f"The sandbox does not know {call.method} {call.path} of Blob Storage."
    return ApiError(501, "NotImplemented", message)


def kept(world: World, container: str) -> dict[str, Json]:
    """What a container holds, by name: {"data": base64, "at": as in headers}."""
    containers: Json = world.state.setdefault("blobs", {})
    held: dict[str, Json] = containers.setdefault(container.lower(), {})
    return held


def _put(call: Call, container: Resource, name: str) -> Reply:
    blobs = kept(call.world, container.id)
    if name in blobs and call.headers.get("If-None-Match") == "*":
        raise ApiError(409, "BlobAlreadyExists", "The specified blob already exists.")
    if name in blobs and f"{container.id}/{IMMUTABILITY}" in call.world:
        raise ApiError(409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable.")
    at = format_datetime(call.clock.now(), usegmt=True)
    blobs[name] = {"data": b64encode(call.raw).decode(), "at": at}
    return Reply(201, None, _marks(blobs[name]))


def _get(blobs: dict[str, Json], name: str) -> Reply:
    if name not in blobs:
        raise ApiError(404, "BlobNotFound", "The specified blob does not exist.")
    kind = {"Content-Type": "application/octet-stream"}
    return Reply(200, b64decode(blobs[name]["data"]), {**_marks(blobs[name]), **kind})


def _list(call: Call, blobs: dict[str, Json]) -> Reply:
    names = sorted(name for name in blobs if name.startswith(call.query.get("prefix", "")))
    names, marker = _page(call, names)
    entries = "".join(
        f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{blobs[name]['at']}</Last-Modified>"
        f"<Etag>{_marks(blobs[name])['ETag']}</Etag><Content-Length>{len(b64decode(blobs[name]['data']))}"
        "</Content-Length><Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
        for name in names
    )
    listed = f"<Blobs>{entries}</Blobs><NextMarker>{escape(marker)}</NextMarker>"
    return Reply(200, f'<?xml version="1.0"?><EnumerationResults>{listed}</EnumerationResults>', _XML)


def _containers(call: Call, account: str) -> Reply:
    """List an account's containers: no data action, but Resource Manager's right to read them."""
    found = next((a for a in call.world.list(ACCOUNT) if a.name == account), None)
    if found is None:
        raise ApiError(404, "ResourceNotFound", "The specified resource does not exist.")
    _allow(call, f"{ACCOUNT}/blobServices/containers/read", found, data=False)
    held = [r.name for r in call.world.beneath(found.id, f"{ACCOUNT}/blobServices/containers")]
    names, marker = _page(call, sorted(name for name in held if name.startswith(call.query.get("prefix", ""))))
    entries = "".join(f"<Container><Name>{escape(name)}</Name><Properties/></Container>" for name in names)
    listed = f"<Containers>{entries}</Containers><NextMarker>{escape(marker)}</NextMarker>"
    return Reply(200, f'<?xml version="1.0"?><EnumerationResults>{listed}</EnumerationResults>', _XML)


def _page(call: Call, names: list[str]) -> tuple[list[str], str]:
    """The names that are asked for, and where the next page begins."""
    size = call.query.get("maxresults", str(_PAGE))
    if not size.isdecimal() or not int(size):
        raise ApiError(
            400, "InvalidQueryParameterValue", "Value for one of the query parameters is invalid: maxresults."
        )
    left = [name for name in names if name >= call.query.get("marker", "")]
    return left[: int(size)], left[int(size)] if len(left) > int(size) else ""


def _marks(blob: Json) -> dict[str, str]:
    stamp = int(parsedate_to_datetime(blob["at"]).timestamp())
    return {"ETag": f'"0x{stamp:X}{len(blob["data"]):X}"', "Last-Modified": blob["at"]}


def _container(world: World, parts: list[str]) -> Resource:
    account = next((a for a in world.list(ACCOUNT) if parts[1:2] == [a.name]), None)
    # In Azure the name of an account that isn't there wouldn't resolve; here there is one host for all.
    found = world.get(f"{account.id}/{CONTAINER}/{parts[2]}") if account and len(parts) >= _PARTS - 1 else None
    if found is None:
        raise ApiError(404, "ContainerNotFound", "The specified container does not exist.")
    return found


def _sign_in(call: Call) -> None:
    try:
        claims = call.tokens.verify(call.bearer, "storage")
    except Invalid as error:
        raise ApiError(401, "InvalidAuthenticationInfo", str(error)) from error
    if why := call.world.directory.usable(claims):
        raise ApiError(401, "InvalidAuthenticationInfo", f"{why}.")
    call.caller = Caller.of(claims, str(claims.get("ipaddr", "")))


def _allow(call: Call, action: str, at: Resource, *, data: bool = True) -> None:
    try:
        rbac.require(call, action, at.id, data=data)
    except ApiError as error:
        message = "This request is not authorized to perform this operation using this permission."
        raise ApiError(403, "AuthorizationPermissionMismatch", message) from error
