"""Addresses that Azure gives: a private one of the subnet to a new interface, a public one that stays to who asks."""

import ipaddress
from itertools import islice
from typing import Any

from sandbox.azure.resources import need, put, rendered
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

room = Room("Microsoft.Network")
_NICS, _PUBLIC = "Microsoft.Network/networkInterfaces", "Microsoft.Network/publicIPAddresses"
_RESERVED = 3  # of each subnet, besides its first and last address
_GIVEN = ipaddress.ip_network("192.0.2.0/24")  # for documentation: nobody else has them


def private(world: World, old: Resource | None, configurations: list[Json]) -> list[Json]:
    """An interface's configurations, each with an address. One that was made without keeps having none."""
    if old is None:
        found: list[Json] = []
        for one in configurations:
            found.append(_addressed(world, one, found))
        return found
    before = {str(one.get("name")): one.get("properties") or {} for one in old.properties.get("ipConfigurations") or ()}
    return [_kept(one, before.get(str(one.get("name"))) or {}) for one in configurations]


def _kept(one: Json, before: Json) -> Json:
    inner = one.get("properties") or {}
    if (
        inner.get("privateIPAddress")
        or not before.get("privateIPAddress")
        or inner.get("subnet") != before.get("subnet")
    ):
        return one
    return {**one, "properties": {**inner, "privateIPAddress": before["privateIPAddress"]}}


def _addressed(world: World, one: Json, others: list[Json]) -> Json:
    inner = one.get("properties") or {}
    subnet = str((inner.get("subnet") or {}).get("id") or "")
    network = _network(world, subnet)
    if inner.get("privateIPAddress") or network is None:
        return one
    everywhere = [c for nic in world.list(_NICS, lag=False) for c in nic.properties.get("ipConfigurations") or ()]
    taken = {str((c.get("properties") or {}).get("privateIPAddress")) for c in [*everywhere, *others]}
    hosts = islice(network.hosts(), _RESERVED, None)
    free = next((str(host) for host in hosts if str(host) not in taken), "")
    return {**one, "properties": {"privateIPAllocationMethod": "Dynamic", **inner, "privateIPAddress": free}}


def _network(world: World, subnet: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The addresses of a subnet, made by itself or with its network."""
    own = world.get(subnet)
    properties: Json = own.properties if own else {}
    if own is None and (network := world.get(subnet.rpartition("/subnets/")[0])):
        name = subnet.rpartition("/")[2].lower()
        inline: list[Json] = network.properties.get("subnets") or []
        properties = next((s.get("properties") or {} for s in inline if str(s.get("name")).lower() == name), {})
    prefix = properties.get("addressPrefix") or next(iter(properties.get("addressPrefixes") or ()), "")
    try:
        return ipaddress.ip_network(str(prefix), strict=False)
    except ValueError:
        return None


@room.on(
    "PUT",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/publicIPAddresses/{name}",
    f"{_PUBLIC}/write",
)
async def put_public(call: Call) -> Reply:
    """Make or change a public address. One that stays is there at once; the others come when something has them."""
    before = call.world.get(call.path)
    kept = before.properties.get("ipAddress") if before else None
    reply = await put(call)
    made = need(call)
    static = str(made.properties.get("publicIPAllocationMethod", "")).lower() == "static"
    if made.properties.get("ipAddress") or not (static or kept):
        return reply
    taken = {r.properties.get("ipAddress") for r in call.world.list(_PUBLIC, lag=False)}
    given = kept or next((str(host) for host in _GIVEN.hosts() if str(host) not in taken), None)
    body = {**made.body, "properties": {**made.properties, "ipAddress": given}}
    return Reply(reply.status, rendered(call.world.put(made.id, body, call.author, call.version)))
