"""Virtual machines: made, read, changed and deleted. Their rest is in compute_*, what is in them in guest.

A machine made from an image gets its OS disk as a resource of its own, provisioned with its osProfile.
"""

from typing import Any

from sandbox.azure import (
    compute_catalog,
    compute_disks,
    compute_extensions,
    compute_images,
    compute_limits,
    compute_power,
    compute_rebuild,
    compute_restore,
    compute_run,
    compute_sets,
    compute_sets_power,
    compute_view,
    guest,
    operations,
)
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_disks import let_go
from sandbox.azure.compute_storage import swapped, with_data_disks, with_os_disk
from sandbox.azure.compute_store import (
    BASE,
    KIND,
    VM,
    begin,
    disk_id,
    need_linked,
    need_location,
    os_disk,
    power,
    room,
    shown,
    update,
)
from sandbox.azure.compute_view import expanded
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need, with_identity
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import World

__all__ = [
    "compute_catalog",
    "compute_disks",
    "compute_extensions",
    "compute_images",
    "compute_limits",
    "compute_power",
    "compute_rebuild",
    "compute_restore",
    "compute_run",
    "compute_sets",
    "compute_sets_power",
    "compute_view",
    "room",
]

Json = dict[str, Any]

_SECRET = frozenset({"adminPassword", "customData"})


@room.on("PUT", VM, f"{KIND}/write")
async def put(call: Call) -> Reply:
    """Create a machine, or replace its model."""
    given, old = need_location(call), call.world.get(call.path)
    _check_links(call, given)
    body = with_identity(call, given, old)
    properties = dict(body.get("properties") or {})
    profile = properties.get("osProfile") or {}
    provision = guest.provisioning(profile, call.path.lower())
    if old is None:
        fresh = {"vmId": call.world.new_id("vm", call.path), "timeCreated": stamp(call.clock.now())}
        state = {"power": "creating", "provision": provision}
    else:
        fresh = {k: old.properties[k] for k in ("vmId", "timeCreated") if k in old.properties}
        state = old.hidden
    if profile:
        properties["osProfile"] = {k: v for k, v in profile.items() if k not in _SECRET}
    properties |= fresh | {"provisioningState": "Updating" if old else "Creating"}
    if old is None:
        storage, own = with_os_disk(call, call.path, properties, str(body["location"]), provision, profile)
        state |= own
    else:
        storage = properties.get("storageProfile") or {}
        storage = swapped(call, old, {**storage, "osDisk": storage.get("osDisk") or os_disk(old.body)})
    properties["storageProfile"] = with_data_disks(call, storage, old, str(body["location"]))
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
    """Change what the body names: tags, identity, deleteOption, data disks, or the OS disk for another."""
    old, change = need(call), {k: v for k, v in call.body.items() if k != "sandbox"}
    _check_links(call, change)
    body = with_identity(call, merged(old.body, change), old)
    properties = dict(body.get("properties") or {})
    named = ((change.get("properties") or {}).get("storageProfile") or {}).get("osDisk") or {}
    storage = dict(properties.get("storageProfile") or {})
    if disk_id(named) and "name" not in named:
        storage["osDisk"] = {k: v for k, v in (storage.get("osDisk") or {}).items() if k != "name"}
    storage = with_data_disks(call, swapped(call, old, storage), old, str(body.get("location") or ""))
    if storage:
        properties["storageProfile"] = storage
    if profile := properties.get("osProfile"):
        properties["osProfile"] = {k: v for k, v in profile.items() if k not in _SECRET}
    properties["provisioningState"] = "Succeeded"
    stored = call.world.put(old.id, {**body, "properties": properties}, call.author, call.version)
    return Reply(200, shown(stored))


@room.on("GET", VM, f"{KIND}/read")
async def get(call: Call) -> Reply:
    """Read one, with $expand=instanceView its state too, with $expand=userData its user data."""
    return Reply(200, expanded(call, need(call)))


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
    if old := call.world.get(call.path):
        return begin(call, "compute.vm_gone", update(call.world, old, {"provisioningState": "Deleting"}))
    return Reply(204)


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
        elif kept := world.get(str(nic["id"])):
            free = {k: v for k, v in kept.properties.items() if k != "virtualMachine"}
            world.put(kept.id, {**kept.body, "properties": free})
    world.delete(vm.id)


def _list(call: Call) -> Reply:
    scope = call.path.partition("/providers/")[0]
    return page(call, [expanded(call, vm) for vm in call.world.list(KIND, scope)])


def _check_links(call: Call, body: Json) -> None:
    for nic in ((body.get("properties") or {}).get("networkProfile") or {}).get("networkInterfaces") or ():
        need_linked(call, "Microsoft.Network/networkInterfaces/join/action", str(nic["id"]))
    for identity in (body.get("identity") or {}).get("userAssignedIdentities") or ():
        need_linked(call, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", identity)


compute_limits.apply(room)  # last: when all routes are there
