"""What was done in every subscription of an incident: the findings of each, as one."""

from datetime import datetime
from typing import TYPE_CHECKING

from responders.azure import explained
from responders.errors import Permanent
from responders.investigation import machines
from responders.investigation.findings import findings
from responders.investigation.scope import placed
from responders.model import Case

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.settings import Settings


async def look(azure: "Azure", settings: "Settings", case: Case, *, now: datetime) -> tuple[Case, tuple[str, ...]]:
    """The case with its findings, and what a person has to do where a log could not be read, in sentences."""
    by_hand = []
    for subscription in (case.subscription, *(s.id for s in case.others)):
        try:
            with explained(f"reading the Activity Log of subscription {subscription}"):
                found = await findings(azure, settings, case.having(subscription=subscription), now=now)
        except Permanent as error:  # what can be done without the log must not wait for it
            by_hand.append(f"{error} What the suspects did there is unknown: look for what they planted.")
            case = case.having(gaps={**case.gaps, subscription.lower(): "the Activity Log there could not be read"})
            continue
        seen = {events for f in case.findings for events in f.events}  # each reading has the tenant's own log too
        new = [f for f in found.findings if not (f.events and seen.issuperset(f.events))]
        case = case.having(
            findings=tuple(sorted((*case.findings, *new), key=lambda f: (f.at, f.operation, f.resource))),
            notes=tuple(dict.fromkeys((*case.notes, *found.notes))),
            makers=case.makers | found.makers,
            gaps={**case.gaps, **({subscription.lower(): found.gap} if found.gap else {})},
        )
    case, unread = await machines.look(azure, placed(case))
    return case, (*by_hand, *unread)
