"""The Azure CLI on a sandbox: whether an independent client sees what is there, and what it deletes is gone."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from responders.actions import action
from sandbox import clients
from sandbox.azure import Clock, Sandbox, World
from sandbox.azure.automation_store import KIND
from sandbox.azure.doorway import Doorway
from sandbox.azure.ids import within
from sandbox.azure.rbac import ASSIGNMENT
from sandbox.bench.world import ACCOUNT, NOW, SCOPE, SUBSCRIPTION
from sandbox.peers import estate
from sandbox.peers.environments import program

Json = dict[str, Any]
Row = tuple[str, ...]
_ACTION = "subscriptions.strip_role_assignments"
_RUNBOOK, _RUNBOOKS, _VERSION = f"{KIND}/runbooks", 120, "2024-10-23"  # more than a page of them


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing: what the CLI lists of it and what there is, and some of it deleted."""

    what: str
    listed: int
    there: int
    agree: bool  # the same ids, and of each the same of what it shows
    deleted: int
    gone: bool  # just these, and nothing else
    seconds: float


class _Cli:
    """Signed in to a sandbox, with a configuration of its own."""

    def __init__(self, az: str, sandbox: Sandbox, folder: str, proxy: str) -> None:
        self._az, self._sandbox = az, sandbox
        own = clients.environment(sandbox, SUBSCRIPTION, estate.PEER, estate.SECRET, Path(folder), proxy)
        quiet = {"AZURE_CORE_COLLECT_TELEMETRY": "0", "AZURE_CORE_NO_COLOR": "1"}
        self._environment = {"PATH": os.environ["PATH"], "HOME": folder, **quiet, **own}

    async def sign_in(self) -> None:
        tenant = self._sandbox.world.tenant
        await self("login", "--service-principal", "-u", estate.PEER, "-p", estate.SECRET, "--tenant", tenant)

    async def __call__(self, *command: str) -> Any:
        """What a command answers. Raises RuntimeError with what it says when it fails."""
        process = await asyncio.create_subprocess_exec(
            self._az, *command, "--output", "json",
            env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"az {' '.join(command[:3])} ended with {process.returncode}: {errors.decode()[-1000:]}")
        return json.loads(said) if said.strip() else None

    async def pages(self, path: str) -> list[Json]:
        """All of a list that no command of the CLI has without extensions."""
        found, url = [], f"https://management.azure.com{path}?api-version={_VERSION}"
        while url:
            page = await self("rest", "--method", "get", "--url", url)
            found += page["value"]
            url = page.get("nextLink") or ""
        return found


async def compare() -> list[Compared]:
    """List and delete role assignments, runbooks and resources. Raises MissingError."""
    az = await asyncio.to_thread(program, "cli", "az")
    world = estate.world(_ACTION, action(_ACTION).permissions)
    for n in range(_RUNBOOKS):
        properties = {"runbookType": "PowerShell", "state": "Published", "creationTime": NOW.isoformat()}
        world.put(f"{ACCOUNT}/runbooks/book{n}", {"type": _RUNBOOK, "location": "westeurope", "properties": properties})
    async with Sandbox(world, clock=Clock(NOW)) as sandbox, Doorway(sandbox.endpoints) as doorway:
        with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
            cli = _Cli(az, sandbox, folder, doorway.url)
            await cli.sign_in()
            return [await _assignments(cli, sandbox), await _runbooks(cli, sandbox), await _resources(cli, sandbox)]


async def _assignments(cli: _Cli, sandbox: Sandbox) -> Compared:
    began, world, shown = (
        time.perf_counter(),
        sandbox.world,
        ("principalId", "principalType", "roleDefinitionId", "scope"),
    )
    listed = await cli("role", "assignment", "list", "--all", "--include-inherited")
    doomed = sorted(r.id for r in world.list(ASSIGNMENT) if r.key in estate.planted(world))[:3]
    before = _Before(world, (_row(item, item, shown) for item in listed), doomed, began)
    there = [_row(r.body, r.properties, shown) for r in world.list(ASSIGNMENT)]
    await cli("role", "assignment", "delete", "--ids", *doomed)
    return before.compared("role assignments", there)


async def _runbooks(cli: _Cli, sandbox: Sandbox) -> Compared:
    began, world, shown = time.perf_counter(), sandbox.world, ("runbookType", "state", "creationTime")
    listed = await cli.pages(f"{ACCOUNT}/runbooks")
    doomed = [f"{ACCOUNT}/runbooks/book{n}" for n in (3, 5)]
    before = _Before(world, (_row(item, item["properties"], shown) for item in listed), doomed, began)
    there = [_row(r.body, r.properties, shown) for r in world.list(_RUNBOOK)]
    await cli("resource", "delete", "--ids", *doomed, "--api-version", _VERSION)
    return before.compared("runbooks", there)


async def _resources(cli: _Cli, sandbox: Sandbox) -> Compared:
    began, world, shown = time.perf_counter(), sandbox.world, ("location",)
    listed = await cli("resource", "list", "--subscription", SUBSCRIPTION)
    tracked = [r.body for r in world.beneath(SCOPE) if "location" in r.body and "/providers/" in r.key]
    doomed = [r["id"] for r in tracked if "storageAccounts" in r["id"]][:2]
    before = _Before(world, (_row(item, item, shown) for item in listed), doomed, began)
    there = [_row(body, body, shown) for body in tracked]
    await cli("resource", "delete", "--ids", *doomed)
    return before.compared("resources", there)


def _row(item: Json, properties: Json, shown: Iterable[str]) -> Row:
    return (str(item["id"]).lower(), str(item["type"]), *(str(properties[name]) for name in shown))


class _Before:
    """A world before something is deleted, and what the CLI listed of it."""

    def __init__(self, world: World, listed: Iterable[Row], doomed: list[str], began: float) -> None:
        self._world, self._listed, self._doomed, self._began = world, sorted(listed), doomed, began
        self._snapshot = world.snapshot()

    def compared(self, what: str, there: Iterable[Row]) -> Compared:
        """Now that it is deleted."""
        there = sorted(there)
        left = {k: body for k, body in self._snapshot.items() if not any(within(k, id_) for id_ in self._doomed)}
        return Compared(
            what=what,
            listed=len(self._listed),
            there=len(there),
            agree=self._listed == there,
            deleted=len(self._doomed),
            gone=len(left) < len(self._snapshot) and left == self._world.snapshot(),
            seconds=time.perf_counter() - self._began,
        )
