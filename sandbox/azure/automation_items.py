"""What else lies in an Automation account: variables, credentials, connections, packages, workers, source controls.

They differ in little but in what is never shown of them. Deleting one answers 200, and 404 when it isn't there.
"""

from typing import Any

from sandbox.azure import ids
from sandbox.azure.automation_assets import deleter
from sandbox.azure.automation_store import (
    ACCOUNT,
    KIND,
    PAGE,
    bad,
    child,
    children,
    need_account,
    properties_of,
    room,
    save,
    shown,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need, rendered
from sandbox.azure.router import Call, Handler, Reply
from sandbox.azure.world import Resource

Json = dict[str, Any]

# Properties that are written and never read: in a snapshot, but in no answer.
_PACKAGE = frozenset({"contentLink"})
_SECRETS: dict[str, frozenset[str]] = {
    "certificates": frozenset({"base64Value"}),
    "connections": frozenset(),
    "connectionTypes": frozenset(),
    "credentials": frozenset({"password"}),
    "hybridRunbookWorkerGroups": frozenset(),
    "modules": _PACKAGE,
    "powerShell72Modules": _PACKAGE,
    "python2Packages": _PACKAGE,
    "python3Packages": _PACKAGE,
    "runtimeEnvironments": frozenset(),
    "sourceControls": frozenset({"securityToken"}),
    "variables": frozenset(),
    "watchers": frozenset(),
}
_WORKER = ACCOUNT + "/hybridRunbookWorkerGroups/{name}/hybridRunbookWorkers/{worker}"
_WORKERS = f"{KIND}/hybridRunbookWorkerGroups/hybridRunbookWorkers"


def _asset(collection: str, secret: frozenset[str]) -> None:
    """Route a collection whose members only differ in what is never shown of them."""
    path, kind = f"{ACCOUNT}/{collection}", f"{KIND}/{collection}"

    def visible(resource: Resource) -> Json:
        encrypted = {"value"} if resource.properties.get("isEncrypted") else set()
        body = shown(resource, secret | encrypted)
        return body | ({"systemData": resource.stamps} if collection.startswith("hybrid") else {})

    async def put(call: Call) -> Reply:
        need_account(call)
        given = call.body if isinstance(call.body, dict) else {}
        old = call.world.get(call.path)
        properties = {**(old.properties if old else {}), **(given.get("properties") or {})}
        head = {k: v for k, v in given.items() if k in {"location", "tags"}}
        stored = save(call, call.path, {**(old.body if old else {}), **head, "properties": properties})
        return Reply(200 if old else 201, visible(stored))

    async def patch(call: Call) -> Reply:
        old = child(call, collection, call.params["name"])
        return Reply(200, visible(save(call, old.id, merged(old.body, {"properties": properties_of(call)}))))

    async def get(call: Call) -> Reply:
        return Reply(200, visible(child(call, collection, call.params["name"])))

    async def list_(call: Call) -> Reply:
        return page(call, [visible(r) for r in children(call, collection)], PAGE)

    room.on("PUT", path + "/{name}", f"{kind}/write")(put)
    room.on("PATCH", path + "/{name}", f"{kind}/write")(patch)
    room.on("GET", path + "/{name}", f"{kind}/read")(get)
    room.on("GET", path, f"{kind}/read")(list_)


for _collection, _secret in _SECRETS.items():
    _asset(_collection, _secret)
for _collection in _SECRETS:
    room.on("DELETE", f"{ACCOUNT}/{_collection}/{{name}}", f"{KIND}/{_collection}/delete")(deleter(_collection))


def _mover(state: str) -> Handler:
    async def move(call: Call) -> Reply:
        """Start or stop a watcher."""
        found = child(call, "watchers", call.params["name"])
        save(call, found.id, {**found.body, "properties": {**found.properties, "status": state}})
        return Reply(200)

    return move


for _verb, _state in (("start", "Running"), ("stop", "Stopped")):
    room.on("POST", f"{ACCOUNT}/watchers/{{name}}/{_verb}", f"{KIND}/watchers/{_verb}/action")(_mover(_state))


@room.on("PUT", _WORKER, f"{_WORKERS}/write")
async def put_worker(call: Call) -> Reply:
    """Register a machine as a worker of a group: from then on its runbooks run there."""
    group = child(call, "hybridRunbookWorkerGroups", call.params["name"])
    machine = str((call.body.get("properties") or {}).get("vmResourceId") or "")
    if not machine:
        raise bad("The property 'vmResourceId' is required.")
    old = call.world.get(call.path)
    properties = {
        "ip": "",
        "vmResourceId": machine,
        "workerType": "HybridV2",
        "workerName": machine.rpartition("/")[2],
        "registeredDateTime": old.properties["registeredDateTime"] if old else call.clock.now().isoformat(),
        "lastSeenDateTime": call.clock.now().isoformat(),
    }
    body = {"type": _WORKERS, "properties": properties}
    id_ = f"{group.id}/hybridRunbookWorkers/{call.params['worker']}"
    return Reply(200 if old else 201, rendered(call.world.put(id_, body, call.author, call.version)))


@room.on("POST", _WORKER + "/move", f"{_WORKERS}/move/action")
async def move_worker(call: Call) -> Reply:
    """Move a worker to another group of the account."""
    worker, wanted = need(call, call.parent), str(call.body.get("hybridRunbookWorkerGroupName") or "")
    group = child(call, "hybridRunbookWorkerGroups", wanted)
    new = f"{group.id}/hybridRunbookWorkers/{ids.parse(worker.id).names[-1]}"
    if new in call.world:
        raise ApiError(409, "Conflict", f"The worker '{worker.name}' already exists in the group '{wanted}'.")
    call.world.delete(worker.id)
    call.world.put(new, {"type": worker.type, "properties": worker.properties}, call.author, call.version)
    return Reply(200)
