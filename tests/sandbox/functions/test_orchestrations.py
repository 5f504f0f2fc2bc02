"""Orchestrations of the sample app, run by the host and looked at through the SDK's own client."""

from datetime import timedelta
from typing import Any

import pytest

from .conftest import Bench, Benches


def kinds(status: Any) -> list[str]:
    return [event["EventType"] for event in status.historyEvents]


async def test_activities_run_in_order_and_their_results_come_back(bench: Bench) -> None:
    status = await bench.run("chain", ["a", "b", "c"])
    assert status.runtime_status.value == "Completed"
    assert status.output == ["A", "B", "C"]
    assert bench.app.done == ["a", "b", "c"]
    assert kinds(status) == ["ExecutionStarted", *["TaskCompleted"] * 3, "ExecutionCompleted"]
    assert [event.get("FunctionName") for event in status.historyEvents[1:4]] == ["shout"] * 3


async def test_an_orchestrator_knows_what_it_has_seen_before(bench: Bench) -> None:
    await bench.run("chain", ["a", "b", "c"])
    assert [word for word, _ in bench.app.seen] == ["a", "b", "c"]  # replayed, but seen once each


async def test_an_orchestrators_time_is_that_of_its_turn(bench: Bench) -> None:
    await bench.run("chain", ["a"])
    assert bench.app.seen[0][1] == bench.clock.now()


async def test_a_fan_out_of_500_is_one_result(bench: Bench) -> None:
    status = await bench.run("fan", [f"w{i}" for i in range(500)])
    assert status.output == [f"W{i}" for i in range(500)]
    assert sorted(bench.app.done) == sorted(f"w{i}" for i in range(500))


async def test_an_orchestrator_without_steps_is_a_function(bench: Bench) -> None:
    status = await bench.run("still", 3)
    assert status.output == "no steps, 3"


async def test_identity_version_and_input_reach_the_orchestrator(bench: Bench) -> None:
    status = await bench.run("identity", {"n": [1, None]})
    assert status.output[:2] == ["it", "1.0"]
    assert status.output[3] == {"n": [1, None]}
    await bench.client.start_new("identity", "other", None, version="2.0")
    assert (await bench.rest("other")).output[1] == "2.0"


# --- retries ---


async def test_a_retry_waits_and_then_tries_again(bench: Bench) -> None:
    bench.app.failures["a"] = 2
    status = await bench.run("stubborn", 3)
    assert (status.runtime_status.value, bench.app.done) == ("Running", ["a"])
    assert bench.host.next_timer() == bench.clock.now() + timedelta(minutes=1)
    status = await bench.later(seconds=59)
    assert bench.app.done == ["a"]
    status = await bench.later(seconds=1)
    assert bench.app.done == ["a", "a"]
    status = await bench.later(minutes=1)
    assert (status.output, bench.app.done) == ("a at last", ["a"] * 3)
    assert kinds(status)[1:-1] == ["TaskFailed", "TimerFired", "TaskFailed", "TimerFired", "TaskCompleted"]


@pytest.mark.parametrize("attempts", [1, 2, 3])
async def test_the_last_failure_is_told_after_one_more_wait_as_in_azure(bench: Bench, attempts: int) -> None:
    bench.app.failures["a"] = 9
    status = await bench.run("stubborn", attempts)
    for _ in range(attempts):
        assert status.runtime_status.value == "Running"
        status = await bench.later(minutes=1)
    assert status.runtime_status.value == "Failed"
    assert "Activity function 'flaky' failed: ValueError: a is not ready" in status.output
    assert bench.app.done == ["a"] * attempts


async def test_retries_among_other_tasks_keep_their_ids_apart(bench: Bench) -> None:
    bench.app.failures.update(a=2, b=1)
    status = await bench.run("mixed")
    for _ in range(3):
        status = await bench.later(minutes=1)
    assert status.output == ["a at last", "loud", "X", "END"]
    assert sorted(bench.app.done) == sorted(["a"] * 3 + ["b"] * 2 + ["LOUD", "x", "end"])


