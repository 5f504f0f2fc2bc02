"""What all of Compute shares: the room, virtual machines as they are kept, and the checks before a write.

What lies inside a machine or disk is in its body under "sandbox", which no answer shows and every snapshot holds. Of a
machine {"power": its power state, "provision": what it was set up with}. Of an OS disk {"guest": what guest.py
describes}, of a data disk whatever a world file says, {"content": "…"}: a copy has the same. What was run in machines
is a record, not a part of them: `world.state["compute"]["ran"]`.
"""

from typing import Any

from sandbox.azure import operations, providers
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_OLDER = (
    "2022-11-01",
    "2022-08-01",
    "2022-03-01",
    "2021-11-01",
    "2021-07-01",
    "2021-03-01",
    "2020-12-01",
    "2020-06-01",
)
_VM_VERSIONS = (
    "2026-04-01",
    "2025-04-01",
    "2024-11-01",
    "2024-07-01",
    "2024-03-01",
    "2023-09-01",
    "2023-07-01",
    "2023-03-01",
)
_DISK_VERSIONS = (
    "2026-03-02",
    "2025-01-02",
    "2024-03-02",
    "2023-10-02",
    "2023-04-02",
    "2023-01-02",
    "2022-07-02",
    "2022-03-02",
)
room = Room(
    "Microsoft.Compute",
    {
        "virtualMachines": providers.merged(
            "Microsoft.Compute/virtualMachines", (*_VM_VERSIONS, *_OLDER, "2019-12-01", "2019-07-01", "2018-06-01")
        ),
        "disks": providers.merged(
            "Microsoft.Compute/disks",
            (*_DISK_VERSIONS, "2021-12-01", "2021-04-01", "2020-12-01", "2020-09-30", "2019-07-01"),
        ),
        "snapshots": providers.merged(
            "Microsoft.Compute/snapshots",
            (*_DISK_VERSIONS, "2021-12-01", "2021-04-01", "2020-12-01", "2020-09-30", "2019-07-01"),
        ),
    },
)

COMPUTE = "Microsoft.Compute"
BASE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
VM = BASE + "/virtualMachines/{vm}"
KIND = f"{COMPUTE}/virtualMachines"
INSTANCE = BASE + "/virtualMachineScaleSets/{set}/virtualMachines/{vm}"
INSTANCES = f"{COMPUTE}/virtualMachineScaleSets/virtualMachines"
MACHINES = ((VM, KIND), (INSTANCE, INSTANCES))


def power(vm: Resource) -> str:
    """The power state: running, deallocated, stopping and so on."""
    return str(vm.hidden.get("power", "running"))


def shown(resource: Resource) -> Json:
    """What an answer holds."""
    defaults: Json = {"provisioningState": "Succeeded"}
    if resource.type.lower() == KIND.lower():
        defaults["vmId"] = made_up_id("vm", resource.key)
    properties = {k: v for k, v in resource.properties.items() if k != "userData"}
    return {**resource.visible, "properties": {**defaults, **properties}}


def machine(call: Call) -> Resource:
    """The virtual machine, or the instance of a scale set, that the call is about. Raises ApiError 404."""
    return need(call, machine_id(call.path))


def machine_id(path: str) -> str:
    """The id of the machine that a path is of or beneath."""
    parts = path.split("/")
    return "/".join(parts[: 11 if parts[7].lower() == "virtualmachinescalesets" else 9])


def begin(call: Call, name: str, target: Resource, args: Json | None = None, **answer: Any) -> Reply:
    """Start the operation `name` on a resource, in its region."""
    args = {"id": target.id, **(args or {})}
    return operations.accept(call, name, args, location=target.region, **answer)


def update(world: World, resource: Resource, properties: Json | None = None, inside: Json | None = None) -> Resource:
    """Change some properties of a resource, or what lies inside it, without a new author."""
    body = {**resource.body, "properties": {**resource.properties, **(properties or {})}}
    if inside:
        body["sandbox"] = {**resource.hidden, **inside}
    return world.put(resource.id, body)


def ran(world: World, what: Json) -> None:
    """Remember what was run in a machine: {"vm", "at", "by", "script", "code"}. No parameters: they hold secrets."""
    world.state.setdefault("compute", {}).setdefault("ran", []).append(what)


def not_allowed(message: str) -> ApiError:
    """409: the state of the resource doesn't allow it."""
    return ApiError(409, "OperationNotAllowed", message)


def need_running(vm: Resource, what: str) -> None:
    """Raise ApiError 409 for a machine whose agent can't do anything."""
    if power(vm) != "running":
        raise not_allowed(f"Cannot {what} the VM when the VM is not running.")


def need_location(call: Call) -> Json:
    """The request's body, with a location. Raises ApiError 400 without."""
    body = call.body
    if not isinstance(body, dict) or not body.get("location"):
        raise ApiError(400, "LocationRequired", "The location property is required for this definition.")
    return {k: v for k, v in body.items() if k != "sandbox"}


def need_linked(call: Call, action: str, id_: str) -> None:
    """Check a right on another resource that the body refers to. Raises ApiError 403 LinkedAuthorizationFailed."""
    try:
        call.require(action, id_)
    except ApiError as error:
        message = (
            f"The client '{call.caller.name}' with object id '{call.caller.oid}' has permission to perform action "
            f"'{call.action}' on scope '{call.path}'; however, it does not have permission to perform action(s) "
            f"'{action}' on the linked scope(s) '{id_}' (respectively) or the linked scope(s) are invalid."
        )
        raise ApiError(403, "LinkedAuthorizationFailed", message) from error


def ephemeral(vm: Resource) -> bool:
    """Whether its OS disk is local to the host: no resource, and lost when the machine is moved."""
    return (os_disk(vm.body).get("diffDiskSettings") or {}).get("option") == "Local"


def os_disk(body: Json) -> Json:
    """The OS disk that a machine's model describes."""
    return ((body.get("properties") or {}).get("storageProfile") or {}).get("osDisk") or {}


def encrypted(world: World, vm: Resource) -> bool:
    """Whether Azure Disk Encryption is on: inside the machine, unlike encryption at the host or by a customer's key."""
    disk = world.get(disk_id(os_disk(vm.body)))
    settings = (disk.properties.get("encryptionSettingsCollection") or {}) if disk else {}
    extensions = world.beneath(vm.id, f"{vm.type}/extensions")
    ade = any(str(e.properties.get("type", "")).lower().startswith("azurediskencryption") for e in extensions)
    return bool(settings.get("enabled")) or ade


def disk_id(described: Json) -> str:
    """The id of the managed disk that a description names, or ""."""
    return str((described.get("managedDisk") or {}).get("id") or "")
