"""The activities of an undo."""

from playbooks import changes
from playbooks.activities.response import US, at_of
from playbooks.activities.steps import present
from responders import report
from responders.model import UNDO, Json, Plan, Subject
from responders.services import Services


async def plan_undo(order: Json, its: Services) -> Json:
    """Describe what undoing the incident would put back, and open its gate: undo gives rights back, so it needs one."""
    incident = its.incident(order["incident"])
    if (early := await incident.journal.find(f"planned {order['step']}")) is not None:
        return dict(early.what["answer"])
    case = await incident.case(incident.id)
    found = await changes.undoable(incident)
    subject = Subject(kind="subscription", id=case.subscription, reason=order["reason"])
    reason = "" if found else "Nothing that was done here can be undone, or is not undone already."
    return await present(order, its, case, Plan(action=UNDO, subject=subject, changes=found, reason=reason), "one")


async def undo_changes(order: Json, its: Services) -> Json:
    """Undo one batch of changes, one after the other, newest first."""
    made = await changes.countersigned(its.incident(order["incident"]), order["step"])
    batch = made.changes[order["start"] : order["stop"]]
    return {"statuses": [await changes.undo_one(its, made, change, order) for change in batch]}


async def close_undo(order: Json, its: Services) -> Json:
    """Note how the undo ended, and write the report anew."""
    incident = its.incident(order["incident"])
    what = {"result": order["result"], "reason": order["reason"], "run": order["run"]}
    await incident.journal.append("undone", what, by=US, at=at_of(order), key=f"undone {order['run']}")
    return {"report": await report.write(incident, order["run"])}