@pytest.mark.parametrize("fail", [{"a": 0, "b": 3}, {"a": 1, "b": 0}, {"a": 2, "b": 2}, {"a": 3, "b": 1}])
async def test_retries_survive_a_new_process_at_every_wait(benches: Benches, fail: dict[str, int]) -> None:
    remaining, status = dict(fail), None
    done: list[str] = []
    for _ in range(8):
        async with benches() as bench:
            bench.app.failures.update(remaining)
            status = await (bench.later(minutes=1) if status else bench.run("mixed"))
            remaining, done = dict(bench.app.failures), done + bench.app.done
    assert status
    assert status.runtime_status.value == ("Failed" if fail["a"] == 3 else "Completed")
    assert (done.count("a"), done.count("b")) == (min(fail["a"] + 1, 3), min(fail["b"] + 1, 3))
    assert (done.count("LOUD"), done.count("x")) == (1, 1)


async def test_a_sub_orchestration_is_retried_as_a_whole(bench: Bench) -> None:
    bench.app.failures["a"] = 1
    status = await bench.run("patient")
    for _ in range(3):
        status = await bench.later(minutes=1)
    assert status.output == "a at last"
    assert (await bench.rest("the-child")).output == "a at last"


# --- sub-orchestrations ---


async def test_sub_orchestrations_run_under_ids_of_their_own(bench: Bench) -> None:
    status = await bench.run("family")
    assert status.output == [["ONE", "TWO"], ["A"], ["B"], None]
    assert (await bench.rest("child-a")).output == ["A"]
    assert len(await bench.client.get_status_all()) == 4


async def test_a_failed_sub_orchestration_fails_its_parent(bench: Bench) -> None:
    bench.app.failures["a"] = 9
    status = await bench.run("patient")
    for _ in range(5):
        status = await bench.later(minutes=1)
    assert status.runtime_status.value == "Failed"
    assert "Orchestrator function 'stubborn' failed" in status.output


async def test_a_sub_orchestration_does_not_take_over_a_running_instance(bench: Bench) -> None:
    await bench.client.start_new("approval", "the-child")
    status = await bench.run("patient")
    status = await bench.later(seconds=1)
    status = await bench.later(seconds=1)
    assert status.runtime_status.value == "Failed"
    assert "with the status Running already exists" in status.output
    assert (await bench.rest("the-child")).runtime_status.value == "Running"


# --- events and timers ---


async def test_an_event_answers_and_cancels_the_deadline(bench: Bench) -> None:
    status = await bench.run("approval")
    assert status.custom_status == {"waiting": "approval"}
    await bench.client.raise_event("it", "approval", {"yes": True})
    status = await bench.rest()
    assert status.output == '{"yes": true}'  # the SDK's client sends a string of JSON
    assert (status.runtime_status.value, status.custom_status) == ("Completed", "answered")
    assert bench.host.next_timer() is None


async def test_a_canceled_timer_is_no_longer_waited_for(bench: Bench) -> None:
    await bench.run("gates")
    await bench.client.raise_event("it", "one")
    assert (await bench.rest()).runtime_status.value == "Running"
    assert bench.host.next_timer() is None


async def test_silence_ends_at_the_deadline(bench: Bench) -> None:
    await bench.run("approval", 2)
    assert bench.host.next_timer() == bench.clock.now() + timedelta(hours=2)
    status = await bench.later(hours=1, minutes=59, seconds=59)
    assert status.runtime_status.value == "Running"
    assert (await bench.later(seconds=1)).output == "silence is no"


async def test_names_of_events_tell_case_apart(bench: Bench) -> None:
    await bench.run("approval")
    await bench.client.raise_event("it", "Approval", "no")
    assert (await bench.rest()).runtime_status.value == "Running"


