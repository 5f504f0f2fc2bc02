"""What a response costs, measured in one run on this machine: time and calls, cold start, redelivery.

Nothing here is asserted: seconds are of this machine; the ratios and the counts are what to look at.
"""

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from sandbox import alerting
from sandbox.azure import Clock, Request, Sandbox, raise_alert
from sandbox.azure.directory_file import UserEntry
from sandbox.bench import identities, investigation, subscription, vms
from sandbox.demo import DEMO
from sandbox.drill import Drill
from sandbox.host import Host
from sandbox.people import People
from sandbox.scene import Scene, load
from sandbox.stage import build, environment, identity

Json = dict[str, Any]
LATENCIES = (0.0, 0.05)  # seconds an answer of Azure takes
ALERTS, TIMES = 200, 5


async def bench() -> int:
    """Measure, and print."""
    console = Console()
    console.print(await _responses())
    console.print(_cold_start())
    console.print(await _redelivery())
    console.print(await identities.table())
    async for table in subscription.tables():
        console.print(table)
    console.print(await vms.table())
    for table in investigation.tables():
        console.print(table)
    return 0


async def _responses() -> Table:
    table = Table("latency", "to plan", "to done", "calls", "different", "ratio", title=f"One response: {DEMO.stem}")
    for latency in LATENCIES:
        moments, requests = await _respond(load(DEMO), latency)
        different = _different(requests)
        table.add_row(
            f"{latency * 1000:.0f} ms",
            f"{moments['plan']:.2f} s",
            f"{moments['done']:.2f} s",
            str(len(requests)),
            str(different),
            f"{len(requests) / different:.2f}",
        )
    return table


async def _respond(scene: Scene, latency: float) -> tuple[Mapping[str, float], list[Request]]:
    """Seconds from the delivery of the alert to the first plan, and to the end; the responder's calls to Azure."""
    moments: dict[str, float] = {}

    def tell(event: str, what: Json) -> None:
        if event == "incident" and what["gates"]:
            moments.setdefault("plan", time.perf_counter())

    with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
        async with (
            Sandbox(build(scene), clock=Clock(scene.now), latency=latency) as sandbox,
            People(sandbox, scene) as people,
        ):
            host = Host(Path(folder), environment(scene, sandbox, Path(folder)), sandbox)
            drill = Drill(scene, sandbox, people, host, tell)
            try:
                await drill.attack()
                first, began = len(sandbox.requests), time.perf_counter()
                await drill.answering.respond(await drill.deliver())
                moments["done"] = time.perf_counter()
            finally:
                await host.stop()
            mine = [r for r in sandbox.requests[first:] if r.caller == identity(scene) and r.service != "login"]
    return {name: at - began for name, at in moments.items()}, mine


def _different(requests: Sequence[Request]) -> int:
    """How many of the calls differ: fewer would do only if nothing were read again before and after a write."""
    return len({(r.method, r.path.lower(), r.query) for r in requests})


def _cold_start(runs: int = 7) -> Table:
    """Import times of whole processes, in turn, so that a drifting machine drifts for both."""
    programs = {
        "azure.functions and azure.durable_functions": "import azure.functions, azure.durable_functions",
        "function_app": "import function_app",
        "neither (the interpreter)": "pass",
    }
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(runs + 1):
        for name, program in programs.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603
            taken[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    idle = medians["neither (the interpreter)"]
    base, ours = (medians[name] - idle for name in list(programs)[:2])
    table = Table("import of", "median", "ratio", title="Cold start")
    table.add_row("azure.functions and azure.durable_functions", f"{base * 1000:.0f} ms", "1.00")
    table.add_row("function_app", f"{ours * 1000:.0f} ms", f"{ours / base:.2f}")
    return table


async def _redelivery() -> Table:
    """Deliver some alerts several times each, in any order and many at once."""
    scene = _crowd(load(DEMO))
    with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
        async with Sandbox(build(scene), clock=Clock(scene.now)) as sandbox, People(sandbox, scene) as people:
            host = Host(Path(folder), environment(scene, sandbox, Path(folder)), sandbox)
            await host.start()
            try:
                events = _events(scene, sandbox) * TIMES
                random.Random(1).shuffle(events)  # noqa: S311  the same order each run
                began = time.perf_counter()
                await _deliver(host, events)
                delivered = time.perf_counter() - began
                await host.idle()
                settled = time.perf_counter() - began
                listed = await people.ask("get", f"{host.url}/api/incidents", scene.role("Approver")[0], None, {})
            finally:
                await host.stop()
    table = Table("deliveries", "alerts", "incidents", "taken in", "all asked", title="Redelivery")
    figures = (len(events), ALERTS, len(listed["incidents"]))
    table.add_row(*map(str, figures), f"{delivered:.1f} s", f"{settled:.1f} s")
    return table


async def _deliver(host: Host, events: Sequence[Json]) -> None:
    room, key = asyncio.Semaphore(32), await host.key("eventgrid_extension")
    target = f"{host.url}/runtime/webhooks/eventgrid?functionName=on_event&code={key}"
    async with aiohttp.ClientSession(headers={"aeg-event-type": "Notification"}) as session:

        async def one(event: Json) -> None:
            async with room, session.post(target, json=[event]) as answer:
                answer.raise_for_status()

        await asyncio.gather(*(one(event) for event in events))


def _crowd(scene: Scene) -> Scene:
    """The scene with one more user for each alert, so that no two alerts have one root cause."""
    users = tuple(UserEntry(upn=f"user{n}@contoso.example", name=f"User {n}") for n in range(ALERTS))
    world = msgspec.structs.replace(scene.world, users=(*scene.world.users, *users))
    return msgspec.structs.replace(scene, world=world)


def _events(scene: Scene, sandbox: Sandbox) -> list[Json]:
    events = []
    for n in range(ALERTS):
        account = {"type": "account", "name": f"user{n}", "upnSuffix": "contoso.example"}
        at = scene.now - timedelta(minutes=1, seconds=n)
        subscription = scene.world.responder.subscriptions[0]
        alert = raise_alert(sandbox.world, sandbox.clock, "ARM_OperationFromSuspiciousIP", subscription, at, [account])
        events += alerting.event(alert)
    return events
