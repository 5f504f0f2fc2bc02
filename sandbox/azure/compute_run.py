"""Run commands: the action (v1), and the resource (v2, "managed"). What a script does in the machine: guest.py.

v1 runs one script at a time in a machine, and answers with the last 4 KB of each stream. v2 keeps its answer in its
instance view. A script that scans is Running for as long as the scan takes, by the sandbox's clock, and TimedOut when
that is longer than timeoutInSeconds; its operation does not wait for that, whatever asyncExecution says.
"""

from datetime import timedelta
from typing import Any

from sandbox.azure import compute_children, guest, guest_linux, guest_run, operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_children import need_agent, need_running
from sandbox.azure.compute_store import MACHINES, begin, machine, need_location, ran, room, shown
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

TAIL = 4096  # bytes of a stream that are shown
LONGEST, USUAL = 90 * 60, 60 * 60  # seconds: of v1, and of v2 that says nothing
AT_ONCE = 25  # v2 commands of a machine
_SYSTEMS = {"runshellscript": "linux", "runpowershellscript": "windows"}


async def run_command(call: Call) -> Reply:
    """Run a script as root or SYSTEM: it leaves nothing in Resource Manager but the activity log."""
    vm, body = machine(call), call.body
    command = str(body.get("commandId", ""))
    if _SYSTEMS.get(command.lower()) != guest.system(vm).lower():
        message = f"The command id '{command}' is not one that the sandbox knows for {guest.system(vm)}."
        raise ApiError(400, "InvalidParameter", message)
    need_running(vm)
    for operation in call.world.operations.values():
        same = operation["effect"] == "compute.run" and operation["args"]["id"] == vm.id
        if same and operation["status"] == "InProgress":
            message = (
                "Run command extension execution is in progress. Please wait for completion before invoking a run "
                "command."
            )
            raise ApiError(409, "Conflict", message)
    script = "\n".join(body.get("script") or ())
    return begin(call, "compute.run", vm, {"script": script, "parameters": body.get("parameters") or []})


@operations.effect("compute.run")
def _run(world: World, clock: Clock, args: Json) -> Json | None:
    vm = world.get(args["id"])
    if vm is None:
        return None
    need_agent(world, vm, "runCommand")
    result = guest_run.run(world, clock, vm, args["script"], args.pop("parameters"))
    _remember(world, clock, vm, "runCommand", args["script"], result)
    if result.took > LONGEST:
        raise ApiError(409, "VMExtensionProvisioningTimeout", f"Run command took longer than {LONGEST // 60} minutes.")
    ok = {"level": "Info", "displayStatus": "Provisioning succeeded"}
    if guest.system(vm) == "Windows":
        streams = {"StdOut": tail(result.output), "StdErr": tail(result.error)}
        return {"value": [{"code": f"ComponentStatus/{k}/succeeded", **ok, "message": v} for k, v in streams.items()]}
    said = "Enable succeeded: "
    if result.code:
        said = f"Enable failed: failed to execute command: command terminated with exit status={result.code}"
        ok = {"level": "Error", "displayStatus": "Provisioning failed"}
    message = f"{said}\n[stdout]\n{tail(result.output)}\n[stderr]\n{tail(result.error)}"
    return {
        "value": [{"code": f"ProvisioningState/{'failed' if result.code else 'succeeded'}", **ok, "message": message}]
    }


async def put(call: Call) -> Reply:
    """Run a script as a resource, which stays as evidence."""
    vm, body = machine(call), need_location(call)
    need_running(vm)
    if not (body.get("properties") or {}).get("source"):
        raise ApiError(400, "InvalidParameter", "Required parameter 'source' is missing (null).")
    if call.path not in call.world and len(call.world.beneath(vm.id, f"{vm.type}/runCommands")) >= AT_ONCE:
        raise ApiError(409, "Conflict", f"VM '{vm.name}' has {AT_ONCE} run commands already, which is the most.")
    return compute_children.put(call, "compute.command", body)


