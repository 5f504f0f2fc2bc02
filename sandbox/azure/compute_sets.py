"""Scale sets. Uniform: their instances are resources of the set, made from its model. Flexible: plain machines.

A uniform set's instances have power, instance view, run commands, extensions, reimage and reimageall like a machine
(compute_power, compute_run, …). A changed model shows as latestModelApplied false until `manualupgrade`.
"""

from typing import Any

from sandbox.azure import guest, operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_rebuild import prepared, reimaged
from sandbox.azure.compute_storage import with_os_disk
from sandbox.azure.compute_store import (
    BASE,
    COMPUTE,
    INSTANCE,
    INSTANCES,
    KIND,
    begin,
    machine,
    need_location,
    room,
    shown,
)
from sandbox.azure.compute_view import expanded
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need, with_identity
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

SET, SETS = BASE + "/virtualMachineScaleSets/{set}", f"{COMPUTE}/virtualMachineScaleSets"


@room.on("PUT", SET, f"{SETS}/write")
async def put(call: Call) -> Reply:
    """Create a set with its instances, or change its model and capacity."""
    body, old = with_identity(call, need_location(call), call.world.get(call.path)), call.world.get(call.path)
    return _store(call, body, old)


@room.on("PATCH", SET, f"{SETS}/write")
async def patch(call: Call) -> Reply:
    """Change what the body names."""
    old = need(call)
    return _store(call, with_identity(call, merged(old.body, call.body), old), old)


@room.on("GET", SET, f"{SETS}/read")
async def get(call: Call) -> Reply:
    """Read a set's model."""
    return Reply(200, shown(need(call)))


@room.on("GET", SET + "/instanceView", f"{SETS}/instanceView/read")
async def view(call: Call) -> Reply:
    """Tell the state of a set, and how many of its instances are in which."""
    set_ = need(call, call.parent)
    states = [str(vm.properties.get("provisioningState", "Succeeded")) for vm in _members(call, set_)]
    counts = [{"code": f"ProvisioningState/{s.lower()}", "count": states.count(s)} for s in sorted(set(states))]
    own = str(set_.properties.get("provisioningState", "Succeeded"))
    status = {
        "code": f"ProvisioningState/{own.lower()}",
        "level": "Info",
        "displayStatus": f"Provisioning {own.lower()}",
    }
    return Reply(200, {"virtualMachine": {"statusesSummary": counts}, "statuses": [status]})


@room.on("DELETE", SET, f"{SETS}/delete")
async def delete(call: Call) -> Reply:
    """Delete a set with its instances. Absent: 204."""
    old = call.world.get(call.path)
    return Reply(204) if old is None else begin(call, "compute.delete", old)


@room.on("GET", SET + "/virtualMachines", f"{INSTANCES}/read")
async def list_instances(call: Call) -> Reply:
    """List the instances; of a flexible set, the machines that say they are in it."""
    set_ = need(call, call.parent)
    return page(call, [_rendered(call, set_, vm) for vm in _members(call, set_)])


@room.on("GET", INSTANCE, f"{INSTANCES}/read")
async def get_instance(call: Call) -> Reply:
    """Read one instance."""
    vm = machine(call)
    return Reply(200, _rendered(call, need(call, vm.id.rpartition("/virtualMachines/")[0]), vm))


@room.on("PUT", INSTANCE, f"{INSTANCES}/write")
async def put_instance(call: Call) -> Reply:
    """Change one instance: only its set makes any. What Azure gave it stays."""
    vm = machine(call)
    given = {k: v for k, v in need_location(call).items() if k not in {"instanceId", "sku", "sandbox", "systemData"}}
    fixed = {k: vm.properties[k] for k in ("vmId", "latestModelApplied", "storageProfile") if k in vm.properties}
    properties = {**vm.properties, **(given.pop("properties", None) or {}), **fixed}
    stored = call.world.put(vm.id, {**vm.body, **given, "properties": properties}, call.author, call.version)
    return begin(call, "compute.set", stored, status=200, body=shown(stored))


@room.on("DELETE", INSTANCE, f"{INSTANCES}/delete")
async def delete_instance(call: Call) -> Reply:
    """Delete one instance. Absent: 204."""
    old = call.world.get(call.path)
    return Reply(204) if old is None else begin(call, "compute.vm_gone", old)


@room.on("POST", SET + "/manualupgrade", f"{SETS}/manualupgrade/action")
async def upgrade(call: Call) -> Reply:
    """Bring instances ({"instanceIds": [...]}) up to the set's model."""
    set_ = need(call, call.parent)
    return begin(call, "compute.set_upgrade", set_, {"instances": named(call, set_)})


@room.on("POST", SET + "/reimage", f"{SETS}/reimage/action")
async def reimage(call: Call) -> Reply:
    """Reimage instances ({"instanceIds": [...]}), or all of them."""
    set_ = need(call, call.parent)
    found = [need(call, f"{set_.id}/virtualMachines/{name}") for name in named(call, set_)]
    each = [{"id": vm.id, **prepared(call, vm, call.body)} for vm in found]
    return begin(call, "compute.set_reimage", set_, {"each": each})


