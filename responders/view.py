"""An incident as people and programs see it: derived from its journal and its evidence, and from nothing else.

An incident has runs: the first, those again ("…-r1") and the undos ("…-u1"). The last that is no undo stands in front.
Evidence that is missing or was altered does not hide the rest: it is told among the failures.
"""

from collections.abc import Iterable

import msgspec

from responders.incident import Incident
from responders.journal import Entry
from responders.model import Json, plain
from responders.view_steps import Doings, Entries, Reader, gate, steps_of

_OPENS = frozenset({"alert", "asked_again", "closed", "undone"})  # kinds of entry that name a run by itself


async def summary(incident: Incident) -> Json:
    """{"incident", "status", "result", "title", "severity", "started"}, from the journal; no plan is read."""
    runs = _by_run(incident.id, await incident.journal.entries())
    entries = runs[_in_front(runs)]
    told = {e.kind: e for e in entries}
    title, severity = "", ""
    if {"alert", "examined"} <= told.keys():
        title, severity = told["alert"].what["title"], told["examined"].what["severity"]
    elif (alert := await Reader()(incident.received())) is not None:
        title, severity = alert.title, alert.severity
    started = next((plain(e.at) for e in runs[incident.id]), None)
    brief = {"incident": incident.id, "status": _status(runs), "result": _end(entries)["result"]}
    return {**brief, "title": title, "severity": severity, "started": started}


async def view(incident: Incident) -> Json:
    """The whole incident.

    "status" is examining, asking, responding, undoing or closed. What is of one run is that of the run in front, and
    "earlier" holds the runs before it, in the same shape; "gates", "failures", "refusals" and "undo" are of all runs.
    A change's "status" is an outcome's, or "not_approved", or "not_done" when its run ended without it, or None before;
    "verified" is None until it was read again. "alerts" says which state each alert was set to at Defender.
    """
    entries = await incident.journal.entries()
    head = await incident.journal.head()  # read last: it covers all that is shown
    runs, read, doings = _by_run(incident.id, entries), Reader(), Doings.of(entries)
    people = [run for run in runs if not _is_undo(run)]
    shown = [await _run(incident, run, runs[run], doings, read) for run in people]
    undo = [await _undo(incident, run, runs[run], doings, read) for run in runs if _is_undo(run)]
    steps = [s for run in shown for s in run["steps"]] + [s for one in undo for s in one["steps"]]
    reports = await incident.evidence.list(incident.path("reports"))
    paths = [incident.path("reports", f"{run}.html") for run in reversed(runs)]
    failures = [{"at": plain(e.at), **e.what} for e in entries if e.kind == "failed"]
    failures += [{"at": None, "activity": "read", "step": "", "reason": why} for why in dict.fromkeys(read.damage)]
    whole = {
        "incident": incident.id,
        "status": _status(runs),
        **shown[-1],
        "earlier": shown[:-1],
        "gates": [gate(step) for step in steps if step["needs"]],
        "failures": failures,
        "refusals": [{"at": plain(e.at), "by": e.by, **e.what} for e in entries if e.kind == "refused"],
        "undo": undo,
        "report": next((path for path in paths if path in reports), None),
        "journal": {"entries": head.n, "head": head.sha256},
    }
    seen: Json = msgspec.json.decode(msgspec.json.encode(whole))  # lists for tuples: the same for people and programs
    return seen


def _by_run(incident: str, entries: Entries) -> dict[str, Entries]:
    """The entries of each run, in the order in which runs began. A step's and a gate's id begin with their run's."""
    runs: dict[str, Entries] = {incident: []}
    for e in entries:
        if e.kind in _OPENS or e.what.get("action") == "undo":
            runs.setdefault(e.what["run"], [])
    for e in entries:
        what = e.what
        name = what.get("run") or what.get("step") or what.get("gate") or what.get("question")
        name = str(name or e.key.removeprefix(f"{e.kind} "))
        while name not in runs and name:
            name = name.rpartition("-")[0]
        runs[name or incident].append(e)
    return runs


def _is_undo(run: str) -> bool:
    return run.rpartition("-")[2].startswith("u")  # ids of incidents are hexadecimal


def _in_front(runs: Iterable[str]) -> str:
    return [run for run in runs if not _is_undo(run)][-1]


