"""What keeps the orchestrations going: turns, activities and timers, and whether there is anything left to do."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Any

from sandbox.functions import clock as clocks
from sandbox.functions.activities import Activities
from sandbox.functions.app import ACTIVITY, App
from sandbox.functions.clock import Clock
from sandbox.functions.events import Kind
from sandbox.functions.history import Activity, Store
from sandbox.functions.orchestrations import Orchestrations
from sandbox.functions.schedule import Schedules

# A clock that stands, or goes backwards, must not make the host spin.
_SHORTEST_SLEEP = timedelta(milliseconds=10)
_LONGEST_SLEEP = timedelta(hours=1)


class Engine:
    """Runs between `start` and `stop`."""

    def __init__(self, app: App, store: Store, clock: Clock, *, limit: int, threads: Executor) -> None:
        self._store, self._clock = store, clock
        functions = app.of_kind(ACTIVITY)
        self.activities = Activities(functions, limit=limit, threads=threads, ended=self._ended)
        self.orchestrations = Orchestrations(app, store, clock, self.activities.add)
        self.schedules = Schedules(app, store, clock)
        self._loops: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()  # there may be something to do
        self._changed = asyncio.Event()  # something was done

    def start(self) -> None:
        """Pick up what was left when the last process ended, and go on."""
        self.activities.add([a for a in self._store.activities()])
        self.wake()
        self._loops = [asyncio.create_task(self._turns()), asyncio.create_task(self._timers())]
