"""Role assignments of an intruder taken back: ours and Cloud Custodian, each on the same world made anew."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from responders.actions import action
from sandbox import clients
from sandbox.azure import Clock, Sandbox
from sandbox.azure.doorway import Doorway
from sandbox.azure.rbac import ASSIGNMENT
from sandbox.bench.subscription import LATENCY, respond
from sandbox.bench.world import MALLORY, NOW, SUBSCRIPTION, case
from sandbox.peers import estate
from sandbox.peers.environments import program

Json = dict[str, Any]
_ACTION = "subscriptions.strip_role_assignments"
_DELETE = [{"type": "delete"}]


class Stripped(msgspec.Struct, frozen=True, kw_only=True):
    """What one of them came to."""

    who: str
    seconds: float  # of the whole process
    calls: int
    planted: int  # assignments that the intruder gave
    among: int  # all assignments
    left: int  # of what the intruder gave
    touched: int  # of what others gave, or anything else that is not as it was
    said: str  # how it ended


async def ours() -> Stripped:
    """Plan, apply and verify, all of it approved."""

    async def run(sandbox: Sandbox) -> str:
        figures = await respond(sandbox, _ACTION, case(sandbox.world))
        return ", ".join(f"{n} {status}" for status, n in figures.statuses.items())

    return await _measured("countersign", run)


async def custodian() -> list[Stripped]:
    """With two policies: all of a principal, as in its documentation; and what only who knows it all can tell it.

    Who made an assignment, and when, its filters never see: it reads them with api-version 2015-07-01, whose answers it
    cuts down to scope, role and principal. Raises MissingError.
    """
    command = await asyncio.to_thread(program, "custodian", "custodian")

    async def principal(sandbox: Sandbox) -> str:
        return await _custodian(sandbox, command, [_holds(sandbox, MALLORY)])

    async def told(sandbox: Sandbox) -> str:
        role = {"type": "role", "key": "properties.roleName", "op": "eq", "value": "Owner"}
        return await _custodian(sandbox, command, [_holds(sandbox, MALLORY, estate.EVE), role])

    return [
        await _measured("Cloud Custodian: all of the principal", principal),
        await _measured("Cloud Custodian: told holders and role", told),
    ]


def _holds(sandbox: Sandbox, *who: str) -> Json:
    holders = [estate.object_id(sandbox.world, one) for one in who]
    return {"type": "value", "key": "properties.principalId", "op": "in", "value": holders}


async def _measured(who: str, run: Callable[[Sandbox], Awaitable[str]]) -> Stripped:
    world = estate.world(_ACTION, action(_ACTION).permissions)
    before, planted, among = world.snapshot(), estate.planted(world), len(world.list(ASSIGNMENT))
    async with Sandbox(world, clock=Clock(NOW), latency=LATENCY) as sandbox:
        began = time.perf_counter()
        said = await run(sandbox)
        seconds = time.perf_counter() - began
        calls = sum(1 for r in sandbox.requests if r.service != "login")
    after = world.snapshot()
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return Stripped(
        who=who,
        seconds=seconds,
        calls=calls,
        planted=len(planted),
        among=among,
        left=len(planted & after.keys()),
        touched=len(changed - planted),
        said=said,
    )


async def _custodian(sandbox: Sandbox, command: str, filters: list[Json]) -> str:
    """Run one policy. How it ended: its exit status, and what it logged as an error."""
    policy = {"name": "strip", "resource": "azure.roleassignment", "filters": filters, "actions": _DELETE}
    with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
        file = f"{folder}/strip.json"
        who = (SUBSCRIPTION, estate.PEER, estate.SECRET)
        await asyncio.to_thread(Path(file).write_text, json.dumps({"policies": [policy]}))
        async with Doorway(sandbox.endpoints) as doorway:
            its = clients.environment(sandbox, *who, Path(folder), doorway.url)
            process = await asyncio.create_subprocess_exec(
                command, "run", "-s", folder, "--cache-period", "0", file,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "HOME": folder, **its},
            )  # fmt: skip
            said, _ = await process.communicate()
    failed = said.decode().count("delete failed for")
    return f"exit {process.returncode}" + (f", {failed} deletes failed" if failed else "")