def _end(entries: Entries) -> Json:
    """How a run ended; the result is None while it goes on. One whose last activity failed has ended, too."""
    for e in reversed(entries):
        if e.kind in {"closed", "undone"}:
            return {"ended": plain(e.at), "result": e.what["result"], "reason": e.what["reason"]}
    for e in reversed(entries):
        if e.kind == "failed" and e.what["activity"] in {"close", "close_undo"}:
            return {"ended": plain(e.at), "result": "unfinished", "reason": e.what["reason"]}
    return {"ended": None, "result": None, "reason": ""}


def _status(runs: dict[str, Entries]) -> str:
    if any(_is_undo(run) and not _end(entries)["result"] for run, entries in runs.items()):
        return "undoing"
    entries = runs[_in_front(runs)]
    kinds = {e.kind for e in entries}
    if _end(entries)["result"]:
        return "closed"
    return "responding" if "answered" in kinds else "asking" if "asked" in kinds else "examining"


async def _run(incident: Incident, run: str, entries: Entries, doings: Doings, read: Reader) -> Json:
    told = {e.kind: e for e in entries}  # the last of each kind
    waves = [e.what for e in entries if e.kind == "investigated"]
    case = None
    if waves or "examined" in told:
        case = await read(incident.case(waves[-1]["case"] if waves else run))
    alert = case.alert if case else await read(incident.received())
    end = _end(entries)
    ended = end["result"] is not None
    if ended and not end["reason"] and "examined" in told:
        end["reason"] = told["examined"].what["reason"]
    planned = [e for e in entries if e.kind == "planned"]
    findings = plain(case.findings) if case else []
    return {
        "run": run,
        **_asked_for(entries),
        **end,
        "alert": plain(alert),
        "joined": plain(case.joined) if case else [],
        "alerts": told["closed"].what.get("alerts", {}) if "closed" in told else {},
        "since": plain(case.since) if case else None,
        "suspects": plain(case.suspects) if case else [],
        "question": await _question(incident, told, ended=ended, read=read),
        "findings": {"count": len(findings), "list": findings},
        "notes": plain(case.notes) if case else [],
        "others": waves[-1].get("others", []) if waves else [],
        "subjects": [subject for wave in waves for subject in wave["subjects"]],
        "by_hand": list(dict.fromkeys(line for said in (*waves, *_last(planned)) for line in said["by_hand"])),
        "steps": await steps_of(incident, planned, doings, read, ended=ended),
    }


def _last(planned: Entries) -> Iterable[Json]:
    """Of each action for each subject what was planned last: it says anew what a plan before it said."""
    return {(e.what["action"], e.what["subject"]["id"]): e.what for e in planned}.values()


async def _undo(incident: Incident, run: str, entries: Entries, doings: Doings, read: Reader) -> Json:
    end = _end(entries)
    planned = [e for e in entries if e.kind == "planned"]
    steps = await steps_of(incident, planned, doings, read, ended=end["result"] is not None)
    return {"run": run, **_asked_for(entries), **end, "steps": steps}


def _asked_for(entries: Entries) -> Json:
    """Who had a run begin, when and why."""
    first = next((e for e in entries if e.kind in {"asked_again", "alert", "planned"}), None)
    if first is None:
        return {"started": None, "by": "", "asked_because": ""}
    return {"started": plain(first.at), "by": first.by, "asked_because": first.what.get("reason", "")}


async def _question(incident: Incident, told: dict[str, Entry], *, ended: bool, read: Reader) -> Json | None:
    """The owner's question. An answer counts as given once it is kept, before the run has heard it."""
    if "asked" not in told:
        return None
    asked = told["asked"]
    id_ = asked.what["question"]
    question: Json = {"id": id_, "at": plain(asked.at), "state": "open", "answer": None, "by": "", "reason": ""}
    question |= {name: asked.what[name] for name in ("text", "owners", "told", "expires")}
    question |= {name: asked.what.get(name, []) for name in ("why", "notes")}
    question |= {"things": asked.what.get("things", {}), "known": [], "answered": None}
    if (heard := told.get("answered")) is not None:
        answer = {"answer": heard.what["answer"], "by": heard.by, "reason": heard.what["reason"]}
        answer["known"] = heard.what.get("known", [])
        return {**question, "state": "answered", **answer, "answered": plain(heard.at)}
    given = await read(incident.answer(id_))
    if given is not None:
        answer = {"answer": "expected" if given.expected else "unexpected", "by": given.by.name or given.by.id}
        answer["known"] = list(given.known)
        return {**question, "state": "answered", **answer, "reason": given.reason, "answered": plain(given.at)}
    if ended:
        question |= {"state": "answered", "answer": "silence", "by": "nobody", "reason": "The run ended before."}
    return question
