import asyncio
from typing import TYPE_CHECKING

from responders.azure import absent_is_fine
from responders.errors import Permanent, Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Outcome, Plan
from responders.vms import locked, machine, rebuilding, rebuilt, scanning, snapshots, sources, swap

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject
    from responders.vms.machine import Machine
    from responders.vms.sources import Source

_MARK = "countersign-undone"  # the tag of a disk that an undo takes out again


class Reimage:
    """Give a machine a new system from a source that no intruder had a hand in, and set its OS disk aside.

    By the reimage API where the machine was made from an image; else its OS disk is exchanged for one made from a
    restore point or a specialized image. The old disk stays in the group, unattached: undo puts it in again, and
    deletes the new one. Which source, and why it is held to be clean, is in the plan (sources.py), with what a rebuild
    does not touch. Without evidence of its disks nothing is changed. Machines whose OS disk can't be kept are those of
    `vms.reimage_in_place`. Azure's part takes minutes; each stage looks at the world first, so a run that was ended
    goes on where it was.
    """

    id = "vms.reimage"
    permissions = (
        *machine.PERMISSIONS,
        *rebuilt.PERMISSIONS,
        *sources.IMAGE_PERMISSIONS,
        *sources.POINT_PERMISSIONS,
        *swap.PERMISSIONS,
        *locked.PERMISSIONS,
        snapshots.READ,
        "Microsoft.Compute/virtualMachines/reimage/action",
        "Microsoft.Compute/virtualMachines/runCommands/read",
        "Microsoft.Compute/disks/delete",
        # What a disk made from a restore point asks for on its source.
        "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints/beginGetAccess/action",
    )
    reversible = True
    undoes = rebuilding.UNDOES

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=self.id, subject=subject, reason=vm)
        if reason := await _not_this(azure, vm, case):
            return Plan(action=self.id, subject=subject, reason=reason)
        if why := await rebuilding.hindrance(azure, case, vm):
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is not rebuilt.", by_hand=(why,))
        (source, rejected), scan, old = await asyncio.gather(
            sources.choose(azure, case, vm), scanning.last(azure, vm, case), swap.disk(azure, vm.os_disk)
        )
        if source is None or old is None:
            todo = rebuilding.by_hand(vm, rejected)
            return Plan(action=self.id, subject=subject, reason="There is no clean source.", by_hand=(todo,))
        change = self._change(case, subject, vm, source, old)
        change = rebuilding.explained(change, source, rejected, scan)
        disks = vm.id[: vm.id.lower().rindex("/virtualmachines/")] + "/disks/new"
        change = await locked.through(azure, case, change, (vm.id,), (disks,))
        return Plan(action=self.id, subject=subject, changes=(change,), kept=rebuilding.untouched(vm))

    def _change(self, case: "Case", subject: "Subject", vm: "Machine", source: "Source", old: Json) -> Change:
        described = vm.body["properties"]["storageProfile"]["osDisk"]
        new: Json = {}
        if source.creation:
            home = vm.id[: vm.id.lower().rindex("/virtualmachines/")]
            tags = {"countersign-incident": case.incident, **(old.get("tags") or {})}
            new = {"id": f"{home}/disks/{rebuilt.disk_name(vm, case.incident)}"}
            new |= {"body": swap.like(old, source.creation, tags)}
        return Change(
            action=self.id,
            resource=vm.id,
            summary=f"rebuild {vm.name} from {source.what}, and set its OS disk aside",
            reasons=(
                subject.reason,
                f"its OS disk {ResourceId.parse(vm.os_disk).name} stays, for evidence and for undo",
            ),
            before={
                "vmId": vm.vm_id,
                "osDisk": vm.os_disk,
                "deleteOption": described.get("deleteOption") or "",
                "power": vm.power,
                "since": case.since.isoformat(),
                "version": source.version,
                "disk": new,
            },
            lasting="What is written on the new disk goes with an undo; what was on the temporary disk is lost.",
        )

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        swap.settled(vm)
        if change.before["disk"]:
            return await self._exchange(change, vm, azure)
        if vm.os_disk.lower() != change.before["osDisk"].lower():
            if await rebuilt.begun(azure, change):
                return Outcome(status="already_so", reason="It has its new system already.")
            raise Temporary(f"{vm.name} has another OS disk, and the Activity Log does not say yet that it is ours.")
        if await rebuilt.begun(azure, change) == "Failed":
            raise Permanent(f"Azure could not reimage {vm.name}: see its Activity Log. Its OS disk is the one it had.")
        await swap.keeps_disk(azure, vm)
        await rebuilding.reimage(azure, vm, change)
        return Outcome(status="done")

    async def _exchange(self, change: Change, vm: "Machine", azure: "Azure") -> Outcome:
        new = change.before["disk"]["id"]
        now = vm.os_disk.lower()
        if now not in {new.lower(), change.before["osDisk"].lower()}:
            return Outcome(status="drifted", reason=f"It has another OS disk now: {vm.os_disk}.")
        if now == new.lower():
            if vm.power != "deallocated" or change.before["power"] == "deallocated":
                return Outcome(status="already_so", reason="It has its new system already.")
        else:
            await swap.made(azure, new, change.before["disk"]["body"])
            await swap.stopped(azure, vm)
            await swap.put_in(azure, vm, new)
        if change.before["power"] != "deallocated":
            await swap.started(azure, await _again(azure, vm))
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None:
            return Outcome(status="done", reason="The machine is gone.")
        swap.settled(vm)
        if vm.os_disk.lower() == change.before["osDisk"].lower():
            if not change.before["disk"] and await rebuilt.begun(azure, change) == "Failed":
                raise Permanent(f"Azure could not reimage {vm.name}: see its Activity Log.")
            raise Temporary(f"{vm.name} does not show its new OS disk yet.")
        rebuilding.up(vm, change.before["power"])
        if await swap.disk(azure, change.before["osDisk"]) is None:
            return Outcome(status="failed", reason=f"The old OS disk {change.before['osDisk']} was not kept.")
        return Outcome(status="done", reason=rebuilding.health(vm), after={"osDisk": vm.os_disk})

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        vm = await machine.read(azure, change.resource)
        if vm is None or vm.vm_id != change.before["vmId"]:
            return Outcome(status="failed", reason="The machine is gone.")
        swap.settled(vm)
        old = change.before["osDisk"]
        if vm.os_disk.lower() != old.lower():
            if await swap.disk(azure, old) is None:
                return Outcome(status="failed", reason=f"The old OS disk {old} is gone.")
            await _mark(azure, vm.os_disk, change)
            await swap.stopped(azure, vm)
            await swap.put_in(azure, vm, old, change.before["deleteOption"])
            vm = await _again(azure, vm)
        begun = False
        if change.before["power"] not in swap.OFF and vm.power == "deallocated":
            await swap.started(azure, vm)
            begun = True
        for disk in await _marked(azure, vm, change):
            await azure.arm("DELETE", disk, swap.DISKS)
            begun = True
        vm = await _again(azure, vm)
        if change.before["power"] == "running" and vm.power != "running":
            raise Temporary(f"{vm.name} is starting with its old OS disk.")
        if await _marked(azure, vm, change):
            raise Temporary(f"The disk that {vm.name} had instead is being deleted.")
        return Outcome(status="done") if begun else Outcome(status="already_so", reason="It has its old OS disk.")


