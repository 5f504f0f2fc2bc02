"""The replay loop by itself: results that come in any order, in any batches, with the host started again in between."""
# mypy: disable-error-code="untyped-decorator"

import json
from collections.abc import Generator
from datetime import timedelta
from random import Random
from typing import Any

import azure.durable_functions as df
import pytest

from sandbox.functions import clock as clocks
from sandbox.functions.app import App, load
from sandbox.functions.events import Kind
from sandbox.functions.history import Activity, Instance, Store
from sandbox.functions.orchestrations import Orchestrations

from .conftest import StandingClock

app = df.DFApp()


@app.activity_trigger(input_name="word")
def work(word: str) -> str:
    return word


@app.orchestration_trigger(context_name="context")
def child(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    return (yield context.call_activity("work", context.get_input()))


@app.orchestration_trigger(context_name="context")
def tangle(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    retry = df.RetryOptions(1000, 4)
    a = context.call_activity_with_retry("work", retry, "a")
    b = context.call_activity_with_retry("work", retry, "b")
    c = context.call_activity("work", "c")
    deadline = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    yield context.task_any([a, b, c, deadline])
    if not deadline.is_completed:
        deadline.cancel()
    d = yield context.call_activity("work", "d")
    e = context.call_activity_with_retry("work", retry, "e")
    rest = yield context.task_all([a, b, c, e, context.call_sub_orchestrator_with_retry("child", retry, "f")])
    late = yield context.task_any(
        [context.call_activity("work", "g"), context.call_activity_with_retry("work", retry, "h")]
    )
    return [*rest, d, late.result in {"g", "h"}]


class Loop:
    """Orchestrations without a host: who drives it says what ends when."""

    def __init__(self) -> None:
        self.store, self.clock, self.app = Store(":memory:"), StandingClock(), load(app)
        self.start()

    def start(self) -> None:
        """As a new process does."""
        self.pending = self.store.activities()
        self.orchestrations = Orchestrations(
            self.app, self.store, self.clock, run=self.pending.extend, woken=lambda: None
        )
        self.orchestrations.wake(*self.store.runnable(clocks.text(self.clock.now())))

    def create(self, name: str) -> None:
        with self.store.transaction():
            self.orchestrations.create(name, "it", None)

    def turns(self) -> None:
        while self.orchestrations.ready:
            self.orchestrations.turn()

    def end(self, activity: Activity, *, failed: bool = False) -> None:
        self.pending.remove(activity)
        what = {"Reason": "no", "Details": ""} if failed else {"Result": str(activity.input)}
        with self.store.transaction():
            self.orchestrations.end_activity(activity, Kind.TASK_FAILED if failed else Kind.TASK_COMPLETED, **what)

    def wait(self) -> None:
        """Let the next timer fire, if there is one."""
        if due := self.store.next_timer():
            self.clock.at = max(self.clock.at, clocks.parse(due))
            self.orchestrations.wake(*self.store.runnable(due))

    @property
    def it(self) -> Instance:
        instance = self.store.instance("it")
        assert instance
        return instance


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.mark.parametrize("seed", range(150))
def test_any_order_any_batches_and_any_restarts_end_alike(loop: Loop, seed: int) -> None:
    random, failures = Random(seed), dict.fromkeys("abefh", 3)  # noqa: S311  not for secrets
    loop.create("tangle")
    for _ in range(2000):
        if loop.it.finished:
            break
        choice = random.random()
        if choice < 0.5 and loop.pending:
            activity = random.choice(loop.pending)
            word = json.loads(str(activity.input))
            failed = failures.get(word, 0) > 0 and random.random() < 0.6
            failures[word] = failures.get(word, 0) - failed
            loop.end(activity, failed=failed)
        elif choice < 0.75:
            loop.turns()
        elif choice < 0.9:
            loop.wait()
        else:
            loop.start()
    assert (loop.it.status, json.loads(loop.it.output or "")) == ("Completed", ["a", "b", "c", "e", "f", "d", True])


def test_a_failed_try_and_a_result_in_one_turn_keep_their_ids_apart(loop: Loop) -> None:
    loop.create("tangle")
    loop.turns()
    a, b, c = loop.pending
    loop.end(c)  # lets the orchestrator go on to d …
    loop.end(b, failed=True)  # … and this makes a timer: which of them has which id?
    loop.turns()
    loop.wait()
    loop.turns()
    again = {json.loads(str(one.input)): one.task for one in loop.pending}
    assert set(again) == {"a", "b", "d"}
    history = [json.loads(event) for event, _ in loop.store.history("it")]
    made = [(Kind(e["EventType"]).name, e["EventId"]) for e in history if e["EventId"] >= 4]
    assert made == [("TIMER_CREATED", 4), ("TASK_SCHEDULED", 5), ("TASK_SCHEDULED", 6)]
    assert (again["d"], again["b"]) == (5, 6)
    assert all(event["IsPlayed"] for event in history)
    assert loop.it.status == "Running"
    assert a in loop.pending


def test_what_a_turn_writes_is_all_or_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.create("tangle")
    before = loop.it

    def full(*_: object) -> None:
        raise OSError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "append", full)
        with pytest.raises(OSError, match="full"):
            loop.turns()
    assert (loop.it, loop.store.activities(), loop.store.history("it")) == (before, [], [])
    loop.start()
    loop.turns()
    assert len(loop.pending) == 3


@pytest.mark.parametrize("again", [False, True])
def test_results_for_an_execution_that_is_over_are_dropped(loop: Loop, *, again: bool) -> None:
    loop.create("tangle")
    loop.turns()
    late = list(loop.pending)
    with loop.store.transaction():
        loop.orchestrations.send("it", "", Kind.EXECUTION_TERMINATED, Input="enough")
    loop.turns()
    if again:
        loop.create("tangle")
        loop.turns()
    before = loop.it, loop.store.history("it")
    for activity in late:
        loop.end(activity)
    loop.turns()
    assert (loop.it, loop.store.history("it")) == before
    assert loop.it.status == ("Running" if again else "Terminated")


def test_a_message_that_comes_too_late_changes_nothing(loop: Loop) -> None:
    loop.create("tangle")
    with loop.store.transaction():
        loop.orchestrations.send("it", "", Kind.EXECUTION_TERMINATED, Input="enough")
    loop.turns()
    before = loop.it, loop.store.history("it")
    with loop.store.transaction():
        loop.orchestrations.send("it", "", Kind.EVENT_RAISED, Name="x", Input="1")
    loop.turns()
    assert (loop.it, loop.store.history("it")) == before
    assert loop.store.messages("it", "9") == []


def test_an_app_is_read_more_than_once() -> None:
    assert isinstance(load(app), App)
    assert set(load(app).functions) == {"work", "child", "tangle"}
