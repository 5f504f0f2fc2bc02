import asyncio
from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, fine
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.vms import locked, machine, network, rebuilt, scanning

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject
    from responders.vms.machine import Machine

_UNSURE = "it was not rebuilt, and a scanner in a machine that was taken over may lie: look at it yourself first"
_IN_USE = "InUseNetworkSecurityGroupCannotBeDeleted"


class Release:
    """Let a machine back into the network: its interfaces get the security groups that they had before `vms.isolate`.

    Only one that was rebuilt in this incident. One in which a full scan found nothing is offered by name, since whoever
    was in it may have had the scanner lie; one in whose system of now a scan found something never is. The isolating
    group, whose tags say which groups the interfaces had, is deleted; undo makes it again and cuts the machine off. PUT
    of the interfaces and of Microsoft.Network/networkSecurityGroups, api-version 2024-05-01.
    """

    id = "vms.release"
    permissions = (
        *machine.PERMISSIONS,
        *rebuilt.PERMISSIONS,
        *locked.PERMISSIONS,
        "Microsoft.Compute/virtualMachines/runCommands/read",
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
        group = await network.read(azure, network.isolation(vm, case.incident, ())["id"])
        cards = [card for card in await _read(azure, vm.interfaces) if card is not None]
        cards = [card for card in cards if group and network.group_of(card).lower() == group["id"].lower()]
        if group is None or not cards:
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is not cut off by this incident.")
        new, (why, good) = await _state(azure, vm, case)
        had = {card["id"]: network.former(group, card["id"]) for card in cards}
        if good and None in had.values():
            good, why = False, "which security groups its interfaces had is not written at the isolating one"
        if not good:
            todo = f"{vm.name} stays cut off: {why}. Look at it, and let it go by hand (a Network Contributor)."
            return Plan(action=self.id, subject=subject, reason="It is not fit to go back.", by_hand=(todo,))
        names = ", ".join(ResourceId.parse(card["id"]).name for card in cards)
        body = {k: group[k] for k in ("id", "location", "tags")}
        change = Change(
            action=self.id,
            resource=vm.id,
            summary=f"let {vm.name} back into the network: {names} as before",
            reasons=(why, *(() if new else (_UNSURE,))),
            familiarity="unfamiliar" if new else "unknown",
            before={
                "vmId": vm.vm_id,
                "interfaces": had,
                "group": {**body, "properties": {"securityRules": network.rules(group)}},
            },
        )
        change = await locked.through(azure, case, change, (vm.id, *had), (group["id"],))
        return Plan(action=self.id, subject=subject, changes=(change,))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        had, ours = change.before["interfaces"], change.before["group"]["id"]
        cards = await _cards(azure, change)
        if other := next((c for c in cards if _strange(c, change)), None):
            return Outcome(status="drifted", reason=f"{other['id']} has another security group now.")
        held = [card for card in cards if network.group_of(card).lower() == ours.lower()]
        for card in held:
            await network.give(azure, card, had[card["id"]])
        if await network.read(azure, ours) is None:
            return Outcome(status="already_so", reason="It is in the network.")
        with fine(_IN_USE) as refused, absent_is_fine():
            await azure.arm("DELETE", ours, network.VERSION)
        if refused:
            raise Temporary(f"{ours} is still in use: {refused[_IN_USE]}")
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        had = change.before["interfaces"]
        for card in await _cards(azure, change):
            if network.group_of(card).lower() != had[card["id"]].lower() or not _settled(card):
                raise Temporary(f"{card['id']} does not show its own security group yet.")
        if await network.read(azure, change.before["group"]["id"]) is not None:
            raise Temporary(f"{change.before['group']['id']} still shows.")
        return Outcome(status="done")

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        group: Json = change.before["group"]
        cards = await _cards(azure, change)
        if not cards:
            return Outcome(status="failed", reason="Its interfaces are gone.")
        if other := next((c for c in cards if _strange(c, change)), None):
            return Outcome(status="failed", reason=f"{other['id']} has another security group now, and is left so.")
        free = [card for card in cards if network.group_of(card).lower() != group["id"].lower()]
        if not free:
            return Outcome(status="already_so", reason="It is cut off.")
        if await network.read(azure, group["id"]) is None:
            await azure.arm("PUT", group["id"], network.VERSION, body={k: v for k, v in group.items() if k != "id"})
        for card in free:
            await network.give(azure, card, group["id"])
        if not all(_settled(card) for card in await _cards(azure, change)):
            raise Temporary(f"The interfaces of {change.resource} are getting the isolating security group.")
        return Outcome(status="done")


async def _state(azure: "Azure", vm: "Machine", case: "Case") -> tuple[bool, tuple[str, bool]]:
    """Whether a machine's system of now is a new one; what is known of it, and whether it may go back by that."""
    new, scan = await asyncio.gather(rebuilt.by_us(azure, vm, case), scanning.last(azure, vm, case))
    said = scanning.told(scan).rstrip(".") if scan else ""
    if scan and (scan["found"] or scan["excluded"]):
        return new, (said, False)
    if new:
        return new, (f"it was rebuilt in this incident{'; ' + said if said else ''}", True)
    if scan and scanning.clean(scan):
        return new, (said, True)
    return new, (said or "it was neither rebuilt nor scanned", False)


async def _read(azure: "Azure", ids: tuple[str, ...]) -> list[Json | None]:
    return list(await asyncio.gather(*(network.read(azure, id_) for id_ in ids)))


async def _cards(azure: "Azure", change: Change) -> list[Json]:
    """The interfaces of the plan that are still there, each under its id as it was planned."""
    ids = tuple(change.before["interfaces"])
    found = zip(ids, await _read(azure, ids), strict=True)
    return [{**card, "id": id_} for id_, card in found if card is not None]


def _settled(card: Json) -> bool:
    return str(card["properties"].get("provisioningState", "Succeeded")) == "Succeeded"


def _strange(card: Json, change: Change) -> bool:
    """Whether an interface has neither the group that it is to have again nor the isolating one."""
    known = {change.before["interfaces"][card["id"]].lower(), change.before["group"]["id"].lower()}
    return network.group_of(card).lower() not in known
