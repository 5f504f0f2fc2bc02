"""What stands in the picture: a lane for each who did something, and a mark for each thing done."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from responders.model import SETTLED, Json
from responders.pages.timeline.labels import GRAVE

SUSPECTS, CALLERS = 6, 4  # lanes of their own; the others share one
FEW = 12  # activities of which those that are not suspicious get words, too
_RANK = {"suspicious": GRAVE, "notable": 1000.0, "none": 0.0}


class Mark(NamedTuple):
    """One thing that was done."""

    at: datetime
    kind: str  # suspicious, notable, none; alert; person; made, undone, told
    failed: bool
    words: str
    weight: float  # who has the most gets words in the picture; with 0 or less never


class Lane(NamedTuple):
    """What one did, or several of one kind."""

    name: str
    what: str  # what it is: "suspect user"
    marks: list[Mark]


def lanes(report: Json) -> list[Lane]:
    """The lanes from top to bottom: the alert and those of the same cause, suspects, other callers, the response."""
    found = [_alerts(report), *_actors(report), *_response(report["journal"]["list"])]
    return [lane for lane in found if lane.marks or lane.what.startswith("suspect")]


def _alerts(report: Json) -> Lane:
    alerts = [report["alert"], *report["joined"]] if report["alert"] else []
    marks = [Mark(time(a["start"]), "alert", False, a["title"], GRAVE if not n else 1.0) for n, a in enumerate(alerts)]
    return Lane("Defender", "alerts" if marks[1:] else "the alert", marks)


def _actors(report: Json) -> Iterator[Lane]:
    """Suspects in their order, then who else did something, the gravest first."""
    findings = report["findings"]["list"]
    few = len(findings) <= FEW
    known: dict[str, Lane] = {}  # by each name that the log may have for them
    suspects: list[Lane] = []
    for s in report["suspects"]:
        lane = Lane(s["name"] or s["upn"] or s["id"], f"suspect {s['kind'].replace('_', ' ')}", [])
        suspects.append(lane)
        known |= {s[name].lower(): lane for name in ("id", "upn", "app_id") if s[name]}
    others: list[Lane] = []
    for f in findings:
        lane = known.get(f["caller"].lower()) or Lane(f["name"] or f["caller"], _caller(f), [])
        if f["caller"].lower() not in known:
            known[f["caller"].lower()] = lane
            (suspects if f["suspect"] else others).append(lane)
        lane.marks.append(_activity(f, lane.name, few=few))
    others.sort(key=lambda lane: (max(mark.weight for mark in lane.marks), len(lane.marks)), reverse=True)
    yield from _shared(suspects, SUSPECTS, "suspect")
    yield from _shared(others, CALLERS, "caller")


def _caller(finding: Json) -> str:
    return "suspect" if finding["suspect"] else "another caller"


def _shared(all_: list[Lane], most: int, what: str) -> list[Lane]:
    if len(all_) <= most:
        return all_
    rest = all_[most - 1 :]
    marks = [mark for lane in rest for mark in lane.marks]
    return [*all_[: most - 1], Lane(f"{len(rest)} more {what}s", f"{what}s in one line", marks)]


def _activity(finding: Json, actor: str, *, few: bool) -> Mark:
    """An activity, in the words of its reason; whose it is says the lane."""
    words = finding["reason"]
    for name in (actor, finding["name"], finding["caller"]):
        if name and words.startswith(name):
            words = words[len(name) :].lstrip(" :") or words
            break
    level = finding["level"]
    weight = finding["score"] + _RANK[level] if few or level != "none" else 0.0
    return Mark(time(finding["at"]), level, finding["outcome"] == "failed", words, weight)


def _response(entries: list[Json]) -> tuple[Lane, Lane]:
    people, ours = Lane("People", "asked and answered", []), Lane("Countersign", "what it did", [])
    for entry in entries:
        for lane, tellers in ((people, _PEOPLE), (ours, _OURS)):
            if tell := tellers.get(entry["kind"]):
                lane.marks.append(Mark(time(entry["at"]), *tell(entry)))
    return people, ours


_Told = tuple[str, bool, str, float]  # of a mark: kind, failed, words, weight


def _answered(e: Json) -> _Told:
    silent = e["outcome"] == "silence"
    return "person", silent, "no answer" if silent else f"{e['by']}: {e['outcome']}", 3


def _applied(e: Json) -> _Told:
    good = e["outcome"] in SETTLED
    return "made", not good, e["summary"] if good else f"{e['outcome']}: {e['summary']}", 2 if good else 3


def _undone(e: Json) -> _Told:
    good = e["outcome"] in SETTLED
    return "undone", not good, f"undo {'' if good else e['outcome']}: {e['summary']}".replace(" :", ":"), 2


_PEOPLE: Mapping[str, Callable[[Json], _Told]] = {
    "asked": lambda e: ("person", False, f"asked {e['outcome'] or 'nobody'}", 2),
    "answered": _answered,
    "voted": lambda e: ("person", e["outcome"] == "reject", f"{e['by']}: {e['outcome']}", 2),
    "refused": lambda e: ("person", True, f"{e['by']}: refused", 1),
    "asked_again": lambda e: ("person", False, f"{e['by']}: asked for a new run", 1),
}
_OURS: Mapping[str, Callable[[Json], _Told]] = {
    "alert": lambda _: ("told", False, "took the alert", 1),
    "applied": _applied,
    "undone_change": _undone,
    "failed": lambda e: ("told", True, e["text"], 2),
    "closed": lambda e: ("told", False, f"ended: {e['outcome'].replace('_', ' ')}", 3),
}


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)
