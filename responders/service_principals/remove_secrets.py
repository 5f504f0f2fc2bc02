from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.service_principals import credentials, registration

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RemoveSecrets:
    """Remove an application's client secrets of unfamiliar origin (POST …/removePassword, by keyId).

    The application and its service principal hold a list each, and either's signs in: both are looked through. Where
    the alert names the application itself, it was one of its own secrets that leaked, and all of them go. Irreversible,
    since nobody can read a secret again. Tokens already given out live on to their expiry.
    """

    id = "service_principals.remove_secrets"
    permissions = ("Application.ReadWrite.All", "AuditLog.Read.All")
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        held = await credentials.read(azure, case, subject)
        lasting = "A removed secret is gone, and nobody can read it again: {owners} can make a new one."
        return credentials.removal(self.id, "secret", subject, held, lasting)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="The secret is gone already.")
        # By its key id, which Entra gives: its name and dates are no other secret.
        await azure.graph("POST", f"{change.resource}/removePassword", body={"keyId": change.before["keyId"]})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change) is not None:
            raise Temporary(f"The secret {change.before['keyId']} of {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


async def _read(azure: "Azure", change: Change) -> Json | None:
    holder = await registration.holder(azure, change.resource)
    listed = holder["passwordCredentials"] if holder else []
    return next((entry for entry in listed if entry["keyId"] == change.before["keyId"]), None)
