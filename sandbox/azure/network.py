"""Network interfaces, security groups and Bastion's shareable links. What a packet may do: network_rules.py.

Everything else of the provider (networks, subnets, public addresses) is a resource like any other (resources.py), and
so is every delete: what stops one is in deletions.py.
"""

from typing import Any

from sandbox.azure import network_addresses, operations, resources
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_store import KIND, need_linked
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import page
from sandbox.azure.network_rules import DEFAULTS
from sandbox.azure.resources import need, rendered
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

NETWORK = "Microsoft.Network"
room = Room(NETWORK)
_BASE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network"
_NIC, _NICS = _BASE + "/networkInterfaces/{name}", f"{NETWORK}/networkInterfaces"
_GROUP, GROUPS = _BASE + "/networkSecurityGroups/{name}", f"{NETWORK}/networkSecurityGroups"
_SUBNETS, _SUBNET = _BASE + "/virtualNetworks/{network}/subnets", f"{NETWORK}/virtualNetworks/subnets"
# What else an interface may be in -> the right that it takes.
_POOLS = {
    "loadBalancerBackendAddressPools": "loadBalancers/backendAddressPools/join/action",
    "loadBalancerInboundNatRules": "loadBalancers/inboundNatRules/join/action",
    "applicationGatewayBackendAddressPools": "applicationGateways/backendAddressPools/join/action",
    "applicationSecurityGroups": "applicationSecurityGroups/joinIpConfiguration/action",
}
_BASTION, _BASTIONS = _BASE + "/bastionHosts/{name}", f"{NETWORK}/bastionHosts"


@room.on("PUT", _NIC, f"{_NICS}/write")
async def put_nic(call: Call) -> Reply:
    """Create or replace an interface. What it refers to takes rights of its own."""
    body = _given(call)
    properties = body.get("properties") or {}
    if group := (properties.get("networkSecurityGroup") or {}).get("id"):
        need_linked(call, f"{GROUPS}/join/action", need(call, str(group)).id)
    for part in properties.get("ipConfigurations") or ():
        inner = part.get("properties") or {}
        if subnet := (inner.get("subnet") or {}).get("id"):
            need_linked(call, f"{NETWORK}/virtualNetworks/subnets/join/action", str(subnet))
        if address := (inner.get("publicIPAddress") or {}).get("id"):
            need_linked(call, f"{NETWORK}/publicIPAddresses/join/action", str(address))
        for name, right in _POOLS.items():
            for pool in inner.get(name) or ():
                need_linked(call, f"{NETWORK}/{right}", str(pool["id"]))
    kept = {k: v for k, v in properties.items() if k != "virtualMachine"}
    if configurations := properties.get("ipConfigurations"):
        kept["ipConfigurations"] = network_addresses.private(call.world, call.world.get(call.path), configurations)
    return _store(call, {**body, "properties": kept})


@room.on("GET", _NIC, f"{_NICS}/read")
async def get_nic(call: Call) -> Reply:
    """Read an interface, with the machine that has it."""
    return Reply(200, _nic(call, need(call)))


@room.on("GET", _BASE + "/networkInterfaces", f"{_NICS}/read")
@room.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Network/networkInterfaces", f"{_NICS}/read")
async def list_nics(call: Call) -> Reply:
    """List interfaces."""
    scope = call.path.partition("/providers/")[0]
    return page(call, [_nic(call, nic) for nic in call.world.list(_NICS, scope)])


@room.on("PUT", _GROUP, f"{GROUPS}/write")
async def put_group(call: Call) -> Reply:
    """Create or replace a security group with its rules."""
    body = _given(call)
    properties = dict(body.get("properties") or {})
    rules = named_rules(call.path, properties)
    if len({_place(rule) for rule in rules}) < len(rules):
        message = "Rules cannot have the same Priority and Direction."
        raise bad_request("SecurityRuleConflict", message)
    drop = {"defaultSecurityRules", "networkInterfaces", "subnets"}
    kept = {k: v for k, v in properties.items() if k not in drop}
    return _store(call, {**body, "properties": {**kept, "securityRules": rules}})


