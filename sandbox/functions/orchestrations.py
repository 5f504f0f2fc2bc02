"""The replay loop: history in, actions out; what is new is done, and all of a turn is written in one transaction.

Turns run on the event loop, one after the other, without a pause between reading messages and writing what came of
them: nothing can change meanwhile. Orchestrators are pure and quick by contract, and share one interpreter anyway.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from time import monotonic
from typing import Any
from uuid import uuid4

from sandbox.functions import clock as clocks
from sandbox.functions.app import ACTIVITY, ORCHESTRATOR, App, Function
from sandbox.functions.clock import Clock
from sandbox.functions.events import Json, Kind, event
from sandbox.functions.history import Activity, Instance, Store
from sandbox.functions.turn import AlreadyExists, Run, Turn

# On Azure Storage the SDK makes a chain of three-day timers of one beyond six days. Other providers know no limit.
_STORAGE_LIMITS = {"maximumShortTimerDuration": "6.00:00:00", "longRunningTimerIntervalDuration": "3.00:00:00"}


class Orchestrations:
    """All instances of an app. But for `turn` and `wake`, call everything inside a transaction of the store."""

    def __init__(
        self, app: App, store: Store, clock: Clock, *, run: Callable[[list[Activity]], None], woken: Callable[[], None]
    ) -> None:
        """`run` takes what a turn has scheduled, after it was written; `woken` hears that one is ready for a turn."""
        self._store, self._clock, self._run_activities, self._woken = store, clock, run, woken
        self._orchestrators, self._activities = app.of_kind(ORCHESTRATOR), app.of_kind(ACTIVITY)
        self._runs: dict[str, Run] = {}
        self._ready: dict[str, None] = {}  # a set that keeps its order
        self._scheduled: list[Activity] = []
        settings = app.extension("durableTask")
        self._version = settings.get("defaultVersion", "")
        storage = settings.get("storageProvider", {}).get("type", "AzureStorage").lower() == "azurestorage"
        self._limits: Json = _STORAGE_LIMITS if storage else dict.fromkeys(_STORAGE_LIMITS)
        _remember_timestamps()

    @property
    def ready(self) -> bool:
        """Whether any instance has something to do."""
        return bool(self._ready)

    def wake(self, *instances: str) -> None:
        """Give instances a turn."""
        self._ready.update(dict.fromkeys(instances))
        self._woken()

    def turn(self) -> float:
        """Let the instance that has waited longest take what has arrived for it. There must be one.

        Returns for how many seconds to let it be: while it waits for several tasks, for as long as the turn took. What
        ends meanwhile is then taken in one turn; else a fan-out of n would replay its long history n times.
        """
        began = monotonic()
        name = next(iter(self._ready))
        del self._ready[name]
        now = clocks.text(self._clock.now())
        instance, messages = self._store.instance(name), self._store.messages(name, now)
        if not instance or not messages:
            return 0
        if instance.finished:  # while the message was being read
            self._store.forget_messages(name)
            return 0
        # Out of memory until all is written: a turn that fails leaves the half-fed replay to the garbage collector.
        run = self._runs.pop(name, None)
        if not run or run.execution != instance.execution:
            run = Run.read(instance, self._store)
        self._scheduled = []
        with self._store.transaction():
            turn = Turn(instance, run, self._store, self, now)
            goes_on = turn.take(messages, self._orchestrators.get(instance.name), self._limits)
        if goes_on:
            self._runs[name] = run
        if self._scheduled:
            self._run_activities(self._scheduled)
        return monotonic() - began if len(run.replay.open) > 1 else 0

    def create(self, name: str, instance: str, input_: str | None, version: str | None = None) -> None:
        """Start an orchestration. `input_` is JSON, or None. A finished instance of that id is replaced.

        Raises AlreadyExists when there is an unfinished one, LookupError when there is no such function.
        """
        self._create(name, instance, input_, version, None)

    def start(self, name: str, instance: str, input_: str | None, version: str | None, parent: Json) -> None:
        """Start a sub-orchestration, for the parent {"instance", "execution", "task"}. Raises as `create` does."""
        self._create(name, instance, input_, version, json.dumps(parent))

    def _create(self, name: str, instance: str, input_: str | None, version: str | None, parent: str | None) -> None:
        _check(name, "orchestrator", self._orchestrators)
        if (old := self._store.instance(instance)) and not old.finished:
            raise AlreadyExists(f"An Orchestration instance with the status {old.status} already exists.")
        self.purge(instance)
        now = clocks.text(self._clock.now())
        version = self._version if version is None else version
        new = Instance(instance, uuid4().hex, name, version, parent, input_, "Pending", None, None, now, now)
        self._store.put_instance(new)
        self.begin(new)

    def begin(self, instance: Instance) -> None:
        """Start the first turn of a new execution."""
        fields = {"Name": instance.name, "Version": instance.version, "Input": instance.input}
        self.send(instance.id, instance.execution, Kind.EXECUTION_STARTED, **fields)

    def send(self, instance: str, execution: str, kind: Kind, **fields: Any) -> None:
        """Leave a message for an execution; for whichever is there when `execution` is ""."""
        self._store.send(instance, execution, event(kind, clocks.text(self._clock.now()), **fields))
        self.wake(instance)

    def reply(self, instance: str, execution: str, kind: Kind, **fields: Any) -> None:
        """Leave a message, unless that execution is over: then nobody waits for it."""
        there = self._store.instance(instance)
        if there and not there.finished and there.execution == execution:
            self.send(instance, execution, kind, **fields)

    def schedule(self, activity: Activity) -> None:
        """Have an activity run. Raises LookupError when there is no such function."""
        _check(activity.name, "activity", self._activities)
        self._store.put_activity(activity)
        self._scheduled.append(activity)

    def end_activity(self, activity: Activity, kind: Kind, **fields: str) -> None:
        """Take what came of an activity."""
        self._store.end_activity(activity)
        self.reply(activity.instance, activity.execution, kind, TaskScheduledId=activity.task, **fields)

    def purge(self, instance: str) -> None:
        """Forget an instance, whatever its status."""
        self._store.forget(instance)
        self._runs.pop(instance, None)


def _check(name: str, kind: str, known: Mapping[str, Function]) -> None:
    if name not in known:
        names = ", ".join(f"'{one}'" for one in known)
        raise LookupError(
            f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. "
            f"Additional info: The following are the known {kind} functions: {names}."
        )


def _remember_timestamps() -> None:
    """Have the SDK parse each timestamp once.

    Every turn hands it the whole history again, and most of its time goes into reading the same times. In Azure that
    is spread over many machines; here it would make a thousand activities in sequence take minutes.
    """
    module: Any = import_module("azure.durable_functions.models.history.HistoryEvent")  # hidden by its class
    if not hasattr(module.dt_parse, "cache_info"):
        module.dt_parse = lru_cache(maxsize=1 << 15)(module.dt_parse)
