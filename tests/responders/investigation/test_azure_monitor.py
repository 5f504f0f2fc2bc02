"""The Activity Log as Azure Monitor gives it."""

from datetime import timedelta

import pytest

from responders.errors import Permanent, Temporary
from responders.investigation import azure_monitor, sources
from responders.investigation.events import Event
from tests.responders.investigation.watched import DAY, RESPONDER, SITE, Watched, watched
from tests.sandbox.arm import AUTH, CHIEF, MALLORY, NOW, SUB, S

LOG = azure_monitor.PERMISSIONS


async def read(view: Watched, days: int = 1) -> list[Event]:
    pages = azure_monitor.read(view.azure, SUB, NOW - days * DAY, view.clock.now(), now=NOW, notes=view.notes)
    return [event async for page in pages for event in page]


async def test_it_comes_newest_first_in_pages() -> None:
    async with watched(LOG) as view:
        view.clock.set(NOW - DAY)
        await view.done(150, every=timedelta(minutes=1))

        pages = [
            page
            async for page in azure_monitor.read(
                view.azure, SUB, NOW - 2 * DAY, view.clock.now(), now=NOW, notes=view.notes
            )
        ]

        assert [len(page) for page in pages] == [200, 100]
        times = [event.event_timestamp for page in pages for event in page]
        assert times == sorted(times, key=lambda at: at or NOW, reverse=True)
        assert len(view.asked("arm")) == 2


async def test_the_server_filters_by_time_to_the_microsecond() -> None:
    async with watched(LOG) as view:
        view.clock.set(NOW - timedelta(microseconds=5))
        await view.done(1, every=timedelta(microseconds=1))

        for since, count in ((5, 2), (4, 2), (3, 0)):
            pages = azure_monitor.read(
                view.azure, SUB, NOW - timedelta(microseconds=since), NOW, now=NOW, notes=view.notes
            )
            assert sum([len(page) async for page in pages]) == count


async def test_what_is_older_than_90_days_is_said_to_be_unknown() -> None:
    async with watched(LOG) as view:
        assert await read(view, days=200) == []
        (note,) = view.notes
        assert "keeps the Activity Log for 90 days" in note
        assert "2025-12-02 10:00 UTC" in note


async def test_nothing_is_asked_for_a_time_that_is_all_too_old() -> None:
    async with watched(LOG) as view:
        old = azure_monitor.read(view.azure, SUB, NOW - 200 * DAY, NOW - 100 * DAY, now=NOW, notes=view.notes)
        assert [page async for page in old] == []
        assert view.asked("arm") == []
        assert len(list(view.notes)) == 1


async def test_an_empty_log_is_no_proof() -> None:
    async with watched(LOG) as view:
        assert await view.activities(workspace="") == []
        (note,) = view.notes
        assert f"of subscription {SUB} gave no event of 2026-01-31 09:00 to 2026-03-02 09:00 UTC" in note
        assert "no proof that nothing was done" in note


async def test_the_activities_of_a_subscription_stream_from_it() -> None:
    async with watched(LOG) as view:
        await view.history()

        found = await view.activities(workspace="")

        assert [a.operation.rpartition("/")[2] for a in found].count("write") == 8
        assert {a.source for a in found} == {"azure_monitor"}
        removal = next(a for a in found if a.operation == "microsoft.storage/storageaccounts/delete")
        assert (removal.outcome, removal.caller, removal.role) == ("succeeded", MALLORY, "Contributor")
        assert (removal.address, removal.token_address) == ("198.51.100.7", "198.51.100.7")
        refused = next(a for a in found if a.outcome == "failed")
        assert (refused.oid, refused.status) == (view.call.oid(RESPONDER), "Forbidden")
        assert refused.response["error"]["code"] == "AuthorizationFailed"
        written = next(a for a in found if a.resource == f"{SITE}0")
        assert written.request == {"location": "westeurope"}
        assert list(view.notes) == []


async def test_who_may_not_read_it_is_told_what_to_grant() -> None:
    async with watched(["Microsoft.Resources/subscriptions/read"]) as view:
        with pytest.raises(Permanent, match="reading the Activity Log: Azure answered 403 AuthorizationFailed"):
            await view.activities(workspace="")


async def test_what_fails_in_the_middle_is_tried_again_as_a_whole() -> None:
    async with watched(LOG) as view:
        view.clock.set(NOW - DAY)
        await view.done(150, every=timedelta(minutes=1))
        view.sandbox.faults.on("GET", "eventtypes", "internal", times=9)

        with pytest.raises(Temporary):
            await view.activities(workspace="")


async def test_a_passing_fault_is_waited_out() -> None:
    async with watched(LOG) as view:
        view.clock.set(NOW - DAY)
        await view.done(150, every=timedelta(minutes=1))
        view.sandbox.faults.on("GET", "eventtypes", "reset")

        assert len(await view.activities(workspace="")) == 150


async def test_the_tenants_log_is_read_where_it_may_be() -> None:
    async with watched(["*/read"], scopes=["/"]) as view:
        await view.call("POST", f"{AUTH}/elevateAccess", who=CHIEF, version="2016-07-01")
        view.clock.advance(timedelta(minutes=1))

        read = sources.tenant_activities(view.azure, NOW - DAY, view.clock.now(), now=NOW, notes=view.notes)
        (found,) = [activity async for activity in read]

        assert (found.operation, found.caller) == ("microsoft.authorization/elevateaccess/action", CHIEF)
        assert (found.subscription, found.outcome) == ("", "succeeded")
        assert list(view.notes) == []


async def test_where_it_may_not_be_read_that_is_said() -> None:
    async with watched(LOG, scopes=[S]) as view:
        read = sources.tenant_activities(view.azure, NOW - DAY, NOW, now=NOW, notes=view.notes)
        assert [activity async for activity in read] == []
        (note,) = view.notes
        assert note.startswith("The tenant's own Activity Log was not read")
        assert "elevateAccess" in note
        assert "403" in note