@room.on("PUT", _GROUP + "/securityRules/{rule}", f"{GROUPS}/securityRules/write")
async def put_rule(call: Call) -> Reply:
    """Make or change one rule of a group, by itself."""
    group = call.world.get(call.path.rpartition("/securityRules/")[0])
    wanted, name = _place(call.body), call.params["rule"].lower()
    others = (_group(call, group)["properties"]["securityRules"] if group else ()) or ()
    taken = next((r["name"] for r in others if str(r["name"]).lower() != name and _place(r) == wanted), None)
    if taken and wanted != (None, None):
        message = f"Security rule {call.params['rule']} conflicts with rule {taken}. "
        raise bad_request("SecurityRuleConflict", message + "Rules cannot have the same Priority and Direction.")
    return await resources.put(call)


def _place(rule: Json) -> tuple[Any, Any]:
    """What no two rules of a group may have alike."""
    properties = rule.get("properties") or {}
    return str(properties.get("direction") or "").lower() or None, properties.get("priority")


def named_rules(group: str, properties: Json) -> list[Json]:
    """A security group's own rules, with their ids."""
    given = properties.get("securityRules") or ()
    return [{**rule, "id": f"{group}/securityRules/{rule.get('name')}"} for rule in given]


@room.on("GET", _GROUP, f"{GROUPS}/read")
async def get_group(call: Call) -> Reply:
    """Read a security group: its rules, the default ones, and what it is on."""
    return Reply(200, _group(call, need(call)))


@room.on("GET", _BASE + "/networkSecurityGroups", f"{GROUPS}/read")
@room.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Network/networkSecurityGroups", f"{GROUPS}/read")
async def list_groups(call: Call) -> Reply:
    """List security groups."""
    scope = call.path.partition("/providers/")[0]
    return page(call, [_group(call, group) for group in call.world.list(GROUPS, scope)])


@room.on("GET", _SUBNETS, f"{NETWORK}/virtualNetworks/subnets/read")
async def list_subnets(call: Call) -> Reply:
    """List a network's subnets: those made with it, and those made in it."""
    return page(call, subnets(call, need(call, call.parent)))


@room.on("GET", _SUBNETS + "/{subnet}", f"{NETWORK}/virtualNetworks/subnets/read")
async def get_subnet(call: Call) -> Reply:
    """Read one subnet."""
    network = call.world.get(call.parent.rpartition("/")[0])
    own = subnets(call, network) if network else []
    found = next((subnet for subnet in own if subnet["name"].lower() == call.params["subnet"].lower()), None)
    return Reply(200, found or rendered(need(call)))


def subnets(call: Call, network: Resource) -> list[Json]:
    """A network's subnets, with their ids."""
    apart = {subnet.name.lower(): rendered(subnet) for subnet in call.world.beneath(network.id, _SUBNET)}
    inline = [s for s in network.properties.get("subnets") or () if str(s.get("name")).lower() not in apart]
    named = [{**s, "id": f"{network.id}/subnets/{s.get('name')}", "type": _SUBNET} for s in inline]
    return [*named, *apart.values()]


@room.on("POST", _BASTION + "/createShareableLinks", f"{_BASTIONS}/createShareableLinks/action")
async def create_links(call: Call) -> Reply:
    """Make links by which anybody who knows a password gets to a machine's console. Body: {vms: [{vm: {id}}]}."""
    bastion = need(call, call.parent)
    links = dict(_links(bastion))
    for id_ in _wanted(call):
        token = call.world.new_id("shareable link", id_)
        link = f"https://bst-{bastion.name}.bastion.azure.com/#/en/shareablelink/{token}"
        links[id_.lower()] = {"vm": {"id": id_}, "bsl": link, "createdAt": stamp(call.clock.now())}
    call.world.put(bastion.id, {**bastion.body, "sandbox": {"links": links}})
    return operations.accept(call, "network.links", {"id": bastion.id}, location=bastion.region)


@room.on("POST", _BASTION + "/getShareableLinks", f"{_BASTIONS}/getShareableLinks/action")
async def get_links(call: Call) -> Reply:
    """List the links of the machines in the body, or of all."""
    links, wanted = _links(need(call, call.parent)), {id_.lower() for id_ in _wanted(call)}
    return Reply(200, {"value": [link for id_, link in links.items() if not wanted or id_ in wanted]})


