"""What it costs to clean a big subscription: calls, seconds and memory, beside the least that Azure lets it cost.

Each action runs in a process of its own, with its own identity, against a sandbox with latency and Resource Manager's
token buckets. The floor of the time is what those set: the answers that have to be waited for one after the other,
however many calls are made at once, or the time until the buckets have given that many tokens. The fewest calls are all
the different ones that were made, and each change read once more before and after its write: a plan is approved by
people, so that what it was made from may be old.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.table import Table

from responders.model import Case
from sandbox.azure import Clock, Request, Sandbox
from sandbox.azure.throttle import SIZES
from sandbox.azure.well_known import made_up_id
from sandbox.bench.responder import Figures, Order
from sandbox.bench.world import NOW, SUBSCRIPTION, Size, attacked, case

LATENCY = 0.1  # seconds an answer of Azure takes
BIG = Size(assignments=5000, resources=2000, runbooks=300, intruders=50)
GROWING = (100, 1000, 10_000)  # assignments, one in twenty the intruder's
_HERE = Path(__file__).parents[2]


class Needs(NamedTuple):
    """What of an action cannot be left out."""

    depth: int  # answers to be waited for, one after the other, with a page of each list
    pages: tuple[str, ...]  # the lists whose further pages add to that, once for each time they are read
    again: int  # how often what a change writes is read by a call that was made before: right before it, and after it
    lists: tuple[str, ...] = ()  # what is read again, once for all changes
    pause: float = 0  # seconds before it is asked whether Azure has finished


ACTIONS = {
    # The list; names, roles, locks, denials and schedules; each again, deleted, looked for.
    "subscriptions.strip_role_assignments": Needs(5, ("/roleAssignments",), 1),
    # Accounts; runbooks; their scripts and what hangs on them, which again, deleted; runbooks deleted, looked for.
    "subscriptions.remove_runbooks": Needs(
        7, ("/runbooks", "/webhooks", "/webhooks"), 2, ("/webhooks", "/jobSchedules", "/jobs", "/jobs")
    ),
    # The list; api-versions; definitions; templates, which are waited for; each again, deleted, looked for.
    "subscriptions.delete_resources": Needs(8, ("/resources",), 2, pause=0.1),
}


class Run(NamedTuple):
    """One action's."""

    action: str
    figures: Figures
    requests: Sequence[Request]

    @property
    def fewest(self) -> int:
        needs, different = ACTIONS[self.action], {(r.method, r.path.lower(), r.query) for r in self.requests}
        lists = sum(len([1 for _, path, _ in different if path.endswith(end.lower())]) for end in needs.lists)
        return len(different) + needs.again * self.figures.changes + lists

    @property
    def ratio(self) -> float:
        """Calls to the fewest."""
        return len(self.requests) / self.fewest

    @property
    def floor(self) -> float:
        """Seconds."""
        needs = ACTIONS[self.action]
        more = {(r.path.lower(), r.query) for r in self.requests if "skiptoken" in r.query.lower()}
        pages = sum(len([1 for path, _ in more if path.endswith(end.lower())]) for end in needs.pages)
        waiting = (needs.depth + pages) * LATENCY + needs.pause
        return max(waiting, *(self._tokens(kind) for kind in SIZES))

    def _tokens(self, kind: str) -> float:
        """Seconds until a bucket has given as many tokens as the fewest calls take."""
        methods = {"reads": {"GET"}, "deletes": {"DELETE"}, "writes": {"PUT", "POST", "PATCH"}}[kind]
        calls = sum(1 for r in self.requests if r.service == "arm" and r.method in methods)
        size, refill = SIZES[kind]
        return max(0.0, (calls / self.ratio - size) / refill)

    @property
    def refused(self) -> int:
        return sum(1 for r in self.requests if r.status == 429)  # noqa: PLR2004


async def tables() -> AsyncIterator[Table]:
    """All figures."""
    heads = ("changes", "calls", "fewest", "ratio", "429", "plan", "apply", "verify", "seconds", "floor", "ratio")
    size = f"{BIG.assignments:,} assignments, {BIG.resources:,} resources, {BIG.runbooks} runbooks"
    title = f"A subscription of {size}: {BIG.intruders} of each the intruder's, at {LATENCY * 1000:.0f} ms a call"
    table = Table("action", *heads, "peak", title=title)
    for run in await _runs(BIG, tuple(ACTIONS)):
        its = run.figures
        steps = (f"{part:.1f} s" for part in (its.plan, its.apply, its.verify))
        table.add_row(run.action, *_calls(run), *steps, *_seconds(run), f"{its.peak:.0f} MB")
    yield table
    yield await _growth()


async def _growth() -> Table:
    heads = ("changes", "calls", "fewest", "ratio", "429", "seconds", "floor", "ratio", "CPU", "an assignment more")
    table = Table("assignments", *heads, "peak", title="Role assignments stripped, by their number")
    before, first = (0, 0.0), 0.0
    for size in GROWING:
        [run] = await _runs(Size(size, 0, 0, size // 20), ("subscriptions.strip_role_assignments",))
        its = run.figures
        more = (its.cpu - before[1]) / (size - before[0])
        each = "" if not before[0] else f"{more / first:.2f}" if first else "1.00"
        first = first or (more if before[0] else 0.0)
        before = size, its.cpu
        table.add_row(f"{size:,}", *_calls(run), *_seconds(run), f"{its.cpu:.2f} s", each, f"{its.peak:.0f} MB")
    return table


def _calls(run: Run) -> tuple[str, ...]:
    counts = (run.figures.changes, len(run.requests), run.fewest)
    return (*map(str, counts), f"{run.ratio:.2f}", str(run.refused))


def _seconds(run: Run) -> tuple[str, ...]:
    return f"{run.figures.seconds:.1f} s", f"{run.floor:.1f} s", f"{run.figures.seconds / run.floor:.2f}"


async def _runs(size: Size, actions: Sequence[str]) -> list[Run]:
    world = await attacked(size, actions)
    its = case(world)
    async with Sandbox(world, clock=Clock(NOW), latency=LATENCY) as sandbox:
        found = []
        for name in actions:
            first, figures = len(sandbox.requests), await respond(sandbox, name, its)
            if figures.statuses != {"done": figures.changes} or figures.changes != size.intruders:
                raise RuntimeError(f"{name}: {figures.statuses} instead of {size.intruders} done.")
            mine = [r for r in sandbox.requests[first:] if r.service != "login"]
            found.append(Run(name, figures, mine))
        return found


async def respond(sandbox: Sandbox, action: str, its: Case) -> Figures:
    """Have one action done by a process that holds nothing but the responder, as the identity of the action's name."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.bench.responder",
        cwd=_HERE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={
            **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
            **sandbox.environment(made_up_id("app", action)),
            "COUNTERSIGN_SUBSCRIPTIONS": SUBSCRIPTION,
            "COUNTERSIGN_EVIDENCE": "memory://",
        },
    )  # fmt: skip
    said, _ = await process.communicate(msgspec.json.encode(Order(action, its, SUBSCRIPTION)))
    if process.returncode:
        raise RuntimeError(f"The responder ended with {process.returncode} at {action}; why is further up.")
    return msgspec.json.decode(said, type=Figures)


async def _print() -> None:
    from rich.console import Console

    console = Console()
    async for table in tables():
        console.print(table)


if __name__ == "__main__":
    asyncio.run(_print())
