"""Time in the host: injected, so that tests and drills move it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Clock(Protocol):
    """Whatever tells the time. A clock that can be moved has `advance` and `set` besides."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""


class KeptClock:
    """Real time plus an offset, which is kept: a host that is started again goes on in the same time."""

    def __init__(self, offset: timedelta, keep: Callable[[timedelta], None]) -> None:
        self._offset, self._keep = offset, keep

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Move on by an interval."""
        self._offset += by
        self._keep(self._offset)

    def set(self, at: datetime) -> None:
        """Jump to an aware time."""
        self.advance(at - self.now())


def text(at: datetime) -> str:
    """A time as the protocol writes it. All have one length, so texts sort as the times do."""
    return at.astimezone(UTC).strftime(_FORMAT)


def parse(stamp: str) -> datetime:
    """Take a time apart that came from outside: ISO 8601, UTC when it names no zone.

    Raises ValueError when it is no time.
    """
    at = datetime.fromisoformat(stamp)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
