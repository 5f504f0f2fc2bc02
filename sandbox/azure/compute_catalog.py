"""What a region offers: extensions, which the Azure CLI looks up before it installs one, run commands, sizes.

Of extensions and run commands only those that do something here (compute_extensions.py, compute_run.py); of sizes some.
"""

from collections.abc import Iterable

from sandbox.azure.compute_store import COMPUTE, room
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Reply

_OFFERED: dict[str, dict[str, tuple[str, ...]]] = {
    "Microsoft.Azure.Extensions": {"CustomScript": ("2.1.13",)},
    "Microsoft.Azure.Security": {"IaaSAntimalware": ("1.7.0.10",)},
    "Microsoft.Compute": {"CustomScriptExtension": ("1.10.20",), "VMAccessAgent": ("2.4.10",)},
    "Microsoft.OSTCExtensions": {"VMAccessForLinux": ("1.5.22",)},
}
_PUBLISHERS = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers"
_TYPES = _PUBLISHERS + "/{publisher}/artifacttypes/vmextension/types"
_READ = f"{COMPUTE}/locations/publishers"


@room.on("GET", _PUBLISHERS, f"{_READ}/read")
async def publishers(call: Call) -> Reply:
    """List who publishes."""
    return _named(call, _OFFERED)


@room.on("GET", _TYPES, f"{_READ}/artifacttypes/types/read")
async def types(call: Call) -> Reply:
    """List what somebody publishes."""
    return _named(call, _of(call))


@room.on("GET", _TYPES + "/{type}/versions", f"{_READ}/artifacttypes/types/versions/read")
async def versions(call: Call) -> Reply:
    """List the versions there are of an extension."""
    known = {name.lower(): found for name, found in _of(call).items()}
    if call.params["type"].lower() not in known:
        raise _missing("type", call.params["type"])
    return _named(call, known[call.params["type"].lower()])


# Id -> the system that it is for, and what it runs unless it is told otherwise.
_COMMANDS = {
    "RunPowerShellScript": (
        "Windows",
        "Executes a PowerShell script",
        [
            "param(",
            "    [string]$arg1,",
            "    [string]$arg2",
            ")",
            "Write-Host This is a sample script with parameters $arg1 and $arg2",
        ],
    ),
    "RunShellScript": ("Linux", "Executes a Linux shell script", ["echo $arg1 $arg2"]),
}
_RUN = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/runCommands"
_SCHEMA = "https://schema.management.azure.com/schemas/2016-11-17/runcommands.json"


@room.on("GET", _RUN, f"{COMPUTE}/locations/runCommands/read")
async def commands(call: Call) -> Reply:  # noqa: ARG001  every region has the same
    """List what `run-command invoke` knows."""
    return Reply(200, {"value": [_command(name) for name in _COMMANDS]})


@room.on("GET", _RUN + "/{command}", f"{COMPUTE}/locations/runCommands/read")
async def command(call: Call) -> Reply:
    """Read one, with its script."""
    name = next((name for name in _COMMANDS if name.lower() == call.params["command"].lower()), None)
    if name is None:
        raise ApiError(404, "NotFound", f"The entity was not found: run command '{call.params['command']}'.")
    return Reply(200, {**_command(name), "script": _COMMANDS[name][2], "parameters": []})


def _command(name: str) -> dict[str, object]:
    system, about, _ = _COMMANDS[name]
    return {"$schema": _SCHEMA, "id": name, "osType": system, "label": about, "description": about}


# Name -> cores, memory and temporary disk in MB, data disks.
_SIZES = {
    "Standard_B1s": (1, 1024, 4096, 2),
    "Standard_B2s": (2, 4096, 8192, 4),
    "Standard_D2s_v5": (2, 8192, 0, 4),
    "Standard_D4s_v5": (4, 16384, 0, 8),
    "Standard_D4ds_v5": (4, 16384, 153600, 8),
    "Standard_E4s_v5": (4, 32768, 0, 8),
    "Standard_F72s_v2": (72, 147456, 589824, 32),
    "Standard_NC24ads_A100_v4": (24, 225280, 65536, 8),
}


@room.on(
    "GET",
    "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/vmSizes",
    f"{COMPUTE}/locations/vmSizes/read",
)
async def sizes(call: Call) -> Reply:  # noqa: ARG001  every region has the same
    """List sizes of machines. Others can be made all the same: what a size is makes no difference here."""
    keys = ("numberOfCores", "memoryInMB", "resourceDiskSizeInMB", "maxDataDiskCount")
    each = [
        {"name": name, "osDiskSizeInMB": 1047552, **dict(zip(keys, of, strict=True))} for name, of in _SIZES.items()
    ]
    return Reply(200, {"value": each})


def _of(call: Call) -> dict[str, tuple[str, ...]]:
    wanted = call.params["publisher"].lower()
    found = next((types for name, types in _OFFERED.items() if name.lower() == wanted), None)
    if found is None:
        raise _missing("publisher", call.params["publisher"])
    return found


def _missing(what: str, name: str) -> ApiError:
    return ApiError(404, "NotFound", f"The extension {what} '{name}' was not found.")


def _named(call: Call, names: Iterable[str]) -> Reply:
    where = call.params["location"].lower()
    return Reply(200, [{"id": f"{call.path}/{name}", "name": name, "location": where} for name in names])
