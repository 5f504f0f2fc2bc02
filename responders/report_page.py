"""The report as a page: one file without scripts, or anything from elsewhere. Made from the report's JSON alone."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from xml.etree.ElementTree import Element

from responders.markup import Node, el, facts, items, link, table
from responders.model import Json
from responders.pages import page as framed

MOST = 500  # findings on the page; the JSON has all of them
_SETTLED = {"done", "already_so"}
_GOOD = {"resolved", "dismissed", "done", "already_so", "approved", "auto", "expected"}
_BAD = {
    "unfinished",
    "not_acted_on",
    "failed",
    "drifted",
    "unverified",
    "not_done",
    "expired",
    "unexpected",
    "suspicious",
}


def page(report: Json, sha256: str) -> bytes:
    """The page of a report, in UTF-8. `sha256` is that of the report's JSON, for the page to name."""
    title = (report["alert"] or {}).get("title") or "An alert that can't be read"
    main = el("main", *(section for section in _sections(report) if section is not None))
    foot = el(
        "footer",
        el("p", "Made from ", el("code", report["report"].replace(".html", ".json")), " with the SHA-256 "),
        el("p", el("code", sha256)),
    )
    return framed(title, _top(report, title), main, foot)


def _top(report: Json, title: str) -> Element:
    alert = report["alert"] or {}
    changes = [change for step in report["steps"] for change in step["changes"]]
    made = [c for c in changes if c["status"] in _SETTLED]
    numbers = [
        (len(made), "changes made"),
        (sum(c["verified"] in _SETTLED for c in made), "of them seen in effect"),
        (sum(c["status"] in _BAD or c["verified"] == "unverified" for c in changes), "changes failed or not seen"),
        (sum(len(step["kept"]) for step in report["steps"]), "things looked at and kept"),
        (len(report["by_hand"]), "things left to do by hand"),
    ]
    return el(
        "header",
        el("p", "Countersign: report of an incident", class_="brand"),
        el("h1", title),
        el("p", _badge(report["result"] or report["status"]), " ", report["reason"], class_="verdict"),
        facts(
            [
                ("Severity", alert.get("severity")),
                ("Alert type", _code(alert.get("type"))),
                ("When", f"{_time(alert['start'])} to {_time(alert['end'])}" if alert else None),
                ("Subscription", _code(alert.get("subscription"))),
                ("Incident", _code(report["incident"])),
                ("Report of run", _code(report["report_of"])),
                ("Run", f"{_time(report['started'])} to {_time(report['ended'])}"),
            ]
        ),
        items([el("span", el("b", str(n)), " ", what) for n, what in numbers], class_="numbers"),
    )


def _sections(report: Json) -> Iterator[Element | None]:
    yield _section("left", "Left to do by hand", _lines(report["by_hand"], "Nothing."))
    yield _section("happened", "What happened", *_happened(report))
    yield _section("asked", "Who was asked", *_asked(report["question"]))
    steps = [_step(step) for step in report["steps"]] or [el("p", "Nothing was planned.")]
    yield _section("done", "What was planned, countersigned and done", *steps)
    yield _section("wrong", "What went wrong", *_wrong(report))
    yield _section("undo", "Undo", *_undo(report))
    if report["earlier"]:
        yield _section("earlier", "Earlier runs", *(part for run in report["earlier"] for part in _earlier(run)))
    yield _section("journal", "The journal", *_journal(report["journal"]))


def _section(id_: str, title: str, *parts: Node) -> Element:
    return el("section", el("h2", title, id=id_), *parts, aria_labelledby=id_)


