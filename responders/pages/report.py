"""The report as a page: one file without scripts, or anything from elsewhere. Made from the report's JSON alone."""

from collections.abc import Iterator
from itertools import zip_longest
from xml.etree.ElementTree import Element

from responders.model import SETTLED, Json
from responders.pages.frame import page as framed
from responders.pages.happened import happened
from responders.pages.markup import Node, el, facts, items, table
from responders.pages.parts import BAD, badge, code, time, when


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
    made = [c for c in changes if c["status"] in SETTLED]
    numbers = [
        (len(made), "changes made"),
        (sum(c["verified"] in SETTLED for c in made), "of them seen in effect"),
        (sum(c["status"] in BAD or c["verified"] == "unverified" for c in changes), "changes failed or not seen"),
        (sum(len(step["kept"]) for step in report["steps"]), "things looked at and kept"),
        (len(report["by_hand"]), "things left to do by hand"),
    ]
    return el(
        "header",
        el("p", "Countersign: report of an incident", class_="brand"),
        el("h1", title),
        el("p", badge(report["result"] or report["status"]), " ", report["reason"], class_="verdict"),
        facts(
            [
                ("Severity", alert.get("severity")),
                ("Alert type", code(alert.get("type"))),
                ("When", f"{time(alert['start'])} to {time(alert['end'])}" if alert else None),
                ("Subscription", code(alert.get("subscription"))),
                ("Incident", code(report["incident"])),
                ("Report of run", code(report["report_of"])),
                ("Run", f"{time(report['started'])} to {time(report['ended'])}"),
            ]
        ),
        items([el("span", el("b", str(n)), " ", what) for n, what in numbers], class_="numbers"),
    )


def _sections(report: Json) -> Iterator[Element | None]:
    yield _section("left", "Left to do by hand", _lines(report["by_hand"], "Nothing."))
    yield _section("happened", "What happened", *happened(report))
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


def _asked(question: Json | None) -> Iterator[Node]:
    if question is None:
        yield el("p", "Nobody was asked.")
        return
    yield el("blockquote", el("p", question["text"], class_="text"))
    asked = list(zip_longest(question["owners"], question["why"], fillvalue="no reason is known"))
    answer = el("span", badge(question["answer"] or "open"), f" by {question['by']}" if question["by"] else None)
    yield facts(
        [
            ("Asked", items(f"{who}: {why}" for who, why in asked) if asked else "nobody could be found"),
            ("Notes", items(question["notes"]) if question["notes"] else None),
            ("How", question["told"]),
            ("When", when(question["at"])),
            ("Until", when(question["expires"])),
            ("Answer", answer),
            ("Answered", when(question["answered"]) if question["answered"] else None),
            ("Reason", question["reason"]),
            ("Known to him", items(question["known"]) if question["known"] else None),
        ]
    )


def _step(step: Json) -> Element:
    subject = step["subject"]
    votes = [
        el(
            "span",
            f"{v['by']}: {v['decision']}, ",
            when(v["at"]),
            f", {v['reason']}" if v["reason"] else None,
            el("p", code(v["digest"])),
        )
        for v in step["votes"]
    ]
    partly = step["approved"] and step["approved"] != step["plan"]
    parts = [
        el("h3", code(step["action"]), " ", subject["name"] or subject["id"]),
        facts(
            [
                ("State", el("span", badge(step["state"]), f" by {step['by']}" if step["by"] else None)),
                ("Reason", step["reason"]),
                ("Planned", when(step["at"])),
                ("Decided", when(step["decided"]) if step["decided"] else None),
                ("Countersignatures", f"{step['needs']} needed" if step["needs"] else None),
                ("Plan", code(step["plan"])),
                ("Approved of it", code(step["approved"]) if partly else None),
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
    unknown = el("p", "offered only: it is not known to be unfamiliar") if change["familiarity"] == "unknown" else None
    yield el("div", el("p", change["summary"]), el("p", code(change["resource"])), unknown, lasting)
    yield items(change["reasons"]) if change["reasons"] else ""
    undone = el("p", "undone since") if change["undone"] else None
    yield el("div", badge(change["status"] or "waiting"), el("p", change["reason"]), undone)
    made = change["status"] in SETTLED and read_again
    seen = change["verified"] in SETTLED
    yield badge("seen", "good") if seen else badge("not seen", "bad") if made else ""


def _wrong(report: Json) -> Iterator[Node]:
    if report["failures"]:
        rows = [
            (when(f["at"]) if f["at"] else "", f["activity"].replace("_", " "), code(f["step"]), f["reason"])
            for f in report["failures"]
        ]
        yield table("What came to nothing", ("When", "Activity", "Run or step", "Because"), rows)
    if report["refusals"]:
        rows = [
            (when(r["at"]), r["by"], code(r.get("gate") or r.get("question") or r["request"]), r["why"])
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
        yield el("h3", "Undo ", code(one["run"]))
        verdict = badge(one["result"] or "waiting")
        yield el("p", verdict, f" Asked for by {one['by']}, ", when(one["started"]), f". {why}")
        for step in one["steps"]:
            yield _step(step)


def _earlier(run: Json) -> Iterator[Node]:
    yield el("h3", "Run ", code(run["run"]))
    yield el("p", badge(run["result"] or "waiting"), " ", when(run["started"]), " ", run["reason"])
    for step in run["steps"]:
        yield _step(step)


def _journal(journal: Json) -> Iterator[Node]:
    if journal["problems"]:
        yield el("p", badge("damaged", "bad"), " The journal is not as it was written:")
        yield items(journal["problems"])
    else:
        said = (
            " Every entry follows from the one before. A copy of this page proves it later, by the head that it names."
        )
        yield el("p", badge("whole", "good"), said)
    yield facts([("Entries", str(journal["entries"])), ("SHA-256 of the last", code(journal["head"]))])
    rows = [(str(e["n"]), when(e["at"]), e["kind"].replace("_", " "), e["by"], e["text"]) for e in journal["list"]]
    yield table("What happened, in order", ("No.", "When", "What", "Who", "In words"), rows, class_="journal")


def _lines(lines: list[str], otherwise: str) -> Element:
    return items(lines) if lines else el("p", otherwise)
