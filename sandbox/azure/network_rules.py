"""What a packet may do: the security groups of a machine's interfaces and their subnets, as Azure applies them.

Inbound the subnet's group is asked first and then the interface's, outbound the other way round; both must allow it.
No group allows everything. Rules go by priority; then come the defaults: inside the network yes, from the internet no,
outbound yes. Application security groups and service tags other than DEFAULTS use are not modelled: they match nothing.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_GROUPS, _NETWORKS = "Microsoft.Network/networkSecurityGroups", "Microsoft.Network/virtualNetworks"


def _rule(name: str, priority: int, direction: str, access: str, source: str, destination: str) -> Json:
    ports = {"sourcePortRange": "*", "destinationPortRange": "*", "protocol": "*"}
    ends = {"sourceAddressPrefix": source, "destinationAddressPrefix": destination}
    return {
        "name": name,
        "properties": {**ports, **ends, "access": access, "priority": priority, "direction": direction},
    }


_INSIDE, _LAST = "VirtualNetwork", 65500
_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
DEFAULTS = (
    _rule("AllowVnetInBound", 65000, "Inbound", "Allow", _INSIDE, _INSIDE),
    _rule("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
    _rule("DenyAllInBound", _LAST, "Inbound", "Deny", "*", "*"),
    _rule("AllowVnetOutBound", 65000, "Outbound", "Allow", _INSIDE, _INSIDE),
    _rule("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
    _rule("DenyAllOutBound", _LAST, "Outbound", "Deny", "*", "*"),
)


def allowed(world: World, vm: Resource, direction: str, address: str, port: int) -> bool:
    """Whether a machine can be reached from an address ("Inbound"), or can reach it ("Outbound"), by TCP at a port."""
    named = (vm.properties.get("networkProfile") or {}).get("networkInterfaces") or ()
    nics = [nic for n in named if (nic := world.get(str(n.get("id"))))]
    # A machine without interfaces in the world: nothing is known against it.
    return not nics or any(
        all(_admits(world, g, direction, address, port) for g in _groups(world, nic)) for nic in nics
    )


def _groups(world: World, nic: Resource) -> Iterator[Resource]:
    ids = [(nic.properties.get("networkSecurityGroup") or {}).get("id")]
    parts = [part.get("properties") or {} for part in nic.properties.get("ipConfigurations") or ()]
    ids += [_of_subnet(world, str((part.get("subnet") or {}).get("id") or "")) for part in parts]
    yield from (group for id_ in ids if id_ and (group := world.get(str(id_))))


def _of_subnet(world: World, id_: str) -> str:
    own = world.get(id_)
    if own is None and (network := world.get(id_.rpartition("/subnets/")[0])):
        name = id_.rpartition("/")[2].lower()
        subnets: list[Json] = network.properties.get("subnets") or []
        found: Json = next((s for s in subnets if str(s.get("name")).lower() == name), {})
        properties = found.get("properties") or {}
    else:
        properties = own.properties if own else {}
    return str((properties.get("networkSecurityGroup") or {}).get("id") or "")


def _admits(world: World, group: Resource, direction: str, address: str, port: int) -> bool:
    rules = [*(group.properties.get("securityRules") or ()), *DEFAULTS]
    rules += [rule.body for rule in world.beneath(group.id, f"{_GROUPS}/securityRules")]
    here = [r.get("properties") or {} for r in rules]
    here = [p for p in here if str(p.get("direction")).lower() == direction.lower()]
    end = "source" if direction == "Inbound" else "destination"
    for p in sorted(here, key=lambda p: int(p.get("priority", _LAST))):
        protocol = str(p.get("protocol", "*")).lower() in {"*", "tcp"}
        if (
            protocol
            and _port(p, port)
            and _address(_values(p, f"{end}AddressPrefix", f"{end}AddressPrefixes"), address)
        ):
            return str(p.get("access")).lower() == "allow"
    return False


def _values(rule: Json, one: str, many: str) -> list[str]:
    return [str(v) for v in ([rule[one]] if rule.get(one) else []) + list(rule.get(many) or ())]


def _port(rule: Json, port: int) -> bool:
    for text in _values(rule, "destinationPortRange", "destinationPortRanges"):
        low, _, high = text.partition("-")
        if text == "*" or int(low) <= port <= int(high or low):
            return True
    return False


def _address(prefixes: Iterable[str], address: str) -> bool:
    inside = any(ip_address(address) in network for network in _PRIVATE)
    for prefix in prefixes:
        if prefix in {"*", "0.0.0.0/0"} or (prefix == "Internet" and not inside) or (prefix == _INSIDE and inside):
            return True
        if prefix[:1].isdigit() and ip_address(address) in ip_network(prefix, strict=False):
            return True
    return False