def _happened(report: Json) -> Iterator[Node]:
    alert = report["alert"]
    if alert:
        yield el("p", alert["description"], class_="text") if alert["description"] else None
        yield facts(
            [
                ("Alert", _code(alert["id"] or alert["name"])),
                ("At Defender", link(alert["link"]) if alert["link"] else None),
                ("From", _codes(alert["addresses"])),
                ("On", _codes(alert["resources"])),
                *((name, value) for name, value in alert["details"].items()),
            ]
        )
    if report["joined"]:
        others = [
            (_when(a["start"]), a["title"], _code(a["type"]), _code(a["id"] or a["name"])) for a in report["joined"]
        ]
        yield table("Other alerts of the same root cause", ("When", "Alert", "Type", "Id"), others)
    if report["others"]:
        seen = [
            (_when(a["start"]), a["title"], a["severity"], a["status"], items(a["relation"]), _code(a["id"]))
            for a in report["others"]
        ]
        heads = ("When", "Alert", "Severity", "State when seen", "Relation", "Id")
        yield table("Other alerts of the subscription in the window", heads, seen)
    if report["alerts"]:
        states = [(_code(id_), state) for id_, state in report["alerts"].items()]
        yield table("Set at Defender in the end", ("Alert", "State"), states)
    if report["suspects"]:
        rows = [
            (
                s["name"] or s["upn"] or s["id"],
                s["upn"],
                _code(s["id"]),
                s["kind"].replace("_", " "),
                _code(s["tenant"]),
            )
            for s in report["suspects"]
        ]
        yield table("Suspects", ("Name", "Sign-in name", "Object id", "Kind", "Tenant"), rows)
    else:
        yield el("p", "The alert names no suspect.")
    if report["subjects"]:
        held = [
            (s["name"] or s["id"], s["kind"].replace("_", " "), _code(s["id"]), s["reason"]) for s in report["subjects"]
        ]
        yield table("Held to be compromised", ("Subject", "Kind", "Id", "Because"), held)
    yield from _findings(report["findings"]["list"])
    if report["notes"]:
        yield el("h3", "What the log does not tell")
        yield items(report["notes"])


def _findings(findings: list[Json]) -> Iterator[Node]:
    """What was done, in order of time; the page has those that weigh most."""
    if not findings:
        yield el("p", "No activity of the suspects was looked for, or found.")
    for ours, title in ((True, "What the suspects did"), (False, "What others did that is suspicious, too")):
        some = [f for f in findings if f["suspect"] is ours]
        if not some:
            continue
        shown = sorted(sorted(some, key=lambda f: -f["score"])[:MOST], key=lambda f: str(f["at"]))
        heads = ("When", "How suspicious", "What", "Operation", "Resource", "Caller")
        yield table(f"{title}, {len(some)} activities", heads, [_finding(f) for f in shown])
        if more := len(some) - len(shown):
            yield el("p", f"… and {more} more, which are in the JSON.")


def _finding(finding: Json) -> Iterator[Node]:
    yield _when(finding["at"])
    level = finding["level"]
    yield el("div", _badge(level) if level != "none" else None, el("p", f"{finding['score']:g} points"))
    points = [f"{point['points']:+g} {point['reason']}" for point in finding["points"]]
    yield el("div", el("p", finding["reason"]), items(points) if points else None)
    yield _code(finding["operation"])
    yield _code(finding["resource"])
    address = el("p", "from ", _code(finding["address"])) if finding["address"] else None
    yield el("div", el("p", finding["name"]) if finding["name"] else None, _code(finding["caller"]), address)


def _asked(question: Json | None) -> Iterator[Node]:
    if question is None:
        yield el("p", "Nobody was asked.")
        return
    yield el("blockquote", el("p", question["text"], class_="text"))
    asked = list(zip_longest(question["owners"], question["why"], fillvalue="no reason is known"))
    answer = el("span", _badge(question["answer"] or "open"), f" by {question['by']}" if question["by"] else None)
    yield facts(
        [
            ("Asked", items(f"{who}: {why}" for who, why in asked) if asked else "nobody could be found"),
            ("Notes", items(question["notes"]) if question["notes"] else None),
            ("How", question["told"]),
            ("When", _when(question["at"])),
            ("Until", _when(question["expires"])),
            ("Answer", answer),
            ("Answered", _when(question["answered"]) if question["answered"] else None),
            ("Reason", question["reason"]),
        ]
    )


def _step(step: Json) -> Element:
    subject = step["subject"]
    votes = [
        el(
            "span",
            f"{v['by']}: {v['decision']}, ",
            _when(v["at"]),
            f", {v['reason']}" if v["reason"] else None,
            el("p", _code(v["digest"])),
        )
        for v in step["votes"]
    ]
    partly = step["approved"] and step["approved"] != step["plan"]
    parts = [
        el("h3", _code(step["action"]), " ", subject["name"] or subject["id"]),
        facts(
            [
                ("State", el("span", _badge(step["state"]), f" by {step['by']}" if step["by"] else None)),
                ("Reason", step["reason"]),
                ("Planned", _when(step["at"])),
                ("Decided", _when(step["decided"]) if step["decided"] else None),
                ("Countersignatures", f"{step['needs']} needed" if step["needs"] else None),
                ("Plan", _code(step["plan"])),
                ("Approved of it", _code(step["approved"]) if partly else None),
                ("Votes", items(votes) if votes else None),
            ]
        ),
    ]
    if step["changes"]:
        rows = [_change(change, read_again=step["action"] != "undo") for change in step["changes"]]
        parts.append(table("Changes", ("Change", "Because", "Outcome", "In effect"), rows))
    if step["kept"]:
        parts += [el("h4", "Looked at and kept"), items(step["kept"])]
    return el("article", *parts)


