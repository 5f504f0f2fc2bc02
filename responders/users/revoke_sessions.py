from datetime import datetime
from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Change, Outcome, Plan, Undoes
from responders.users import account

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RevokeSessions:
    """End a user's sessions (POST /users/{id}/revokeSignInSessions).

    Refresh tokens and browser sessions end within minutes; access tokens at their expiry, unless continuous access
    evaluation ends them sooner; a guest's are his home's. Irreversible, since an ended session stays ended: its user
    signs in again.
    """

    id = "users.revoke_sessions"
    permissions = ("User.Read.All", "User.RevokeSessions.All")
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no user {subject.id}.")
        if account.external(user):
            reason = f"{account.label(user)} is a guest: its sessions are its home's to end."
            return Plan(action=self.id, subject=subject, reason=reason)
        change = Change(
            action=self.id,
            resource=f"/users/{user['id']}",
            summary=f"end all sessions of {account.label(user)}",
            reasons=(subject.reason,),
            before={"signInSessionsValidFromDateTime": user.get("signInSessionsValidFromDateTime")},
            principals=(user["id"],),
            lasting="An ended session stays ended: the user signs in again.",
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None:
            return Outcome(status="already_so", reason="The account is gone, and its sessions with it.")
        if _later(user, change):
            return Outcome(status="already_so", reason="The sessions were ended after the plan was made.")
        await azure.graph("POST", account.path(change) + "/revokeSignInSessions")
        now = await account.read(azure, change.principals[0])
        if now is not None and not _later(now, change):
            # Graph counts in seconds: within the second of the last time nothing can be told, so do it once more.
            raise Temporary(f"That the sessions of {account.label(now)} have ended does not show.")
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is not None and not _later(user, change):
            raise Temporary(f"The sessions of {account.label(user)} do not show as ended yet.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


def _later(user: "dict[str, object]", change: Change) -> bool:
    """Whether sessions were ended since the plan recorded when they last were."""
    now, then = user.get("signInSessionsValidFromDateTime"), change.before["signInSessionsValidFromDateTime"]
    return bool(now) and (not then or datetime.fromisoformat(str(now)) > datetime.fromisoformat(then))
