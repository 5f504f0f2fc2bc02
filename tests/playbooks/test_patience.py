"""A step that may take hours is waited for by the engine, with a history that stays short."""

import pytest

from playbooks import run
from playbooks.dispatch import PLAYBOOKS

HOUR = 3_600_000


def test_a_step_of_minutes_is_asked_for_as_usual() -> None:
    assert run._patience({"hours": 0}, run.VERIFY) is run.VERIFY
    assert run._patience({}, run.RETRY) is run.RETRY


@pytest.mark.parametrize("hours", sorted({s.hours for book in PLAYBOOKS.values() for s in book if s.hours}))
def test_a_step_of_hours_is_asked_for_until_they_are_over(hours: int) -> None:
    retry = run._patience({"hours": hours}, run.VERIFY)
    assert retry.first_retry_interval_in_milliseconds >= 15_000
    assert retry.max_number_of_attempts <= run.POLLS
    waited = retry.first_retry_interval_in_milliseconds * retry.max_number_of_attempts
    assert hours * HOUR - retry.first_retry_interval_in_milliseconds < waited <= hours * HOUR
