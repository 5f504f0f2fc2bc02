"""The report's section on what happened: the timeline, who is suspected, and each activity with its reasons."""

from collections.abc import Iterator

from responders.model import Json
from responders.pages.markup import Node, Row, el, facts, items, link, table
from responders.pages.parts import badge, code, codes, when
from responders.pages.timeline.picture import picture

MOST = 500  # findings on the page; the JSON has all of them


def happened(report: Json) -> Iterator[Node]:
    yield picture(report)
    alert = report["alert"]
    if alert:
        yield el("p", alert["description"], class_="text") if alert["description"] else None
        yield facts(
            [
                ("Alert", code(alert["id"] or alert["name"])),
                ("At Defender", link(alert["link"]) if alert["link"] else None),
                ("From", codes(alert["addresses"])),
                ("On", codes(alert["resources"])),
                *((name, value) for name, value in alert["details"].items()),
            ]
        )
    if report["joined"]:
        others = [(when(a["start"]), a["title"], code(a["type"]), code(a["id"] or a["name"])) for a in report["joined"]]
        yield table("Other alerts of the same root cause", ("When", "Alert", "Type", "Id"), others)
    if report["others"]:
        seen = [
            (when(a["start"]), a["title"], a["severity"], a["status"], items(a["relation"]), code(a["id"]))
            for a in report["others"]
        ]
        heads = ("When", "Alert", "Severity", "State when seen", "Relation", "Id")
        yield table("Other alerts of the subscription in the window", heads, seen)
    if report["alerts"]:
        states = [(code(id_), state) for id_, state in report["alerts"].items()]
        yield table("Set at Defender in the end", ("Alert", "State"), states)
    if report["suspects"]:
        heads = ("Name", "Sign-in name", "Object id", "Kind", "Tenant", "Suspected because")
        yield table("Suspects", heads, [_suspect(s) for s in report["suspects"]])
    else:
        yield el("p", "The alert names no suspect." if alert else "Nobody was named: all are judged by what they did.")
    if report["subjects"]:
        held = [
            (s["name"] or s["id"], s["kind"].replace("_", " "), code(s["id"]), s["reason"]) for s in report["subjects"]
        ]
        yield table("Held to be compromised", ("Subject", "Kind", "Id", "Because"), held)
    yield from _findings(report["findings"]["list"])
    if report["notes"]:
        yield el("h3", "What the log does not tell")
        yield items(report["notes"])


def _suspect(suspect: Json) -> Row:
    yield suspect["name"] or suspect["upn"] or suspect["id"]
    yield suspect["upn"]
    yield code(suspect["id"])
    yield suspect["kind"].replace("_", " ")
    yield code(suspect["tenant"])
    since = el("p", "from ", when(suspect["since"]), " on") if suspect["since"] else None
    yield el("div", suspect["because"] or "The alert names it.", since)


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
    yield when(finding["at"])
    level = finding["level"]
    yield el("div", badge(level) if level != "none" else None, el("p", f"{finding['score']:g} points"))
    points = [f"{point['points']:+g} {point['reason']}" for point in finding["points"]]
    yield el("div", el("p", finding["reason"]), items(points) if points else None)
    yield code(finding["operation"])
    yield code(finding["resource"])
    address = el("p", "from ", code(finding["address"])) if finding["address"] else None
    yield el("div", el("p", finding["name"]) if finding["name"] else None, code(finding["caller"]), address)
