import asyncio
import hashlib
from typing import TYPE_CHECKING

from responders.errors import Permanent, Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Outcome, Plan, Undoes, encode
from responders.vms import machine, snapshots

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_DISKS = "2024-03-02"
_LOCKS = "2020-05-01"
_METADATA = ("timeCreated", "uniqueId", "creationData", "diskSizeBytes", "diskSizeGB", "osType", "hyperVGeneration")


class CaptureEvidence:
    """Keep what is on a virtual machine's disks: incremental snapshots, in the resource group for evidence.

    Each is tagged with the incident, lent to nobody (networkAccessPolicy DenyAll), and locked against deletion; the
    journal has a hash of its metadata. It comes before anything that changes a disk, and what does so refuses without.
    Evidence stays: nothing takes it back. Of an ephemeral OS disk, and of disks that are blobs, Azure makes no
    snapshots: a person has to see to them. Microsoft.Compute/snapshots, api-version 2024-03-02, in the disk's region.
    """

    id = "vms.capture_evidence"
    permissions = (
        *machine.PERMISSIONS,
        "Microsoft.Compute/disks/read",
        "Microsoft.Compute/disks/beginGetAccess/action",  # what a copy asks for on its source
        snapshots.READ,
        "Microsoft.Compute/snapshots/write",
        "Microsoft.Authorization/locks/read",
        "Microsoft.Authorization/locks/write",
    )
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=self.id, subject=subject, reason=vm)
        # Of an ephemeral disk whoever approves the rebuild is told: after it nobody can do anything about that.
        lost = tuple(filter(None, [vm.hindrance("disks")]))
        todo, kept = ((), lost) if vm.ephemeral else (lost, ())
        if vm.disks and not azure.settings.evidence_group:
            how = f"make snapshots of the disks of {vm.name}, then do by hand what changes them"
            todo += (f"COUNTERSIGN_EVIDENCE_GROUP is not set: {how} (a Disk Snapshot Contributor).",)
            return Plan(action=self.id, subject=subject, reason="There is no place to keep evidence.", by_hand=todo)
        ids = [snapshots.name_of(azure, case.incident, vm, disk) for disk in vm.disks]
        there = await asyncio.gather(*(snapshots.read(azure, id_) for id_ in ids))
        wanted = [pair for pair, snapshot in zip(zip(vm.disks, ids, strict=True), there, strict=True) if not snapshot]
        bodies = await asyncio.gather(*(_disk(azure, disk) for disk, _ in wanted))
        changes = [
            _change(case, subject, vm, id_, body)
            for (_, id_), body in zip(wanted, bodies, strict=True)
            if body is not None
        ]
        kept += tuple(f"{s['id']} is kept already" for s in there if s)
        reason = "" if changes else f"{vm.name} has no disk of which no evidence is kept."
        return Plan(action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=kept, by_hand=todo)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        snapshot = await snapshots.read(azure, change.resource)
        locked = snapshot is not None and await _lock(azure, change) is not None
        if snapshot is not None and locked:
            return Outcome(status="already_so", reason="It is kept already.")
        if snapshot is None:
            disk = await _disk(azure, change.before["disk"])
            if disk is None:
                return Outcome(status="failed", reason=f"The disk {change.before['disk']} is gone.")
            if disk["properties"].get("uniqueId") != change.before["uniqueId"]:
                return Outcome(status="drifted", reason=f"{change.before['disk']} is another disk now.")
            await azure.arm("PUT", change.resource, snapshots.VERSION, body=change.before["snapshot"])
            if await snapshots.read(azure, change.resource) is None:
                raise Temporary(f"{change.resource} was asked for and does not show yet.")
        await azure.arm("PUT", change.before["lock"]["id"], _LOCKS, body={"properties": change.before["lock"]["body"]})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        snapshot = await snapshots.read(azure, change.resource)
        if snapshot is None:
            raise Temporary(f"{change.resource} does not show yet.")
        if snapshot["properties"].get("provisioningState") == "Failed":
            raise Permanent(f"Azure could not make {change.resource}: look at it in the portal, and make another.")
        if not snapshots.whole(snapshot):
            raise Temporary(f"{change.resource} is still being copied.")
        if await _lock(azure, change) is None:
            raise Temporary(f"The lock on {change.resource} does not show yet.")
        metadata = {k: v for k, v in snapshot["properties"].items() if k in _METADATA}
        metadata |= {"id": snapshot["id"], "tags": snapshot.get("tags") or {}}
        digest = hashlib.sha256(encode(metadata)).hexdigest()
        reason = f"{change.resource}: SHA-256 of its metadata {digest}"
        return Outcome(status="done", reason=reason, after={"sha256": digest, "metadata": metadata})

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


async def _disk(azure: "Azure", id_: str) -> Json | None:
    return await azure.arm_read(id_, _DISKS)


async def _lock(azure: "Azure", change: Change) -> Json | None:
    return await azure.arm_read(change.before["lock"]["id"], _LOCKS)


def _change(case: "Case", subject: "Subject", vm: machine.Machine, id_: str, disk: Json) -> Change:
    at, unique = ResourceId.parse(id_), disk["properties"].get("uniqueId")
    what = "OS disk" if disk["id"].lower() == vm.os_disk.lower() else "data disk"
    tags = {"countersign-incident": case.incident, "countersign-machine": vm.vm_id, "countersign-disk": unique or ""}
    source = {"createOption": "Copy", "sourceResourceId": disk["id"]}
    access = {"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"}
    return Change(
        action=CaptureEvidence.id,
        resource=id_,
        summary=f"keep a snapshot of the {what} {disk['name']} of {vm.name} in {at.group}, locked against deletion",
        reasons=(subject.reason,),
        before={
            "disk": disk["id"],
            "uniqueId": unique,
            "snapshot": {
                "location": disk["location"],
                "tags": tags,
                "properties": {"creationData": source, "incremental": True, **access},
            },
            "lock": {
                "id": f"{id_}/providers/Microsoft.Authorization/locks/countersign-evidence",
                "body": {"level": "CanNotDelete", "notes": f"Evidence of the incident {case.incident}."},
            },
        },
        lasting="Evidence stays. Whoever closes the case takes off the lock and deletes the snapshot.",
    )