async def test_an_event_may_come_before_it_is_waited_for(bench: Bench) -> None:
    await bench.run("twice")
    await bench.client.raise_event("it", "word", "early")
    # As the SDK has it: one early event completes every later wait of its name.
    assert (await bench.later(minutes=1)).output == ['"early"', '"early"']


async def test_of_two_early_events_of_one_name_the_later_counts(bench: Bench) -> None:
    await bench.run("twice")
    for word in ("first", "second"):
        await bench.client.raise_event("it", "word", word)
    assert (await bench.later(minutes=1)).output == ['"second"', '"second"']


async def test_events_after_the_wait_are_told_apart(bench: Bench) -> None:
    await bench.run("twice")
    await bench.later(minutes=1)
    for word in ("one", "two"):
        await bench.client.raise_event("it", "word", word)
    assert (await bench.rest()).output == ['"one"', '"two"']


async def test_a_timer_left_behind_keeps_the_instance_running(bench: Bench) -> None:
    status = await bench.run("forgetful")
    assert status.runtime_status.value == "Running"
    status = await bench.later(hours=1)
    assert (status.runtime_status.value, status.output) == ("Completed", "left a timer behind")


async def test_a_timer_beyond_six_days_is_a_chain_on_azure_storage(bench: Bench) -> None:
    await bench.run("naps", 10)
    waits = []
    while due := bench.host.next_timer():
        waits.append((due - bench.clock.now()).days)
        status = await bench.later(days=waits[-1])
    assert (waits, status.output) == ([3, 3, 4], 10 * 86400)


async def test_other_providers_know_no_longest_timer(benches: Benches) -> None:
    durable = {"storageProvider": {"type": "azureManaged"}}
    async with benches(host_json={"extensions": {"durableTask": durable}}) as bench:
        await bench.run("naps", 10)
        assert bench.host.next_timer() == bench.clock.now() + timedelta(days=10)
        assert (await bench.later(days=10)).output == 10 * 86400


async def test_continue_as_new_forgets_the_history_and_keeps_the_events(bench: Bench) -> None:
    await bench.run("countdown", 2)
    for word in ("x", "y", "z"):
        await bench.client.raise_event("it", "next", word)
        status = await bench.rest()
    assert (status.output, bench.app.done) == ('"z"', ['"x" 2', '"y" 1'])
    assert kinds(status) == ["ExecutionStarted", "EventRaised", "ExecutionCompleted"]
    assert status.input_ == "0"


# --- failures ---


async def test_an_activitys_failure_is_text_to_the_orchestrator(bench: Bench) -> None:
    bench.app.failures["a"] = 1
    output = (await bench.run("catching")).output
    assert output.startswith("Activity function 'flaky' failed: ValueError: a is not ready \n Traceback")


async def test_an_orchestrators_failure_is_its_output(bench: Bench) -> None:
    status = await bench.run("failing")
    assert (status.runtime_status.value, status.output) == ("Failed", "Orchestrator function 'failing' failed: no way")


async def test_a_changed_orchestrator_is_found_out(bench: Bench) -> None:
    status = await bench.run("fickle")
    assert status.runtime_status.value == "Failed"
    assert "Non-Deterministic workflow detected" in status.output
    assert "activity 'shout' with sequence id 0; the current one scheduled the activity 'mumble'" in status.output


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("http", "does not serve call_http, asked for https://example.org/x"),
        ("entity", "does not serve call_entity, asked for @counter@mine"),
        ("Shout", "The function 'Shout' doesn't exist"),  # names tell case apart
    ],
)
async def test_what_is_not_served_fails_the_orchestration_by_name(bench: Bench, what: str, told: str) -> None:
    status = await bench.run("wants", what)
    assert status.runtime_status.value == "Failed"
    assert told in status.output


async def test_an_activity_can_use_a_client(bench: Bench) -> None:
    await bench.run("approval", None, "x")
    assert (await bench.run("wants", "look")).output == "Running"
