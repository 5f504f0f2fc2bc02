"""Events of one operation are one activity, in whatever order they come and however many there are."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from responders.investigation.activity import Activity
from responders.investigation.events import Event, Notes, event
from responders.investigation.join import ROOM, Join
from tests.responders.investigation.logged import (
    ASKED,
    CORRELATION,
    OPERATION,
    RESOURCE,
    event_id,
    joined,
    one,
    rest,
    row,
    stream,
)


def test_the_address_is_of_whichever_event_has_it_and_the_tokens_is_kept_apart() -> None:
    assert one(rest("Succeeded", 1), rest()).address == "198.51.100.7"
    alone = one(rest("Succeeded", 1))
    assert (alone.address, alone.token_address) == ("", "203.0.113.9")


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (("Started",), "started"),
        (("Start",), "started"),
        (("Started", "Accept"), "accepted"),
        (("Started", "Accepted", "Success"), "succeeded"),
        (("Started", "Succeeded", "Failed"), "failed"),
        (("Start", "Failure"), "failed"),
        (("Started", "Canceled"), "failed"),
        (("STARTED", "succeeded"), "succeeded"),
        (("Started", "a word that nobody knows"), "started"),
        (("Succeeded", "Accepted"), "succeeded"),  # their clocks differ: an end is the end
    ],
)
def test_the_outcome_is_the_last_that_is_known(statuses: tuple[str, ...], outcome: str) -> None:
    assert one(*(rest(status, n) for n, status in enumerate(statuses))).outcome == outcome


def test_names_are_compared_without_regard_to_case() -> None:
    shouted = rest("Succeeded", 1, resourceId=RESOURCE.upper(), correlationId=CORRELATION.upper())
    shouted["operationName"] = {"value": OPERATION.upper()}

    found = one(shouted, rest())

    assert found.operation == OPERATION.lower()
    assert found.events == (event_id(0), event_id(1))


def test_an_event_that_comes_twice_counts_once() -> None:
    assert one(rest(), rest(), row()).events == (event_id(0),)
    assert len(one(stream(), stream()).events) == 1


def test_a_start_that_two_connectors_wrote_with_ids_of_their_own_is_one_operation() -> None:
    found = one(row("Succeeded", 2), rest(), row(EventDataId=event_id(7)))

    assert found.request == ASKED
    assert set(found.events) == {event_id(0), event_id(2), event_id(7)}


def test_operations_that_share_a_correlation_id_are_told_apart_by_their_starts() -> None:
    evil = rest("Started", 5)
    evil["properties"] = {"requestbody": '{"properties": {"roleDefinitionId": "/x/evil"}}'}
    events = [rest(), rest("Succeeded", 1), evil, rest("Failed", 6)]

    for order in (events, events[::-1]):
        first, second = sorted(joined(order), key=lambda a: a.at)

        assert (first.request, first.outcome, first.events) == (ASKED, "succeeded", (event_id(0), event_id(1)))
        assert second.request == {"properties": {"roleDefinitionId": "/x/evil"}}
        assert (second.outcome, second.events) == ("failed", (event_id(5), event_id(6)))


def log(operations: int, step: timedelta, *, start: int = 0) -> Iterable[Event]:
    """Operations of two events each, newest first."""
    for n in range(start, start + operations):
        end = datetime(2026, 3, 1, tzinfo=UTC) - n * step
        for status, ago in (("Succeeded", 0), ("Started", 1)):
            yield event(
                rest(
                    status,
                    eventTimestamp=(end - timedelta(seconds=ago)).isoformat(),
                    correlationId=f"c{n}",
                    eventDataId=f"{n} {status}",
                )
            )


def test_activities_leave_as_the_log_goes_on_and_none_is_lost() -> None:
    stream_ = Join(Notes())
    left = list[Activity]()
    for day in range(10):
        left += stream_.take(log(100, timedelta(minutes=15), start=100 * day), "azure_monitor")
        assert 200 * (day + 1) - 2 * len(left) <= 2 * 25  # what is younger than the window
    left += stream_.rest()

    assert len(left) == 1000
    assert all((a.outcome, len(a.events)) == ("succeeded", 2) for a in left)


def test_what_stands_in_memory_is_bounded_however_dense_the_log_or_long_its_bodies() -> None:
    stream_ = Join(Notes(), room=600_000)
    left = list[Activity]()
    for batch in range(20):
        left += stream_.take(log(50, timedelta(microseconds=1), start=50 * batch), "azure_monitor")
        assert 50 * (batch + 1) - len(left) <= 100
    huge = rest(correlationId="huge", properties={"requestbody": "x" * ROOM})
    assert [a.correlation for a in stream_.take([event(huge)], "azure_monitor")][-1] == "huge"
