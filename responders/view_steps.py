"""The steps of an incident as people and programs see them: plans, countersignatures, and what changes came to."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import NamedTuple, TypeVar

from responders import approvals
from responders.actions import ACTIONS
from responders.errors import Permanent
from responders.incident import Incident
from responders.journal import Entry
from responders.model import SETTLED, SIGN_OFF, UNDO, Json, Plan, plain

T = TypeVar("T")
Entries = list[Entry]


class Reader:
    """Reads evidence; what can't be used is None, and the sentence that says why is kept."""

    def __init__(self) -> None:
        self.damage: list[str] = []

    async def __call__(self, reading: Awaitable[T]) -> T | None:
        try:
            return await reading
        except Permanent as error:
            self.damage.append(str(error))
            return None


class Doings(NamedTuple):
    """What the journal says of steps and their changes, to be found by id."""

    decided: dict[str, Entry]  # by step
    failed: dict[str, str]  # by step: the last reason
    outcomes: dict[str, dict[str, Entry]]  # by step and change
    verified: dict[str, dict[str, Json]]  # by step and change
    undone: dict[str, int]  # by change: the number of the entry

    @classmethod
    def of(cls, entries: Entries) -> "Doings":
        its = cls({}, {}, {}, {}, {})
        for e in entries:
            if e.kind == "decided":
                its.decided[e.what["step"]] = e
            elif e.kind == "failed":
                its.failed[e.what["step"]] = e.what["reason"]
            elif e.kind in {"applied", "undone_change"}:
                its.outcomes.setdefault(e.what["step"], {})[e.what["change"]] = e
                if e.kind == "undone_change" and e.what["status"] in SETTLED:
                    its.undone[e.what["change"]] = e.n
            elif e.kind == "verified":
                its.verified.setdefault(e.what["step"], {}).update(e.what["changes"])
        return its


async def steps_of(
    incident: Incident, planned: Iterable[Entry], doings: Doings, read: Reader, *, ended: bool
) -> list[Json]:
    return list(await asyncio.gather(*(_step(incident, e, doings, read, ended=ended) for e in planned)))


async def _step(incident: Incident, planned: Entry, doings: Doings, read: Reader, *, ended: bool) -> Json:
    """One plan of one action for one subject, its countersignatures, and what its changes came to."""
    what, answer, step = planned.what, planned.what["answer"], planned.what["step"]
    decided = doings.decided.get(step)
    state, reason, by, approved = "waiting", what["reason"], "", answer["plan"]
    chosen: set[str] = set()  # ids; none for all
    if decided is not None:
        state, by, approved = decided.what["state"], decided.by, decided.what["digest"]
        chosen = set(decided.what["chosen"])
        reason = decided.what["reason"] or reason
    elif not answer["changes"]:
        state = "nothing_to_do"
    elif answer["gate"] == "auto":
        state = "auto"
    elif ended:
        state, by, reason = "expired", "nobody", "The run ended before anybody decided."
    gated = bool(answer["changes"]) and answer["gate"] != "auto"
    plan = await read(incident.plan(answer["plan"]))
    votes = await read(incident.votes(step)) if gated else None
    return {
        "step": step,
        "at": plain(planned.at),
        "action": what["action"],
        "subject": what["subject"],
        "plan": answer["plan"],
        "state": state,
        "reason": reason,
        "kept": what["kept"],
        "by": by,
        "decided": plain(decided.at) if decided else None,
        "approved": approved if state in {"approved", "auto"} else None,
        "needs": approvals.needs(answer["gate"]) if gated else 0,
        "expires": answer["expires"],
        "votes": [_vote(v) for v in sorted(votes or (), key=lambda v: (v.at, v.by.id))],
        "reversible": next((a.reversible for a in ACTIONS if a.id == what["action"]), None),
        "changes": _changes(step, state, plan, chosen, doings, ended=ended),
    }


def _vote(vote: approvals.Vote) -> Json:
    cast = {"by": vote.by.name or vote.by.id, "decision": vote.decision, "at": plain(vote.at)}
    return {**cast, "digest": vote.digest, "changes": list(vote.changes), "reason": vote.reason}


def _changes(step: str, state: str, plan: Plan | None, chosen: set[str], doings: Doings, *, ended: bool) -> list[Json]:
    """What a plan's changes came to. Of a plan that can't be read, those that the journal tells of."""
    outcomes, verified = doings.outcomes.get(step, {}), doings.verified.get(step, {})
    if plan is None:
        known = [_described(e.what["change"], e.what) for e in outcomes.values()]
    else:
        known = [_described(c.id, plain(c)) for c in plan.changes]
    may_run = chosen or {c["id"] for c in known if plan is None or plan.action == UNDO or c["familiarity"] != "unknown"}
    for change in known:
        id_, status, reason = change["id"], None, ""
        seen = verified.get(id_)
        if (outcome := outcomes.get(id_)) is not None:
            status, reason = outcome.what["status"], outcome.what["reason"]
        elif state in {"rejected", "expired"} or (state in {"approved", "auto"} and id_ not in may_run):
            status = "not_approved"
        elif plan and plan.action == SIGN_OFF and state == "approved":
            status = "signed"
        elif ended:
            status, reason = "not_done", doings.failed.get(step, "")
        if seen and seen["status"] not in SETTLED:
            reason = seen["reason"]
        change |= {"status": status, "reason": reason, "verified": seen["status"] if seen else None}
        change["undone"] = outcome is not None and doings.undone.get(id_, 0) > outcome.n
    return known


def _described(id_: str, what: Json) -> Json:
    reasons, lasting = what.get("reasons", []), what.get("lasting", "")
    said = {"id": id_, "summary": what["summary"], "resource": what["resource"], "reasons": reasons}
    return {**said, "lasting": lasting, "familiarity": what.get("familiarity", "unfamiliar")}


def gate(step: Json) -> Json:
    """A step as those see it who countersign."""
    shown = ("id", "summary", "resource", "reasons", "lasting", "familiarity")
    return {
        "gate": step["step"],
        **{name: step[name] for name in ("action", "subject", "needs", "expires", "votes")},
        "digest": step["plan"],
        "state": "open" if step["state"] == "waiting" else step["state"],
        "plan": {"changes": [{name: change[name] for name in shown} for change in step["changes"]]},
    }
