"""What extensions and run commands have in common: resources of a machine, whose secrets are never shown.

Protected settings and parameters travel with the operation that they are for, and are in no resource.
"""

from typing import Any

from sandbox.azure import guest
from sandbox.azure.compute_store import begin, machine, not_allowed, power, shown, update
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import merged, need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

# Written, and never shown again.
SECRETS = frozenset({"protectedSettings", "protectedParameters", "runAsPassword", "protectedSettingsFromKeyVault"})


def need_running(vm: Resource) -> None:
    """Raise ApiError 409 for a machine whose agent can't do anything: not even remove what it was told to have."""
    if power(vm) != "running":
        raise not_allowed("Cannot modify extensions in the VM when the VM is not running.")
    if (vm.properties.get("osProfile") or {}).get("allowExtensionOperations") is False:
        message = (
            "This operation cannot be performed when extension operations are disallowed. To allow, please ensure VM "
            "Agent is installed on the VM and the osProfile.allowExtensionOperations property is true."
        )
        raise not_allowed(message)


def need_agent(world: World, vm: Resource, name: str) -> None:
    """Raise ApiError (what a long-running operation ends in) for a machine whose agent does not report in."""
    if not guest.ready(world, vm):
        message = (
            f"VM '{vm.name}' has not reported status for VM agent or extensions. Verify that the OS is up and healthy, "
            "the VM has a running VM agent, and that it can establish outbound connections to Azure storage. It was to "
            f"run '{name}'."
        )
        raise ApiError(409, "VMAgentStatusCommunicationError", message)


def put(call: Call, effect: str, body: Json, status: int = 0) -> Reply:
    """Store one, and begin what it does, its secrets in the arguments. 201 when it is new, else 200."""
    old = call.world.get(call.path)
    given = {k: v for k, v in (body.get("properties") or {}).items() if k != "instanceView"}
    secrets = {k: given[k] for k in SECRETS if given.get(k)}
    properties = {k: v for k, v in given.items() if k not in SECRETS} | {"provisioningState": "Creating"}
    kept = {k: v for k, v in body.items() if k not in {"sandbox", "systemData"}}
    stored = call.world.put(call.path, {**kept, "properties": properties}, call.author, call.version)
    args = {"secrets": secrets}
    return begin(call, effect, stored, args, status=status or (200 if old else 201), body=shown(stored))


async def patch(call: Call, effect: str) -> Reply:
    """Change one, and run it anew."""
    old = need(call)
    need_running(machine(call))
    return put(call, effect, merged(old.body, call.body), status=200)


async def list_(call: Call) -> Reply:
    """List those of the machine."""
    vm = machine(call)
    return Reply(
        200, {"value": [shown(r) for r in call.world.beneath(vm.id, f"{vm.type}/{call.path.rpartition('/')[2]}")]}
    )


async def delete(call: Call) -> Reply:
    """Remove one. Absent: 204."""
    vm = machine(call)
    old = call.world.get(call.path)
    if old is None:
        return Reply(204)
    need_running(vm)
    # Children may come without a location: they are where their machine is.
    return begin(call, "compute.delete", vm, {"id": old.id})


def done(world: World, child: Resource, state: str, inside: Json | None = None) -> Resource:
    """Set the end of what it did."""
    return update(world, child, {"provisioningState": state}, inside)
