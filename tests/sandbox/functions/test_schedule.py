from datetime import UTC, datetime

import pytest

from sandbox.functions.schedule import Ncrontab

START = datetime(2026, 1, 5, 12, 0, 0, 500_000, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("text", "next_time"),
    [
        ("* * * * * *", "2026-01-05T12:00:01"),
        ("0 */5 * * * *", "2026-01-05T12:05:00"),
        ("*/5 * * * *", "2026-01-05T12:05:00"),
        ("0 0 * * * *", "2026-01-05T13:00:00"),
        ("0 30 9 * * Mon-Fri", "2026-01-06T09:30:00"),
        ("0 30 9 * * sat,0", "2026-01-10T09:30:00"),
        ("0 0 0 29 feb *", "2028-02-29T00:00:00"),
        ("0 0 0 31 * *", "2026-01-31T00:00:00"),
        ("0 0 9-17/4 * * *", "2026-01-05T13:00:00"),
        ("15,45 10 3 1 January *", "2027-01-01T03:10:15"),
    ],
)
def test_a_schedule_knows_its_next_time(text: str, next_time: str) -> None:
    assert Ncrontab(text).after(START) == datetime.fromisoformat(next_time + "+00:00")


def test_a_day_that_never_comes_is_never() -> None:
    assert Ncrontab("0 0 0 31 2 *").after(START) is None


@pytest.mark.parametrize(
    "text", ["", "* * *", "60 * * * * *", "0 0 0 0 * *", "x * * * * *", "0 0 0 * * mon-", "%CRON%"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|within|invalid"):
        Ncrontab(text)
