"""One orchestration as its history tells it: which tasks it has made, which of them are open, what a reply adds.

The worker's reply repeats every action from the start and names no ids. Ids are counted by both sides in the order in
which tasks come to be, so this must count as the SDK does (`_add_to_open_tasks` of its context, `RetryAbleTask`):

* An action that is new in a reply makes one task; the parts of WhenAny and WhenAll one each, depth first.
* A failed try of an action with retry makes a timer as soon as the failure is replayed, after the last try too. When
  the timer fires, and tries are left, it makes the next try. No action tells of either.

Within one reply nothing says whether an action came before or after such a failure. So the events that make tasks by
themselves are replayed first (`in_order`): no user code runs on them, so all new actions come after.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from sandbox.functions.events import CREATED, FAILED, Json, Kind, task_id


class Do(IntEnum):
    """The actionType of a reply."""

    ACTIVITY = 0
    ACTIVITY_WITH_RETRY = 1
    CHILD = 2
    CHILD_WITH_RETRY = 3
    CONTINUE_AS_NEW = 4
    TIMER = 5
    WAIT = 6
    CALL_ENTITY = 7
    CALL_HTTP = 8
    SIGNAL_ENTITY = 9
    SCHEDULED_SIGNAL_ENTITY = 10
    ANY = 11
    ALL = 12


# Keyed by number: this is looked up for every action of every turn.
_CREATES: dict[int, Kind] = {
    Do.ACTIVITY: Kind.TASK_SCHEDULED,
    Do.ACTIVITY_WITH_RETRY: Kind.TASK_SCHEDULED,
    Do.CHILD: Kind.CHILD_CREATED,
    Do.CHILD_WITH_RETRY: Kind.CHILD_CREATED,
    Do.TIMER: Kind.TIMER_CREATED,
}
_COMPOUND: frozenset[int] = frozenset({Do.ANY, Do.ALL})
_NO_TASK: frozenset[int] = frozenset({Do.WAIT, Do.CONTINUE_AS_NEW})
_UNSERVED: dict[int, str] = {
    Do.CALL_ENTITY: "call_entity",
    Do.CALL_HTTP: "call_http",
    Do.SIGNAL_ENTITY: "signal_entity",
    Do.SCHEDULED_SIGNAL_ENTITY: "signal_entity",
}
_WORDS = {Kind.TASK_SCHEDULED: "activity", Kind.CHILD_CREATED: "sub-orchestration", Kind.TIMER_CREATED: "timer"}


class Broken(Exception):  # noqa: N818  says what is the matter
    """The orchestration can't go on: it is not deterministic, or wants what this host does not serve."""


@dataclass
class Tries:
    """An action with retry."""

    action: int  # its place among the actions
    kind: Kind  # what a try is
    limit: int
    interval: int  # milliseconds
    made: int = 1


class Wanted(NamedTuple):
    """An action that makes a task."""

    kind: Kind
    name: str  # of the function; "" for a timer
    action: Json


@dataclass(frozen=True)
class New:
    """A task that has yet to be created. `tries` is set for one that a retry policy makes."""

    kind: Kind
    action: Json
    tries: Tries | None = None


class Replay:
    """Fed with a history, event by event."""

    def __init__(self) -> None:
        self.open: dict[int, Kind] = {}  # tasks that have not ended, by id
        self.next_id = 0
        self._made: list[tuple[Kind, str, int]] = []  # kind, name and id of what each action made
        self._tries: dict[int, Tries] = {}  # of open tasks and timers
        self._owed: deque[tuple[Kind, Tries]] = deque()  # made by retry policies, not yet in the history

    def feed(self, event: Json, retry: Json | None = None) -> None:
        """Take the next event; with the retry options if it creates the first try of an action that has any."""
        kind = Kind(event["EventType"])
        if kind in CREATED:
            self._created(kind, event, retry)
        elif (task := task_id(event)) is not None:
            self.open.pop(task, None)
            tries = self._tries.pop(task, None)
            if tries and kind in FAILED:
                self._owed.append((Kind.TIMER_CREATED, tries))
            elif tries and kind is Kind.TIMER_FIRED and tries.made < tries.limit:
                tries.made += 1
                self._owed.append((tries.kind, tries))

    def _created(self, kind: Kind, event: Json, retry: Json | None) -> None:
        task = int(event["EventId"])
        self.open[task], self.next_id = kind, task + 1
        if self._owed:
            self._tries[task] = self._owed.popleft()[1]
            return
        if retry:
            limit, interval = retry["maxNumberOfAttempts"], retry["firstRetryIntervalInMilliseconds"]
            self._tries[task] = Tries(len(self._made), kind, limit, interval)
        self._made.append((kind, event.get("Name") or "", task))

    def in_order(self, arrived: list[Json]) -> list[Json]:
        """The events that arrived, the start first, then those on which a retry policy makes a task."""

        def rank(event: Json) -> int:
            if event["EventType"] == Kind.EXECUTION_STARTED:
                return 0
            tries = self._tries.get(-1 if (task := task_id(event)) is None else task)
            makes = tries and (
                event["EventType"] in FAILED or (event["EventType"] == Kind.TIMER_FIRED and tries.made < tries.limit)
            )
            return 1 if makes else 2

        return sorted(arrived, key=rank)

    def new(self, wanted: list[Wanted]) -> Iterator[New]:
        """What a reply adds, in the order of ids. Each is to be created, and fed, before the next is asked for.

        Raises Broken when the reply does not want what it wanted before.
        """
        for place, (kind, name, task) in enumerate(self._made):
            if place >= len(wanted) or kind is not wanted[place].kind or name != wanted[place].name:
                now = f"the {_WORDS[wanted[place].kind]} {wanted[place].name!r}" if place < len(wanted) else "nothing"
                raise Broken(
                    f"Non-Deterministic workflow detected: a previous execution of this orchestration scheduled the "
                    f"{_WORDS[kind]} {name!r} with sequence id {task}; the current one scheduled {now} in its place. "
                    f"Was the orchestrator changed after this instance had started running?"
                )
        while self._owed:
            kind, tries = self._owed[0]
            yield New(kind, wanted[tries.action].action, tries)
        for kind, _, action in wanted[len(self._made) :]:
            yield New(kind, action)

    def canceled(self, wanted: list[Wanted]) -> list[int]:
        """Close the timers that the orchestrator has canceled since, and return their ids."""
        timers = [task for task, kind in self.open.items() if kind is Kind.TIMER_CREATED]
        if not timers:
            return []
        places = {task: place for place, (_, _, task) in enumerate(self._made)}
        ended = [t for t in timers if t in places and wanted[places[t]].action.get("isCanceled")]
        for task in ended:
            del self.open[task]
        return ended


def continuation(actions: list[Json]) -> Json | None:
    """The "continue as new", if the orchestrator asked for it."""
    return next((a for a in reversed(actions) if a["actionType"] == Do.CONTINUE_AS_NEW), None)


def wanted(actions: list[Json]) -> list[Wanted]:
    """The actions that make a task each. Raises Broken for one that this host does not serve."""
    found: list[Wanted] = []
    for action in actions:
        do = action["actionType"]
        if kind := _CREATES.get(do):
            found.append(Wanted(kind, action.get("functionName", ""), action))
        elif do in _COMPOUND:
            found += wanted(action["compoundActions"])
        elif do not in _NO_TASK:
            name = _UNSERVED.get(do, f"actions of type {do}")
            target = action.get("instanceId") or action.get("httpRequest", {}).get("uri", "")
            raise Broken(f"Not implemented (501): this host does not serve {name}, asked for {target}.")
    return found
