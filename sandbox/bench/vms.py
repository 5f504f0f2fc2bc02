"""What it costs to clean many machines of one incident side by side: calls and time, beside what Azure's limits allow.

The whole response, with its gates, people who answer at once, and a host whose clock jumps to the next timer; what
Azure does to a machine takes half a minute, and its limits for each machine and for the subscription hold. The time is
that of the sandbox's clock, until the last call about a machine: what comes after waits for Entra's audit log. The
floor is the longest of what cannot be left out: how long Azure itself is at work on the machine that has most done to
it, with the scan of its disk, and the time until its buckets have given as many tokens as the calls take.
"""

import asyncio
import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.table import Table

from sandbox.azure import Clock, Request, Sandbox
from sandbox.azure.compute_limits import LIMITS
from sandbox.azure.compute_store import machine_id
from sandbox.azure.throttle import SIZES
from sandbox.azure.world import Pace
from sandbox.drill import Drill
from sandbox.host import Host
from sandbox.people import People
from sandbox.scene import EXERCISES, Scene, load
from sandbox.stage import build, environment, identity
from sandbox.world_file import Machine

Json = dict[str, Any]

MACHINES = (1, 10, 50)
PACE = 30  # seconds that anything takes that Azure does to a machine
SCAN = 1800  # seconds that a scan of the machine that was taken over takes
_OF_MACHINE = re.compile(r"(?:vm-web|nic-web|osdisk-web)-1-(\d+)")
_SCENE = EXERCISES / "vm-run-command.yaml"


class Figures(NamedTuple):
    """Of one response."""

    machines: int
    requests: Sequence[Request]  # of the responder
    took: float  # seconds by the sandbox's clock
    busy: float  # of these, how long Azure was at work on the machine that has most done to it
    left: str  # what the incident came to

    @property
    def refused(self) -> int:
        return sum(r.status == 429 for r in self.requests)  # noqa: PLR2004

    @property
    def floor(self) -> float:
        return max(self.busy + SCAN, self._by_machine(), self._by_subscription())

    def _by_machine(self) -> float:
        """Seconds until the busiest machine's buckets have given what the calls about it take."""
        calls = Counter[tuple[str, str]]()
        for r in self.requests:
            if "/virtualmachines/" in r.path.lower() and r.status != 429:  # noqa: PLR2004
                slow = r.method == "DELETE" or r.path.endswith("/deallocate")
                policy = "GetVM" if r.method == "GET" else "DeleteVM" if slow else "UpdateVM"
                calls[machine_id(r.path).lower(), policy] += 1
        waits = ((n - LIMITS[policy][0]) / (LIMITS[policy][1] / 60) for (_, policy), n in calls.items())
        return max(0.0, *waits)

    def _by_subscription(self) -> float:
        kinds = {"reads": {"GET"}, "deletes": {"DELETE"}, "writes": {"PUT", "POST", "PATCH"}}
        waits = []
        for kind, methods in kinds.items():
            calls = sum(r.service == "arm" and r.method in methods for r in self.requests)
            waits.append((calls - SIZES[kind][0]) / SIZES[kind][1])
        return max(0.0, *waits)


async def table() -> Table:
    """One row for each number of machines."""
    heads = ("calls", "each", "429", "took", "floor", "ratio", "came to")
    title = f"Machines cleaned side by side: {SCAN} s a scan, {PACE} s for what Azure does"
    found = Table("machines", *heads, title=title)
    for count in MACHINES:
        its = await measure(count)
        calls = len(its.requests)
        times = (f"{its.took:.0f} s", f"{its.floor:.0f} s", f"{its.took / its.floor:.2f}")
        found.add_row(str(count), str(calls), f"{calls / count:.0f}", str(its.refused), *times, its.left)
    return found


async def measure(count: int) -> Figures:
    """Respond to an incident with so many machines."""
    scene = _crowd(load(_SCENE), count)
    with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
        async with Sandbox(build(scene), clock=Clock(scene.now)) as sandbox, People(sandbox, scene) as people:
            host = Host(Path(folder), environment(scene, sandbox, Path(folder)), sandbox)
            drill = Drill(scene, sandbox, people, host, lambda *_: None)
            try:
                await drill.attack()
                sandbox.world.pace = Pace(seconds=PACE)
                sandbox.world.state.setdefault("compute", {})["limits"] = True
                drill.answering.rounds = 100 * count + 300
                before = set(sandbox.world.operations)
                first, began = len(sandbox.requests), sandbox.clock.now()
                await drill.answering.respond(await drill.deliver())
            finally:
                await host.stop()
            mine = [r for r in sandbox.requests[first:] if r.caller == identity(scene) and r.service != "login"]
            took = max((r.at - began).total_seconds() for r in mine if _OF_MACHINE.search(r.path))
            made = [o for id_, o in sandbox.world.operations.items() if id_ not in before]
            return Figures(count, mine, took, _busy(made), str(drill.answering.incident.get("result")))


def _busy(operations: Sequence[Json]) -> float:
    """The longest time in which something was under way of one machine, in seconds; overlaps count once."""
    begun: dict[str, list[datetime]] = {}
    for operation in operations:
        if found := _OF_MACHINE.search(json.dumps(operation["args"])):
            begun.setdefault(found[1], []).append(datetime.fromisoformat(operation["started"]))
    most = 0.0
    for times in begun.values():
        last, total = None, 0.0
        for at in sorted(times):
            total += PACE if last is None else min(PACE, (at - last).total_seconds())
            last = at
        most = max(most, total)
    return most


def _crowd(scene: Scene, count: int) -> Scene:
    """The scene with so many machines more, like its first, on each of which the intruder ran the same."""
    body = next(r for r in scene.world.resources if r["id"].endswith("/virtualMachines/vm-web-1"))
    names = {"vm-web-1", "osdisk-web-1", "nic-web-1"}
    models = [r for r in scene.world.resources if r["id"].rpartition("/")[2] in names]
    made = [_numbered(r, n) for n in range(count) for r in models]
    attack = [call for call in scene.exercise.attack if body["id"] in call.target][:1]
    more = [
        msgspec.structs.replace(call, post=call.post.replace("vm-web-1", f"vm-web-1-{n}"))
        for n in range(count)
        for call in attack
    ]
    machines = [
        Machine(id=r["id"], scanner="clamav", scan_seconds=SCAN) for r in made if "/virtualMachines/" in r["id"]
    ]
    world = msgspec.structs.replace(
        scene.world, resources=(*scene.world.resources, *made), machines=(*scene.world.machines, *machines)
    )
    lines: Mapping[str, int] = {**scene.lines, **{f"attack[{n}]": 0 for n in range(len(more))}}
    exercise = msgspec.structs.replace(scene.exercise, attack=tuple(more))
    return msgspec.structs.replace(scene, world=world, exercise=exercise, lines=lines)


def _numbered(resource: Json, n: int) -> Json:
    text = json.dumps(resource)
    for name in ("vm-web-1", "osdisk-web-1", "nic-web-1"):
        text = text.replace(name, f"{name}-{n}")
    made: Json = json.loads(text)
    if vm := made["properties"].get("vmId"):
        made["properties"]["vmId"] = f"{vm[:-4]}{n:04d}"
    return made


if __name__ == "__main__":
    from rich.console import Console

    Console().print(asyncio.run(table()))
