"""What a POST hands out or switches, of types about which nothing else is special: of clusters, registries, others."""

import hmac
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from sandbox.azure import keys, resources
from sandbox.azure.clock import stamp
from sandbox.azure.errors import bad_request
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

_AT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/"
_YEAR = timedelta(days=365)
# What a signature must say, and the names under which its query has what it says.
_SIGNED = {
    "account": ("signedServices", "signedResourceTypes", "signedExpiry", "signedPermission"),
    "service": ("canonicalizedResource",),
}
_QUERY = {
    "signedServices": "ss",
    "signedResourceTypes": "srt",
    "signedResource": "sr",
    "signedIdentifier": "si",
    "signedStart": "st",
    "signedExpiry": "se",
    "signedPermission": "sp",
    "signedIp": "sip",
    "signedProtocol": "spr",
}


def _cluster(call: Call, resource: Resource, verb: str) -> Json:
    config = f"apiVersion: v1\nkind: Config\nusers: [{{user: {{token: {keys.key(call.world, resource.id, verb)}}}}}]\n"
    name = verb.removeprefix("list").removesuffix("Credential")
    return {"kubeconfigs": [{"name": name[0].lower() + name[1:], "value": b64encode(config.encode()).decode()}]}


def _registry(call: Call, _: Resource, __: str) -> Json:
    """Make passwords of a token anew: all, or that which the body names."""
    token = resources.need(call, str(call.body.get("tokenId") or ""))
    names = [str(call.body["name"])] if call.body.get("name") else ["password1", "password2"]
    now = call.clock.now()
    made = {"creationTime": stamp(now), "expiry": call.body.get("expiry") or stamp(now + _YEAR)}
    passwords = [{**made, "name": name, "value": keys.renew(call, token.id, name)} for name in names]
    return {"username": token.name, "passwords": passwords}


def _two(call: Call, resource: Resource, _: str) -> Json:
    return {name: keys.key(call.world, resource.id, name) for name in ("primary", "secondary")}


def _admin(call: Call, resource: Resource, _: str) -> Json:
    return {name: keys.key(call.world, resource.id, name) for name in ("primaryKey", "secondaryKey")}


def _links(call: Call, resource: Resource, _: str) -> Json:
    names = "primaryMasterKey", "secondaryMasterKey"
    links = [
        f"AccountEndpoint=https://{resource.name}.documents.example/;AccountKey={keys.key(call.world, resource.id, n)};"
        for n in names
    ]
    return {"connectionStrings": [{"connectionString": link, "description": ""} for link in links]}


def _readonly(call: Call, resource: Resource, _: str) -> Json:
    names = "primaryReadonlyMasterKey", "secondaryReadonlyMasterKey"
    return {name: keys.key(call.world, resource.id, name) for name in names}


def _signed(call: Call, resource: Resource, verb: str) -> Json:
    """A signature that shares access until it runs out, or until the key that it is made with is made anew."""
    kind, asked = verb.removeprefix("List").removesuffix("Sas").lower(), call.body
    if missing := [name for name in _SIGNED[kind] if not asked.get(name)]:
        message = f"Values for request parameters are invalid: {', '.join(missing)}."
        raise bad_request("InvalidValuesForRequestParameters", message)
    told = {"sv": "2015-04-05", **{short: str(asked[name]) for name, short in _QUERY.items() if asked.get(name)}}
    key = keys.key(call.world, resource.id, str(asked.get("keyToSign") or "key1"))
    text = "\n".join((resource.name, str(asked.get("canonicalizedResource") or ""), *told.values()))
    signature = b64encode(hmac.digest(key.encode(), text.encode(), "sha256")).decode()
    return {f"{kind}SasToken": urlencode({**told, "sig": signature})}


def _nothing(_: Call, __: Resource, ___: str) -> Json:
    return {}


_KINDS: dict[str, dict[str, Callable[[Call, Resource, str], Json]]] = {
    "Microsoft.Batch/batchAccounts": {"listKeys": _two},
    "Microsoft.ContainerRegistry/registries": {"generateCredentials": _registry},
    "Microsoft.ContainerService/managedClusters": {
        "listClusterAdminCredential": _cluster,
        "listClusterUserCredential": _cluster,
        "start": _nothing,
        "stop": _nothing,
    },
    "Microsoft.DocumentDB/databaseAccounts": {"listConnectionStrings": _links, "readonlykeys": _readonly},
    "Microsoft.Search/searchServices": {"listAdminKeys": _admin},
    "Microsoft.SignalRService/signalR": {"listKeys": _admin},
    "Microsoft.Storage/storageAccounts": {"ListAccountSas": _signed, "ListServiceSas": _signed},
    "Microsoft.Web/sites": {"restart": _nothing, "start": _nothing, "stop": _nothing},
}


def _room(kind: str) -> Room:
    namespace, _, name = kind.partition("/")
    room = Room(namespace)
    for verb, shown in _KINDS[kind].items():

        async def post(call: Call, verb: str = verb, shown: Any = shown) -> Reply:
            """Answer for the resource that the path names before the verb."""
            return Reply(200, shown(call, resources.need(call, call.path[: -len(verb) - 1]), verb))

        room.on("POST", f"{_AT}{namespace}/{name}/{{name}}/{verb}", f"{kind}/{verb}/action")(post)
    return room


rooms = tuple(map(_room, _KINDS))
