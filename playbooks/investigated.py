"""An investigation, told: as text for a terminal, and as a page with the picture of its timeline."""

from collections.abc import Iterator
from itertools import groupby

from playbooks.terminal import shown
from responders.model import Json
from responders.pages.frame import page as framed
from responders.pages.happened import happened
from responders.pages.markup import Node, el, facts, items, table
from responders.pages.parts import code, time

_RANK = {"suspicious": 2, "notable": 1, "none": 0}


def text(report: Json) -> str:
    """What was found, who did it and why it is suspicious, for people at a terminal."""
    return "\n".join(map(shown, _lines(report)))


def _lines(report: Json) -> Iterator[str]:
    found = report["findings"]["list"]
    levels = [finding["level"] for finding in found]
    yield f"Subscription {report['subscription']}, {time(report['since'])} to {time(report['until'])}"
    yield f"{levels.count('suspicious')} suspicious and {levels.count('notable')} notable activities"
    for actor in _by_actor(found):
        yield ""
        first = actor[0]
        yield f"{first['name'] or first['caller']}{_suspected(report, first)}"
        told = [finding for finding in actor if finding["level"] != "none"]
        for finding in told:
            yield from _finding(finding)
        if others := len(actor) - len(told):
            yield f"  {others} other activities, neither of the two; --json has them"
    for title, lines in (
        ("A response would take as compromised:", list(map(_subject, report["subjects"]))),
        ("Left to a person:", report["by_hand"]),
        ("What the log does not tell:", report["notes"]),
    ):
        if lines:
            yield from ("", title, *(f"  {line}" for line in lines))


def _by_actor(found: list[Json]) -> list[list[Json]]:
    """The activities of each caller in order of time; suspects first, and whose are gravest."""
    ordered = sorted(found, key=lambda finding: (finding["caller"].lower(), finding["at"]))
    actors = [list(theirs) for _, theirs in groupby(ordered, key=lambda finding: finding["caller"].lower())]
    return sorted(
        actors,
        key=lambda theirs: (
            any(f["suspect"] for f in theirs),
            max((_RANK[f["level"]], f["score"]) for f in theirs),
            len(theirs),
        ),
        reverse=True,
    )


def _suspected(report: Json, finding: Json) -> str:
    if not finding["suspect"]:
        return ""
    names = {finding["caller"].lower(), finding["name"].lower()}
    for suspect in report["suspects"]:
        if not names.isdisjoint(suspect[key].lower() for key in ("id", "upn", "app_id") if suspect[key]):
            return f" (suspect: {suspect['because']})"
    return " (suspect)"


def _finding(finding: Json) -> Iterator[str]:
    failed = ", failed" if finding["outcome"] == "failed" else ""
    yield f"  {time(finding['at'])}  {finding['level']}, {finding['score']:g} points: {finding['reason']}"
    yield f"      {finding['operation']}{failed}"
    yield f"      on {finding['resource']}" + (f", from {finding['address']}" if finding["address"] else "")
    for point in finding["points"]:
        yield f"      {point['points']:+g} {point['reason']}"


def _subject(subject: Json) -> str:
    return f"{subject['kind'].replace('_', ' ')} {subject['name'] or subject['id']}: {subject['reason']}"


def page(report: Json) -> bytes:
    """The same as one file without scripts, or anything from elsewhere."""
    title = f"Activities of subscription {report['subscription']}"
    levels = [finding["level"] for finding in report["findings"]["list"]]
    numbers = [el("span", el("b", str(levels.count(level))), " ", level) for level in ("suspicious", "notable")]
    top = el(
        "header",
        el("p", "Countersign: an investigation", class_="brand"),
        el("h1", title),
        facts(
            [
                ("Subscription", code(report["subscription"])),
                ("When", f"{time(report['since'])} to {time(report['until'])}"),
                ("Compared with", f"what was done from {time(report['baseline'])} on"),
                ("Accounts", items(map(code, report["accounts"])) if report["accounts"] else "all, by what they did"),
            ]
        ),
        items(numbers, class_="numbers"),
    )
    nothing: Json = {"alert": None, "joined": [], "others": [], "alerts": {}, "journal": {"list": []}}
    told = happened({**report, **nothing, "subjects": []})
    return framed(title, top, el("main", _section("happened", "What happened", told), *_proposed(report)))


def _proposed(report: Json) -> Iterator[Node]:
    rows = [(s["name"] or s["id"], s["kind"].replace("_", " "), code(s["id"]), s["reason"]) for s in report["subjects"]]
    if rows:
        held = table("Subjects", ("Subject", "Kind", "Id", "Because"), rows)
        yield _section("subjects", "A response would take as compromised", iter([held]))
    if report["by_hand"]:
        yield _section("left", "Left to a person", iter([items(report["by_hand"])]))


def _section(id_: str, title: str, parts: Iterator[Node]) -> Node:
    return el("section", el("h2", title, id=id_), *parts, aria_labelledby=id_)
