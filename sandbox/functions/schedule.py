"""Timer triggers: NCRONTAB schedules, and when each is due next."""

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox.functions import clock as clocks
from sandbox.functions.app import TIMER, App, BadApp, Function
from sandbox.functions.clock import Clock
from sandbox.functions.history import Store

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("", *_MONTHS)),
    (0, 6, _DAYS),
)
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")
_FARTHEST = timedelta(days=366 * 8)  # the 29th of February comes within eight years
_LATE = timedelta(seconds=1)


class Ncrontab:
    """`{second} {minute} {hour} {day} {month} {day of week}`, in UTC; the second may be left out."""

    def __init__(self, text: str) -> None:
        """Raises ValueError when it is no schedule."""
        fields = text.split()
        if len(fields) == len(_FIELDS) - 1:
            fields = ["0", *fields]
        if len(fields) != len(_FIELDS):
            raise ValueError(f"{text!r} is no NCRONTAB schedule: it has {len(fields)} fields, not six.")
        sets = [_values(f, *bounds) for f, bounds in zip(fields, _FIELDS, strict=True)]
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays = sets

    def after(self, at: datetime) -> datetime | None:
        """Return the first time after `at`; None when there is none."""
        end, at = at + _FARTHEST, at.replace(microsecond=0) + timedelta(seconds=1)
        while at < end:
            day = at.replace(hour=0, minute=0, second=0)
            if at.month not in self._months:
                at = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            elif at.day not in self._days or at.isoweekday() % 7 not in self._weekdays:
                at = day + timedelta(days=1)
            elif at.hour not in self._hours:
                at = at.replace(minute=0, second=0) + timedelta(hours=1)
            elif at.minute not in self._minutes:
                at = at.replace(second=0) + timedelta(minutes=1)
            elif at.second not in self._seconds:
                at += timedelta(seconds=1)
            else:
                return at
        return None


def _values(field: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    def number(word: str) -> int:
        value = names.index(word[:3].lower()) if word[:3].lower() in names else int(word)
        if not low <= value <= high:
            raise ValueError(f"{word!r} is not within {low} and {high}.")
        return value

    def values() -> Iterator[int]:
        for part in field.split(","):
            if not (match := _PART.fullmatch(part)):
                raise ValueError(f"{field!r} is no field of an NCRONTAB schedule.")
            first, last, step = match.groups()
            start = low if first == "*" else number(first)
            end = number(last) if last else high if first == "*" or step else start
            yield from range(start, end + 1, int(step or 1))

    return frozenset(values())


class Schedules:
    """The timer triggers of an app. When each is due is kept, so that one missed while no host ran is made up for."""

    def __init__(self, app: App, store: Store, clock: Clock) -> None:
        """Raises BadApp for a schedule that can't be read."""
        self._store, self._clock = store, clock
        self._all = {f.name: (f, *_read(f)) for f in app.of_kind(TIMER).values()}
        self._eager = {name for name, (f, *_) in self._all.items() if getattr(f.trigger, "run_on_startup", False)}
        self._running: set[str] = set()

    def next(self) -> datetime | None:
        """When the next one is due that does not run now."""
        waiting = [(text, cron) for name, (_, text, cron) in self._all.items() if name not in self._running]
        return min((at for text, cron in waiting if (at := self._next(text, cron))), default=None)

    def begin(self) -> list[tuple[Function, bool]]:
        """Take the functions to run now, and whether each is late. One that was due several times is run once."""
        now, found = self._clock.now(), []
        for name, (function, text, schedule) in self._all.items():
            at = self._next(text, schedule)
            if name not in self._running and (name in self._eager or (at and at <= now)):
                self._running.add(name)
                self._eager.discard(name)
                found.append((function, bool(at and at < now - _LATE)))
        return found

    def end(self, function: Function) -> None:
        """Note that a function was run. Until then it is due: a process that dies meanwhile has it run again."""
        _, text, schedule = self._all[function.name]
        self._set(text, schedule.after(self._clock.now()))
        self._running.discard(function.name)

    def _next(self, text: str, schedule: Ncrontab) -> datetime | None:
        kept = self._store.setting(text)
        if kept is None:
            self._set(text, schedule.after(self._clock.now()))
            kept = self._store.setting(text)
        return clocks.parse(kept) if kept else None

    def _set(self, text: str, at: datetime | None) -> None:
        self._store.set_setting(text, clocks.text(at) if at else "")


def _read(function: Function) -> tuple[str, Ncrontab]:
    """The name under which a schedule is kept, and the schedule. `%NAME%` is an app setting."""
    written = str(getattr(function.trigger, "schedule", ""))
    text = re.sub(r"%([^%]+)%", lambda m: os.environ.get(m[1], m[0]), written)
    try:
        return f"schedule {function.name} {text}", Ncrontab(text)
    except ValueError as error:
        raise BadApp(f"Function {function.name!r}: {error}") from error
