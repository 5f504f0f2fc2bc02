"""Several instances of a scale set at once ({"instanceIds": [...]}, or all): started, stopped, deallocated, deleted."""

from typing import Any

from sandbox.azure import operations
from sandbox.azure.clock import Clock
from sandbox.azure.compute_power import POWER, powered, turned
from sandbox.azure.compute_rebuild import prepared
from sandbox.azure.compute_sets import SET, SETS, named
from sandbox.azure.compute_store import INSTANCES, begin, room
from sandbox.azure.errors import bad_request
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Handler, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]


def _instances(call: Call, set_: Resource) -> list[Resource]:
    return [need(call, f"{set_.id}/virtualMachines/{name}") for name in named(call, set_)]


def _power_action(name: str) -> Handler:
    async def act(call: Call) -> Reply:
        set_ = need(call, call.parent)
        each = [turned(call, vm, name) for vm in _instances(call, set_)]
        return begin(call, "compute.set_power", set_, {"each": each})

    return act


for _name in POWER.keys() - {"reapply"}:
    room.on("POST", f"{SET}/{_name}", f"{SETS}/{_name}/action")(_power_action(_name))


@room.on("POST", SET + "/reimageall", f"{SETS}/reimageAll/action")
async def reimage_all(call: Call) -> Reply:
    """Reimage instances with all their disks."""
    set_ = need(call, call.parent)
    each = [{"id": vm.id, **prepared(call, vm, call.body)} for vm in _instances(call, set_)]
    return begin(call, "compute.set_reimage", set_, {"each": each})


@room.on("POST", SET + "/delete", f"{SETS}/delete/action")
async def delete(call: Call) -> Reply:
    """Delete instances; they have to be named. The capacity goes down with them."""
    if not call.body.get("instanceIds"):
        raise bad_request("InvalidParameter", "Required parameter 'instanceIds' is missing (null).")
    set_ = need(call, call.parent)
    return begin(call, "compute.set_shrink", set_, {"each": [vm.id for vm in _instances(call, set_)]})


@operations.effect("compute.set_power")
def _powered(world: World, clock: Clock, args: Json) -> None:
    for each in args["each"]:
        powered(world, clock, each)


@operations.effect("compute.set_shrink")
def _shrunk(world: World, clock: Clock, args: Json) -> None:
    for id_ in args["each"]:
        operations.EFFECTS["compute.vm_gone"](world, clock, {"id": id_})
    if set_ := world.get(args["id"]):
        left = len(world.beneath(set_.id, INSTANCES))
        world.put(set_.id, {**set_.body, "sku": {**(set_.body.get("sku") or {}), "capacity": left}})
