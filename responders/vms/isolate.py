import asyncio
from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, fine
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.vms import locked, machine, network

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_IN_USE = "InUseNetworkSecurityGroupCannotBeDeleted"


class Isolate:
    """Cut a virtual machine off: a security group made for it on all its interfaces, that lets nothing in or out.

    What COUNTERSIGN_SOC_RANGES names gets in still. The machine's agent works on: run commands and extensions reach it
    by its host (168.63.129.16), which security groups don't stop. So the later steps can be done while nobody else gets
    at the machine, and what is in it gets nowhere, not even by DNS. The groups of its subnets stay as they are, and so
    do public addresses, by which nothing comes in any more. Connections that are open already may live on for as long
    as they are used: only a stop or a rebuild of the machine ends them for sure. The serial console is no network.
    PUT of the interfaces and of Microsoft.Network/networkSecurityGroups, api-version 2024-05-01.
    """

    id = "vms.isolate"
    permissions = (
        *machine.PERMISSIONS,
        *locked.PERMISSIONS,
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/networkInterfaces/write",
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.Network/networkSecurityGroups/write",
        "Microsoft.Network/networkSecurityGroups/delete",
        *network.JOINS,
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.read(azure, subject.id)
        if vm is None:
            return Plan(action=self.id, subject=subject, reason=f"There is no virtual machine {subject.id}.")
        if why := machine.doomed(case, vm) or await network.hindrance(azure, case, vm):
            # vms.deallocate, which comes next, stops it instead, or says what a person must do.
            return Plan(action=self.id, subject=subject, reason=why)
        found = await asyncio.gather(*(network.read(azure, id_) for id_ in vm.interfaces))
        cards = [card for card in found if card is not None]
        group = network.isolation(vm, case.incident, azure.settings.soc_ranges)
        if cards and all(network.group_of(card).lower() == group["id"].lower() for card in cards):
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is cut off already, by {group['id']}.")
        names = ", ".join(ResourceId.parse(card["id"]).name for card in cards)
        reasons = [subject.reason, "its agent works on, by the host: run commands and scans can follow"]
        if azure.settings.soc_ranges:
            reasons.append(f"{', '.join(azure.settings.soc_ranges)} may still come in (COUNTERSIGN_SOC_RANGES)")
        reasons.append("connections that are open already may live on until the machine is stopped or rebuilt")
        change = Change(
            action=self.id,
            resource=vm.id,
            summary=f"cut the virtual machine {vm.name} off the network: nothing in or out by {names}",
            reasons=tuple(reasons),
            before={
                "vmId": vm.vm_id,
                "interfaces": {card["id"]: network.group_of(card) for card in cards},
                "group": network.remembered(group, cards),
            },
        )
        kept = [
            f"the public address {address} stays with {vm.name}; nothing comes in by it while the machine is cut off"
            for card in cards
            for address in network.public_addresses(card)
        ]
        change = await locked.through(azure, case, change, (vm.id, *vm.interfaces), (group["id"],))
        return Plan(action=self.id, subject=subject, changes=(change,), kept=tuple(kept))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        if (vm := await machine.read(azure, change.resource)) is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"] or not _same_interfaces(vm, change):
            return Outcome(status="drifted", reason="It is another machine, or has other interfaces now.")
        wanted: Json = change.before["group"]
        cards = await _cards(azure, change)
        group = await network.read(azure, wanted["id"])
        wrong = group is None or not network.same_rules(group, wanted)
        open_ = [c for c in cards if network.group_of(c).lower() != wanted["id"].lower()]
        if not wrong and not open_:
            return Outcome(status="already_so", reason="It is cut off already.")
        if wrong:
            await azure.arm("PUT", wanted["id"], network.VERSION, body={k: v for k, v in wanted.items() if k != "id"})
        for card in open_:
            await network.give(azure, card, wanted["id"])
        # Whoever is in the machine may open its interfaces by another group: undo gives back the one of before that.
        if swapped := {card["id"]: network.group_of(card) for card in cards if _strange(card, change)}:
            reason = f"Since the plan {', '.join(swapped)} had got another security group."
            return Outcome(status="done", reason=reason, after={"interfaces": swapped})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await machine.read(azure, change.resource) is None:
            return Outcome(status="done")
        wanted = change.before["group"]
        group = await network.read(azure, wanted["id"])
        cards = await _cards(azure, change)
        if group is None or not network.same_rules(group, wanted) or not _settled(group):
            raise Temporary(f"The security group {wanted['id']} does not show as it was made.")
        for card in cards:
            if network.group_of(card).lower() != wanted["id"].lower() or not _settled(card):
                raise Temporary(f"{card['id']} does not show its new security group yet.")
        return Outcome(status="done")

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        wanted, before = change.before["group"], change.before["interfaces"]
        cards = await _cards(azure, change)
        if other := next((c for c in cards if _strange(c, change)), None):
            return Outcome(status="failed", reason=f"{other['id']} has another security group now, and is left so.")
        ours = [c for c in cards if network.group_of(c).lower() == wanted["id"].lower()]
        for card in ours:
            await network.give(azure, card, before[card["id"]])
        if ours and not all(_settled(c) for c in await _cards(azure, change)):
            raise Temporary(f"The interfaces of {change.resource} are getting their security groups back.")
        if await network.read(azure, wanted["id"]) is None:
            return Outcome(status="already_so", reason="Its interfaces have their own security groups.")
        with fine(_IN_USE) as refused, absent_is_fine():
            await azure.arm("DELETE", wanted["id"], network.VERSION)
        if refused:
            raise Temporary(f"{wanted['id']} is still in use: {refused[_IN_USE]}")
        if await network.read(azure, wanted["id"]) is not None:
            raise Temporary(f"{wanted['id']} is being deleted.")
        return Outcome(status="done")


async def _cards(azure: "Azure", change: Change) -> list[Json]:
    """The interfaces of the plan that are still there, each under its id as it was planned."""
    ids = list(change.before["interfaces"])
    found = await asyncio.gather(*(network.read(azure, id_) for id_ in ids))
    return [{**card, "id": id_} for id_, card in zip(ids, found, strict=True) if card is not None]


def _same_interfaces(vm: machine.Machine, change: Change) -> bool:
    return {id_.lower() for id_ in vm.interfaces} == {id_.lower() for id_ in change.before["interfaces"]}


def _strange(card: Json, change: Change) -> bool:
    """Whether an interface has neither the group that it had nor ours."""
    known = {change.before["interfaces"][card["id"]].lower(), change.before["group"]["id"].lower()}
    return network.group_of(card).lower() not in known


def _settled(body: Json) -> bool:
    return str(body["properties"].get("provisioningState", "Succeeded")) == "Succeeded"
