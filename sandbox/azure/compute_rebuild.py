"""Reimage: a new OS disk from the machine's own image; the old one goes or stays by its deleteOption.

By the disk (facts: "Rebuilding a VM"): ephemeral, and persistent from an image, work. Refused by name: one attached or
specialised (no image, or no osProfile to provision with), one encrypted from inside, an image that is gone.
"""

from typing import Any

from sandbox.azure import guest, operations
from sandbox.azure.clock import Clock
from sandbox.azure.compute_disks import add_disk, attach, let_go
from sandbox.azure.compute_images import declared, resolved
from sandbox.azure.compute_power import need_idle
from sandbox.azure.compute_store import (
    INSTANCE,
    INSTANCES,
    KIND,
    VM,
    begin,
    disk_id,
    encrypted,
    ephemeral,
    machine,
    not_allowed,
    os_disk,
    room,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.guest_linux import hashed
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]


@room.on("POST", VM + "/reimage", f"{KIND}/reimage/action")
@room.on("POST", INSTANCE + "/reimage", f"{INSTANCES}/reimage/action")
@room.on("POST", INSTANCE + "/reimageall", f"{INSTANCES}/reimageAll/action")
async def reimage(call: Call) -> Reply:
    """Give a machine a new OS disk. Body: tempDisk, exactVersion, osProfile {adminPassword, customData}."""
    vm = machine(call)
    need_idle(call, vm, "reimage")
    args = prepared(call, vm, call.body)
    return begin(call, "compute.reimage", update(call.world, vm, {"provisioningState": "Updating"}), args)


def prepared(call: Call, vm: Resource, body: Json) -> Json:
    """Arguments of the operation. Raises ApiError for a machine that can't be reimaged."""
    profile, given = vm.properties.get("storageProfile") or {}, body.get("osProfile") or {}
    if not profile.get("imageReference") or not vm.properties.get("osProfile"):
        message = (
            f"The VM '{vm.name}' cannot be reimaged because it was not created from an image with an OS profile: its "
            "OS disk was attached or is specialized."
        )
        raise not_allowed(message)
    if encrypted(call.world, vm):
        raise not_allowed(f"The VM '{vm.name}' cannot be reimaged because Azure Disk Encryption is enabled on it.")
    provision = vm.hidden.get("provision") or guest.provisioning(vm.properties["osProfile"], vm.key)
    if given.get("customData") and given["customData"] != provision.get("customData"):
        message = (
            "Reimage requires the custom data provided should be same as the custom data provided while creating the "
            "Virtual Machine."
        )
        raise ApiError(400, "BadRequest", message)
    old = profile["imageReference"]
    image = resolved(call, old, str(body.get("exactVersion") or old.get("exactVersion") or ""))
    seed = call.world.new_id("os disk")
    if given.get("adminPassword"):
        provision = {**provision, "hash": hashed(str(given["adminPassword"]), seed)}
    inside = guest.new(guest.system(vm), vm.key, provision, declared(call, image))
    before = os_disk(vm.body)
    args: Json = {"old": before, "new": before, "guest": inside, "image": image, "provision": provision}
    args["given"] = bool(given.get("adminPassword"))
    if not ephemeral(vm):
        name = f"{vm.name}_OsDisk_1_{seed.replace('-', '')}"
        id_ = f"/{'/'.join(vm.id.split('/')[1:7])}/disks/{name}"
        creation = {"createOption": "FromImage", "imageReference": image}
        was = call.world.get(disk_id(before))
        kept = {k: v for k, v in (was.properties if was else {}).items() if k in _KEPT}
        disk = add_disk(call, id_, str(vm.body["location"]), creation, **{"osType": guest.system(vm), **kept})
        managed = {**(before.get("managedDisk") or {}), "id": disk.id}
        args["new"] = {**before, "name": name, "createOption": "FromImage", "managedDisk": managed}
    return args


_KEPT = frozenset({"osType", "diskSizeGB", "hyperVGeneration", "securityProfile"})


@operations.effect("compute.reimage")
def reimaged(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    """Put the new OS disk in."""
    vm = world.get(args["id"])
    if vm is None:
        return
    profile = {**vm.properties["storageProfile"], "osDisk": args["new"], "imageReference": args["image"]}
    known = {"provision": args["provision"]} if args["given"] or "provision" in vm.hidden else {}
    inside = {**vm.hidden, "power": "running", **known}
    if disk_id(args["old"]) == disk_id(args["new"]):  # no disk tells that it is another system
        inside["rebuilt"] = inside.get("rebuilt", 0) + 1
    done = {**vm.properties, "storageProfile": profile, "provisioningState": "Succeeded"}
    vm = world.put(vm.id, {**vm.body, "properties": done, "sandbox": inside})
    if new := world.get(disk_id(args["new"])):
        if disk_id(args["old"]).lower() != new.key:
            # Of a uniform set's instance the old disk goes, unless its model keeps it.
            default = {"deleteOption": "Delete"} if vm.type.lower() == INSTANCES.lower() else {}
            let_go(world, {**default, **args["old"]})
        attach(world, new, vm.id)
    guest.keep(world, vm, args["guest"])
