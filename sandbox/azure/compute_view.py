"""The instance view of a machine: its power, its agent, its disks and its extensions."""

from typing import Any

from sandbox.azure import guest
from sandbox.azure.clock import stamp
from sandbox.azure.compute_store import INSTANCE, INSTANCES, KIND, VM, ephemeral, machine, os_disk, power, room, shown
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource

Json = dict[str, Any]


@room.on("GET", VM + "/instanceView", f"{KIND}/instanceView/read")
@room.on("GET", INSTANCE + "/instanceView", f"{INSTANCES}/instanceView/read")
async def instance_view(call: Call) -> Reply:
    """Read its state."""
    return Reply(200, view(call, machine(call)))


@room.on("POST", VM + "/retrieveBootDiagnosticsData", f"{KIND}/retrieveBootDiagnosticsData/action")
async def boot_diagnostics(call: Call) -> Reply:
    """Make SAS addresses of the console's picture and log."""
    vm = machine(call)
    base = f"https://md-sandbox.blob.storage.azure.net/bootdiagnostics-{vm.name}/{vm.name}"
    names = {"consoleScreenshotBlobUri": "screenshot.bmp", "serialConsoleLogBlobUri": "serialconsole.log"}
    return Reply(200, {k: f"{base}.{name}?sig={call.world.new_id('sas')}" for k, name in names.items()})


def expanded(call: Call, vm: Resource) -> Json:
    """What a GET of a machine answers: with its extensions, and what $expand asks for."""
    body = shown(vm)
    extensions = [{k: v for k, v in shown(e).items() if k != "systemData"} for e in extensions_of(call, vm)]
    if extensions:
        body["resources"] = extensions
    wanted = call.query.get("$expand", "").lower()
    if "userdata" in wanted and vm.properties.get("userData"):
        body["properties"]["userData"] = vm.properties["userData"]
    if "instanceview" in wanted or call.query.get("statusonly", "").lower() == "true":
        body["properties"]["instanceView"] = view(call, vm)
    return body


def view(call: Call, vm: Resource) -> Json:
    """The instance view."""
    at = stamp(call.clock.now())
    state = str(vm.properties.get("provisioningState", "Succeeded")).lower()
    done = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": at,
    }
    statuses = [
        {"code": f"ProvisioningState/{state}", "level": "Info", "displayStatus": f"Provisioning {state}", "time": at}
    ]
    if power(vm) != "creating":
        statuses.append({"code": f"PowerState/{power(vm)}", "level": "Info", "displayStatus": f"VM {power(vm)}"})
    found: Json = {
        "computerName": (vm.properties.get("osProfile") or {}).get("computerName", vm.name),
        "hyperVGeneration": "V2",
        "disks": [{"name": name, "statuses": [done]} for name in _disks(vm)],
        "extensions": [_extension(e, done) for e in extensions_of(call, vm)],
        "statuses": statuses,
    }
    if power(vm) == "running":
        found |= {"vmAgent": _agent(call, vm, at), "osName": guest.system(vm).lower()}
    if ((vm.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics") or {}).get("enabled"):
        found["bootDiagnostics"] = {}  # managed storage: no addresses until they are asked for
    return found


def extensions_of(call: Call, vm: Resource) -> list[Resource]:
    """The machine's extensions."""
    return call.world.beneath(vm.id, f"{vm.type}/extensions")


def _agent(call: Call, vm: Resource, at: str) -> Json:
    if not guest.ready(call.world, vm):
        message = "VM status blob is found but not yet populated."
        status = {"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": "Not Ready"}
        return {"vmAgentVersion": "Unknown", "statuses": [{**status, "message": message, "time": at}]}
    message = "Guest Agent is running"
    status = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"}
    handlers = [
        {"type": f"{e.properties.get('publisher')}.{e.properties.get('type')}", "status": status}
        for e in extensions_of(call, vm)
    ]
    agent: Json = {"vmAgentVersion": "2.11.1.12", "statuses": [{**status, "message": message, "time": at}]}
    return {**agent, "extensionHandlers": handlers} if handlers else agent


def _disks(vm: Resource) -> list[str]:
    names = [] if ephemeral(vm) else [str(os_disk(vm.body).get("name") or f"{vm.name}_OsDisk")]
    data = (vm.properties.get("storageProfile") or {}).get("dataDisks") or ()
    return names + [str(disk.get("name")) for disk in data]


def _extension(extension: Resource, done: Json) -> Json:
    p = extension.properties
    ok = p.get("provisioningState", "Succeeded") != "Failed"
    status = done if ok else {**done, "code": "ProvisioningState/failed/1", "level": "Error", "displayStatus": "Failed"}
    message = extension.hidden.get("message") or ""
    kind = {"name": extension.name, "type": f"{p.get('publisher')}.{p.get('type')}"}
    more = {"message": message} if message else {}
    return {**kind, "typeHandlerVersion": p.get("typeHandlerVersion", "1.0"), "statuses": [{**status, **more}]}
