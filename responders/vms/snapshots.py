"""Snapshots of a machine's disks that are kept as evidence of an incident, in the group of COUNTERSIGN_EVIDENCE_GROUP.

A snapshot is found again by its name, which is made from the incident, the machine and the disk's place in it: an OS
disk that a rebuild put there has that of the one before it as evidence. Microsoft.Compute/snapshots, 2024-03-02.
"""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from responders.ids import ResourceId
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.vms.machine import Machine

VERSION = "2024-03-02"
_ALL = 100.0  # percent
READ = "Microsoft.Compute/snapshots/read"


def name_of(azure: "Azure", incident: str, vm: "Machine", disk: str) -> str:
    """The id of the snapshot of one disk of a machine. COUNTERSIGN_EVIDENCE_GROUP is set."""
    place = "os" if disk == vm.os_disk else disk.lower()
    mark = hashlib.sha256(f"{incident} {vm.vm_id} {place}".encode()).hexdigest()[:12]
    label = f"{vm.resource.name}-os" if place == "os" else ResourceId.parse(disk).name
    name = f"evidence-{label[:50]}-{mark}"
    return f"{azure.settings.evidence_group}/providers/Microsoft.Compute/snapshots/{name}"


async def read(azure: "Azure", id_: str) -> Json | None:
    """One snapshot, or None."""
    return await azure.arm_read(id_, VERSION)


def whole(snapshot: Json) -> bool:
    """Whether all of the disk is in it."""
    properties = snapshot["properties"]
    return (
        properties.get("provisioningState") == "Succeeded" and float(properties.get("completionPercent", _ALL)) >= _ALL
    )


async def missing(azure: "Azure", incident: str, vm: "Machine") -> str:
    """Why nothing may be changed on a machine's disks yet; "" when each of which there can be a snapshot has one."""
    if not vm.disks:
        return ""
    if not azure.settings.evidence_group:
        return f"COUNTERSIGN_EVIDENCE_GROUP is not set, so nothing of {vm.name} was kept as evidence."
    ids = [name_of(azure, incident, vm, disk) for disk in vm.disks]
    found = await asyncio.gather(*(read(azure, id_) for id_ in ids))
    bare = [d for d, snapshot in zip(vm.disks, found, strict=True) if snapshot is None or not whole(snapshot)]
    if bare:
        names = ", ".join(ResourceId.parse(disk).name for disk in bare)
        return f"Of {names} of {vm.name} no evidence is kept: approve vms.capture_evidence first."
    return ""
