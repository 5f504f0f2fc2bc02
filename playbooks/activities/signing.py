"""The activity that accounts for all that was done, before an incident is resolved."""

from playbooks.activities.steps import present
from responders import accounting
from responders.incident import Incident
from responders.model import Change, Json
from responders.services import Services

_MADE = {"done", "already_so"}


async def account(order: Json, its: Services) -> Json:
    """Describe what nothing explains, for a person to sign for."""
    incident = its.incident(order["incident"])
    if (early := await incident.journal.find(f"planned {order['step']}")) is not None:
        return dict(early.what["answer"])
    case = await incident.case(f"{order['run']}-{order['wave']}")
    unexplained = accounting.account(case, await _made(incident))
    return await present(order, its, case, accounting.to_sign(case, unexplained), "one")


async def _made(incident: Incident) -> list[Change]:
    """The changes of all runs that came to their end and were not undone."""
    plans: dict[str, str] = {}
    made: dict[str, str] = {}  # change: plan
    for entry in await incident.journal.entries():
        if entry.kind == "planned":
            plans[entry.what["step"]] = entry.what["answer"]["plan"]
        elif entry.kind == "applied" and entry.what["status"] in _MADE:
            made[entry.what["change"]] = plans[entry.what["step"]]
        elif entry.kind == "undone_change" and entry.what["status"] in _MADE:
            made.pop(entry.what["change"], None)
    kept = {name: await incident.plan(name) for name in dict.fromkeys(made.values())}
    return [change for name, plan in kept.items() for change in plan.changes if made.get(change.id) == name]