@operations.effect("compute.set_reimage")
def _set_reimaged(world: World, clock: Clock, args: Json) -> None:
    for each in args["each"]:
        reimaged(world, clock, each)


@operations.effect("compute.set_upgrade")
def _upgraded(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    set_ = world.get(args["id"])
    for name in args["instances"] if set_ else ():
        vm = world.get(f"{args['id']}/virtualMachines/{name}")
        if vm and set_:
            world.put(vm.id, {**vm.body, "properties": {**vm.properties, "latestModelApplied": True}})


@operations.effect("compute.set")
def _made(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    if set_ := world.get(args["id"]):
        world.put(set_.id, {**set_.body, "properties": {**set_.properties, "provisioningState": "Succeeded"}})


def uniform(set_: Resource) -> bool:
    """Whether the instances of a set are its own resources."""
    return str(set_.properties.get("orchestrationMode", "Uniform")).lower() != "flexible"


def _store(call: Call, body: Json, old: Resource | None) -> Reply:
    properties = dict(body.get("properties") or {})
    model = dict(properties.get("virtualMachineProfile") or {})
    profile = model.get("osProfile") or {}
    properties["virtualMachineProfile"] = model
    if profile:
        model["osProfile"] = {k: v for k, v in profile.items() if k not in {"adminPassword", "customData"}}
    changed = old is not None and old.properties.get("virtualMachineProfile") != model
    if old is None:
        properties |= {"uniqueId": call.world.new_id("set", call.path), "timeCreated": stamp(call.clock.now())}
    else:
        properties |= {k: old.properties[k] for k in ("uniqueId", "timeCreated") if k in old.properties}
    properties["provisioningState"] = "Updating" if old else "Creating"
    stored = call.world.put(call.path, {"tags": {}, **body, "properties": properties}, call.author, call.version)
    if changed:
        for vm in call.world.beneath(stored.id, INSTANCES):
            call.world.put(vm.id, {**vm.body, "properties": {**vm.properties, "latestModelApplied": False}})
    if uniform(stored):
        _fill(call, stored, model, profile)
    return begin(call, "compute.set", stored, status=200 if old else 201, body=shown(stored))


def _fill(call: Call, set_: Resource, model: Json, profile: Json) -> None:
    """Make the instances that the capacity asks for; take away the last ones beyond it."""
    there = call.world.beneath(set_.id, INSTANCES)
    capacity = int((set_.body.get("sku") or {}).get("capacity") or 0)
    for vm in there[capacity:]:
        call.world.delete(vm.id)
    numbers = {int(vm.name) for vm in there if vm.name.isdigit()}
    for number in [n for n in range(capacity + len(there)) if n not in numbers][: max(0, capacity - len(there))]:
        id_ = f"{set_.id}/virtualMachines/{number}"
        name = {"computerName": f"{profile.get('computerNamePrefix', set_.name)}{number:06d}"}
        own = {
            k: v for k, v in profile.items() if k not in {"computerNamePrefix", "adminPassword", "customData"}
        } | name
        provision = guest.provisioning({**profile, **own}, id_.lower())
        storage = {k: v for k, v in (model.get("storageProfile") or {}).items() if k != "dataDisks"}
        storage["osDisk"] = {"name": f"{set_.name}_{number}_OsDisk_1", **(storage.get("osDisk") or {})}
        location = str(set_.body["location"])
        storage, inside = with_os_disk(call, id_, {**model, "storageProfile": storage}, location, provision, profile)
        properties: Json = {"vmId": call.world.new_id("vm", id_), "osProfile": own, "storageProfile": storage}
        properties |= {"latestModelApplied": True, "provisioningState": "Succeeded"}
        properties |= {"networkProfileConfiguration": model.get("networkProfile") or {}}
        body = {"instanceId": str(number), "location": set_.body["location"], "tags": set_.body.get("tags") or {}}
        state = {"power": "running", "provision": provision, **inside}
        call.world.put(id_, {**body, "sku": set_.body.get("sku"), "properties": properties, "sandbox": state})


def _members(call: Call, set_: Resource) -> list[Resource]:
    return list(call.world.beneath(set_.id, INSTANCES)) if uniform(set_) else _flexible(call, set_)


def _flexible(call: Call, set_: Resource) -> list[Resource]:
    machines = call.world.list(KIND, set_.id.partition("/providers/")[0])
    named = ((vm, (vm.properties.get("virtualMachineScaleSet") or {}).get("id") or "") for vm in machines)
    return [vm for vm, id_ in named if str(id_).lower() == set_.key]


def _rendered(call: Call, set_: Resource, vm: Resource) -> Json:
    body = expanded(call, vm)
    return {**body, "name": f"{set_.name}_{vm.name}"} if vm.type.lower() == INSTANCES.lower() else body


def named(call: Call, set_: Resource) -> list[str]:
    """The instances that a request names, or all of the set's."""
    given = [str(name) for name in call.body.get("instanceIds") or ()]
    return given if given and given != ["*"] else [vm.name for vm in call.world.beneath(set_.id, INSTANCES)]
