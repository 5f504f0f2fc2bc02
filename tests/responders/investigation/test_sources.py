"""Two sources, one history: what Log Analytics lacks, Azure Monitor fills."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from responders.errors import Permanent
from responders.investigation import azure_monitor, log_analytics, sources
from responders.investigation.activity import Activity
from tests.responders.investigation.watched import DAY, HOME, SETTING, SITE, STREAM, Watched, watched
from tests.sandbox.arm import MALLORY, NOW, OPS

HOURS = timedelta(hours=1)


def same(found: list[Activity]) -> list[Activity]:
    return [msgspec.structs.replace(one, source="azure_monitor") for one in found]


def whence(found: list[Activity]) -> Counter[str]:
    return Counter(one.source for one in found)


async def stream_off(view: Watched) -> None:
    """Without the setting, as when an intruder deletes it; its deletion is logged."""
    assert (await view.call("DELETE", SETTING, who=OPS, version="2021-05-01-preview")).status == 200


async def test_both_give_the_same_activities_of_the_same_history() -> None:
    async with watched() as view:
        await view.history()

        alone = await view.activities(workspace="")
        both = await view.activities()

        assert len(alone) == 11
        assert same(both) == alone
        assert whence(both)["log_analytics"] >= 6  # the rest lies at the edges of what it has
        assert list(view.notes) == []


async def test_azure_monitor_is_asked_only_for_what_may_be_missing() -> None:
    async with watched() as view:
        await view.history()
        before = len(view.asked("arm"))

        assert len(await view.activities()) == 11
        assert len(view.asked("arm")) - before == 4  # before, after, and one for each long silence


async def test_what_has_not_arrived_yet_is_filled_from_azure_monitor() -> None:
    async with watched() as view:
        view.sandbox.world.state["logs"] = {"lag": 30 * 60}
        view.clock.set(NOW - timedelta(hours=3))
        await view.done(9, every=timedelta(minutes=20))

        found = await view.activities()

        assert len(found) == 9
        assert whence(found)["azure_monitor"] >= 2
        assert whence(found)["log_analytics"] >= 6
        assert all(len(a.events) == 2 and a.outcome == "succeeded" for a in found)
        assert list(view.notes) == []


async def test_what_was_before_the_workspace_is_filled_from_azure_monitor_and_said() -> None:
    async with watched() as view:
        view.clock.set(NOW - 9 * DAY)
        await stream_off(view)
        await view.done(3)
        await view.call("PUT", SETTING, {"properties": STREAM}, who=OPS, version="2021-05-01-preview")
        view.clock.set(NOW - 2 * DAY)
        await view.done(3)
        view.clock.set(NOW)

        found = await view.activities()

        assert len(found) == 8
        assert [a.source for a in found][:4] == ["azure_monitor"] * 4
        (note,) = view.notes
        assert note.startswith("Log Analytics lacks events of 2026-01-31 09:00 to 2026-02-21 12:00 UTC")


async def test_a_stream_that_an_intruder_stopped_for_a_while_hides_nothing() -> None:
    async with watched() as view:
        view.clock.set(NOW - 2 * DAY)
        await view.done(2)
        await stream_off(view)
        await view.done(9)  # unseen
        await view.call("PUT", SETTING, {"properties": STREAM}, who=OPS, version="2021-05-01-preview")
        await view.done(1)
        view.clock.set(NOW)

        found = await view.activities()

        assert len(found) == 14
        assert next(a for a in found if a.operation == "microsoft.insights/diagnosticsettings/delete").caller == OPS
        assert any("Log Analytics lacks events" in note for note in view.notes)


async def test_a_workspace_that_holds_nothing_is_said_and_azure_monitor_read() -> None:
    async with watched() as view:
        await stream_off(view)
        await view.done(2)

        found = await view.activities()

        assert whence(found) == {"azure_monitor": 3}
        assert any("Log Analytics lacks events of" in note for note in view.notes)


@pytest.mark.parametrize("fault", ["internal", "unavailable"])
async def test_when_log_analytics_is_down_azure_monitor_is_read_in_its_place(fault: str) -> None:
    async with watched() as view:
        await view.history()
        alone = await view.activities(workspace="")
        view.sandbox.faults.on("POST", "/query", fault, times=99)

        assert await view.activities() == alone
        (note,) = view.notes
        assert note.startswith("Log Analytics could not be read; as far as Azure Monitor goes back, it was read in its")


async def test_when_it_fails_half_way_the_rest_is_of_azure_monitor_and_nothing_comes_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_analytics, "ROWS", 5)
    async with watched() as view:
        await view.history()
        alone = await view.activities(workspace="")
        query = log_analytics._query
        for calls in range(1, 6):
            left = iter(range(calls))

            async def failing(*given: Any, left: Iterator[int] = left) -> Any:
                if next(left, None) is None:
                    raise Permanent("It is gone.")
                return await query(*given)

            monkeypatch.setattr(log_analytics, "_query", failing)
            assert same(await view.activities()) == alone
        assert any("It is gone" in note for note in view.notes)


async def test_a_partial_answer_is_replaced_by_azure_monitors(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched() as view:
        await view.history()
        alone = await view.activities(workspace="")
        count = log_analytics.hours

        async def then_broken(*given: Any) -> Any:
            counted = await count(*given)
            view.sandbox.world.state["logs"] = {"error": "A shard did not answer."}
            return counted

        monkeypatch.setattr(log_analytics, "hours", then_broken)
        assert await view.activities() == alone
        assert any("A shard did not answer" in note for note in view.notes)


async def test_rows_older_than_azure_monitor_keeps_are_of_log_analytics_alone() -> None:
    async with watched() as view:
        view.clock.set(NOW - 120 * DAY)
        await view.done(3)
        view.clock.set(NOW)

        found = await view.activities(NOW - 200 * DAY)

        assert whence(found) == {"log_analytics": 3}
        assert [note for note in view.notes if "90 days" in note]


async def test_log_analytics_needs_no_azure_monitor_call_for_what_it_has() -> None:
    async with watched() as view:
        view.clock.set(NOW - 2 * DAY)
        await view.done(40, every=HOURS)
        view.clock.set(NOW)

        assert len(await view.activities()) == 40
        assert (len(view.asked("logs")), len(view.asked("arm"))) == (2, 2)


async def test_rows_that_an_owner_purged_from_the_workspace_are_found_all_the_same() -> None:
    async with watched() as view:
        await view.history()
        view.clock.set(NOW - timedelta(hours=6))
        await view.done(12, every=timedelta(minutes=5))  # every five minutes: no hole shows
        view.clock.set(NOW)
        rows = view.sandbox.world.activity.streams[HOME.lower()]
        rows[:] = [row for row in rows if f"{SITE}5" not in row["resourceId"]]

        found = await view.activities(window=NOW - DAY)

        assert f"{SITE}5" in {a.resource for a in found if a.at > NOW - DAY}
        assert same(found) == await view.activities(workspace="")
        assert whence([a for a in found if a.at > NOW - DAY]) == {"azure_monitor": 14}
        assert whence(found)["log_analytics"] >= 4  # of the days before


async def test_the_window_costs_a_call_for_every_two_hundred_events_whatever_the_workspace_has() -> None:
    async with watched() as view:
        view.clock.set(NOW - 12 * DAY)
        await view.done(400, every=timedelta(minutes=30))  # 800 events before the window
        view.clock.set(NOW - DAY)
        await view.done(300, every=timedelta(minutes=4))  # 600 in it
        view.clock.set(NOW)

        found = await view.activities(NOW - 22 * DAY, window=NOW - DAY)

        assert len(found) == 700
        # Three pages of the window; one for the days from the newest row to it, one for those before the oldest.
        assert (len(view.asked("logs")), len(view.asked("arm"))) == (2, 3 + 2)


async def test_what_is_older_than_azure_monitor_keeps_is_of_log_analytics_in_the_window_too() -> None:
    async with watched() as view:
        view.clock.set(NOW - 120 * DAY)
        await view.done(3)
        view.clock.set(NOW - 2 * DAY)
        await view.done(2)
        view.clock.set(NOW)

        found = await view.activities(NOW - 200 * DAY, window=NOW - 150 * DAY)

        assert whence(found) == {"log_analytics": 3, "azure_monitor": 2}


async def test_without_a_right_on_the_workspace_the_log_is_read_all_the_same() -> None:
    async with watched(azure_monitor.PERMISSIONS) as view:
        await view.done(2)

        assert len(await view.activities()) == 2
        (note,) = view.notes
        assert "InsufficientAccessError" in note


async def test_without_a_right_on_the_log_that_is_the_answer() -> None:
    async with watched(log_analytics.PERMISSIONS) as view:
        await view.done(2)
        with pytest.raises(Permanent, match="403 AuthorizationFailed"):
            await view.activities()


@pytest.mark.parametrize("right", sources.PERMISSIONS)
async def test_every_right_is_needed(right: str) -> None:
    async with watched([other for other in sources.PERMISSIONS if other != right]) as view:
        await view.done(1)
        if right in azure_monitor.PERMISSIONS:
            with pytest.raises(Permanent):
                await view.activities()
        else:
            await view.activities()
            assert list(view.notes)


async def test_everything_of_everybody_is_given() -> None:
    async with watched() as view:
        await view.history()
        callers = {a.caller for a in await view.activities()}
        assert {MALLORY, OPS} < callers
