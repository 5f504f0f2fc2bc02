"""The shapes of marks: a form for each kind of doing, color and size for how grave it is, hollow for what failed."""

from collections import Counter
from typing import NamedTuple
from xml.etree.ElementTree import Element

from responders.pages.markup import Node, el
from responders.pages.timeline.axis import Axis
from responders.pages.timeline.labels import cut, width
from responders.pages.timeline.lanes import Mark

PITCH = 11.0  # the least distance of marks
STACKED = 4  # marks one above another; where a lane has more at one place, bars show its numbers
TALLEST = 54.0  # bar
_SLIVER = 3.0  # the least height of a part of a bar: one grave activity among thousands is seen
_TOLD = 4  # marks of a column that are told when one points at it
# Activities, the gravest first, and what else there is; with what a mark of it means.
KINDS = {
    "suspicious": "suspicious",
    "notable": "notable",
    "none": "other activity",
    "alert": "alert",
    "person": "person",
    "made": "change made",
    "undone": "change undone",
    "told": "told",
}
_ORDER = list(KINDS)
_RADII = {"suspicious": 5.2, "notable": 4.6, "none": 3.4}


class Column(NamedTuple):
    """The marks of a lane that stand at one place."""

    x: float
    marks: list[Mark]  # the gravest first

    def parts(self, tallest: int) -> list[tuple[str, bool, float]]:
        """(kind, failed, height) of the parts of a bar, from the floor up, if the tallest has so many marks."""
        counts = Counter((mark.kind, mark.failed) for mark in self.marks)
        return [(*one, max(_SLIVER, n * TALLEST / tallest)) for one, n in counts.items()]

    def height(self, tallest: int) -> float:
        if tallest <= STACKED:
            return len(self.marks) * PITCH
        return sum(height for _, _, height in self.parts(tallest))


def columns(marks: list[Mark], axis: Axis) -> list[Column]:
    """Marks that would cover one another stand at one place, that of the first."""
    found: list[Column] = []
    for x, mark in sorted(((axis.x(mark.at), mark) for mark in marks), key=lambda one: one[0]):
        if not found or x - found[-1].x >= PITCH:
            found.append(Column(x, []))
        found[-1].marks.append(mark)
    for column in found:
        column.marks.sort(key=lambda mark: (_ORDER.index(mark.kind), mark.failed, -mark.weight))
    return found


def drawn(column: Column, floor: float, tallest: int) -> Element:
    """A column on its floor."""
    shapes: list[Node] = []
    y = floor
    if tallest <= STACKED:
        for n, mark in enumerate(column.marks):
            shapes.append(shape(mark.kind, column.x, floor - (n + 0.5) * PITCH - 1, failed=mark.failed))
    else:
        for kind, failed, height in column.parts(tallest):
            y -= height
            inset = 1.7 if failed else 1.0  # an outline is within the bar
            box = {"x": column.x - PITCH / 2 + inset, "y": y + inset - 1, "width": PITCH - 2 * inset}
            box["height"] = height - 2 * (inset - 1)
            look = _look(kind, failed=failed)
            shapes.append(el("rect", **{name: number(size) for name, size in box.items()}, class_=f"{look} bar"))
    told = [f"{mark.at:%Y-%m-%d %H:%M:%S} {cut(mark.words, 600)}" for mark in column.marks[:_TOLD]]
    if more := len(column.marks) - _TOLD:
        told += [f"and {more} more"] if more > 0 else []
    return el("g", el("title", "\n".join(told)), *shapes)


def counts(found: list[Column], floor: float, tallest: int) -> list[Node]:
    """How many marks bars stand for, over as many of the tall ones as there is room for."""
    shown: list[tuple[float, float]] = []  # from where to where, of each
    texts: list[Node] = []
    tall = [column for column in found if len(column.marks) >= tallest / 3]
    for column in sorted(tall, key=lambda one: -len(one.marks)):
        words = f"{len(column.marks):,}"
        half = width(words, 10) / 2 + 4
        if all(column.x + half < a or b < column.x - half for a, b in shown):
            shown.append((column.x - half, column.x + half))
            y = floor - column.height(tallest) - 4
            texts.append(text(column.x, y, words, "count"))
    return texts


def shape(kind: str, x: float, y: float, *, failed: bool) -> Element:
    """One mark around that point."""
    look = _look(kind, failed=failed)
    if kind in _RADII:
        return el("circle", cx=number(x), cy=number(y), r=number(_RADII[kind]), class_=look)
    paths = {"alert": "m-5.5 4.5h11l-5.5-10z", "person": "m-5.5 0l5.5-5.5l5.5 5.5l-5.5 5.5z"}
    return el("path", d=f"M{number(x)} {number(y)}{paths.get(kind, 'm-4.2-4.2h8.4v8.4h-8.4z')}", class_=look)


def text(x: float, y: float, words: str, look: str) -> Element:
    return el("text", words, x=number(x), y=number(y), class_=look)


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _look(kind: str, *, failed: bool) -> str:
    return f"mark {kind} failed" if failed else f"mark {kind}"
