from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Change, Outcome, Plan, Undoes
from responders.vms import locked, machine, network

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class Deallocate:
    """Stop a virtual machine that can't be cut off the network, and release its host: nothing on it runs or talks.

    It is the stronger of two, and comes where vms.isolate can't, and for machines that are to be deleted anyhow: a
    stopped one can be neither scanned nor given new passwords, and what was in its memory and on its temporary disk is
    lost, as is a dynamic public address. Its disks stay. A machine with an ephemeral OS disk, which would lose its
    system, and an instance of a scale set run on until they are rebuilt. Starting it again is the undo.
    Microsoft.Compute/virtualMachines, polled by reading its power state.
    """

    id = "vms.deallocate"
    permissions = (
        *machine.PERMISSIONS,
        *locked.PERMISSIONS,
        "Microsoft.Compute/virtualMachines/deallocate/action",
        "Microsoft.Compute/virtualMachines/start/action",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.read(azure, subject.id)
        if vm is None:
            return Plan(action=self.id, subject=subject, reason=f"There is no virtual machine {subject.id}.")
        if vm.power == "deallocated":
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is deallocated already.")
        doomed = machine.doomed(case, vm)
        why = doomed or await network.hindrance(azure, case, vm)
        if not why:
            reason = f"{vm.name} can be cut off the network instead, and has to run for what comes next."
            return Plan(action=self.id, subject=subject, reason=reason)
        if (vm.instance or vm.ephemeral) and not vm.cluster:
            # Rebuilt or not, that step tells: there is nothing more for a person to do here.
            reason = f"{vm.name} is left running until it is rebuilt (vms.reimage_in_place). {why}"
            return Plan(action=self.id, subject=subject, reason=reason)
        if vm.cluster:
            left = () if doomed else (why,)
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is left running.", by_hand=left)
        change = Change(
            action=self.id,
            resource=vm.id,
            summary=f"deallocate the virtual machine {vm.name}, now {vm.power}",
            reasons=(subject.reason, why),
            before={"vmId": vm.vm_id, "power": vm.power},
            lasting="Starting it again does not bring back memory, the temporary disk or a dynamic public address.",
        )
        change = await locked.through(azure, case, change, (vm.id,))
        return Plan(action=self.id, subject=subject, changes=(change,))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None or vm.power == "deallocated":
            return Outcome(status="already_so", reason="The machine is gone." if vm is None else "It is deallocated.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        if vm.power != "deallocating":
            at = vm.resource
            await azure.compute(at.subscription).virtual_machines.begin_deallocate(at.group, at.name, polling=False)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is not None and vm.power != "deallocated":
            raise Temporary(f"{vm.name} is {vm.power}, not deallocated yet.")
        return Outcome(status="done")

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None:
            return Outcome(status="failed", reason="The machine is gone.")
        if vm.power == "running" or change.before["power"] != "running":
            was = f"It was {change.before['power']} before, and is left {vm.power}."
            return Outcome(status="already_so", reason="" if vm.power == "running" else was)
        if vm.power != "starting":
            at = vm.resource
            await azure.compute(at.subscription).virtual_machines.begin_start(at.group, at.name, polling=False)
            vm = await machine.read(azure, change.resource)
        if vm is None or vm.power != "running":
            raise Temporary(f"{change.resource} was told to start and is not running yet.")
        return Outcome(status="done")
