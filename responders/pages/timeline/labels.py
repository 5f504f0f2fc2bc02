"""Words beside marks, none over another: as much of them as there is room for, the weightiest first."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from responders.pages.markup import visible

ROWS = 4  # of words above a lane's marks, at most
ROW = 17.0  # their height
SIZE = 12.0  # of the letters
GRAVE = 2000.0  # the weight from which on words are bold
_BOLDER = 1.1  # how much wider that is
_MOST = 10  # labels in a lane, if there is room
_GAP = 5.0  # between a line and its words, and between words
_LONGEST = 320.0
_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!()[]/\\- "), frozenset("mwMW@%\u27e8\u27e9")


class Label(NamedTuple):
    """Words in a row above the marks, at a line that rises from `x`."""

    x: float
    row: int  # 0 is next to the marks
    words: str
    weight: float
    to_left: bool  # whether the words stand left of the line

    @property
    def ends(self) -> tuple[float, float]:
        """From where to where the words reach."""
        wide = width(self.words) * (_BOLDER if self.weight >= GRAVE else 1) + _GAP
        return (self.x - wide, self.x - _GAP) if self.to_left else (self.x + _GAP, self.x + wide)


def width(text: str, size: float = SIZE) -> float:
    """About how wide a text is. Fonts differ; this is rather too much than too little."""
    return sum(_width(char) for char in text) * size


def _width(char: str) -> float:
    if char in _NARROW:
        return 0.38
    if unicodedata.east_asian_width(char) in "WF" or char in _WIDE:
        return 1.02
    return 0.72 if char.isupper() else 0.6


def cut(text: str, most: float, size: float = SIZE) -> str:
    """As much of a text as fits, all of it visible."""
    shown = " ".join(visible(text[:400]).split())
    ends = list(accumulate(_width(char) * size for char in shown))
    if not ends or ends[-1] <= most:
        return shown
    return f"{shown[: bisect_right(ends, most - size)].rstrip()}…"


def placed(wanted: Iterable[tuple[float, str, float]], left: float, right: float) -> list[Label]:
    """Words for (x, words, weight), within `left` to `right`. What has no room beside weightier words is left out."""
    gravest: dict[str, tuple[float, str, float]] = {}
    for x, words, weight in sorted(wanted, key=lambda one: -one[2]):
        gravest.setdefault(words, (x, cut(words, _LONGEST), weight))
        if len(gravest) == _MOST:
            break
    labels: list[Label] = []
    for one in gravest.values():
        labels = _layout([*((label.x, label.words, label.weight) for label in labels), one], left, right) or labels
    return labels


def _layout(wanted: list[tuple[float, str, float]], left: float, right: float) -> list[Label]:
    """Room for all of these; none, if that is not found.

    Words that stand right of their lines fit if each reaches over those that come after it, and so do the mirrored.
    """
    for leftward in (False, True):
        labels: list[Label] = []
        for x, words, weight in sorted(wanted, reverse=not leftward):
            tries = (Label(x, row, words, weight, side) for row in range(ROWS) for side in (leftward, not leftward))
            inside = (one for one in tries if left <= one.ends[0] and one.ends[1] <= right)
            label = next((one for one in inside if _fits(one, labels)), None)
            if label is None:
                break
            labels.append(label)
        else:
            return labels
    return []


def _fits(new: Label, labels: list[Label]) -> bool:
    return not any(_meet(new, other) or _crosses(new, other) or _crosses(other, new) for other in labels)


def _meet(one: Label, other: Label) -> bool:
    (a, b), (c, d) = one.ends, other.ends
    return one.row == other.row and a < d + 2 * _GAP and c < b + 2 * _GAP


def _crosses(line: Label, words: Label) -> bool:
    """Whether the line of one goes through the words of the other."""
    left, right = words.ends
    return line.row >= words.row and left - _GAP < line.x < right + _GAP and line.x != words.x
