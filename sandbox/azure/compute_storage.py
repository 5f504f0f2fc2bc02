"""A machine's disks: made with it, attached and detached, and the OS disk swapped for another.

The swap's refusals are Azure's: PropertyChangeNotAllowed for a running machine, a wrong name or another createOption;
OSDiskSwapNotSupportedForVMsUsingDiskEncryption; BadRequest for a disk of another system, generation or security type.
"""

from typing import Any

from sandbox.azure import guest
from sandbox.azure.compute_disks import add_disk, attach
from sandbox.azure.compute_images import declared, resolved, specialised, taken
from sandbox.azure.compute_store import (
    COMPUTE,
    disk_id,
    encrypted,
    ephemeral,
    need_linked,
    not_allowed,
    os_disk,
    power,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import Resource

Json = dict[str, Any]


def with_os_disk(call: Call, id_: str, model: Json, location: str, provision: Json, profile: Json) -> tuple[Json, Json]:
    """The storage profile of a new machine, `id_`, its OS disk made or attached; and what lies in one without a disk.

    `model` is the machine's properties or a scale set's profile: storageProfile and securityProfile.
    """
    storage: Json = model.get("storageProfile") or {}
    disk = dict(storage.get("osDisk") or {})
    disk.setdefault("createOption", "FromImage")
    disk.setdefault("osType", "Windows" if "windowsConfiguration" in profile else "Linux")
    reference = resolved(call, storage.get("imageReference") or {})
    storage = {**storage, **({"imageReference": reference} if reference else {}), "osDisk": disk}
    if disk_id(disk):
        attach(call.world, _free(call, disk_id(disk), id_), id_)
        return storage, {}
    image = call.world.get(str(reference.get("id") or ""))
    if image is not None and specialised(call, image):
        inside = {"guest": taken(image, disk["osType"])}
    else:
        inside = {"guest": guest.new(disk["osType"], id_.lower(), provision, declared(call, reference))}
    if (disk.get("diffDiskSettings") or {}).get("option") == "Local":
        return storage, inside
    disk.setdefault("name", f"{id_.rpartition('/')[2]}_OsDisk_1_{made_up_id(id_)[:8]}")
    place = f"{'/'.join(id_.split('/')[:7])}/disks/{disk['name']}"
    creation = {"createOption": "FromImage", "imageReference": reference}
    security = model.get("securityProfile") or {}
    more = {"securityProfile": {"securityType": security["securityType"]}} if security.get("securityType") else {}
    made = call.world.get(place) or add_disk(call, place, location, creation, osType=disk["osType"], **more)
    guest.place(call.world, made, inside.get("guest") or {})
    made = need(call, place)
    disk["managedDisk"] = {"storageAccountType": "Premium_LRS", **(disk.get("managedDisk") or {}), "id": made.id}
    attach(call.world, made, id_)
    return storage, {}


def with_data_disks(call: Call, storage: Json, old: Resource | None, location: str) -> Json:
    """A storage profile with its data disks: new ones made or attached, those that it no longer names set free."""
    before = ((old.properties.get("storageProfile") or {}) if old else {}).get("dataDisks") or ()
    wanted = [dict(disk) for disk in storage.get("dataDisks") or ()]
    luns = [disk.get("lun") for disk in wanted]
    if len(set(luns)) < len(luns):
        raise ApiError(400, "InvalidParameter", "The value of parameter 'dataDisks.lun' is used more than once.")
    held = {disk_id(disk).lower() for disk in before}
    for disk in wanted:
        if disk_id(disk) and disk_id(disk).lower() not in held:
            free = _free(call, disk_id(disk), call.path)
            disk.setdefault("name", free.name)
            attach(call.world, free, call.path)
        elif not disk_id(disk):
            name = str(disk.setdefault("name", f"{call.params['vm']}_DataDisk_{disk.get('lun', 0)}"))
            id_ = f"{call.path.rpartition('/virtualMachines/')[0]}/disks/{name}"
            size = {"diskSizeGB": disk.get("diskSizeGB", 32)}
            made = call.world.get(id_) or add_disk(call, id_, location, {"createOption": "Empty"}, **size)
            disk["managedDisk"] = {**(disk.get("managedDisk") or {}), "id": made.id}
            attach(call.world, made, call.path)
    kept = {disk_id(disk).lower() for disk in wanted}
    for disk in before:
        if disk_id(disk).lower() not in kept and (loose := call.world.get(disk_id(disk))):
            attach(call.world, loose, None)
    return {**storage, "dataDisks": wanted} if wanted or "dataDisks" in storage else storage


def swapped(call: Call, vm: Resource, storage: Json) -> Json:
    """A machine's storage profile, its OS disk exchanged when it names another. Raises ApiError for what can't be."""
    before, after = os_disk(vm.body), dict(storage.get("osDisk") or {})
    # A template that is put again names no disk: it means the one that the machine has.
    if not disk_id(after) or disk_id(after).lower() == disk_id(before).lower():
        return {**storage, "osDisk": {**before, **after, **_own(before)}} if after else storage
    if ephemeral(vm):
        raise not_allowed(f"The OS disk of VM '{vm.name}' is ephemeral and cannot be swapped.")
    if encrypted(call.world, vm):
        message = f"OS disk swap is not supported for VM '{vm.name}' since it uses Azure Disk Encryption."
        raise ApiError(409, "OSDiskSwapNotSupportedForVMsUsingDiskEncryption", message)
    disk = _free(call, disk_id(after), vm.id)
    if power(vm) != "deallocated":
        raise _unchangeable("osDisk.managedDisk.id")
    if after.get("createOption", before.get("createOption")) != before.get("createOption"):
        raise _unchangeable("osDisk.createOption")
    if after.get("name", disk.name).lower() != disk.name.lower():
        raise _unchangeable("osDisk.name")
    _check_fit(call, vm, before, disk)
    if old := call.world.get(disk_id(before)):
        attach(call.world, old, None)
    attach(call.world, disk, vm.id)
    sku = str((disk.body.get("sku") or {}).get("name") or "Premium_LRS")
    managed = {"storageAccountType": sku, **(after.get("managedDisk") or {}), "id": disk.id}
    return {**storage, "osDisk": {**after, "name": disk.name, "managedDisk": {**managed, "storageAccountType": sku}}}


def _own(described: Json) -> Json:
    return {k: described[k] for k in ("name", "managedDisk") if k in described}


def _check_fit(call: Call, vm: Resource, before: Json, disk: Resource) -> None:
    old = call.world.get(disk_id(before))
    was = old.properties if old else {}
    system = str(before.get("osType") or was.get("osType") or "Linux")
    message = ""
    if str(disk.properties.get("osType", system)).lower() != system.lower():
        message = f"The OS type of disk '{disk.name}' does not match the OS type '{system}' of VM '{vm.name}'."
    elif disk.properties.get("hyperVGeneration", "V2") != was.get("hyperVGeneration", "V2"):
        message = f"The Hypervisor generation of disk '{disk.name}' does not match that of VM '{vm.name}'."
    elif _security(disk.properties) != _security(vm.properties):
        message = "Security type of VM is not compatible with the security type of attached OS Disk."
    elif str(disk.body.get("location", "")).lower() != str(vm.body.get("location", "")).lower():
        message = f"Disk '{disk.name}' is not in the location of VM '{vm.name}'."
    if message:
        raise ApiError(400, "BadRequest", message)


def _security(properties: Json) -> str:
    found = str((properties.get("securityProfile") or {}).get("securityType") or "Standard")
    return found.partition("_")[0].replace("ConfidentialVM", "Confidential")


def _free(call: Call, id_: str, vm: str) -> Resource:
    """A disk that may be attached to a machine."""
    disk = need(call, id_)
    need_linked(call, f"{COMPUTE}/disks/read", disk.id)
    owner = str(disk.body.get("managedBy") or "")
    if owner and owner.lower() != vm.lower():
        message = f"Disk '{disk.name}' cannot be attached as the disk is already owned by VM '{owner}'."
        raise ApiError(409, "ConflictingUserInput", message)
    if disk.properties.get("diskState") == "ActiveSAS":
        raise not_allowed(f"Disk '{disk.name}' cannot be attached while access to it by a SAS is granted.")
    return disk


def _unchangeable(name: str) -> ApiError:
    return ApiError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")
