"""The sandbox's clock: everything visible takes its time from here."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Starts at the real time. A running clock goes on with it; a standing one moves only when told to.

    Tests let it stand, so that a run is the same every time. Both jump: `advance` and `set`.
    """

    def __init__(self, at: datetime | None = None, *, running: bool = True) -> None:
        self.running = running
        self.set(at or datetime.now(UTC))

    def now(self) -> datetime:
        """The time in the sandbox, aware, in UTC."""
        return (datetime.now(UTC) + self._ahead) if self.running else self._at

    def advance(self, by: timedelta) -> None:
        """Move on by an interval."""
        self.set(self.now() + by)

    def set(self, at: datetime) -> None:
        """Jump to an aware time, forward or back."""
        self._at = at.astimezone(UTC)
        self._ahead = self._at - datetime.now(UTC)


def stamp(at: datetime) -> str:
    """A time as Resource Manager writes it: seven decimals and a Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def ticks(at: datetime) -> int:
    """The time as .NET counts it: intervals of 100 ns since the year 1."""
    return (at.astimezone(UTC) - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