async def _not_this(azure: "Azure", vm: "Machine", case: "Case") -> str:
    """Why there is nothing to do for this action; "" when there is."""
    if vm.ephemeral or vm.instance:
        return f"vms.reimage_in_place is for {vm.name}."
    if not vm.os_disk and not vm.unmanaged:
        return f"Azure shows no OS disk of {vm.name}."
    return f"{vm.name} has a new system already." if await rebuilt.by_us(azure, vm, case) else ""


async def _again(azure: "Azure", vm: "Machine") -> "Machine":
    now = await machine.read(azure, vm.id)
    if now is None:
        raise Permanent(f"{vm.name} is gone.")
    swap.settled(now)
    return now


async def _mark(azure: "Azure", id_: str, change: Change) -> None:
    """Let the disk that is taken out say so: what it is named by is lost when the machine has the old one again."""
    disk = await swap.disk(azure, id_)
    if disk and (disk.get("tags") or {}).get(_MARK) != change.id:
        body = {"tags": {**(disk.get("tags") or {}), _MARK: change.id}}
        await azure.arm("PATCH", id_, swap.DISKS, body=body)


async def _marked(azure: "Azure", vm: "Machine", change: Change) -> list[str]:
    """The disks that this undo took out, and that are still there."""
    home = vm.id[: vm.id.lower().rindex("/virtualmachines/")]
    found = list[str]()
    with absent_is_fine():
        async for disk in azure.arm_pages(f"{home}/disks", swap.DISKS):
            if (disk.get("tags") or {}).get(_MARK) == change.id and not disk.get("managedBy"):
                found.append(disk["id"])
    return found
