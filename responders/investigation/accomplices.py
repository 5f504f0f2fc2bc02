"""Who works with the suspects: accounts in the same hands, of which the alert tells nothing.

Somebody is one of them when three things come together in the window: something suspicious that he did, from an address
that the alert names and that is not known to be one of his own, and rights that he gave a suspect, or a suspect him.
Any two of these a colleague may have: he is left to a person then, who sees them in the findings.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from responders import directory
from responders.azure import rest
from responders.model import Case, Finding, Json, Principal
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

_CLOCKS = timedelta(minutes=1)  # by which the log may tell of a deed later than the time that what was made has on it


async def found(azure: "Azure", case: Case) -> tuple[Principal, ...]:
    """Those whom the findings of a case show, each with why."""
    first = _perhaps(case)
    first.pop((await azure.own_id()).lower(), None)
    spared = {known.id.lower() for known in case.known}
    told: dict[str, str] = {}
    for subscription in {case.subscription, *(other.id for other in case.others)} if first else ():
        listed = azure.authorization(subscription).role_assignments.list_for_subscription()
        async for model in listed:
            giver, holder = _ends(case, rest(model)["properties"])
            for one, other, did in ((giver, holder, "gave rights to"), (holder, giver, "was given rights by")):
                suspect = case.suspect(other)
                if one in first and one not in spared and suspect:
                    told.setdefault(one, f"{did} {suspect.upn or suspect.name or suspect.id}")
    return tuple([await _suspected(azure, first[one], why) for one, why in told.items()])


def _perhaps(case: Case) -> dict[str, Finding]:
    """The first suspicious activity of each who is no suspect, and who came from where the suspects came from."""
    named = {address for alert in (case.alert, *case.joined) for address in alert.addresses}
    named -= {f.address for f in case.findings if f.suspect and f.usual}  # everybody there may come from it
    perhaps: dict[str, Finding] = {}
    for finding in sorted(case.findings, key=lambda f: f.at):
        strange = finding.level == "suspicious" and finding.address in named and not finding.usual
        if strange and not case.suspect(finding.caller):
            perhaps.setdefault(finding.caller.lower(), finding)
    return perhaps


def _ends(case: Case, grant: Json) -> tuple[str, str]:
    """Who gave rights in the window, and to whom; none for those from before."""
    made = time_of(grant.get("createdOn"))
    if made is None or made < case.since:
        return "", ""
    return str(grant.get("createdBy") or "").lower(), str(grant["principalId"]).lower()


async def _suspected(azure: "Azure", finding: Finding, why: str) -> Principal:
    someone = Principal(id=finding.caller, kind="unknown", name=finding.name or finding.caller)
    known = await directory.principal(azure, finding.caller) or someone
    name = known.upn or known.name or known.id
    because = f"{name} {why}, and worked from {finding.address}, which the alert names, {utc(finding.at)}"
    return msgspec.structs.replace(known, because=because, since=finding.at - _CLOCKS)
