"""Virtual machines: made, read, changed and deleted. Their power, their disks and what runs inside are in compute_*.

A machine made from an image gets its OS disk as a resource of its own.
"""

from typing import Any

from sandbox.azure import compute_disks, compute_inside, compute_power, operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_disks import add_disk, attach, let_go
from sandbox.azure.compute_store import (
    BASE,
    KIND,
    VM,
    begin,
    disk_id,
    ephemeral,
    hidden,
    machine,
    need_linked,
    need_location,
    not_allowed,
    os_disk,
    power,
    room,
    shown,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need, with_identity
from sandbox.azure.router import Call, Reply
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import Resource, World

__all__ = ["compute_disks", "compute_inside", "compute_power", "room"]

Json = dict[str, Any]


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
    before, after = os_disk(old.body), os_disk(body)
    if disk_id(after) != disk_id(before):
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
def _gone(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    vm = world.get(args["id"])
    if vm is None:
        return
    profile = vm.properties.get("storageProfile") or {}
    for disk in (profile.get("osDisk") or {}, *(profile.get("dataDisks") or ())):
        let_go(world, disk)
    for nic in (vm.properties.get("networkProfile") or {}).get("networkInterfaces") or ():
        if (nic.get("properties") or {}).get("deleteOption") == "Delete":
            world.delete(str(nic["id"]))
    world.delete(vm.id)


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
    disk = os_disk(vm.body)
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
    system = dict(profile.get("osDisk") or (os_disk(old.body) if old else {}))
    image = profile.get("imageReference")
    local = (system.get("diffDiskSettings") or {}).get("option") == "Local"
    system.setdefault("createOption", "FromImage")
    system.setdefault("osType", "Linux")
    if not local and not disk_id(system):
        kept = os_disk(old.body) if old else {}
        system.setdefault("name", kept.get("name") or f"{call.params['vm']}_OsDisk_1_{made_up_id(call.path)[:8]}")
        id_ = f"{call.path.rpartition('/virtualMachines/')[0]}/disks/{system['name']}"
        creation = {"createOption": "FromImage", "imageReference": image}
        disk = call.world.get(id_) or add_disk(call, id_, location, creation, osType=system["osType"])
        system["managedDisk"] = {
            "storageAccountType": "Premium_LRS",
            **(system.get("managedDisk") or {}),
            "id": disk.id,
        }
    if disk_id(system):
        attach(call.world, need(call, disk_id(system)), call.path)
    for data in profile.get("dataDisks") or ():
        if disk_id(data):
            attach(call.world, need(call, disk_id(data)), call.path)
    return {**profile, "osDisk": system}


def _swap(call: Call, vm: Resource, before: Json, after: Json) -> None:
    disk = need(call, disk_id(after))
    owner = disk.body.get("managedBy")
    if owner and str(owner).lower() != vm.key:
        message = f"Cannot attach disk '{disk.name}' to VM '{vm.name}' because the disk is attached to VM '{owner}'."
        raise ApiError(409, "AttachDiskWhileBeingDetached", message)
    if ephemeral(vm):
        raise not_allowed(f"The OS disk of VM '{vm.name}' is ephemeral and cannot be swapped.")
    if old := call.world.get(disk_id(before)):
        attach(call.world, old, None)
    attach(call.world, disk, vm.id)
