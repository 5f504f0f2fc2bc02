"""What a POST hands out or switches, of types about which nothing else is special: of clusters, registries, others."""

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sandbox.azure import keys, resources
from sandbox.azure.clock import stamp
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

_AT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/"
_YEAR = timedelta(days=365)


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
    "Microsoft.DocumentDB/databaseAccounts": {"listConnectionStrings": _links},
    "Microsoft.Search/searchServices": {"listAdminKeys": _admin},
    "Microsoft.SignalRService/signalR": {"listKeys": _admin},
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
