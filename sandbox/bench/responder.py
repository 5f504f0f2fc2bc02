"""One action on one subscription in a process that holds nothing but the responder: its seconds and its memory.

    python -m sandbox.bench.responder < order.json

The environment is that of a Function App. The order: {"action", "case", "subscription"}. Printed is what came of it.
"""

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

import function_app  # a worker holds it all the time
from playbooks.changes import AT_ONCE
from playbooks.run import BATCH
from responders.actions import action
from responders.azure import Azure, explained
from responders.errors import Temporary
from responders.model import Case, Change, Outcome, Subject
from responders.settings import Settings

_PATIENCE = 60  # tries
_PAUSE = 15.0  # seconds until the engine tries again


class Order(msgspec.Struct, frozen=True):
    """What is to be done."""

    action: str
    case: Case
    subscription: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    changes: int
    statuses: dict[str, int]  # what `apply` said
    plan: float  # seconds, and so on
    apply: float
    verify: float
    waited: float  # of these, for Azure to finish what it had accepted
    cpu: float  # seconds of this process in all that
    idle: float  # megabytes before
    peak: float  # megabytes at most

    @property
    def seconds(self) -> float:
        return self.plan + self.apply + self.verify


class _Run:
    """An action, as the workflow runs it: its changes in batches, some at a time."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self.waited = 0.0

    async def all(
        self, doing: Callable[[Change, Azure], Awaitable[Outcome]], changes: Sequence[Change]
    ) -> Counter[str]:
        """Each change once, and once more while it is too early; how often which status came of it."""
        came: Counter[str] = Counter()
        for start in range(0, len(changes), BATCH):
            left = list(changes[start : start + BATCH])
            for _ in range(_PATIENCE):
                room = asyncio.Semaphore(AT_ONCE)
                outcomes = await asyncio.gather(*(self._one(doing, change, room) for change in left))
                came.update(o.status for o in outcomes if o)
                left = [change for change, outcome in zip(left, outcomes, strict=True) if outcome is None]
                if not left:
                    break
                self.waited += _PAUSE
                await asyncio.sleep(_PAUSE)
            came.update({"never settled": len(left)} if left else {})
        return came

    async def _one(
        self, doing: Callable[[Change, Azure], Awaitable[Outcome]], change: Change, room: asyncio.Semaphore
    ) -> Outcome | None:
        async with room:
            try:
                with explained(change.summary):
                    return await doing(change, self._azure)
            except Temporary:
                return None


async def measure(order: Order) -> Figures:
    """Plan, make and verify all that an action proposes."""
    azure, its, idle = Azure(Settings.load()), action(order.action), _megabytes()
    try:
        # As a worker is that has read the alert and found the owner: signed in to both, and with the SDKs loaded.
        await azure.own_id()
        await azure.credential.get_token(f"{azure.settings.graph}/.default")
        _ = azure.authorization(order.subscription).role_assignments, azure.automation(order.subscription).runbook
        run, times, busy = _Run(azure), [time.perf_counter()], time.process_time()
        plan = await its.plan(order.case, Subject(kind="subscription", id=order.subscription), azure)
        times.append(time.perf_counter())
        statuses = await run.all(its.apply, plan.proposed)
        times.append(time.perf_counter())
        await run.all(its.verify, plan.proposed)
        times.append(time.perf_counter())
    finally:
        await azure.close()
    spans = [after - before for before, after in pairwise(times)]
    return Figures(
        changes=len(plan.proposed),
        statuses=dict(statuses),
        plan=spans[0],
        apply=spans[1],
        verify=spans[2],
        waited=run.waited,
        cpu=time.process_time() - busy,
        idle=idle,
        peak=_megabytes(),
    )


def _megabytes() -> float:
    """The most that this process had in memory so far."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says has the memory of whoever started it, on Linux
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    assert function_app.app  # noqa: S101  it is only here to be loaded
    figures = asyncio.run(measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Order)))
    sys.stdout.buffer.write(msgspec.json.encode(figures))
