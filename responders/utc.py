"""Times, as Azure writes them and as people are told them."""

from datetime import UTC, datetime


def time_of(text: str | None) -> datetime | None:
    """The time that Azure wrote; None where it wrote none. One without an offset is UTC, as all of Azure's are."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def utc(at: datetime) -> str:
    """To the minute: 2026-03-01 09:30 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
