"""What is left of an incident for those who weren't there: a page to read, and the same as JSON. Both written once."""

from collections.abc import Callable, Mapping
from operator import itemgetter

from responders.errors import Temporary
from responders.incident import Incident
from responders.journal import Entry
from responders.model import Json, digest, plain
from responders.pages.report import page
from responders.view import view


async def write(incident: Incident, run: str) -> str:
    """Write the report of a run, incidents/<id>/reports/<run>.json and .html. Returns the path of the page.

    What is there already stays, and the page is made from the JSON that was kept: a repetition changes nothing.
    """
    evidence = incident.evidence
    kept, path = (incident.path("reports", f"{run}.{kind}") for kind in ("json", "html"))
    report = await evidence.read(kept, Json)
    if report is None:
        await evidence.create(kept, await _report(incident, run, path))
        report = await evidence.read(kept, Json)
    if report is None:
        raise Temporary(f"The evidence store refused to write {kept} as already there, and then did not have it.")
    await evidence.create(path, page(report, digest(report)))
    return path


async def _report(incident: Incident, run: str, path: str) -> Json:
    """The view, with the journal's entries, and whether the journal proves to be whole."""
    seen = await view(incident)
    head = seen["journal"]["entries"], seen["journal"]["head"]
    entries = [e for e in await incident.journal.entries() if e.n <= head[0]]
    journal = {**seen["journal"], "problems": list(await incident.journal.prove(head)), "list": _told(entries)}
    return {**seen, "report": path, "report_of": run, "journal": journal}


def _told(entries: list[Entry]) -> list[Json]:
    """The entries in words, and what the timeline needs of them."""
    return [
        {
            "n": e.n,
            "at": plain(e.at),
            "kind": e.kind,
            "by": e.by,
            "text": _sentence(e),
            "summary": e.what.get("summary", ""),
            "outcome": _OUTCOMES[e.kind](e.what) if e.kind in _OUTCOMES else "",
        }
        for e in entries
    ]


def _sentence(entry: Entry) -> str:
    tell = _TELL.get(entry.kind)
    return tell(entry.what) if tell else ", ".join(f"{name}: {value}" for name, value in entry.what.items())


def _because(what: Json) -> str:
    return f" {what['reason']}" if what.get("reason") else ""


def _known(what: Json) -> str:
    return f" Known to him: {', '.join(what['known'])}." if what.get("known") else ""


_TELL: Mapping[str, Callable[[Json], str]] = {
    "alert": lambda w: f"The alert was taken: {w['title']} ({w['type']}).",
    "examined": lambda w: f"Defender knows the alert. Suspects: {len(w['suspects'])}.{_because(w)}",
    "asked_again": lambda w: f"A new run was asked for: {w['run']}.{_because(w)}",
    "asked": lambda w: f"Asked {', '.join(w['owners']) or 'nobody'} whether it was expected, until {w['expires']}.",
    "answered": lambda w: f"The owner's answer: {w['answer']}.{_because(w)}{_known(w)}",
    "investigated": lambda w: f"Found {w['findings']} activities, and {len(w['subjects'])} subjects to respond to.",
    "planned": lambda w: (
        f"{w['action']} for {w['subject']['name'] or w['subject']['id']}: "
        f"{w['answer']['changes']} changes, plan {w['answer']['plan']}.{_because(w)}"
    ),
    "voted": lambda w: f"Gate {w['gate']}: {w['decision']} {w['digest']}.{_because(w)}",
    "refused": lambda w: f"Refused at {w.get('gate') or w.get('question') or w['request']}: {w['why']}",
    "decided": lambda w: f"Gate {w['step']}: {w['state']}, plan {w['plan']}.{_because(w)}",
    "applied": lambda w: f"{w['summary']}: {w['status']}.{_because(w)}",
    "verified": lambda w: f"Read {len(w['changes'])} changes of {w['action']} again.",
    "undone_change": lambda w: f"Undo of: {w['summary']}: {w['status']}.{_because(w)}",
    "undone": lambda w: f"The undo ended: {w['result']}.{_because(w)}",
    "failed": lambda w: f"{w['activity']} came to nothing: {w['reason']}",
    "closed": lambda w: f"The run ended: {w['result']}.{_because(w)}",
}

_OUTCOMES: Mapping[str, Callable[[Json], str]] = {
    "asked": lambda w: ", ".join(w["owners"]),
    "answered": itemgetter("answer"),
    "voted": itemgetter("decision"),
    "applied": itemgetter("status"),
    "undone_change": itemgetter("status"),
    "closed": itemgetter("result"),
}
