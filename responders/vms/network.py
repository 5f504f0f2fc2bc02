"""A machine's network interfaces, and the security group that cuts them off.

Microsoft.Network, api-version 2024-05-01.
"""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from responders import locks
from responders.ids import ResourceId
from responders.model import Json
from responders.vms import locked
from responders.vms.machine import Machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case

VERSION = "2024-05-01"
# What an update of an interface asks for besides: it names again all that the interface is in.
JOINS = (
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
    "Microsoft.Network/applicationGateways/backendAddressPools/join/action",
    "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
)
# The host of every machine: its agent gets run commands and extensions there, and answers there. Azure lets these two
# ports through whatever a group says; the rule says that it is meant so.
_PLATFORM, _PORTS = "168.63.129.16", ["80", "32526"]


async def hindrance(azure: "Azure", case: "Case", machine: Machine) -> str:
    """Why its interfaces can't be given another security group; "" when they can.

    Locks above are taken off for it. One on an interface itself that no suspect made holds what is there as evidence.
    """
    if why := machine.hindrance("network"):
        return why
    cards = {card.lower() for card in machine.interfaces}
    for lock in await locked.read(azure, machine.id):
        closed = lock["properties"]["level"] == "ReadOnly" and locks.scope_of(lock).lower() in cards
        if closed and not case.wrote(lock["id"]):
            return f"The lock {lock['id']} forbids to give {machine.name} another security group."
    return ""


async def read(azure: "Azure", id_: str) -> Json | None:
    """A resource of the network, or None when it is gone."""
    return await azure.arm_read(id_, VERSION)


def group_of(interface: Json) -> str:
    """The id of an interface's security group; "" for none."""
    return str((interface["properties"].get("networkSecurityGroup") or {}).get("id") or "")


def public_addresses(interface: Json) -> tuple[str, ...]:
    """The ids of an interface's public addresses."""
    parts = [part.get("properties") or {} for part in interface["properties"].get("ipConfigurations") or ()]
    return tuple(str(p["publicIPAddress"]["id"]) for p in parts if p.get("publicIPAddress"))


async def give(azure: "Azure", interface: Json, group: str) -> None:
    """Give an interface another security group, or none (PUT of the interface as it is)."""
    properties = {k: v for k, v in interface["properties"].items() if k != "networkSecurityGroup"}
    if group:
        properties["networkSecurityGroup"] = {"id": group}
    body = {k: v for k, v in interface.items() if k not in {"etag", "systemData"}}
    await azure.arm("PUT", interface["id"], VERSION, body={**body, "properties": properties})


def isolation(machine: Machine, incident: str, soc: Iterable[str]) -> Json:
    """The security group that cuts a machine off: {"id", "location", "tags", "properties"}.

    Nothing comes in but from the ranges `soc`, nothing goes out but to the platform: not even names are looked up,
    since whoever asks for one can tell by it.
    """
    at = machine.resource
    mark = hashlib.sha256(f"{incident} {machine.vm_id}".encode()).hexdigest()[:8]
    group = machine.id[: machine.id.lower().index("/providers/")]
    ranges = list(soc)
    rules = [
        *([_rule("from-soc", 100, "Inbound", "Allow", sourceAddressPrefixes=ranges)] if ranges else []),
        _rule("nothing-in", 4096, "Inbound", "Deny", sourceAddressPrefix="*"),
        _rule(
            "to-platform",
            100,
            "Outbound",
            "Allow",
            protocol="Tcp",
            destinationAddressPrefix=_PLATFORM,
            destinationPortRanges=_PORTS,
        ),
        _rule("no-names", 110, "Outbound", "Deny", destinationAddressPrefix="AzurePlatformDNS"),
        _rule("nothing-out", 4096, "Outbound", "Deny", destinationAddressPrefix="*"),
    ]
    return {
        "id": f"{group}/providers/Microsoft.Network/networkSecurityGroups/nsg-isolated-{at.name[:50]}-{mark}",
        "location": machine.location,
        "tags": {"countersign-incident": incident},
        "properties": {"securityRules": rules},
    }


def remembered(group: Json, interfaces: Iterable[Json]) -> Json:
    """An isolating group whose tags say which group each of these interfaces had: for who lets the machine go again."""
    tags = dict(group["tags"])
    for interface in interfaces:
        had = group_of(interface)
        if had.lower() != group["id"].lower():
            tags[_tag(interface["id"])] = f"{ResourceId.parse(had).group}/{ResourceId.parse(had).name}" if had else ""
    return {**group, "tags": tags}


def former(group: Json, interface: str) -> str | None:
    """The id of the group that an interface had before it got this isolating one; "" for none, None if unknown."""
    said = next((v for k, v in (group.get("tags") or {}).items() if k.lower() == _tag(interface).lower()), None)
    if not said:
        return said
    home, _, name = str(said).partition("/")
    at = ResourceId.parse(group["id"])
    return f"/subscriptions/{at.subscription}/resourceGroups/{home}/providers/{at.type}/{name}"


def _tag(interface: str) -> str:
    at = ResourceId.parse(interface)
    return f"countersign-former:{at.group}:{at.name}"


def same_rules(group: Json, wanted: Json) -> bool:
    """Whether a security group that was read does what is wanted, and nothing else."""
    return _essence(group) == _essence(wanted)


def rules(group: Json) -> list[Json]:
    """The rules of a group that was read, as a PUT takes them."""
    found = group["properties"].get("securityRules") or ()
    hidden = {"provisioningState"}
    return [
        {"name": rule["name"], "properties": {k: v for k, v in rule["properties"].items() if k not in hidden}}
        for rule in found
    ]


def _essence(group: Json) -> list[Json]:
    keep = {"priority", "direction", "access", "protocol", "sourceAddressPrefix", "sourceAddressPrefixes"}
    keep |= {"destinationAddressPrefix", "destinationAddressPrefixes", "sourcePortRange", "sourcePortRanges"}
    keep |= {"destinationPortRange", "destinationPortRanges"}
    rules = [rule["properties"] for rule in group["properties"].get("securityRules") or ()]
    found = [{k: v for k, v in rule.items() if k in keep and v not in ("", [], None)} for rule in rules]
    return sorted(found, key=lambda rule: (str(rule.get("direction")), int(rule.get("priority", 0))))


def _rule(name: str, priority: int, direction: str, access: str, **ends: str | list[str]) -> Json:
    given: Json = {"protocol": "*", "sourcePortRange": "*", **ends}
    for end in ("source", "destination"):
        if f"{end}AddressPrefixes" not in given:
            given.setdefault(f"{end}AddressPrefix", "*")
    if "destinationPortRanges" not in given:
        given["destinationPortRange"] = "*"
    return {"name": name, "properties": {**given, "priority": priority, "direction": direction, "access": access}}
