from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, rest
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Outcome, Plan

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient

    from responders.azure import Azure
    from responders.model import Case, Subject


class Deallocate:
    """Stop a virtual machine and release its host, so that nothing on it runs or talks any more.

    Its disks stay. What was in memory and on the temporary disk is lost, and so is a dynamic public address. A machine
    with an ephemeral OS disk is left alone, since it would lose its system. Starting it again is the undo.
    Microsoft.Compute/virtualMachines, polled by reading its power state.
    """

    id = "vms.deallocate"
    permissions = (
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/deallocate/action",
        "Microsoft.Compute/virtualMachines/start/action",
    )
    reversible = True

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await _read(azure, subject.id)
        if vm is None:
            return Plan(action=self.id, subject=subject, reason=f"There is no virtual machine {subject.id}.")
        name, power = vm["name"], _power(vm)
        if "diffDiskSettings" in vm["properties"].get("storageProfile", {}).get("osDisk", {}):
            reason = f"{name} has an ephemeral OS disk and would lose its system: isolate it by network, by hand."
            return Plan(action=self.id, subject=subject, reason=reason)
        if power == "deallocated":
            return Plan(action=self.id, subject=subject, reason=f"{name} is deallocated already.")
        change = Change(
            action=self.id,
            resource=vm["id"],
            summary=f"deallocate the virtual machine {name}, now {power}",
            reasons=(subject.reason,),
            before={"vmId": vm["properties"].get("vmId"), "power": power},
            lasting="Starting it again does not bring back memory, the temporary disk or a dynamic public address.",
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        vm = await _read(azure, change.resource)
        if vm is None or _power(vm) == "deallocated":
            return Outcome(status="already_so", reason="The machine is gone." if vm is None else "It is deallocated.")
        if vm["properties"].get("vmId") != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        if _power(vm) != "deallocating":
            client, machine = _client(azure, change)
            await client.virtual_machines.begin_deallocate(machine.group, machine.name, polling=False)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        vm = await _read(azure, change.resource)
        if vm is not None and _power(vm) != "deallocated":
            raise Temporary(f"{vm['name']} is {_power(vm)}, not deallocated yet.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        vm = await _read(azure, change.resource)
        if vm is None:
            return Outcome(status="failed", reason="The machine is gone.")
        if _power(vm) == "running" or change.before["power"] != "running":
            was = f"It was {change.before['power']} before, and is left {_power(vm)}."
            return Outcome(status="already_so", reason="" if _power(vm) == "running" else was)
        if _power(vm) != "starting":
            client, machine = _client(azure, change)
            await client.virtual_machines.begin_start(machine.group, machine.name, polling=False)
            vm = await _read(azure, change.resource)
        if vm is None or _power(vm) != "running":
            raise Temporary(f"{change.resource} was told to start and is not running yet.")
        return Outcome(status="done")


def _client(azure: "Azure", change: Change) -> "tuple[ComputeManagementClient, ResourceId]":
    machine = ResourceId.parse(change.resource)
    return azure.compute(machine.subscription), machine


async def _read(azure: "Azure", resource: str) -> Json | None:
    vm = ResourceId.parse(resource)
    with absent_is_fine():
        client = azure.compute(vm.subscription)
        return rest(await client.virtual_machines.get(vm.group, vm.name, expand="instanceView"))
    return None


def _power(vm: Json) -> str:
    """running, starting, stopping, stopped, deallocating, deallocated, or unknown."""
    statuses = vm["properties"].get("instanceView", {}).get("statuses", [])
    codes = [s["code"].partition("/") for s in statuses]
    return next((state for kind, _, state in codes if kind == "PowerState"), "unknown")