@room.on("POST", _BASTION + "/deleteShareableLinks", f"{_BASTIONS}/deleteShareableLinks/action")
async def delete_links(call: Call) -> Reply:
    """Take back the links of the machines in the body."""
    bastion, wanted = need(call, call.parent), {id_.lower() for id_ in _wanted(call)}
    links = {id_: link for id_, link in _links(bastion).items() if id_ not in wanted}
    call.world.put(bastion.id, {**bastion.visible, **({"sandbox": {"links": links}} if links else {})})
    return operations.accept(call, "network.done", {"id": bastion.id}, location=bastion.region)


@operations.effect("network.links")
def _linked(world: World, clock: Clock, args: Json) -> Json:  # noqa: ARG001
    bastion = world.get(args["id"])
    return {"value": list(_links(bastion).values()) if bastion else []}


@operations.effect("network.done")
def _done(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    if found := world.get(args["id"]):
        world.put(found.id, {**found.body, "properties": {**found.properties, "provisioningState": "Succeeded"}})


def _store(call: Call, body: Json) -> Reply:
    old = call.world.get(call.path)
    properties = {**(body.get("properties") or {}), "provisioningState": "Updating"}
    whole = {**body, "properties": properties}
    stored = call.world.put(call.path, whole, call.author, call.version)
    args, status = {"id": stored.id}, 200 if old else 201
    body = rendered(stored)
    return operations.accept(call, "network.done", args, location=stored.region, status=status, body=body)


def _given(call: Call) -> Json:
    body = call.body
    if not isinstance(body, dict) or not body.get("location"):
        raise ApiError(400, "LocationRequired", "The location property is required for this definition.")
    return {k: v for k, v in body.items() if k not in {"sandbox", "systemData"}}


def _nic(call: Call, nic: Resource) -> Json:
    body, owner = rendered(nic), _owner(call, nic)
    more = {"virtualMachine": {"id": owner}} if owner else {}
    return {**body, "properties": {**(body.get("properties") or {}), **more}}


def _owner(call: Call, nic: Resource) -> str:
    for vm in call.world.list(KIND, lag=False):
        profile = vm.properties.get("networkProfile") or {}
        if any(str(n.get("id")).lower() == nic.key for n in profile.get("networkInterfaces") or ()):
            return vm.id
    return ""


def _group(call: Call, group: Resource) -> Json:
    body = rendered(group)
    own = [rendered(rule) for rule in call.world.beneath(group.id, f"{GROUPS}/securityRules")]
    properties = {**(body.get("properties") or {})}
    properties["securityRules"] = [*(properties.get("securityRules") or ()), *own]
    properties["defaultSecurityRules"] = [
        {**rule, "id": f"{group.id}/defaultSecurityRules/{rule['name']}"} for rule in DEFAULTS
    ]
    if nics := _interfaces(call, group):
        properties["networkInterfaces"] = [{"id": id_} for id_ in nics]
    if subnets := _subnets(call, group):
        properties["subnets"] = [{"id": id_} for id_ in subnets]
    return {**body, "properties": properties}


def _interfaces(call: Call, group: Resource) -> list[str]:
    nics = call.world.list(_NICS, lag=False)
    return [n.id for n in nics if str((n.properties.get("networkSecurityGroup") or {}).get("id")).lower() == group.key]


def _subnets(call: Call, group: Resource) -> list[str]:
    found = []
    for network in call.world.list(f"{NETWORK}/virtualNetworks", lag=False):
        for subnet in network.properties.get("subnets") or ():
            inner = subnet.get("properties") or {}
            if str((inner.get("networkSecurityGroup") or {}).get("id")).lower() == group.key:
                found.append(str(subnet.get("id") or f"{network.id}/subnets/{subnet.get('name')}"))
    return found


def _links(bastion: Resource) -> dict[str, Json]:
    links: dict[str, Json] = bastion.hidden.get("links") or {}
    return links


def _wanted(call: Call) -> list[str]:
    return [str((entry.get("vm") or {}).get("id")) for entry in call.body.get("vms") or ()]
