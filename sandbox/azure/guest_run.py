"""Runs a script in a guest, whatever its system: what run commands and extensions share. See guest.py."""

import shlex
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sandbox.azure import (
    guest,
    guest_jail,
    guest_linux,
    guest_powershell,
    guest_scripts_accounts,
    guest_scripts_scan,
    guest_windows,
    guest_words,
)
from sandbox.azure.clock import Clock
from sandbox.azure.world import Resource, World

__all__ = ["guest_scripts_accounts", "guest_scripts_scan", "run"]  # equivalents of scripts register themselves

Json = dict[str, Any]

NOT_MODELLED = 127
_NO_JAIL = (
    "The sandbox runs scripts of Linux machines in a root directory of their own, and this computer can't make one: "
    "that takes Linux with user namespaces, bash and util-linux. Nothing was run."
)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a script."""

    output: str
    error: str
    code: int
    took: int  # seconds that it takes on the machine's clock


def run(world: World, clock: Clock, vm: Resource, script: str, parameters: Iterable[Mapping[str, Any]] = ()) -> Result:
    """Run a script as root or SYSTEM in a machine; its effect is on the machine's disk when this returns."""
    inside, now = guest.of(world, vm), int(clock.now().timestamp())
    given = [(str(p.get("name") or ""), str(p.get("value") or "")) for p in parameters]
    named = {name: value for name, value in given if name and value}
    if inside.get("system") == "windows":
        result, after = _windows(inside, script, named, vm.key, now)
    elif not guest_jail.available():
        return Result("", _NO_JAIL, NOT_MODELLED, 0)
    else:
        words = [shlex.quote(value) for name, value in given if not name and value]
        result, after = _linux(inside, f"set -- {' '.join(words)}\n{script}" if words else script, named, vm.key, now)
    if after != inside:
        guest.keep(world, vm, after)
    return result


def _linux(inside: Json, script: str, named: Mapping[str, str], seed: str, now: int) -> tuple[Result, Json]:
    scan = {"scanner": str(inside.get("scanner", "")), "scan": int(inside.get("scan_seconds", 0))}
    try:
        ran = guest_jail.run(inside.get("files") or {}, script, named, now=now, **scan)  # type: ignore[arg-type]
    except ValueError as error:
        return Result("", str(error), NOT_MODELLED, 0), inside
    note = "" if not ran.timed_out else f"The sandbox ended the script after {guest_jail.SECONDS} seconds.\n"
    files = guest_linux.sealed(ran.files, f"{seed}{now}")
    return Result(ran.output, ran.error + note, ran.code, ran.took), {**inside, "files": files}


def _windows(inside: Json, script: str, named: Mapping[str, str], seed: str, now: int) -> tuple[Result, Json]:
    after = deepcopy(inside)
    known = guest_powershell.SCRIPTS.get(guest_powershell.digest(script))
    if known is None:
        result = Result(*guest_words.run(after, script, seed), 0)
        guest_windows.dated(inside, after, now)
        return result, after
    call = guest_powershell.Run(after, named, f"{seed}{now}", now)
    try:
        result = Result(known[1](call), "", 0, call.took)
    except guest_words.Failed as error:
        result = Result("", str(error), 1, call.took)
    guest_windows.dated(inside, after, now)
    return result, after
