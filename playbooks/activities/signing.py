"""The activity that accounts for all that was done, before an incident is resolved."""

from playbooks import changes
from playbooks.activities.steps import present
from responders import accounting
from responders.model import Json
from responders.services import Services


async def account(order: Json, its: Services) -> Json:
    """Describe what nothing explains, for a person to sign for."""
    incident = its.incident(order["incident"])
    if (early := await incident.journal.find(f"planned {order['step']}")) is not None:
        return dict(early.what["answer"])
    case = await incident.case(f"{order['run']}-{order['wave']}")
    unexplained = accounting.account(case, await changes.accountable(incident))
    return await present(order, its, case, accounting.to_sign(case, unexplained), "one")
