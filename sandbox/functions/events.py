"""The events of a history, as the host writes them for the worker (facts: Durable's orchestration trigger protocol)."""

from enum import IntEnum
from typing import Any

Json = dict[str, Any]


class Kind(IntEnum):
    """EventType."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    CHILD_CREATED = 7
    CHILD_COMPLETED = 8
    CHILD_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20


# How the management API calls them.
NAMES = {
    Kind.EXECUTION_STARTED: "ExecutionStarted",
    Kind.EXECUTION_COMPLETED: "ExecutionCompleted",
    Kind.EXECUTION_TERMINATED: "ExecutionTerminated",
    Kind.TASK_COMPLETED: "TaskCompleted",
    Kind.TASK_FAILED: "TaskFailed",
    Kind.TASK_SCHEDULED: "TaskScheduled",
    Kind.CHILD_CREATED: "SubOrchestrationInstanceCreated",
    Kind.CHILD_COMPLETED: "SubOrchestrationInstanceCompleted",
    Kind.CHILD_FAILED: "SubOrchestrationInstanceFailed",
    Kind.TIMER_CREATED: "TimerCreated",
    Kind.TIMER_FIRED: "TimerFired",
    Kind.EVENT_RAISED: "EventRaised",
    Kind.EXECUTION_SUSPENDED: "ExecutionSuspended",
    Kind.EXECUTION_RESUMED: "ExecutionResumed",
}

CREATED = frozenset({Kind.TASK_SCHEDULED, Kind.CHILD_CREATED, Kind.TIMER_CREATED})  # carry their id as EventId
FAILED = frozenset({Kind.TASK_FAILED, Kind.CHILD_FAILED})
ENDED = FAILED | {Kind.TASK_COMPLETED, Kind.CHILD_COMPLETED, Kind.TIMER_FIRED}
# To the host rather than to the orchestrator: an instance that is suspended takes these only.
CONTROL = frozenset({Kind.EXECUTION_TERMINATED, Kind.EXECUTION_SUSPENDED, Kind.EXECUTION_RESUMED})


def event(kind: Kind, at: str, **fields: object) -> Json:
    """An event that nobody has replayed yet."""
    return {"EventType": kind, "EventId": -1, "IsPlayed": False, "Timestamp": at, **fields}


def task_id(ended: Json) -> int | None:
    """The id of the task that an event ends; None when it ends none."""
    if ended["EventType"] not in ENDED:
        return None
    key = "TimerId" if ended["EventType"] == Kind.TIMER_FIRED else "TaskScheduledId"
    return int(ended[key])