def _change(change: Json, *, read_again: bool) -> Iterator[Node]:
    lasting = el("p", change["lasting"], class_="lasting") if change["lasting"] else None
    yield el("div", el("p", change["summary"]), el("p", _code(change["resource"])), lasting)
    yield items(change["reasons"]) if change["reasons"] else ""
    undone = el("p", "undone since") if change["undone"] else None
    yield el("div", _badge(change["status"] or "waiting"), el("p", change["reason"]), undone)
    made = change["status"] in _SETTLED and read_again
    seen = change["verified"] in _SETTLED
    yield _badge("seen", "good") if seen else _badge("not seen", "bad") if made else ""


def _wrong(report: Json) -> Iterator[Node]:
    if report["failures"]:
        rows = [
            (_when(f["at"]) if f["at"] else "", f["activity"].replace("_", " "), _code(f["step"]), f["reason"])
            for f in report["failures"]
        ]
        yield table("What came to nothing", ("When", "Activity", "Run or step", "Because"), rows)
    if report["refusals"]:
        rows = [
            (_when(r["at"]), r["by"], _code(r.get("gate") or r.get("question") or r["request"]), r["why"])
            for r in report["refusals"]
        ]
        yield table("Requests that were refused", ("When", "Who", "What", "Because"), rows)
    if not report["failures"] and not report["refusals"]:
        yield el("p", "Nothing.")


def _undo(report: Json) -> Iterator[Node]:
    runs = [report, *report["earlier"]]
    made = [(step, c) for run in runs for step in run["steps"] for c in step["changes"] if c["status"] == "done"]
    back = [c["summary"] for step, c in made if step["reversible"] and not c["undone"]]
    lost = [
        f"{c['summary']}: {c['lasting'] or 'it is irreversible'}"
        for s, c in made
        if not s["reversible"] or c["lasting"]
    ]
    if back:
        call = el("code", f"POST /api/incidents/{report['incident']}/undo")
        yield el("p", "An approver starts it with ", call, ", and another one countersigns it. It undoes:")
        yield items(back)
    else:
        yield el("p", "There is nothing to undo.")
    if lost:
        yield el("h3", "What it can't bring back")
        yield items(lost)
    for one in report["undo"]:
        why = " ".join(text for text in (one["asked_because"], one["reason"]) if text)
        yield el("h3", "Undo ", _code(one["run"]))
        verdict = _badge(one["result"] or "waiting")
        yield el("p", verdict, f" Asked for by {one['by']}, ", _when(one["started"]), f". {why}")
        for step in one["steps"]:
            yield _step(step)


def _earlier(run: Json) -> Iterator[Node]:
    yield el("h3", "Run ", _code(run["run"]))
    yield el("p", _badge(run["result"] or "waiting"), " ", _when(run["started"]), " ", run["reason"])
    for step in run["steps"]:
        yield _step(step)


def _journal(journal: Json) -> Iterator[Node]:
    if journal["problems"]:
        yield el("p", _badge("damaged", "bad"), " The journal is not as it was written:")
        yield items(journal["problems"])
    else:
        said = (
            " Every entry follows from the one before. A copy of this page proves it later, by the head that it names."
        )
        yield el("p", _badge("whole", "good"), said)
    yield facts([("Entries", str(journal["entries"])), ("SHA-256 of the last", _code(journal["head"]))])
    rows = [(str(e["n"]), _when(e["at"]), e["kind"].replace("_", " "), e["by"], e["text"]) for e in journal["list"]]
    yield table("What happened, in order", ("No.", "When", "What", "Who", "In words"), rows, class_="journal")


def _lines(lines: list[str], otherwise: str) -> Element:
    return items(lines) if lines else el("p", otherwise)


def _badge(word: str, tone: str = "") -> Element:
    tone = tone or ("good" if word in _GOOD else "bad" if word in _BAD else "plain")
    return el("span", word.replace("_", " "), class_=f"badge {tone}")


def _code(text: str | None) -> Node:
    return el("code", text) if text else None


def _codes(texts: Iterable[str]) -> Node:
    listed = [_code(text) for text in texts]
    return items(listed) if listed else None


def _time(text: str | None) -> str:
    return text[:19].replace("T", " ") + " UTC" if text else "now"


def _when(text: str) -> Element:
    return el("time", _time(text), datetime=text)
