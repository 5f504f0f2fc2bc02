"""Activities: run with a bound, at least once. One that is cut off by the end of the process is run again."""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable, Mapping

from sandbox.functions.app import Function, Worker
from sandbox.functions.events import Kind
from sandbox.functions.history import Activity

log = logging.getLogger(__name__)

# Takes what came of an activity: kind and fields of the event.
Ended = Callable[[Activity, Kind, dict[str, str]], None]


class Activities:
    """The activities that wait and those that run."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        worker: Worker,
        *,
        limit: int,
        ended: Ended,
        watch: Callable[[asyncio.Task[None]], None],
    ) -> None:
        """`ended` takes what came of an activity; `watch` sees every task that ran one, when it is over."""
        self._functions, self._worker, self._limit, self._ended, self._watch = functions, worker, limit, ended, watch
        self._waiting: deque[Activity] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether any waits or runs."""
        return bool(self._waiting or self._running)

    def add(self, activities: list[Activity]) -> None:
        """Have them run, as soon as there is room."""
        self._waiting.extend(activities)
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._limit:
            task = asyncio.create_task(self._work(self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._watch(task)
        self._fill()

    async def stop(self, grace: float) -> None:
        """Begin none any more; give those that run `grace` seconds, then leave them to the next start."""
        self._waiting.clear()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _work(self, activity: Activity) -> None:
        kind, fields = await self._run(activity)
        self._ended(activity, kind, fields)

    async def _run(self, activity: Activity) -> tuple[Kind, dict[str, str]]:
        try:
            function = self._functions[activity.name]
            argument = function.decode(activity.input or "null", "string")
            result = await self._worker.run(function, argument)
            return Kind.TASK_COMPLETED, {"Result": function.encode(result)}
        except Exception as error:
            log.info("Activity %s of %s failed.", activity.name, activity.instance, exc_info=True)
            reason = f"Activity function '{activity.name}' failed: {type(error).__name__}: {error}"
            return Kind.TASK_FAILED, {"Reason": reason, "Details": "".join(traceback.format_exception(error))}
