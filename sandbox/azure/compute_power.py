"""Virtual machines: started, stopped, deallocated, restarted, reimaged.

Power states move with the operation: stopping or deallocating while it runs, the new state at its end.
"""

from typing import Any

from sandbox.azure import operations
from sandbox.azure.clock import Clock
from sandbox.azure.compute_disks import add_disk, attach, let_go
from sandbox.azure.compute_store import (
    KIND,
    VM,
    begin,
    disk_id,
    ephemeral,
    hidden,
    machine,
    not_allowed,
    os_disk,
    power,
    room,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Handler, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

# Action -> (state on the way, state at the end; "" keeps the one it has).
_POWER = {
    "start": ("starting", "running"),
    "powerOff": ("stopping", "stopped"),
    "deallocate": ("deallocating", "deallocated"),
    "restart": ("", "running"),
    "redeploy": ("", "running"),
    "reapply": ("", ""),
}
_BUSY = frozenset({"starting", "stopping", "deallocating", "creating"})
_NEED_RUNNING = frozenset({"restart"})


def _power_action(name: str) -> Handler:
    on_the_way, end = _POWER[name]

    async def act(call: Call) -> Reply:
        vm = machine(call)
        _need_idle(vm, name)
        if name == "deallocate" and ephemeral(vm):
            raise not_allowed(f"Operation 'deallocate' is not supported for VM '{vm.name}' with an ephemeral OS disk.")
        if name in _NEED_RUNNING and power(vm) != "running":
            raise not_allowed(f"Operation '{name}' is not allowed on VM '{vm.name}' since it is {power(vm)}.")
        reply = begin(call, "compute.power", vm, {"power": end})
        if on_the_way and power(vm) != end:
            update(call.world, vm, inside={"power": on_the_way})
        return reply

    return act


for _name in _POWER:
    room.on("POST", f"{VM}/{_name}", f"{KIND}/{_name}/action")(_power_action(_name))


@operations.effect("compute.power")
def _powered(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    if (vm := world.get(args["id"])) and args["power"]:
        update(world, vm, inside={"power": args["power"]})


@room.on("POST", VM + "/reimage", f"{KIND}/reimage/action")
async def reimage(call: Call) -> Reply:
    """Give it a new OS disk from its image; the old one goes or stays by its deleteOption."""
    vm = machine(call)
    _need_idle(vm, "reimage")
    profile = vm.properties.get("storageProfile") or {}
    if not profile.get("imageReference") or not vm.properties.get("osProfile"):
        raise not_allowed(f"VM '{vm.name}' has no image to be reimaged from.")
    name, location = f"{vm.name}_OsDisk_1_{call.world.new_id('os disk').replace('-', '')}", str(vm.body["location"])
    old = os_disk(vm.body)
    args: Json = {"old": dict(old), "new": old}
    if not ephemeral(vm):
        id_ = f"{vm.id.rpartition('/virtualMachines/')[0]}/disks/{name}"
        creation = {"createOption": "FromImage", "imageReference": profile["imageReference"]}
        disk = add_disk(call, id_, location, creation, osType=old.get("osType", "Linux"))
        managed = {**(old.get("managedDisk") or {}), "id": disk.id}
        args["new"] = {**old, "name": name, "createOption": "FromImage", "managedDisk": managed}
    return begin(call, "compute.reimage", vm, args)


@operations.effect("compute.reimage")
def _reimaged(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    vm = world.get(args["id"])
    if vm is None:
        return
    profile = {**vm.properties["storageProfile"], "osDisk": args["new"]}
    inside = {k: v for k, v in hidden(vm).items() if k not in {"ran", "users"}} | {"power": "running"}
    body = {**vm.body, "properties": {**vm.properties, "storageProfile": profile}, "sandbox": inside}
    world.put(vm.id, body)
    if new := world.get(disk_id(args["new"])):
        if disk_id(args["old"]) != new.key:
            let_go(world, args["old"])
        attach(world, new, vm.id)


def _need_idle(vm: Resource, name: str) -> None:
    if power(vm) in _BUSY:
        message = f"Operation '{name}' on VM '{vm.name}' conflicts with another one: the VM is {power(vm)}."
        raise ApiError(409, "Conflict", message)
