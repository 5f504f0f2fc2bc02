"""A step that may take hours is waited for by the engine, with a history that stays short."""

import pytest

from playbooks import run
from playbooks.dispatch import PLAYBOOKS

HOUR = 3_600_000


def test_a_step_of_minutes_is_asked_for_as_usual() -> None:
    assert run._patience({"hours": 0}, run.VERIFY) == (run.VERIFY,)
    assert run._patience({}, run.RETRY) == (run.RETRY,)


@pytest.mark.parametrize("hours", sorted({s.hours for book in PLAYBOOKS.values() for s in book if s.hours}))
def test_a_step_of_hours_is_asked_for_until_they_are_over(hours: int) -> None:
    retries = run._patience({"hours": hours}, run.VERIFY)
    pauses = [r.first_retry_interval_in_milliseconds for r in retries]
    assert sum(r.max_number_of_attempts for r in retries) <= run.POLLS
    waited = sum(r.first_retry_interval_in_milliseconds * r.max_number_of_attempts for r in retries)
    assert hours * HOUR - pauses[-1] < waited <= hours * HOUR


@pytest.mark.parametrize("hours", sorted({s.hours for book in PLAYBOOKS.values() for s in book if s.hours}))
def test_what_is_soon_over_is_soon_seen(hours: int) -> None:
    """Whenever it is over, it is seen within a quarter minute, or within a tenth of the time that it took."""
    begun = 0
    for retry in run._patience({"hours": hours}, run.VERIFY):
        pause = retry.first_retry_interval_in_milliseconds
        assert pause <= max(15_000, begun / 10)
        begun += pause * retry.max_number_of_attempts
