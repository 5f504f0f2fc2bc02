"""The activities of one step: plan, decide, apply, verify."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from playbooks import changes, dispatch, wording
from playbooks.activities.response import US, at_of
from responders import approvals, notify, survival
from responders.actions import action
from responders.approvals import GateRecord
from responders.errors import Permanent
from responders.ids import is_guid
from responders.incident import Incident
from responders.model import Case, Change, Json, Plan, Subject, plain
from responders.protection import withhold
from responders.services import Services
from responders.trail import LAG


async def plan(order: Json, its: Services) -> Json:
    """Describe what the step would change, keep it as evidence, and open its gate."""
    incident = its.incident(order["incident"])
    if (early := await incident.journal.find(f"planned {order['step']}")) is not None:
        return dict(early.what["answer"])
    case = await incident.case(order["case"])
    subject = msgspec.convert(order["subject"], Subject)
    if (subject.kind, subject.id) not in {(one.kind, one.id) for one in dispatch.subjects(case)}:
        raise Permanent(f"{subject.id[:200]} is no subject of this incident. Nothing was changed; run it again.")
    seen = await _seen(incident, subject)
    settled = tuple(thing for thing, at in seen.items() if at + LAG <= at_of(order))
    done, failed = await changes.tried(incident, subject.id)
    case = case.having(done=done, failed=failed, settled=settled, late=bool(order.get("late")))
    made = await action(order["action"]).plan(case, subject, its.azure)
    made = withhold(made, await its.guarded(), await its.azure.own_id())
    made = await survival.withhold(case, made, its.azure)
    if case.late:
        made = await _news(incident, order, made)
    step = dispatch.step(subject.kind, order["action"])
    gate = step.gate_for(its.settings.gates, made, its.settings.max_changes)
    if gate == "auto" and await _concerns_approver(incident, made, its):
        gate = "one"  # and not his own: whom a change concerns may not countersign it
    return await present(order, its, case, made, gate)


async def _seen(incident: Incident, subject: Subject) -> dict[str, datetime]:
    """What plans for a subject saw of which the log did not tell, and when the first of them did."""
    found: dict[str, datetime] = {}
    for entry in await incident.journal.entries():
        if entry.kind == "planned" and entry.what["subject"]["id"] == subject.id:
            for thing in entry.what.get("awaits", ()):
                found.setdefault(thing, entry.at)
    return found


async def _news(incident: Incident, order: Json, made: Plan) -> Plan:
    """A plan without what the approvers were asked already, of which no more is known than there was."""
    asked = set[tuple[str, str, str]]()
    for entry in await incident.journal.entries():
        what = entry.what
        same = entry.kind == "planned" and (what["run"], what["action"]) == (order["run"], made.action)
        if same and what["subject"]["id"] == made.subject.id:
            asked |= {_gist(change) for change in (await incident.plan(what["answer"]["plan"])).changes}
    changes = tuple(change for change in made.changes if _gist(change) not in asked)
    reason = made.reason or ("" if changes else "Entra's audit log has told nothing more since it was planned first.")
    return replace(made, changes=changes, reason=reason)


def _gist(change: Change) -> tuple[str, str, str]:
    return change.resource, change.summary, change.familiarity


async def _concerns_approver(incident: Incident, made: Plan, its: Services) -> bool:
    """Whether a change is about somebody who is asked to approve, or has voted in this incident."""
    people = {id_.lower() for id_ in (*await its.approvers(), *await incident.voters())}
    return any(id_.lower() in people for change in made.changes for id_ in change.principals)


async def present(order: Json, its: Services, case: Case, made: Plan, gate: str) -> Json:
    """Keep a plan, open its gate and tell the approvers. Returns {"changes", "plan", "gate", "expires"}."""
    incident, at, step = its.incident(order["incident"]), at_of(order), order["step"]
    expires = at + its.settings.approval_wait
    answer: Json = {"changes": len(made.changes), "plan": await incident.save_plan(made), "gate": gate}
    answer["by_hand"] = len(made.by_hand)
    answer["expires"] = expires.isoformat()
    answer["settles"] = (at + LAG).isoformat() if made.awaits else ""
    told = ""
    if made.changes and gate != "auto":
        record = GateRecord(
            id=step,
            action=made.action,
            plan=str(answer["plan"]),
            needs=approvals.needs(gate),
            expires=expires,
            barred=approvals.barred(case, made, order["by"]),
        )
        await incident.open_gate(record)
        few = await _too_few(its, record)
        mail = wording.mail(its.settings, incident.id, wording.waiting(made, gate) + (few and f"\n\n{few}"))
        told = await notify.mail(its.azure, its.settings, its.settings.approvers, *mail)
        told = "; ".join(filter(None, [told, await notify.channels(its.settings, *mail), few]))
    what = {"step": step, "run": order["run"], "action": made.action, "subject": plain(made.subject), "answer": answer}
    what |= {"case": order.get("case", "")}
    what |= {"reason": made.reason, "kept": list(made.kept), "by_hand": list(made.by_hand), "told": told}
    what |= {"awaits": list(made.awaits)}
    await incident.journal.append("planned", what, by=US, at=at, key=f"planned {step}")
    return answer


async def _too_few(its: Services, gate: GateRecord) -> str:
    """That not enough of those who are told may countersign: suspects, or whom it concerns. "" if enough may."""
    named = {text.lower() for text in await its.approvers() if is_guid(text)}
    free = named - gate.barred.keys()
    return wording.too_few(len(free), gate.needs) if named and len(free) < gate.needs else ""


async def decide(order: Json, its: Services) -> Json:
    """What the approvers' votes come to. A gate that is still open when its time is over has expired."""
    incident, at, step = its.incident(order["incident"]), at_of(order), order["step"]
    gate = await incident.gate(step)
    decision = approvals.tally(gate, await incident.votes(step))
    state: str = decision.state
    if state == "open":
        if at < gate.expires and not order.get("last"):
            return {"state": "open"}
        state = "expired"
    count = 0
    if state == "approved":
        count = len(approvals.subset(await incident.plan(gate.plan), decision.changes).changes)
    what = {"step": step, "state": state, "plan": gate.plan, "changes": count, "reason": decision.reason}
    what |= {"digest": decision.digest, "chosen": list(decision.changes)}
    by = ", ".join(decision.by) or "nobody"
    await incident.journal.append("decided", what, by=by, at=at, key=f"decided {step}")
    return {"state": state, "changes": count}


async def apply(order: Json, its: Services) -> Json:
    """Make one batch of a plan's changes."""
    made = await changes.countersigned(its.incident(order["incident"]), order["step"])
    batch = made.changes[order["start"] : order["stop"]]
    return {"statuses": await changes.apply_all(its, made, batch, order)}


async def verify(order: Json, its: Services) -> Json:
    """Read one batch of changes again. Temporary until all of them show."""
    made = await changes.countersigned(its.incident(order["incident"]), order["step"])
    batch = made.changes[order["start"] : order["stop"]]
    return {"statuses": await changes.verify_all(its, batch, order)}
