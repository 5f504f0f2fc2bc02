"""Managed run commands: a script in a machine, as a resource that keeps what came of it.

Beneath machines and instances of scale sets alike. Microsoft.Compute/…/runCommands, api-version 2024-07-01.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from responders.azure import absent_is_fine
from responders.model import Json
from responders.vms import machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.vms.machine import Machine

VERSION = "2024-07-01"
# Of machines, and of instances of scale sets.
READ = tuple(f"{kind}/runCommands/read" for kind in machine.KINDS)
RIGHTS = tuple(f"{kind}/runCommands/{verb}" for kind in machine.KINDS for verb in ("read", "write", "delete"))
PREFIX = "countersign-"  # of the names of ours
_SCRIPTS = Path(__file__).parent / "scripts"
_OVER = frozenset({"Succeeded", "Failed", "TimedOut", "Canceled"})


@cache
def script(name: str) -> str:
    """The text of a file of scripts/."""
    return (_SCRIPTS / name).read_text(encoding="utf-8")


async def start(
    azure: "Azure",
    vm: "Machine",
    name: str,
    text: str,
    hours: int,
    *,
    given: Mapping[str, str] = {},
    secret: Mapping[str, str] = {},
) -> None:
    """Have a script run, and wait for nothing: Azure ends it after so many hours.

    `given` are its parameters, `secret` its protected ones, which no answer of Azure ever shows.
    """
    properties: Json = {"source": {"script": text}, "asyncExecution": True, "timeoutInSeconds": hours * 3600}
    for field, values in (("parameters", given), ("protectedParameters", secret)):
        if values:
            properties[field] = [{"name": key, "value": value} for key, value in values.items()]
    body = {"location": vm.location, "properties": properties}
    await azure.arm("PUT", f"{vm.id}/runCommands/{name}", VERSION, body=body)


async def read(azure: "Azure", id_: str) -> Json | None:
    """One with its instance view ({executionState, exitCode, output, error, startTime, endTime}), or None.

    What output and error hold was written by the machine: text from outside.
    """
    return await azure.arm_read(id_, VERSION, {"$expand": "instanceView"})


async def delete(azure: "Azure", id_: str) -> None:
    """Remove one. What it did in the machine stays."""
    with absent_is_fine():
        await azure.arm("DELETE", id_, VERSION)


def view(command: Json) -> Json:
    """The instance view of one that was read."""
    return dict(command["properties"].get("instanceView") or {})


def over(command: Json) -> bool:
    """Whether its script has come to its end, in whatever way; or never began."""
    failed = command["properties"].get("provisioningState") == "Failed"
    return failed or view(command).get("executionState") in _OVER
