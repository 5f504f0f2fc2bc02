import asyncio
from typing import TYPE_CHECKING

from responders.azure import absent_is_fine
from responders.errors import Permanent, Temporary
from responders.ids import within
from responders.model import Change, Outcome, Plan
from responders.vms import commands, locked, machine, rebuilding, rebuilt, scanning, snapshots, sources, swap

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject
    from responders.vms.machine import Machine

_EXTENSIONS = "Microsoft.Compute/virtualMachineScaleSets/extensions/write"


class ReimageInPlace:
    """Reimage a machine whose OS disk can't be set aside: one with an ephemeral OS disk, or an instance of a scale set.

    What was on its OS disk is gone for good, and of an ephemeral one there is no evidence either: the plan says so. It
    becomes what its image makes, by the rules of `vms.reimage`, and waits until what a suspect put into its set's model
    is gone. Whether it was done the Activity Log tells, where the reimage has the change's own request id.
    Microsoft.Compute/…/reimage.
    """

    id = "vms.reimage_in_place"
    permissions = (
        *machine.PERMISSIONS,
        *rebuilt.PERMISSIONS,
        *sources.IMAGE_PERMISSIONS,
        snapshots.READ,
        *commands.READ,
        *locked.PERMISSIONS,
        _EXTENSIONS.removesuffix("write") + "read",
        *(f"{kind}/reimage/action" for kind in machine.KINDS),
    )
    reversible = False
    undoes = rebuilding.UNDOES

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.read(azure, subject.id)
        if vm is None:
            return Plan(action=self.id, subject=subject, reason=f"There is no virtual machine {subject.id}.")
        another = "" if vm.ephemeral or vm.instance else f"vms.reimage is for {vm.name}."
        if why := machine.doomed(case, vm) or another:
            return Plan(action=self.id, subject=subject, reason=why)
        if await rebuilt.by_us(azure, vm, case):
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} has a new system already.")
        if why := await rebuilding.hindrance(azure, case, vm):
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is not rebuilt.", by_hand=(why,))
        (source, rejected), scan = await asyncio.gather(
            sources.choose(azure, case, vm, swap=False), scanning.last(azure, vm, case)
        )
        if source is None:
            todo = rebuilding.by_hand(vm, rejected)
            return Plan(action=self.id, subject=subject, reason="There is no clean source.", by_hand=(todo,))
        lost = f"nothing of its OS disk is kept: {vm.hindrance('disks')}" if vm.ephemeral else ""
        change = Change(
            action=self.id,
            resource=vm.id,
            summary=f"reimage {vm.name} in place from {source.what}: what is on its OS disk is lost",
            reasons=tuple(filter(None, (subject.reason, lost))),
            before={
                "vmId": vm.vm_id,
                "osDisk": vm.os_disk,
                "power": vm.power,
                "since": case.since.isoformat(),
                "version": source.version,
                "planted": _planted(case, vm),
            },
            lasting="What was on the OS disk and the temporary disk is gone: nothing can put it back.",
        )
        change = rebuilding.explained(change, source, rejected, scan)
        change = await locked.through(azure, case, change, (vm.id,))
        return Plan(action=self.id, subject=subject, changes=(change,), kept=rebuilding.untouched(vm))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        swap.settled(vm)
        for id_ in change.before["planted"]:
            with absent_is_fine():
                await azure.arm("GET", id_, commands.VERSION)
                raise Temporary(
                    f"{id_} would run in the new system of {vm.name}, too: approve its removal "
                    "(subscriptions.delete_resources)."
                )
        begun = await rebuilt.begun(azure, change)
        if begun == "Failed":
            raise Permanent(f"Azure could not reimage {vm.name}: see its Activity Log.")
        if begun:
            return Outcome(status="already_so", reason="It was reimaged already.")
        if vm.os_disk.lower() != change.before["osDisk"].lower():
            raise Temporary(f"{vm.name} has another OS disk, and the Activity Log does not say yet that it is ours.")
        await rebuilding.reimage(azure, vm, change)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None:
            return Outcome(status="done", reason="The machine is gone.")
        swap.settled(vm)
        begun = await rebuilt.begun(azure, change)
        if begun == "Failed":
            raise Permanent(f"Azure could not reimage {vm.name}: see its Activity Log.")
        if begun != "Succeeded":
            raise Temporary(f"{vm.name} is being reimaged, or the Activity Log does not show its end yet.")
        rebuilding.up(vm, change.before["power"])
        return Outcome(status="done", reason=rebuilding.health(vm))

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


def _planted(case: "Case", vm: "Machine") -> list[str]:
    """The extensions that suspects put into the model of a machine's scale set: Azure runs them in what is rebuilt."""
    return [f.resource for f in case.deeds(_EXTENSIONS).values() if vm.scale_set and within(f.resource, vm.scale_set)]
