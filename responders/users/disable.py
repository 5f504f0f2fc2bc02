from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Change, Outcome, Plan, Undoes
from responders.users import account

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class Disable:
    """Block sign-in of a user (PATCH /users/{id} accountEnabled).

    Tokens already given out live on to their expiry; `users.revoke_sessions` ends what can be ended. Who holds a
    directory role, or is in a restricted management administrative unit, is out of an application's reach. It goes by
    the object id alone: whoever renames his account is blocked all the same.
    """

    id = "users.disable"
    permissions = ("Directory.Read.All", "User.EnableDisableAccount.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no user {subject.id}.")
        name = account.label(user)
        if not user["accountEnabled"]:
            return Plan(action=self.id, subject=subject, reason=f"{name} is disabled already.")
        if todo := account.by_hand(user, await account.standing(azure, user["id"]), "block its sign-in"):
            return Plan(action=self.id, subject=subject, reason="An application may not do it.", by_hand=(todo,))
        reasons = [subject.reason]
        if user.get("onPremisesSyncEnabled"):
            reasons.append("synchronised from on premises: disable it there too, or the next sync may enable it again")
        change = Change(
            action=self.id,
            resource=f"/users/{user['id']}",
            summary=f"block sign-in of {name}",
            reasons=tuple(reasons),
            before={"accountEnabled": True, "userPrincipalName": user["userPrincipalName"]},
            principals=(user["id"],),
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None:
            return Outcome(status="already_so", reason="The account is gone.")
        if not user["accountEnabled"]:
            return Outcome(status="already_so", reason="The account is disabled already.")
        await azure.graph("PATCH", account.path(change), body={"accountEnabled": False})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is not None and user["accountEnabled"]:
            raise Temporary(f"{account.label(user)} still shows as enabled.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None:
            return Outcome(status="failed", reason="The account is gone: restore it from the deleted users first.")
        if user["accountEnabled"]:
            return Outcome(status="already_so", reason="The account is enabled already.")
        await azure.graph("PATCH", account.path(change), body={"accountEnabled": True})
        return Outcome(status="done")
