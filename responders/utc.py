"""A time as people are told it."""

from datetime import UTC, datetime


def utc(at: datetime) -> str:
    """To the minute: 2026-03-01 09:30 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
