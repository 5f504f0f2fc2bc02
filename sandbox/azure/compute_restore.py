"""Restore points: a machine's disks as they were at one time, kept in a collection.

Three an hour and machine, and never of an ephemeral OS disk. Creating one is followed by its Location alone.
"""

from datetime import timedelta
from typing import Any

from sandbox.azure import operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_store import (
    BASE,
    COMPUTE,
    begin,
    disk_id,
    ephemeral,
    need_linked,
    need_location,
    not_allowed,
    os_disk,
    room,
    shown,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_COLLECTION = BASE + "/restorePointCollections/{collection}"
_KIND = f"{COMPUTE}/restorePointCollections"
_POINT, _POINTS = _COLLECTION + "/restorePoints/{point}", f"{_KIND}/restorePoints"
_AN_HOUR = 3


@room.on("PUT", _COLLECTION, f"{_KIND}/write")
async def put_collection(call: Call) -> Reply:
    """Make a collection for one machine. Not long-running."""
    body, old = need_location(call), call.world.get(call.path)
    source = need(call, str(((body.get("properties") or {}).get("source") or {}).get("id") or ""))
    need_linked(call, f"{source.type}/read", source.id)
    properties: Json = {"source": {"id": source.id, "location": source.body.get("location")}}
    properties |= {"restorePointCollectionId": call.world.new_id("collection"), "provisioningState": "Succeeded"}
    stored = call.world.put(call.path, {**body, "properties": properties}, call.author, call.version)
    return Reply(200 if old else 201, shown(stored))


@room.on("PUT", _POINT, f"{_POINTS}/write")
async def put_point(call: Call) -> Reply:
    """Take a restore point. 201, and a Location that ends in it."""
    collection = need(call, call.path.rpartition("/restorePoints/")[0])
    vm = need(call, str(collection.properties["source"]["id"]))
    if ephemeral(vm):
        raise not_allowed(f"Restore points are not supported for VM '{vm.name}' with an ephemeral OS disk.")
    if call.path in call.world:
        raise ApiError(409, "Conflict", f"The restore point '{call.params['point']}' exists already.")
    now = call.clock.now()
    recent = stamp(now - timedelta(hours=1))
    if sum(p.properties["timeCreated"] > recent for p in call.world.beneath(collection.id, _POINTS)) >= _AN_HOUR:
        message = f"The limit of {_AN_HOUR} restore points an hour is reached for VM '{vm.name}'."
        raise ApiError(429, "TooManyRequests", message, headers={"Retry-After": "1200"})
    left_out = {str(d.get("id")).lower() for d in (call.body.get("properties") or {}).get("excludeDisks") or ()}
    profile = vm.properties.get("storageProfile") or {}
    system = {**os_disk(vm.body), **_kept(call, os_disk(vm.body), left_out)}
    data = [{**d, **_kept(call, d, left_out)} for d in profile.get("dataDisks") or ()]
    metadata = {k: v for k, v in vm.properties.items() if k in {"vmId", "hardwareProfile", "osProfile"}}
    metadata |= {"storageProfile": {"osDisk": system, "dataDisks": data}, "location": vm.body.get("location")}
    properties = {
        "sourceMetadata": metadata,
        "provisioningState": "Creating",
        "consistencyMode": (call.body.get("properties") or {}).get("consistencyMode", "ApplicationConsistent"),
        "timeCreated": stamp(now),
    }
    stored = call.world.put(call.path, {"properties": properties}, call.author, call.version)
    reply = begin(call, "compute.restore_point", update(call.world, stored), status=201, body=shown(stored))
    reply.headers.pop("Azure-AsyncOperation")
    return reply


@operations.effect("compute.restore_point")
def _taken(world: World, clock: Clock, args: Json) -> Json | None:  # noqa: ARG001
    point = world.get(args["id"])
    return shown(update(world, point, {"provisioningState": "Succeeded"})) if point else None


@room.on("GET", _COLLECTION, f"{_KIND}/read")
async def get_collection(call: Call) -> Reply:
    """Read a collection, with $expand=restorePoints its points."""
    found = need(call)
    body = shown(found)
    if call.query.get("$expand", "").lower() == "restorepoints":
        body["properties"]["restorePoints"] = [shown(p) for p in call.world.beneath(found.id, _POINTS)]
    return Reply(200, body)


@room.on("DELETE", _POINT, f"{_POINTS}/delete")
@room.on("DELETE", _COLLECTION, f"{_KIND}/delete")
async def delete(call: Call) -> Reply:
    """Delete a point, or a collection with its points. Absent: 204."""
    old: Resource | None = call.world.get(call.path)
    return Reply(204) if old is None else begin(call, "compute.delete", old)


def _kept(call: Call, described: Json, left_out: set[str]) -> Json:
    disk = call.world.get(disk_id(described))
    if disk is None or disk.key in left_out:
        return {}
    name = f"{disk.name}_{call.world.new_id('disk restore point')}"
    kept = {k: v for k, v in disk.properties.items() if k not in {"diskState", "uniqueId", "creationData"}}
    properties = {**kept, "sourceResourceId": disk.id, "timeCreated": stamp(call.clock.now())}
    body = {"properties": properties, **({"sandbox": disk.hidden} if disk.hidden else {})}
    stored = call.world.put(f"{call.path}/diskRestorePoints/{name}", body, call.author, call.version)
    return {"diskRestorePoint": {"id": stored.id}}