@operations.effect("compute.command")
def _commanded(world: World, clock: Clock, args: Json) -> None:
    command, secrets = world.get(args["id"]), args.pop("secrets")
    vm = world.get(args["id"].rpartition("/runCommands/")[0])
    if command is None or vm is None:
        return
    try:
        need_agent(world, vm, command.name)
    except ApiError:
        compute_children.done(world, command, "Failed")
        raise
    p, now = command.properties, clock.now()
    script = str(p["source"].get("script") or "")
    parameters = [*(p.get("parameters") or ()), *(secrets.get("protectedParameters") or ())]
    who = str(p.get("runAsUser") or "")
    if not script:
        kinds = ", ".join(p["source"])
        result = guest_run.Result("", f"The sandbox runs scripts only, not {kinds}.", guest_run.NOT_MODELLED, 0)
    elif who and not _known(world, vm, who, int(now.timestamp()) // 86400):
        message = f"Failed to lookup RunAs user '{who}'. Looks like user does not exist."
        result = guest_run.Result("", message, 1, 0)
    else:
        result = guest_run.run(world, clock, vm, script, parameters)
        _remember(world, clock, vm, f"runCommands/{command.name}", script, result)
    limit = int(p.get("timeoutInSeconds") or USUAL)
    late = result.took > limit
    view: Json = {"executionState": "TimedOut" if late else "Failed" if result.code else "Succeeded"}
    view |= {"exitCode": -1 if late else result.code, "output": "" if late else tail(result.output)}
    view |= {"error": "" if late else tail(result.error), "startTime": stamp(now)}
    view |= {"endTime": stamp(now + timedelta(seconds=min(result.took, limit)))}
    failed = p.get("treatFailureAsDeploymentFailure") and (late or result.code)
    compute_children.done(world, command, "Failed" if failed else "Succeeded", {"instanceView": view})
    if failed:
        message = f"VM has reported a failure when processing run command '{command.name}': {view['error']}"
        raise ApiError(409, "VMExtensionProvisioningError", message)


async def get(call: Call) -> Reply:
    """Read one, with $expand=instanceView what came of it so far."""
    found = need(call)
    body = shown(found)
    if call.query.get("$expand", "").lower() == "instanceview":
        view = found.hidden.get("instanceView") or {"executionState": "Pending", "exitCode": 0}
        if view.get("endTime", "") > stamp(call.clock.now()):
            view = {
                "executionState": "Running",
                "exitCode": 0,
                "output": "",
                "error": "",
                "startTime": view["startTime"],
            }
        body["properties"]["instanceView"] = view
    return Reply(200, body)


async def patch(call: Call) -> Reply:
    """Change one, and run it anew."""
    return await compute_children.patch(call, "compute.command")


def tail(text: str) -> str:
    """The last 4 KB of a stream."""
    return text.encode()[-TAIL:].decode(errors="ignore")


def _known(world: World, vm: Resource, who: str, today: int) -> bool:
    inside = guest.of(world, vm)
    names = inside["users"] if inside.get("system") == "windows" else guest_linux.accounts(inside, today)
    return who.lower() in {name.lower() for name in names}


def _remember(world: World, clock: Clock, vm: Resource, by: str, script: str, result: guest_run.Result) -> None:
    ran(world, {"vm": vm.id, "at": stamp(clock.now()), "by": by, "script": script, "code": result.code})


for _path, _kind in MACHINES:
    _COMMAND, _COMMANDS = _path + "/runCommands/{name}", f"{_kind}/runCommands"
    room.on("POST", _path + "/runCommand", f"{_kind}/runCommand/action")(run_command)
    room.on("PUT", _COMMAND, f"{_COMMANDS}/write")(put)
    room.on("GET", _COMMAND, f"{_COMMANDS}/read")(get)
    room.on("PATCH", _COMMAND, f"{_COMMANDS}/write")(patch)
    room.on("DELETE", _COMMAND, f"{_COMMANDS}/delete")(compute_children.delete)
    room.on("GET", _path + "/runCommands", f"{_COMMANDS}/read")(compute_children.list_)
