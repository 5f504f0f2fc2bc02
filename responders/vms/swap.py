"""One OS disk of a machine for another: stage by stage, each looking at the world first.

The machine is deallocated, its model names the other disk, and it is started. The disk that was in it stays. A run that
was killed goes on where it was: nothing here is done twice. Microsoft.Compute, api-version 2024-07-01 for machines,
2024-03-02 for disks.
"""

from typing import TYPE_CHECKING

from responders.errors import Permanent, Temporary
from responders.ids import ResourceId
from responders.model import Json
from responders.vms import machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.vms.machine import Machine

VERSION, DISKS = "2024-07-01", "2024-03-02"
PERMISSIONS = (
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/deallocate/action",
    "Microsoft.Compute/virtualMachines/start/action",
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/disks/write",
)
# Nothing runs in a machine that is so. An undo leaves one deallocated that was stopped: only a start of the old system
# would make it stopped again.
OFF = frozenset({"deallocated", "stopped"})
# Of the OS disk: what another in its place must have, too.
_FITTING = frozenset(
    {
        *("osType", "hyperVGeneration", "securityProfile", "encryption", "supportedCapabilities", "diskAccessId"),
        *("networkAccessPolicy", "publicNetworkAccess", "supportsHibernation", "diskSizeGB", "tier"),
    }
)


async def disk(azure: "Azure", id_: str) -> Json | None:
    """A managed disk, or None."""
    return await azure.arm_read(id_, DISKS)


def like(old: Json, creation: Json, tags: Json) -> Json:
    """What makes a disk that fits where `old` is, from another source."""
    properties = {k: v for k, v in old["properties"].items() if k in _FITTING and v is not None}
    body: Json = {"location": old["location"], "tags": tags, "properties": {**properties, "creationData": creation}}
    body |= {"sku": {"name": old["sku"]["name"]}} if old.get("sku") else {}
    return body | {k: old[k] for k in ("zones", "extendedLocation") if old.get(k)}


async def made(azure: "Azure", id_: str, body: Json) -> None:
    """Make a disk, unless it is there. Raises Temporary until it can be used, Permanent when Azure can't make it."""
    now = await disk(azure, id_)
    if now is None:
        await azure.arm("PUT", id_, DISKS, body=body)
        now = await disk(azure, id_)
    state = "" if now is None else str(now["properties"].get("provisioningState", "Succeeded"))
    if state == "Failed":
        raise Permanent(f"Azure could not make the disk {id_}. Nothing was changed on the machine.")
    if state != "Succeeded" or (now or {})["properties"].get("completionPercent", 100.0) < 100:  # noqa: PLR2004
        raise Temporary(f"The disk {id_} is being made.")


async def stopped(azure: "Azure", vm: "Machine") -> None:
    """Deallocate a machine. Raises Temporary until it is."""
    if vm.power == "deallocated":
        return
    if vm.power != "deallocating":
        await azure.arm("POST", f"{vm.id}/deallocate", VERSION)
        now = await machine.read(azure, vm.id)
        if now is None or now.power == "deallocated":
            return
    raise Temporary(f"{vm.name} is being deallocated.")


async def put_in(azure: "Azure", vm: "Machine", id_: str, delete_option: str = "") -> None:
    """Have a machine, deallocated, use another OS disk."""
    old = vm.body["properties"]["storageProfile"]["osDisk"]
    wanted: Json = {"createOption": old["createOption"], "name": ResourceId.parse(id_).name, "managedDisk": {"id": id_}}
    wanted |= {"deleteOption": delete_option} if delete_option else {}
    await azure.arm("PATCH", vm.id, VERSION, body={"properties": {"storageProfile": {"osDisk": wanted}}})


async def keeps_disk(azure: "Azure", vm: "Machine") -> None:
    """Have the OS disk outlive its place in the machine. Raises Temporary until that shows."""
    old = vm.body["properties"]["storageProfile"]["osDisk"]
    if str(old.get("deleteOption") or "Detach") == "Detach":
        return
    wanted = {"createOption": old["createOption"], "deleteOption": "Detach"}
    await azure.arm("PATCH", vm.id, VERSION, body={"properties": {"storageProfile": {"osDisk": wanted}}})
    now = await machine.read(azure, vm.id)
    if now and now.body["properties"]["storageProfile"]["osDisk"].get("deleteOption") != "Detach":
        raise Temporary(f"{vm.name} does not show yet that its OS disk would be kept.")


async def started(azure: "Azure", vm: "Machine") -> None:
    """Start a machine, unless it runs or is about to."""
    if vm.power not in {"running", "starting"}:
        await azure.arm("POST", f"{vm.id}/start", VERSION)


def settled(vm: "Machine") -> None:
    """Raise Temporary while Azure works on a machine."""
    if str(vm.body["properties"].get("provisioningState", "Succeeded")) in {"Updating", "Creating"}:
        raise Temporary(f"Azure is at work on {vm.name}.")
    if vm.power in {"starting", "stopping"}:
        raise Temporary(f"{vm.name} is {vm.power}.")
