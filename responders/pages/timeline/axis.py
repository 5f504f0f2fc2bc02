"""From time to place: an axis on which long gaps without anything are folded away, with ticks that people read."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
_STEPS = [n * MINUTE for n in (1, 2, 5, 10, 15, 30)] + [n * HOUR for n in (1, 2, 3, 6, 12)]
_STEPS += [n * DAY for n in (1, 2, 7, 14, 28, 91, 182, 365, 1826, 3652, 36525)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FOLDS = 4  # at most
_SHARE = 0.2  # of all that isn't folded: what a gap must exceed to be folded
_FOLD, _SPAN, _EDGE = 56.0, 60.0, 16.0  # widths of a fold, the least one of a span, and the room at a span's ends
_TICK = 54.0  # the least distance of ticks


class Span(NamedTuple):
    """A stretch of time without a fold: `first` to `last`, from `left` to `right` less the room at the ends."""

    first: float  # seconds since 1970
    last: float
    left: float
    right: float

    @property
    def scale(self) -> float:
        """Seconds per unit of width."""
        return (self.last - self.first) / (self.right - self.left - 2 * _EDGE)

    def x(self, at: float) -> float:
        return self.left + _EDGE + (at - self.first) / self.scale


class Fold(NamedTuple):
    """A gap that was folded."""

    left: float
    right: float
    words: str  # how long it is: "19 h"


class Tick(NamedTuple):
    """A mark of the axis. `date` is "" where it is that of the tick before."""

    x: float
    time: str
    date: str


class Axis:
    """An axis from `left` to `right` for these moments, of which there is at least one."""

    def __init__(self, moments: Iterable[datetime], left: float, right: float) -> None:
        """Every moment needs its zone. An axis of less than 600 has no room for its folds."""
        times = sorted({seconds(at) for at in moments})
        parts = _parted(times)
        room = right - left - _FOLD * (len(parts) - 1) - _SPAN * len(parts)
        counts = [len({at // MINUTE for at in part}) for part in parts]
        lengths = [max(part[-1] - part[0], MINUTE) for part in parts]
        self.spans: list[Span] = []
        self.folds: list[Fold] = []
        for part, count, length in zip(parts, counts, lengths, strict=True):
            if self.spans:
                gap = part[0] - self.spans[-1].last
                self.folds.append(Fold(left, left + _FOLD, _length(gap)))
                left += _FOLD
            width = _SPAN + room * (count / sum(counts) + length / sum(lengths)) / 2
            middle = (part[0] + part[-1]) / 2
            self.spans.append(Span(middle - length / 2, middle + length / 2, left, left + width))
            left += width

    def x(self, at: datetime) -> float:
        """Where one of the moments is."""
        time = seconds(at)
        return next(span for span in self.spans if time < span.last + MINUTE).x(time)  # a gap is an hour at least

    def ticks(self) -> Iterator[Tick]:
        date = ""
        for span in self.spans:
            step = next((s for s in _STEPS if s / span.scale >= _TICK), _STEPS[-1])
            ends = [(x - span.left - _EDGE) * span.scale + span.first for x in (span.left + 8, span.right - 8)]
            times: list[float] = [n * step for n in range(int(-(-ends[0] // step)), int(ends[1] // step) + 1)]
            if span.last - span.first <= MINUTE or not times:
                times, step = [(span.first + span.last) / 2], MINUTE
            for n, at in enumerate(times):
                moment = _moment(at)
                if moment is None:
                    continue
                time, day = f"{moment:%H:%M}", f"{moment.day} {moment:%b} {moment.year}"
                if step >= DAY:
                    time, day = f"{moment.day} {moment:%b}", str(moment.year)
                yield Tick(span.x(at), time, day if day != date or not n else "")
                date = day


def seconds(at: datetime) -> float:
    """Since 1970."""
    return (at - _EPOCH).total_seconds()


def _moment(at: float) -> datetime | None:
    """None beyond the years that a datetime has."""
    try:
        return _EPOCH + timedelta(seconds=at)
    except OverflowError:
        return None


def _parted(times: list[float]) -> list[list[float]]:
    """The times, parted at the gaps to be folded: those of an hour and more that would take much of the axis."""
    gaps = sorted(((b - a, n) for n, (a, b) in enumerate(pairwise(times), 1)), reverse=True)
    rest = times[-1] - times[0]
    cuts = []
    for gap, n in gaps[:_FOLDS]:
        rest -= gap
        if gap < HOUR or gap <= _SHARE * rest:
            break
        cuts.append(n)
    return [times[a:b] for a, b in pairwise([0, *sorted(cuts), len(times)])]


def _length(gap: float) -> str:
    return f"{gap / HOUR:.0f} h" if gap < 2 * DAY else f"{gap / DAY:,.0f} d"
