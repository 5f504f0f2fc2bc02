from typing import TYPE_CHECKING

from responders.azure import fine, segment
from responders.errors import Permanent, Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.users import account

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_RISKY = "/identityProtection/riskyUsers"
_CONFIRMED = "confirmedCompromised"
_REFUSED = ("Forbidden", "AccessDenied")  # for want of a license, as of a right


class ConfirmCompromised:
    """Tell Identity Protection that a user is compromised (POST /identityProtection/riskyUsers/confirmCompromised).

    His risk is high from then on, and the policies that the tenant has for that keep him out or make him prove himself.
    Takes Entra ID P2. Undo dismisses the risk: what Identity Protection itself had found before is dismissed with it.
    """

    id = "users.confirm_compromised"
    permissions = ("User.Read.All", "IdentityRiskyUser.ReadWrite.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no user {subject.id}.")
        name = account.label(user)
        if account.external(user):
            return Plan(action=self.id, subject=subject, reason=f"{name} is a guest: its risk is its home's to judge.")
        risk = await _licensed(azure, user["id"])
        if risk is None:
            reason = "Identity Protection takes Entra ID P2, which this tenant has not: nothing lost, nothing to do."
            return Plan(action=self.id, subject=subject, reason=reason)
        if risk.get("riskState") == _CONFIRMED:
            reason = f"Identity Protection holds {name} to be compromised already."
            return Plan(action=self.id, subject=subject, reason=reason)
        seen = risk.get("riskState") not in {None, "none", "dismissed"}
        change = Change(
            action=self.id,
            resource=f"/users/{user['id']}",
            summary=f"tell Identity Protection that {name} is compromised",
            reasons=(subject.reason,),
            before={name: risk[name] for name in ("riskState", "riskLevel", "riskDetail") if name in risk},
            principals=(user["id"],),
            lasting="Undo dismisses the risk that Identity Protection itself had found, too." if seen else "",
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        if (await _risk(azure, change.principals[0])).get("riskState") == _CONFIRMED:
            return Outcome(status="already_so", reason="It is confirmed already.")
        await azure.graph("POST", f"{_RISKY}/confirmCompromised", body={"userIds": [change.principals[0]]})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if (await _risk(azure, change.principals[0])).get("riskState") != _CONFIRMED:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        if (await _risk(azure, change.principals[0])).get("riskState") != _CONFIRMED:
            return Outcome(status="already_so", reason="It is not confirmed.")
        await azure.graph("POST", f"{_RISKY}/dismiss", body={"userIds": [change.principals[0]]})
        return Outcome(status="done", reason=change.lasting)


async def _risk(azure: "Azure", user: str) -> Json:
    """What Identity Protection has on a user (GET /identityProtection/riskyUsers/{id}); {} for nothing."""
    return await azure.graph_read(f"{_RISKY}/{segment(user)}") or {}


async def _licensed(azure: "Azure", user: str) -> Json | None:
    """The same, or None where the tenant has no license for it."""
    with fine(*_REFUSED) as said:
        return await _risk(azure, user)
    (code, message), *_ = said.items()
    if "not licensed" in message.lower():
        return None
    raise Permanent(f"asking Identity Protection: Azure answered 403 {code}: {message[:300]}")
