"""A schedule that began in the past comes back with the next of its times."""

from datetime import UTC, datetime

import pytest

from responders.subscriptions.recreate_runbook import _schedule

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "frequency", "interval", "comes_back"),
    [
        ("2026-03-11T00:00:00+00:00", "Day", 1, "2026-03-11T00:00:00+00:00"),
        ("2026-03-01T03:30:00+00:00", "Day", 1, "2026-03-10T03:30:00+00:00"),
        ("2026-03-01T03:05:00+00:00", "Day", 1, "2026-03-11T03:05:00+00:00"),
        ("2026-03-10T00:15:00+00:00", "Hour", 2, "2026-03-10T04:15:00+00:00"),
        ("2026-02-02T01:00:00+00:00", "Week", 1, "2026-03-16T01:00:00+00:00"),
        ("2026-01-31T01:00:00+00:00", "Month", 1, "2026-03-31T01:00:00+00:00"),
        ("2025-11-30T01:00:00+00:00", "Month", 3, "2026-05-30T01:00:00+00:00"),
    ],
)
def test_the_next_time_is_kept(start: str, frequency: str, interval: int, comes_back: str) -> None:
    schedule = {"name": "s", "properties": {"startTime": start, "frequency": frequency, "interval": interval}}

    body = _schedule(schedule, NOW)

    assert body is not None
    assert body["properties"] == {"frequency": frequency, "interval": interval, "startTime": comes_back}


def test_what_ran_once_does_not_come_back() -> None:
    once = {"name": "s", "properties": {"startTime": "2026-03-09T00:00:00+00:00", "frequency": "OneTime"}}

    assert _schedule(once, NOW) is None
