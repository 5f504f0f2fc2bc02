"""What keeps the orchestrations going: turns, activities and timers, and whether there is anything left to do."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta

from sandbox.functions import clock as clocks
from sandbox.functions.activities import Activities
from sandbox.functions.app import ACTIVITY, App, Function, Worker
from sandbox.functions.clock import Clock
from sandbox.functions.events import Kind
from sandbox.functions.history import Activity, Instance, Store
from sandbox.functions.orchestrations import Orchestrations
from sandbox.functions.schedule import Schedules

log = logging.getLogger(__name__)

# A clock that stands, or goes backwards, must not make the host spin.
_SHORTEST_SLEEP = timedelta(milliseconds=10)
_LONGEST_SLEEP = timedelta(hours=1)


class Engine:
    """Runs between `start` and `stop`."""

    def __init__(self, app: App, store: Store, clock: Clock, worker: Worker, *, limit: int) -> None:
        self._store, self._clock, self._worker = store, clock, worker
        self._activities = Activities(app.of_kind(ACTIVITY), worker, limit=limit, ended=self._ended, watch=self._watch)
        self._awake = asyncio.Event()  # an instance is ready for a turn
        self._changed = asyncio.Event()  # something was done
        self._retimed = asyncio.Event()  # a timer was set, or the clock moved
        self.orchestrations = Orchestrations(app, store, clock, run=self._activities.add, woken=self._awake.set)
        self._schedules = Schedules(app, store, clock)
        self._loops: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Pick up what was left when the last process ended, and go on."""
        self._activities.add(self._store.activities())
        self._wake()
        self._loops = [asyncio.create_task(self._turns()), asyncio.create_task(self._timers())]
        for loop in self._loops:
            loop.add_done_callback(self._watch)

    async def stop(self, grace: float) -> None:
        """Begin nothing any more; give what runs `grace` seconds. What does not end is done again after a start."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._activities.stop(grace)
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)

    async def idle(self) -> None:
        """Return when nothing is runnable or running: only timers and external events are waited for.

        Raises what broke the engine, if something did.
        """
        while True:
            self.check()
            if not self._busy:
                self._wake()
                if not self._busy:
                    return
            await self.change()

    def check(self) -> None:
        """Raise what broke the engine, if something did."""
        if self._failure:
            raise self._failure

    def next_timer(self) -> datetime | None:
        """When the next durable timer is due. Timer triggers don't count: there is always a next one."""
        due = self._store.next_timer()
        return clocks.parse(due) if due else None

    def wake(self) -> None:
        """Look at the clock again: it was moved."""
        self._wake()
        self._retimed.set()

    async def change(self) -> None:
        """Return when something has been done."""
        self._changed.clear()
        await self._changed.wait()

    async def finished(self, instance: str, seconds: float) -> Instance | None:
        """Return an instance once it has finished; None when it has not within some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    found = self._store.instance(instance)
                    if found and found.finished:
                        return found
                    await self.change()
        return None

    def errand(self, function: Function, data: object) -> None:
        """Run a function that nobody waits for. Its failure is logged. `data` is JSON."""
        self._send(self._errand(function, data))

    def _send(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        task.add_done_callback(self._watch)

    @property
    def _busy(self) -> bool:
        return self.orchestrations.ready or self._activities.busy or bool(self._errands)

    def _wake(self) -> None:
        """Start what is due by now."""
        if instances := self._store.runnable(clocks.text(self._clock.now())):
            self.orchestrations.wake(*instances)
        for function, late in self._schedules.begin():
            self._send(self._scheduled(function, late=late))

    async def _turns(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self.orchestrations.ready:
                pause = self.orchestrations.turn()
                await asyncio.sleep(pause)  # lets others in: what they bring goes into one turn
            self._changed.set()
            self._retimed.set()

    async def _timers(self) -> None:
        while True:
            self._retimed.clear()
            self._wake()
            times = [at for at in (self.next_timer(), self._schedules.next()) if at]
            wait = min(times, default=self._clock.now() + _LONGEST_SLEEP) - self._clock.now()
            wait = min(max(wait, _SHORTEST_SLEEP), _LONGEST_SLEEP)
            with suppress(TimeoutError):  # wait_for could lose a cancellation that comes along with the event
                async with asyncio.timeout(wait.total_seconds()):
                    await self._retimed.wait()

    async def _errand(self, function: Function, data: object) -> None:
        try:
            await self._worker.run(function, function.decode(json.dumps(data), "json"))
        except Exception:
            log.exception("Function %s failed.", function.name)

    async def _scheduled(self, function: Function, *, late: bool) -> None:
        await self._errand(function, {"IsPastDue": late, "ScheduleStatus": {}, "Schedule": {}})
        self._schedules.end(function)
        self._retimed.set()

    def _ended(self, activity: Activity, kind: Kind, fields: dict[str, str]) -> None:
        with self._store.transaction():
            self.orchestrations.end_activity(activity, kind, **fields)

    def _watch(self, task: asyncio.Task[None]) -> None:
        """A task is over. None of them should end by an exception: if one does, all who wait are to know."""
        if not task.cancelled() and (error := task.exception()):
            log.critical("The host is broken.", exc_info=error)
            self._failure = error
        self._changed.set()
