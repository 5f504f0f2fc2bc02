"""What the management API tells of an instance."""

import json
from collections.abc import Iterable

from sandbox.functions.events import CREATED, NAMES, Json, Kind, task_id
from sandbox.functions.history import Instance

# Of each event, what is told besides its type and time.
_TOLD = ("Reason", "Details", "Name", "InstanceId", "FireAt", "OrchestrationStatus", "Input", "Result")
_HIDDEN = frozenset({"Input", "Result"})  # unless outputs are asked for


def summary(instance: Instance, *, show_input: bool = True) -> Json:
    """The status of an instance, without its history."""
    return {
        "name": instance.name,
        "instanceId": instance.id,
        "runtimeStatus": instance.status,
        "input": _parsed(instance.input) if show_input else None,
        "customStatus": _parsed(instance.custom),
        "output": _parsed(instance.output),
        "createdTime": _seconds(instance.created),
        "lastUpdatedTime": _seconds(instance.updated),
        "historyEvents": None,
    }


def compact(history: Iterable[Json], *, outputs: bool) -> list[Json]:
    """The events of a history, each task told once: where it ended, or where it was made if it is still open."""
    created: dict[int, Json] = {}
    told: list[Json] = []
    for event in history:
        kind = Kind(event["EventType"])
        if kind not in NAMES:
            continue
        item: Json = {"EventType": NAMES[kind], "Timestamp": event["Timestamp"]}
        item |= {k: event[k] for k in _TOLD if event.get(k) is not None and (outputs or k not in _HIDDEN)}
        if kind is not Kind.EVENT_RAISED and "Name" in item:
            item["FunctionName"] = item.pop("Name")
        if "Result" in item:
            item["Result"] = _parsed(item["Result"])
        if kind in CREATED:
            created[event["EventId"]] = item
        elif (task := task_id(event)) is not None and (made := created.pop(task, None)):
            told.remove(made)
            item |= {"ScheduledTime": made["Timestamp"]}
            item |= {k: made[k] for k in ("FunctionName", "InstanceId") if k in made}
        told.append(item)
    return told


def _parsed(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _seconds(stamp: str) -> str:
    """A time as the API writes it: without fractions."""
    return stamp.partition(".")[0] + "Z"
