"""One turn of one orchestration: its messages in, the worker's reply out, and what comes of it."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import azure.functions as func

from sandbox.functions import clock as clocks
from sandbox.functions.app import Function
from sandbox.functions.events import CONTROL, Json, Kind, event
from sandbox.functions.history import Activity, Instance, Message, Store
from sandbox.functions.replay import Broken, New, Replay, continuation, wanted

_LABEL = "\n\n$OutOfProcData$:"  # what the SDK puts between an orchestrator's error and the state


class AlreadyExists(Exception):  # noqa: N818  the word of the API
    """An instance of that id has not finished."""


@dataclass
class Run:
    """What is kept in memory of an instance between turns. It can be made again from the file."""

    execution: str
    replay: Replay = field(default_factory=Replay)
    past: list[str] = field(default_factory=list)  # events, as JSON

    @classmethod
    def read(cls, instance: Instance, store: Store) -> "Run":
        run = cls(instance.execution)
        for text, retry in store.history(instance.id):
            run.past.append(text)
            run.replay.feed(json.loads(text), json.loads(retry) if retry else None)
        return run


class Others(Protocol):
    """All that a turn does to other instances and other parts of the host. Orchestrations is it."""

    def start(self, name: str, instance: str, input_: str | None, version: str | None, parent: Json) -> None:
        """Start a sub-orchestration. Raises AlreadyExists or LookupError."""

    def begin(self, instance: Instance) -> None:
        """Start the first turn of a new execution."""

    def reply(self, instance: str, execution: str, kind: Kind, **fields: Any) -> None:
        """Send a message, unless that execution is over."""

    def schedule(self, activity: Activity) -> None:
        """Have an activity run. Raises LookupError when there is no such function."""


class _Reply(NamedTuple):
    done: bool
    actions: list[Json]
    output: Any = None
    error: str | None = None
    custom: Any = None


class Turn:
    """Made for one turn, inside a transaction."""

    def __init__(self, instance: Instance, run: Run, store: Store, others: Others, now: str) -> None:
        self._instance, self._run, self._store, self._others, self._now = instance, run, store, others, now
        self._written: list[tuple[Json, Json | None]] = []  # new events, with retry options

    def take(self, messages: list[Message], orchestrator: Function | None, limits: Json) -> bool:
        """Take what has arrived. Returns whether the instance goes on."""
        mine = [m for m in messages if m.execution in {"", self._instance.execution}]
        control = [m.event for m in mine if m.event["EventType"] in CONTROL]
        suspended = self._instance.status == "Suspended"
        for order in control:
            if order["EventType"] == Kind.EXECUTION_TERMINATED:
                self._written.append((order, None))
                return self._finish("Terminated", order["Input"], order["Input"])
            suspended = order["EventType"] == Kind.EXECUTION_SUSPENDED
        # While it is suspended, all else stays where it is.
        rest = [] if suspended else [m.event for m in mine if m.event["EventType"] not in CONTROL]
        held = {m.number for m in mine if m.event["EventType"] not in CONTROL} if suspended else set()
        self._store.take(m.number for m in messages if m.number not in held)
        self._write(control)
        if not rest:
            return self._go_on("Suspended" if suspended else "Running")
        self._write([event(Kind.ORCHESTRATOR_STARTED, self._now), *self._run.replay.in_order(rest)])
        try:
            if not orchestrator:
                raise Broken(f"The function '{self._instance.name}' is no longer there, or no orchestrator function.")
            return self._act(_call(orchestrator, self._payload(limits)))
        except Broken as broken:
            return self._fail(str(broken))

    def _write(self, events: list[Json], retry: Json | None = None) -> None:
        for one in events:
            self._run.replay.feed(one, retry)
            self._written.append((one, retry))

    def _payload(self, limits: Json) -> str:
        """What the trigger gets. The history is put together from texts: it is long, and most of it is old."""
        instance, past = self._instance, self._run.past
        history = ",".join([*past, *(json.dumps(one) for one, _ in self._written)])
        fields = json.dumps(
            {
                "instanceId": instance.id,
                "isReplaying": bool(past),
                "parentInstanceId": json.loads(instance.parent)["instance"] if instance.parent else None,
                "upperSchemaVersion": 1,
                "upperSchemaVersionNew": 2,
                "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,
                **limits,
            }
        )
        return f'{{"history":[{history}],"input":{instance.input or "null"},{fields[1:]}'

    def _act(self, reply: _Reply) -> bool:
        """Do what is new in a reply."""
        if reply.custom is not None:
            self._instance = self._instance._replace(custom=json.dumps(reply.custom))
        replay, wants = self._run.replay, wanted(reply.actions)
        for new in replay.new(wants):
            self._write([self._create(new, replay.next_id)], None if new.tries else new.action.get("retryOptions"))
        for timer in replay.canceled(wants):
            self._store.cancel_timer(self._instance.id, self._instance.execution, timer)
        # As in Azure, an orchestration that returned or raised stays Running while a task of it is open.
        if replay.open or not (reply.done or reply.error is not None):
            return self._go_on("Running")
        if reply.error is not None:
            return self._fail(reply.error)
        if again := continuation(reply.actions):
            return self._continue(again)
        return self._finish("Completed", reply.output)

    def _create(self, new: New, task: int) -> Json:
        """Have a task done, and return the event that says so."""
        instance, action = self._instance, new.action
        if new.kind is Kind.TIMER_CREATED:
            due = action.get("fireAt", "")
            if new.tries:
                due = clocks.text(clocks.parse(self._now) + timedelta(milliseconds=new.tries.interval))
            fired = event(Kind.TIMER_FIRED, due, TimerId=task, FireAt=due)
            self._store.send(instance.id, instance.execution, fired, due=due, timer=task)
            return event(new.kind, self._now, FireAt=due) | {"EventId": task}
        name = action["functionName"]
        created = event(new.kind, self._now, Name=name, Version="", Input=None) | {"EventId": task}
        try:
            if new.kind is Kind.TASK_SCHEDULED:
                self._others.schedule(Activity(instance.id, instance.execution, task, name, action.get("input")))
            else:
                created["InstanceId"] = action.get("instanceId") or f"{instance.execution}:{task:x}"
                self._start(created["InstanceId"], action, task)
        except LookupError as error:
            raise Broken(str(error.args[0])) from error
        return created

    def _start(self, child: str, action: Json, task: int) -> None:
        instance = self._instance
        origin = {"instance": instance.id, "execution": instance.execution, "task": task}
        input_ = json.dumps(action.get("input"))
        try:
            self._others.start(action["functionName"], child, input_, action.get("version"), origin)
        except AlreadyExists as error:
            fields = {"TaskScheduledId": task, "Reason": str(error), "Details": child}
            self._others.reply(instance.id, instance.execution, Kind.CHILD_FAILED, **fields)

    def _go_on(self, status: str) -> bool:
        self._write([event(Kind.ORCHESTRATOR_COMPLETED, self._now)])
        self._store.put_instance(self._instance._replace(status=status, updated=self._now))
        self._append()
        return True

    def _fail(self, error: str) -> bool:
        reason = f"Orchestrator function '{self._instance.name}' failed: {error}"
        return self._finish("Failed", reason, reason)

    def _finish(self, status: str, output: Any, reason: str = "") -> bool:
        """End the instance. Timers and events that are still on their way are dropped; activities run to their end."""
        instance, result = self._instance, json.dumps(output)
        self._write([event(Kind.EXECUTION_COMPLETED, self._now, OrchestrationStatus=status, Result=result)])
        self._write([event(Kind.ORCHESTRATOR_COMPLETED, self._now)])
        self._append()
        self._store.put_instance(instance._replace(status=status, output=result, updated=self._now))
        self._store.forget_messages(instance.id)
        if instance.parent:
            parent = json.loads(instance.parent)
            kind = Kind.CHILD_COMPLETED if status == "Completed" else Kind.CHILD_FAILED
            fields = {"Result": result} if status == "Completed" else {"Reason": reason, "Details": status}
            fields["TaskScheduledId"] = parent["task"]
            self._others.reply(parent["instance"], parent["execution"], kind, **fields)
        return False

    def _continue(self, again: Json) -> bool:
        """Begin anew, with a new input and no history. As in Azure, events that came with what ended it are lost."""
        old = self._instance
        self._store.forget_history(old.id)
        input_ = json.dumps(again.get("input"))
        new = old._replace(execution=uuid4().hex, input=input_, status="Running", updated=self._now)
        self._store.put_instance(new)
        self._others.begin(new)
        return False

    def _append(self) -> None:
        """Add the new events to the history, as those of the past that they are from now on."""
        rows = [(json.dumps(one | {"IsPlayed": True}), json.dumps(r) if r else None) for one, r in self._written]
        self._store.append(self._instance.id, len(self._run.past), rows)
        self._run.past += [text for text, _ in rows]


def _call(orchestrator: Function, payload: str) -> _Reply:
    """Ask the worker. Raises Broken when the orchestrator could not be replayed at all."""
    try:
        state = json.loads(orchestrator.call(func.OrchestrationContext(payload)))
    except Exception as error:
        message, label, text = str(error).rpartition(_LABEL)
        if not label:
            raise Broken(str(error) or type(error).__name__) from error
        state = json.loads(text)
        state["error"] = state.get("error") or message
    actions = [action for group in state["actions"] for action in group]
    return _Reply(state["isDone"], actions, state.get("output"), state.get("error"), state.get("customStatus"))
