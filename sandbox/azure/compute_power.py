"""Virtual machines and instances of scale sets: started, stopped, deallocated, restarted, redeployed.

Power states move with the operation: stopping or deallocating while it runs, the new state at its end.
"""

from typing import Any

from sandbox.azure import guest, operations
from sandbox.azure.clock import Clock
from sandbox.azure.compute_store import MACHINES, begin, ephemeral, machine, not_allowed, power, room, update
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Handler, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

# Action -> (state on the way, state at the end; "" keeps the one it has).
POWER = {
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
    async def act(call: Call) -> Reply:
        vm = machine(call)
        return begin(call, "compute.power", vm, turned(call, vm, name))

    return act


def turned(call: Call, vm: Resource, name: str) -> Json:
    """Send a machine on its way to another power state; what the effect needs. Raises ApiError 409."""
    on_the_way, end = POWER[name]
    need_idle(call, vm, name)
    if name == "deallocate" and ephemeral(vm):
        raise not_allowed(f"Operation 'deallocate' is not supported for VM '{vm.name}' with an ephemeral OS disk.")
    if name in _NEED_RUNNING and power(vm) != "running":
        raise not_allowed(f"Operation '{name}' is not allowed on VM '{vm.name}' since it is {power(vm)}.")
    if on_the_way and power(vm) != end:
        update(call.world, vm, inside={"power": on_the_way})
    # Moving an ephemeral machine to another host loses its system: it starts from its image again.
    return {"id": vm.id, "power": end, "fresh": name == "redeploy" and ephemeral(vm)}


for _name in POWER:
    for _path, _kind in MACHINES:
        room.on("POST", f"{_path}/{_name}", f"{_kind}/{_name}/action")(_power_action(_name))


@operations.effect("compute.power")
def powered(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    """Let a machine arrive in its power state."""
    if (vm := world.get(args["id"])) and args["power"]:
        vm = update(world, vm, inside={"power": args["power"]})
        if args.get("fresh"):
            guest.keep(world, vm, guest.new(guest.system(vm), vm.key, vm.hidden.get("provision") or {}))


def need_idle(call: Call, vm: Resource, name: str) -> None:
    """Raise ApiError 409 while the machine is on its way to another state, or is being reimaged."""
    running = (o for o in call.world.operations.values() if o["status"] == "InProgress")
    rebuilt = any(o["effect"] == "compute.reimage" and o["args"]["id"] == vm.id for o in running)
    if power(vm) in _BUSY or rebuilt:
        state = "being reimaged" if rebuilt else power(vm)
        message = f"Operation '{name}' on VM '{vm.name}' conflicts with another one: the VM is {state}."
        raise ApiError(409, "Conflict", message)
