"""Virtual machines: made, changed, started, stopped, reimaged and deleted. Disks and what runs inside are in compute_*.

A machine made from an image gets its OS disk as a resource of its own. Power states move with the operation: stopping
or deallocating while it runs, the new state at its end.
"""

from typing import Any

from sandbox.azure import compute_disks, compute_inside, operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_disks import add_disk, attach
from sandbox.azure.compute_store import (
    BASE,
    KIND,
    VM,
    begin,
    hidden,
    machine,
    need_linked,
    need_location,
    not_allowed,
    power,
    room,
    shown,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need, with_identity
from sandbox.azure.router import Call, Handler, Reply
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import Resource, World

__all__ = ["compute_disks", "compute_inside", "room"]

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


@room.on("PUT", VM, f"{KIND}/write")
async def put(call: Call) -> Reply:
    """Create a machine, or replace its model."""
    given, old = need_location(call), call.world.get(call.path)
    _check_links(call, given)
    body = with_identity(call, given, old)
    properties = dict(body.get("properties") or {})
    properties["osProfile"], users = _split_profile(properties.get("osProfile") or {})
    if not properties["osProfile"]:
        del properties["osProfile"]
    if old is None:
        fresh = {"vmId": call.world.new_id("vm", call.path), "timeCreated": stamp(call.clock.now())}
        state = {"power": "creating", "users": users}
    else:
        fresh = {k: old.properties[k] for k in ("vmId", "timeCreated") if k in old.properties}
        state = hidden(old)
    properties |= fresh | {"provisioningState": "Updating" if old else "Creating"}
    properties["storageProfile"] = _with_disks(call, properties.get("storageProfile") or {}, old, str(body["location"]))
    whole = {"tags": {}, **body, "properties": properties, "sandbox": state}
    stored = call.world.put(call.path, whole, call.author, call.version)
    return begin(call, "compute.vm", stored, status=200 if old else 201, body=shown(stored))


@operations.effect("compute.vm")
def _made(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    if vm := world.get(args["id"]):
        inside = {"power": "running"} if power(vm) == "creating" else None
        update(world, vm, {"provisioningState": "Succeeded"}, inside)


@room.on("PATCH", VM, f"{KIND}/write")
async def patch(call: Call) -> Reply:
    """Change what the body names: tags, identity, deleteOption, or the OS disk for another."""
    old, change = need(call), {k: v for k, v in call.body.items() if k != "sandbox"}
    _check_links(call, change)
    body = with_identity(call, merged(old.body, change), old)
    before, after = _os_disk(old.body), _os_disk(body)
    if _disk_id(after) != _disk_id(before):
        _swap(call, old, before, after)
    body["properties"]["provisioningState"] = "Succeeded"
    return Reply(200, shown(call.world.put(old.id, body, call.author, call.version)))


@room.on("GET", VM, f"{KIND}/read")
async def get(call: Call) -> Reply:
    """Read one, with $expand=instanceView its state too."""
    return Reply(200, _expanded(call, need(call), call.query.get("$expand", "").lower() == "instanceview"))


@room.on("GET", VM + "/instanceView", f"{KIND}/instanceView/read")
async def instance_view(call: Call) -> Reply:
    """Read its state."""
    return Reply(200, _view(call, machine(call)))


@room.on("GET", BASE + "/virtualMachines", f"{KIND}/read")
async def list_group(call: Call) -> Reply:
    """List those of a group."""
    return _list(call)


@room.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines", f"{KIND}/read")
async def list_subscription(call: Call) -> Reply:
    """List those of a subscription."""
    return _list(call)


@room.on("DELETE", VM, f"{KIND}/delete")
async def delete(call: Call) -> Reply:
    """Delete it, with those disks and interfaces whose deleteOption says so. Absent: 204."""
    old = call.world.get(call.path)
    return Reply(204) if old is None else begin(call, "compute.vm_gone", old)


@operations.effect("compute.vm_gone")
def _gone(world: World, clock: Clock, args: Json) -> None:
    vm = world.get(args["id"])
    if vm is None:
        return
    profile = vm.properties.get("storageProfile") or {}
    for disk in (profile.get("osDisk") or {}, *(profile.get("dataDisks") or ())):
        _let_go(world, disk)
    for nic in (vm.properties.get("networkProfile") or {}).get("networkInterfaces") or ():
        if (nic.get("properties") or {}).get("deleteOption") == "Delete":
            world.delete(str(nic["id"]))
    principal = (vm.body.get("identity") or {}).get("principalId")
    if principal in world.directory.objects:
        world.directory.delete(principal, clock.now())
        del world.directory.deleted[principal]
    world.delete(vm.id)


def _power_action(name: str) -> Handler:
    on_the_way, end = _POWER[name]

    async def act(call: Call) -> Reply:
        vm = machine(call)
        _need_idle(vm, name)
        if name == "deallocate" and _ephemeral(vm):
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
    old = _os_disk(vm.body)
    args: Json = {"old": dict(old), "new": old}
    if not _ephemeral(vm):
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
    if new := world.get(_disk_id(args["new"])):
        if _disk_id(args["old"]) != new.key:
            _let_go(world, args["old"])
        attach(world, new, vm.id)


def _list(call: Call) -> Reply:
    expand = (
        call.query.get("statusonly", "").lower() == "true" or "instanceview" in call.query.get("$expand", "").lower()
    )
    scope = call.path.partition("/providers/")[0]
    return page(call, [_expanded(call, vm, expand) for vm in call.world.list(KIND, scope)])


def _expanded(call: Call, vm: Resource, expand: bool) -> Json:  # noqa: FBT001
    body = shown(vm)
    extensions = [{k: v for k, v in shown(e).items() if k != "systemData"} for e in _extensions(call, vm)]
    if extensions:
        body["resources"] = extensions
    if expand:
        body["properties"]["instanceView"] = _view(call, vm)
    return body


def _view(call: Call, vm: Resource) -> Json:
    at = stamp(call.clock.now())
    state = str(vm.properties.get("provisioningState", "Succeeded")).lower()
    ok = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready", "time": at}
    statuses = [
        {"code": f"ProvisioningState/{state}", "level": "Info", "displayStatus": f"Provisioning {state}", "time": at}
    ]
    view: Json = {
        "computerName": (vm.properties.get("osProfile") or {}).get("computerName", vm.name),
        "hyperVGeneration": "V2",
    }
    if power(vm) != "creating":
        statuses.append({"code": f"PowerState/{power(vm)}", "level": "Info", "displayStatus": f"VM {power(vm)}"})
    if power(vm) == "running":
        view["vmAgent"] = {"vmAgentVersion": "2.11.1.12", "statuses": [{**ok, "message": "Guest Agent is running"}]}
    disk = _os_disk(vm.body)
    view["disks"] = [
        {"name": disk.get("name", f"{vm.name}_OsDisk"), "statuses": [{**ok, "displayStatus": "Provisioning succeeded"}]}
    ]
    found = [(e.name, f"{e.properties.get('publisher')}.{e.properties.get('type')}") for e in _extensions(call, vm)]
    view["extensions"] = [{"name": n, "type": t, "statuses": [ok]} for n, t in found]
    return {**view, "statuses": statuses}


def _extensions(call: Call, vm: Resource) -> list[Resource]:
    return call.world.beneath(vm.id, f"{KIND}/extensions")


def _check_links(call: Call, body: Json) -> None:
    for nic in ((body.get("properties") or {}).get("networkProfile") or {}).get("networkInterfaces") or ():
        need_linked(call, "Microsoft.Network/networkInterfaces/join/action", str(nic["id"]))
    for identity in (body.get("identity") or {}).get("userAssignedIdentities") or ():
        need_linked(call, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", identity)


def _split_profile(profile: Json) -> tuple[Json, Json]:
    shown_part = {k: v for k, v in profile.items() if k not in {"adminPassword", "customData"}}
    admin = profile.get("adminUsername")
    return shown_part, {admin: profile.get("adminPassword", "")} if admin else {}


def _with_disks(call: Call, profile: Json, old: Resource | None, location: str) -> Json:
    os_disk = dict(profile.get("osDisk") or (_os_disk(old.body) if old else {}))
    image = profile.get("imageReference")
    local = (os_disk.get("diffDiskSettings") or {}).get("option") == "Local"
    os_disk.setdefault("createOption", "FromImage")
    os_disk.setdefault("osType", "Linux")
    if not local and not _disk_id(os_disk):
        kept = _os_disk(old.body) if old else {}
        os_disk.setdefault("name", kept.get("name") or f"{call.params['vm']}_OsDisk_1_{made_up_id(call.path)[:8]}")
        id_ = f"{call.path.rpartition('/virtualMachines/')[0]}/disks/{os_disk['name']}"
        creation = {"createOption": "FromImage", "imageReference": image}
        disk = call.world.get(id_) or add_disk(call, id_, location, creation, osType=os_disk["osType"])
        os_disk["managedDisk"] = {
            "storageAccountType": "Premium_LRS",
            **(os_disk.get("managedDisk") or {}),
            "id": disk.id,
        }
    if _disk_id(os_disk):
        attach(call.world, need(call, _disk_id(os_disk)), call.path)
    for data in profile.get("dataDisks") or ():
        if _disk_id(data):
            attach(call.world, need(call, _disk_id(data)), call.path)
    return {**profile, "osDisk": os_disk}


def _swap(call: Call, vm: Resource, before: Json, after: Json) -> None:
    disk = need(call, _disk_id(after))
    owner = disk.body.get("managedBy")
    if owner and str(owner).lower() != vm.key:
        message = f"Cannot attach disk '{disk.name}' to VM '{vm.name}' because the disk is attached to VM '{owner}'."
        raise ApiError(409, "AttachDiskWhileBeingDetached", message)
    if _ephemeral(vm):
        raise not_allowed(f"The OS disk of VM '{vm.name}' is ephemeral and cannot be swapped.")
    if old := call.world.get(_disk_id(before)):
        attach(call.world, old, None)
    attach(call.world, disk, vm.id)


def _let_go(world: World, described: Json) -> None:
    disk = world.get(_disk_id(described))
    if disk and described.get("deleteOption") == "Delete":
        world.delete(disk.id)
    elif disk:
        attach(world, disk, None)


def _need_idle(vm: Resource, name: str) -> None:
    if power(vm) in _BUSY:
        message = f"Operation '{name}' on VM '{vm.name}' conflicts with another one: the VM is {power(vm)}."
        raise ApiError(409, "Conflict", message)


def _ephemeral(vm: Resource) -> bool:
    return (_os_disk(vm.body).get("diffDiskSettings") or {}).get("option") == "Local"


def _os_disk(body: Json) -> Json:
    return ((body.get("properties") or {}).get("storageProfile") or {}).get("osDisk") or {}


def _disk_id(described: Json) -> str:
    return str((described.get("managedDisk") or {}).get("id") or "")
