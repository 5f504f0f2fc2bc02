"""What runs inside a virtual machine: run commands (the action and the resource) and extensions.

Nothing is really run. What was asked for is remembered in the machine ("ran"), the access extensions set passwords in
it ("users"), and a script prints what the machine's "answers" hold for a part of it.
"""

from typing import Any

from sandbox.azure import operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_store import (
    KIND,
    VM,
    begin,
    hidden,
    machine,
    need_location,
    need_running,
    ran,
    room,
    shown,
    update,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import merged, need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_EXTENSION, _COMMAND = VM + "/extensions/{name}", VM + "/runCommands/{name}"
_EXTENSIONS, _COMMANDS = f"{KIND}/extensions", f"{KIND}/runCommands"
_SCRIPTS = frozenset({"runshellscript", "runpowershellscript"})
_ACCESS = frozenset({"vmaccessforlinux", "vmaccessagent"})
# Written, kept, and never shown again.
_SECRETS = frozenset({"protectedSettings", "protectedParameters", "runAsPassword", "protectedSettingsFromKeyVault"})


@room.on("POST", VM + "/runCommand", f"{KIND}/runCommand/action")
async def run_command(call: Call) -> Reply:
    """Run a script as root or SYSTEM: it leaves nothing in Resource Manager but the activity log."""
    vm, body = machine(call), call.body
    if str(body.get("commandId", "")).lower() not in _SCRIPTS:
        message = f"The command id '{body.get('commandId')}' is not one that the sandbox knows."
        raise ApiError(400, "InvalidParameter", message)
    need_running(vm, "run a command in")
    script = "\n".join(body.get("script") or ())
    return begin(call, "compute.run", vm, {"script": script, "parameters": body.get("parameters") or []})


@operations.effect("compute.run")
def _run(world: World, clock: Clock, args: Json) -> Json | None:
    vm = world.get(args["id"])
    if vm is None:
        return None
    what = {"at": stamp(clock.now()), "by": "runCommand", "script": args["script"], "parameters": args["parameters"]}
    printed = _printed(ran(world, vm, what), args["script"])
    ok = {"level": "Info", "displayStatus": "Provisioning succeeded"}
    if _windows(vm):
        streams = {"StdOut": printed, "StdErr": ""}
        return {"value": [{"code": f"ComponentStatus/{k}/succeeded", **ok, "message": v} for k, v in streams.items()]}
    message = f"Enable succeeded: \n[stdout]\n{printed}\n[stderr]\n"
    return {"value": [{"code": "ProvisioningState/succeeded", **ok, "message": message}]}


@room.on("PUT", _EXTENSION, f"{_EXTENSIONS}/write")
async def put_extension(call: Call) -> Reply:
    """Install or run an extension. A machine takes one of a type."""
    vm, body = machine(call), need_location(call)
    need_running(vm, "modify extensions in")
    properties = body.get("properties") or {}
    handler = (str(properties.get("publisher")).lower(), str(properties.get("type")).lower())
    for other in call.world.beneath(vm.id, _EXTENSIONS):
        if _handler(other) == handler and other.key != call.path.lower():
            system = "Windows" if _windows(vm) else "Linux"
            message = (
                f"Multiple VMExtensions per handler not supported for OS type '{system}'. "
                f"VMExtension '{call.params['name']}' with handler '{properties.get('publisher')}."
                f"{properties.get('type')}' already added or specified in input."
            )
            raise ApiError(400, "BadRequest", message)
    return _put_inside(call, "compute.extension", body)


@operations.effect("compute.extension")
def _installed(world: World, clock: Clock, args: Json) -> None:
    extension = world.get(args["id"])
    vm = world.get(args["id"].rpartition("/extensions/")[0])
    if extension is None or vm is None:
        return
    update(world, extension, {"provisioningState": "Succeeded"})
    p, secret = extension.properties, hidden(extension).get("protectedSettings") or {}
    settings = {**(p.get("settings") or {}), **secret}
    what = {"at": stamp(clock.now()), "by": f"extension {p.get('publisher')}.{p.get('type')}", "settings": settings}
    vm = ran(world, vm, what)
    # The access extensions spell their settings differently on Linux and Windows.
    given = {k.lower().replace("_", ""): v for k, v in settings.items()}
    if str(p.get("type")).lower() in _ACCESS and given.get("username"):
        users = {**hidden(vm).get("users", {}), given["username"]: given.get("password", "")}
        update(world, vm, inside={"users": {k: v for k, v in users.items() if k != given.get("removeuser")}})


@room.on("PUT", _COMMAND, f"{_COMMANDS}/write")
async def put_command(call: Call) -> Reply:
    """Run a script as a resource, which stays as evidence."""
    vm, body = machine(call), need_location(call)
    need_running(vm, "run a command in")
    if not (body.get("properties") or {}).get("source"):
        raise ApiError(400, "InvalidParameter", "Required parameter 'source' is missing (null).")
    return _put_inside(call, "compute.command", body)


@operations.effect("compute.command")
def _commanded(world: World, clock: Clock, args: Json) -> None:
    command = world.get(args["id"])
    vm = world.get(args["id"].rpartition("/runCommands/")[0])
    if command is None or vm is None:
        return
    p, secret, now = command.properties, hidden(command), stamp(clock.now())
    script = p["source"].get("script") or p["source"].get("scriptUri") or p["source"].get("commandId") or ""
    parameters = [*(p.get("parameters") or ()), *(secret.get("protectedParameters") or ())]
    vm = ran(world, vm, {"at": now, "by": f"runCommands/{command.name}", "script": script, "parameters": parameters})
    view = {"executionState": "Succeeded", "exitCode": 0, "output": _printed(vm, script), "error": ""}
    view |= {"startTime": now, "endTime": now}
    update(world, command, {"provisioningState": "Succeeded"}, inside={"instanceView": view})


async def get(call: Call) -> Reply:
    """Read one, with $expand=instanceView what came of it."""
    found = need(call)
    body = shown(found)
    if call.query.get("$expand", "").lower() == "instanceview":
        status = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
        extension = {"name": found.name, "type": ".".join(_handler(found)), "statuses": [status]}
        view = hidden(found).get("instanceView") if found.type.lower() == _COMMANDS.lower() else extension
        body["properties"]["instanceView"] = view
    return Reply(200, body)


async def list_(call: Call) -> Reply:
    """List those of the machine."""
    vm = machine(call)
    return Reply(
        200, {"value": [shown(r) for r in call.world.beneath(vm.id, f"{KIND}/{call.path.rpartition('/')[2]}")]}
    )


async def patch(call: Call) -> Reply:
    """Change one, and run it anew."""
    old = need(call)
    need_running(machine(call), "modify extensions in")
    effect = "compute.command" if old.type.lower() == _COMMANDS.lower() else "compute.extension"
    return _put_inside(call, effect, merged(old.body, call.body), status=200)


async def delete(call: Call) -> Reply:
    """Remove one. Absent: 204."""
    machine(call)
    old = call.world.get(call.path)
    return Reply(204) if old is None else begin(call, "compute.delete", _placed(call, old))


for _path, _kind in ((_EXTENSION, _EXTENSIONS), (_COMMAND, _COMMANDS)):
    room.on("GET", _path, f"{_kind}/read")(get)
    room.on("PATCH", _path, f"{_kind}/write")(patch)
    room.on("DELETE", _path, f"{_kind}/delete")(delete)
    room.on("GET", _path.removesuffix("/{name}"), f"{_kind}/read")(list_)


def _put_inside(call: Call, effect: str, body: Json, status: int = 0) -> Reply:
    old = call.world.get(call.path)
    given = {k: v for k, v in (body.get("properties") or {}).items() if k != "instanceView"}
    secrets = {k: given[k] for k in _SECRETS if given.get(k)}
    properties = {k: v for k, v in given.items() if k not in _SECRETS} | {"provisioningState": "Creating"}
    kept = {k: v for k, v in body.items() if k not in {"sandbox", "systemData"}}
    inside = {**(hidden(old) if old else {}), **secrets}
    whole = {**kept, "properties": properties, **({"sandbox": inside} if inside else {})}
    stored = call.world.put(call.path, whole, call.author, call.version)
    return begin(call, effect, stored, status=status or (200 if old else 201), body=shown(stored))


def _placed(call: Call, resource: Resource) -> Resource:
    # Children may come without a location: they are where their machine is.
    return resource if resource.body.get("location") else update(call.world, resource)


def _handler(extension: Resource) -> tuple[str, str]:
    p = extension.properties
    return str(p.get("publisher")).lower(), str(p.get("type")).lower()


def _printed(vm: Resource, script: str) -> str:
    answers: dict[str, str] = hidden(vm).get("answers") or {}
    return next((text for part, text in answers.items() if part in script), "")


def _windows(vm: Resource) -> bool:
    disk = (vm.properties.get("storageProfile") or {}).get("osDisk") or {}
    return str(disk.get("osType", "")).lower() == "windows" or "windowsConfiguration" in (
        vm.properties.get("osProfile") or {}
    )
