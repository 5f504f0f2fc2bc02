"""Checks a deployment: what it needs, whether it is there, and how to put right what isn't. Reads only.

A check is one function in CHECKS. It gets the deployment and returns what it found; what it may not read, or what does
not answer, becomes a result of its own: can't tell, and why. A new check is one more function.
"""

import json
import re

from playbooks.doctor import defending, delivery, hosting, identity, keeping, people, rights, signing_in
from playbooks.doctor.check import Check, Deployment, Result, can_t_tell
from playbooks.doctor.told import text
from responders.azure import explained
from responders.errors import CountersignError, Misconfigured, Permanent
from responders.ids import is_guid
from responders.model import plain
from responders.services import Services
from responders.settings import Settings

CHECKS: tuple[Check, ...] = (
    identity.signs_in,
    identity.tenant,
    identity.clock,
    hosting.app,
    hosting.secrets,
    hosting.network,
    signing_in.sign_in,
    signing_in.application,
    signing_in.sender,
    signing_in.approvers,
    rights.azure_rights,
    rights.vault_rights,
    rights.engine_rights,
    rights.evidence_rights,
    rights.evidence_group_rights,
    rights.graph_consents,
    defending.plan,
    defending.automation,
    delivery.url,
    delivery.event_grid,
    delivery.logic_app,
    delivery.dead_letters,
    delivery.heartbeat,
    keeping.evidence,
    keeping.immutability,
    keeping.vault,
    keeping.workspace,
    people.approvers,
    people.owners,
    people.protected,
    people.break_glass,
    people.told,
    people.gates,
)


async def examine(deployment: Deployment) -> list[Result]:
    """Make every check, in their order."""
    found: list[Result] = []
    for check in CHECKS:
        try:
            with explained("asking"):
                found += await check(deployment)
        except CountersignError as error:
            # What explains errors has a responder in mind, and how an incident goes on.
            why = re.split(" (?:Give the|The) responder's identity", str(error).removeprefix("asking: "))[0]
            refused = "Azure answered 403" in why or "store refused" in why
            found.append(can_t_tell(check, why, _AS_READER if refused else ""))
    return found


async def main(identity: str, group: str, left_out: tuple[str, ...] = (), *, as_json: bool) -> int:
    """Examine the deployment of the settings, and print what was found. 1 when something is broken."""
    if identity and not is_guid(identity):
        ask = "az identity show -g GROUP -n NAME --query principalId"
        raise Permanent(f"{identity[:80]!r} is no object id. Read it: {ask}")
    try:
        its = Services(Settings.load())
    except Misconfigured as error:
        found = [Result(check="settings", looked_at="app settings", state="broken", why=str(error), fix=_SETTINGS)]
    else:
        try:
            found = await examine(Deployment(its, identity, group, left_out))
        finally:
            await its.close()
    print(json.dumps([plain(one) for one in found], indent=2) if as_json else text(found))
    return int(any(one.state == "broken" for one in found))


_AS_READER = (
    "Ask as somebody who may read it, and with --identity: Reader there, Storage Blob Data Reader for what is kept, "
    "Global Reader in the directory."
)
_SETTINGS = "Correct the setting. What a deployed responder has: az functionapp config appsettings list -g GROUP -n APP"
