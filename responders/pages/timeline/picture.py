"""The drawing: SVG, made of elements. Colors and letters are the sheet's; there are no scripts and no inline styles."""

from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from responders.model import Json
from responders.pages.markup import el
from responders.pages.timeline.axis import Axis
from responders.pages.timeline.labels import GRAVE, ROW, ROWS, Label, cut, placed, width
from responders.pages.timeline.lanes import Lane, Mark, lanes, time
from responders.pages.timeline.shapes import KINDS, PITCH, STACKED, TALLEST, columns, counts, drawn, number, shape, text

_WIDTH = 960.0
_LEFT, _RIGHT = 188.0, _WIDTH - 4  # of the axis
_TOP = 22.0  # of the first lane
_NAMED = frozenset({"alert", "person", "told"})  # kinds that their lane explains


def picture(report: Json) -> Element | None:
    """The timeline of a report. None where nothing has a time."""
    shown = lanes(report)
    marks = [mark for lane in shown for mark in lane.marks]
    if not marks:
        return None
    since = time(report["since"]) if report["since"] else None
    axis = Axis([mark.at for mark in marks] + ([since] if since else []), _LEFT, _RIGHT)
    parts: list[Element] = []
    bottom = _TOP
    for lane in shown:
        part, height = _lane(lane, axis, bottom)
        parts.append(part)
        bottom += height
    said = _said(report["findings"]["list"])
    svg = el(
        "svg",
        el("title", "Timeline of the incident", id="timeline-title"),
        el("desc", said, id="timeline-desc"),
        *_axis(axis, bottom),
        *_lines(report, axis, bottom),
        *parts,
        *_legend(marks, axis, bottom + 62),
        viewBox=f"0 0 {number(_WIDTH)} {number(bottom + 70)}",
        role="img",
        aria_labelledby="timeline-title timeline-desc",
    )
    return el("figure", svg, el("figcaption", said), class_="timeline")


def _lane(lane: Lane, axis: Axis, top: float) -> tuple[Element, float]:
    """A lane and its height."""
    found = columns(lane.marks, axis)
    tallest = max((len(column.marks) for column in found), default=0)
    bars = tallest > STACKED
    wanted = [(c.x, m.words, m.weight) for c in found for m in c.marks if m.weight > 0]
    labels = placed(wanted, _LEFT, _RIGHT)
    body = TALLEST + 16 if bars else max(tallest, 2) * PITCH + 2
    floor = top + 12 + max((label.row + 1 for label in labels), default=0) * ROW + body
    tops = {column.x: column.height(tallest) + (16 if bars else 3) for column in found}
    rows = [floor - body - 4 - n * ROW for n in range(ROWS)]
    return (
        el(
            "g",
            el("path", d=f"M0 {number(top)}H{number(_WIDTH)}", class_="rule"),
            text(0, floor - 12, cut(lane.name, _LEFT - 12, 14), "name"),
            text(0, floor + 2, cut(lane.what, _LEFT - 16, 11), "soft"),
            el("path", d=f"M{number(_LEFT)} {number(floor)}H{number(_RIGHT)}", class_="floor"),
            None if found else text(_LEFT + 8, floor - 6, "nothing found", "soft"),
            *(_line(label.x, rows[label.row] - 10, floor - tops[label.x], "leader") for label in labels),
            *(drawn(column, floor, tallest) for column in found),
            *(counts(found, floor, tallest) if bars else ()),
            *(_words(label, rows[label.row]) for label in labels),
        ),
        floor + 12 - top,
    )


def _words(label: Label, y: float) -> Element:
    look = ["label", *(["grave"] if label.weight >= GRAVE else []), *(["end"] if label.to_left else [])]
    return text(label.ends[1 if label.to_left else 0], y, label.words, " ".join(look))


def _axis(axis: Axis, bottom: float) -> Iterator[Element]:
    """Folds, and ticks under the lanes."""
    taken: list[tuple[float, float]] = []
    for fold in axis.folds:
        wide, high = number(fold.right - fold.left), number(bottom - _TOP)
        yield el("rect", x=number(fold.left), y=number(_TOP), width=wide, height=high, class_="fold")
        middle = (fold.left + fold.right) / 2
        yield text(middle, bottom + 18, fold.words, "middle soft")
        half = width(fold.words, 11) / 2 + 4
        taken.append((middle - half, middle + half))
    date, dated = "", 0.0
    for tick in axis.ticks():
        yield _line(tick.x, _TOP, bottom + 4, "grid")
        date = tick.date or date
        half = width(tick.time) / 2
        if any(a < tick.x + half and tick.x - half < b for a, b in taken):
            continue
        yield text(tick.x, bottom + 18, tick.time, "middle tick")
        taken.append((tick.x - half, tick.x + half))
        half = width(date, 11) / 2
        if date and tick.x - half > dated:
            yield text(tick.x, bottom + 33, date, "middle soft")
            date, dated = "", tick.x + half
    yield text(0, bottom + 18, "UTC", "soft")


def _lines(report: Json, axis: Axis, bottom: float) -> Iterator[Element]:
    """The start of the window, and the alert through all lanes."""
    if report["since"]:
        x = axis.x(time(report["since"]))
        yield _line(x, _TOP - 4, bottom, "since")
        words = "looked at from here on"
        yield text(min(x - 4, _RIGHT - width(words, 11)), _TOP - 8, words, "soft")
    if report["alert"]:
        yield _line(axis.x(time(report["alert"]["start"])), _TOP + 30, bottom, "alert-line")


def _legend(marks: list[Mark], axis: Axis, y: float) -> Iterator[Element]:
    """What the marks mean, of the kinds that there are."""
    kinds = {mark.kind for mark in marks}
    entries = [(shape(kind, 6, y - 4, failed=False), words) for kind, words in KINDS.items() if kind in kinds - _NAMED]
    if any(mark.failed for mark in marks):
        entries.append((shape("none", 6, y - 4, failed=True), "failed or refused"))
    if axis.folds:
        fold = el("rect", x="0", y=number(y - 10), width="12", height="12", class_="fold")
        entries.append((fold, "nothing for long: folded"))
    x = 0.0
    for mark, words in entries:
        yield el("g", mark, text(16, y, words, "soft"), transform=f"translate({number(x)})")
        x += 30 + width(words, 11)


def _said(findings: list[Json]) -> str:
    """The picture in words."""
    levels = Counter(f["level"] for f in findings)
    callers = len({f["caller"].lower() for f in findings})
    if not findings:
        return "No activity was found. Times are UTC."
    count = f"{len(findings):,} {'activity' if len(findings) == 1 else 'activities'} of {callers:,} "
    count += "identity" if callers == 1 else "identities"
    grave = f"{levels['suspicious']:,} suspicious, {levels['notable']:,} notable"
    return f"{count}: {grave}. Times are UTC."


def _line(x: float, top: float, bottom: float, look: str) -> Element:
    return el("path", d=f"M{number(x)} {number(top)}V{number(bottom)}", class_=look)
