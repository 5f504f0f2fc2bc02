"""Disks and snapshots: made, copied, deleted, and lent out by a SAS."""

from typing import Any

from sandbox.azure import operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_images import content
from sandbox.azure.compute_store import (
    BASE,
    COMPUTE,
    begin,
    disk_id,
    need_location,
    not_allowed,
    power,
    room,
    shown,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_DISK, _SNAPSHOT = BASE + "/disks/{name}", BASE + "/snapshots/{name}"
_PATHS = ((_DISK, f"{COMPUTE}/disks"), (_SNAPSHOT, f"{COMPUTE}/snapshots"))
_RESTORE_POINT = BASE + "/restorePointCollections/{collection}/restorePoints/{point}/diskRestorePoints/{name}"
_RESTORE_POINTS = f"{COMPUTE}/restorePointCollections/restorePoints/diskRestorePoints"
_STEP = 50.0  # percent of a copy between regions that is done between two reads


def add_disk(call: Call, id_: str, location: str, creation: Json, **properties: Any) -> Resource:
    """Make a managed disk, as a virtual machine does for itself."""
    body = {"location": location, "sku": {"name": "Premium_LRS", "tier": "Premium"}, "tags": {}}
    more = _stamped(call, {"creationData": creation, "diskSizeGB": 30, **properties}) | {
        "provisioningState": "Succeeded"
    }
    return call.world.put(id_, {**body, "type": f"{COMPUTE}/disks", "properties": more}, call.author, "2024-03-02")


def attach(world: World, disk: Resource, vm: str | None) -> None:
    """Give a disk to a virtual machine, or (None) set it free."""
    body = {k: v for k, v in disk.body.items() if k != "managedBy"} | ({"managedBy": vm} if vm else {})
    state = {"diskState": "Attached" if vm else "Unattached"}
    world.put(disk.id, {**body, "properties": {**disk.properties, **state}})


def let_go(world: World, described: Json) -> None:
    """Free a machine's disk, or delete it if its deleteOption says so."""
    disk = world.get(disk_id(described))
    if disk and described.get("deleteOption") == "Delete":
        world.delete(disk.id)
    elif disk:
        attach(world, disk, None)


async def put(call: Call) -> Reply:
    """Create, or change size and the like."""
    body, old = need_location(call), call.world.get(call.path)
    properties = {**(old.properties if old else {}), **(body.get("properties") or {})}
    creation = properties.get("creationData")
    if not isinstance(creation, dict) or not creation.get("createOption"):
        raise ApiError(400, "InvalidParameter", "Required parameter 'creationData' is missing (null).")
    inside: Json = old.hidden if old else {}
    if old is None:
        inside, kept = content(call, creation, str(properties.get("osType") or "Linux"))
        properties = {"diskSizeGB": 30, **kept, **properties}
        if str(creation["createOption"]).lower() == "copystart":
            properties["completionPercent"] = 0.0
    state = {"provisioningState": "Updating"}
    properties = {**(properties if old else _stamped(call, properties)), **state}
    head = {"sku": {"name": "Standard_LRS", "tier": "Standard"}, "tags": {}, **(old.body if old else {}), **body}
    body = {**head, "properties": properties, **({"sandbox": inside} if inside else {})}
    stored = call.world.put(call.path, body, call.author, call.version)
    return begin(call, "compute.disk", stored, body=shown(stored))


async def patch(call: Call) -> Reply:
    """Change what the body names."""
    old = need(call)
    change = {k: v for k, v in call.body.items() if k != "sandbox"}
    return Reply(200, shown(call.world.put(old.id, merged(old.body, change), call.author, call.version)))


async def get(call: Call) -> Reply:
    """Read one. A copy between regions goes on while it is looked at."""
    found = need(call)
    body = _stated(call, found)
    done = found.properties.get("completionPercent", 100.0)
    if done < 100:  # noqa: PLR2004
        update(call.world, found, {"completionPercent": min(100.0, done + _STEP)})
    return Reply(200, body)


async def delete(call: Call) -> Reply:
    """Delete one, unless a virtual machine has it, or it is lent out."""
    old = call.world.get(call.path)
    if old is None:
        return Reply(204)
    if owner := old.body.get("managedBy"):
        raise not_allowed(f"Disk {old.name} is attached to VM {owner}.")
    if old.properties.get("diskState") == "ActiveSAS":
        raise not_allowed(
            f"There is an active shared access signature outstanding for disk {old.name}. Call EndGetAccess before "
            "deleting the disk."
        )
    return begin(call, "compute.delete", update(call.world, old, {"provisioningState": "Deleting"}))


async def lend(call: Call) -> Reply:
    """Make a SAS by which anybody may read it: a secret, and a way out for data."""
    disk = need(call, call.parent)
    if _state(call, disk) == "Attached":
        raise not_allowed(f"Disk {disk.name} is attached to a running VM: take a snapshot of it instead.")
    level, seconds = call.body.get("access", "Read"), call.body.get("durationInSeconds", 0)
    if not isinstance(seconds, int) or seconds <= 0:
        raise ApiError(400, "InvalidParameter", "The value of parameter 'durationInSeconds' is invalid.")
    update(call.world, disk, {"diskState": "ActiveSAS"})
    sas = f"https://md-sandbox.blob.storage.azure.net/{disk.name}/abcd?sr=b&sig={call.world.new_id('sas')}&sp={level[:1].lower()}"
    return begin(call, "compute.lent", disk, {"sas": sas, "seconds": seconds})


async def call_back(call: Call) -> Reply:
    """Make every SAS of it worthless."""
    disk = need(call, call.parent)
    update(call.world, disk, {"diskState": "Attached" if disk.body.get("managedBy") else "Unattached"})
    return begin(call, "compute.called_back", disk)


async def list_(call: Call) -> Reply:
    """List those of a group or subscription."""
    parts = call.path.partition("/providers/")
    kind = parts[2]
    return page(call, [_stated(call, r) for r in call.world.list(kind, parts[0])])


def _stated(call: Call, disk: Resource) -> Json:
    body = shown(disk)
    return {**body, "properties": {**body["properties"], **({"diskState": s} if (s := _state(call, disk)) else {})}}


def _state(call: Call, disk: Resource) -> str:
    """Reserved is what the disk of a deallocated machine is called."""
    state = str(disk.properties.get("diskState") or "")
    owner = call.world.get(str(disk.body.get("managedBy") or ""))
    return "Reserved" if state == "Attached" and owner and power(owner) == "deallocated" else state


@operations.effect("compute.disk")
def _made(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    if disk := world.get(args["id"]):
        update(world, disk, {"provisioningState": "Succeeded"})


@operations.effect("compute.delete")
def _deleted(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    world.delete(args["id"])


@operations.effect("compute.lent")
def _lent(world: World, clock: Clock, args: Json) -> Json:  # noqa: ARG001
    return {"accessSAS": args["sas"]}


@operations.effect("compute.called_back")
def _called_back(world: World, clock: Clock, args: Json) -> None:
    pass


def _stamped(call: Call, properties: Json) -> Json:
    now = stamp(call.clock.now())
    return {
        "timeCreated": now,
        "uniqueId": call.world.new_id("disk", call.path),
        "diskState": "Unattached",
        **properties,
    }


for _path, _kind in _PATHS:
    room.on("PUT", _path, f"{_kind}/write")(put)
    room.on("PATCH", _path, f"{_kind}/write")(patch)
    room.on("GET", _path, f"{_kind}/read")(get)
    room.on("DELETE", _path, f"{_kind}/delete")(delete)
    room.on("POST", _path + "/beginGetAccess", f"{_kind}/beginGetAccess/action")(lend)
    room.on("POST", _path + "/endGetAccess", f"{_kind}/endGetAccess/action")(call_back)
    _collection = _path.removesuffix("/{name}")
    room.on("GET", _collection, f"{_kind}/read")(list_)
    room.on("GET", _collection.replace("/resourceGroups/{group}", ""), f"{_kind}/read")(list_)

room.on("POST", _RESTORE_POINT + "/beginGetAccess", f"{_RESTORE_POINTS}/beginGetAccess/action")(lend)
room.on("POST", _RESTORE_POINT + "/endGetAccess", f"{_RESTORE_POINTS}/endGetAccess/action")(call_back)
