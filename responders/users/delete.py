import asyncio
from typing import TYPE_CHECKING

from responders import trail
from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.users import account
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

# What hangs on an account, and what of each is kept as evidence.
_LINKS = {
    "memberOf": ("@odata.type", "id", "displayName", "roleTemplateId"),
    "ownedObjects": ("@odata.type", "id", "displayName", "appId"),
    "appRoleAssignments": ("appRoleId", "resourceId", "resourceDisplayName"),
    "oauth2PermissionGrants": ("clientId", "consentType", "resourceId", "scope"),
    "authentication/methods": ("@odata.type", "id", "createdDateTime", "displayName", "phoneNumber", "emailAddress"),
}
# What comes back with a restored account, so that its absence is worth a word.
_RESTORED = ("memberOf", "appRoleAssignments", "oauth2PermissionGrants")


class Delete:
    """Delete an account that a suspect made (DELETE /users/{id}), with all that it holds.

    Entra keeps it for 30 days, and undo restores it with its object id, and with it its memberships, roles and grants.
    An account of which nobody knows who made it is offered, if it was made in the window; an older one never is.
    """

    id = "users.delete"
    permissions = (
        "AuditLog.Read.All",
        "Directory.Read.All",
        "User.DeleteRestore.All",
        "UserAuthenticationMethod.Read.All",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no user {subject.id}.")
        name, made = account.label(user), time_of(user.get("createdDateTime"))
        verdict = await account.judge(azure, case, user)
        why = "; ".join(verdict.reasons)
        if verdict.familiarity == "familiar" or made is None:
            reason = f"{name} is not one that an intruder made."
            return Plan(action=self.id, subject=subject, reason=reason, kept=(f"{name}: {why}",))
        if todo := await self._by_hand(azure, user):
            reason, sure = "An application may not do it.", verdict.familiarity == "unfamiliar"
            kept, by_hand = (() if sure else (f"{todo} But: {why}",)), ((todo,) if sure else ())
            return Plan(action=self.id, subject=subject, reason=reason, kept=kept, by_hand=by_hand)
        change = Change(
            action=self.id,
            resource=f"/users/{user['id']}",
            summary=f"delete the user {name}",
            reasons=verdict.reasons,
            before={"user": user, **await _links(azure, user["id"], _LINKS)},
            principals=(user["id"],),
            lasting="Entra restores it for 30 days; after that it is gone.",
            familiarity=verdict.familiarity,
        )
        return Plan(action=self.id, subject=subject, changes=(change,), awaits=trail.awaits([verdict]))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None:
            return Outcome(status="already_so", reason="The account is gone already.")
        # Its object id is what was approved: what it calls itself by now is its thief's to choose.
        named = account.label(user) != account.label(change.before["user"])
        with absent_is_fine():
            await azure.graph("DELETE", account.path(change))
        return Outcome(status="done", reason=f"At the end it was named {account.label(user)}." if named else "")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is not None:
            raise Temporary(f"{account.label(user)} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is not None:
            return Outcome(status="already_so", reason=await _missing(azure, change) or "The account is there.")
        with absent_is_fine():
            await azure.graph("POST", f"/directory/deletedItems/{segment(change.principals[0])}/restore")
            return Outcome(status="done")
        reason = "Entra does not have it any more: it was deleted for good. What it was and held is in the evidence."
        return Outcome(status="failed", reason=reason)

    @staticmethod
    async def _by_hand(azure: "Azure", user: Json) -> str:
        if user.get("onPremisesSyncEnabled"):
            who = "an administrator of the directory on premises"
            return f"{account.label(user)} is synchronised from on premises: delete it there ({who})."
        return account.by_hand(user, await account.standing(azure, user["id"]), "delete it")


async def _links(azure: "Azure", user: str, names: "dict[str, tuple[str, ...]]") -> Json:
    """What hangs on an account, by name of the list; in an order that is always the same."""

    async def read(name: str, keep: tuple[str, ...]) -> list[Json]:
        found = [
            {k: entry[k] for k in keep if entry.get(k) is not None}
            async for entry in azure.graph_pages(f"/users/{segment(user)}/{name}")
        ]
        return sorted(found, key=str)

    lists = await asyncio.gather(*(read(name, keep) for name, keep in names.items()))
    return dict(zip(names, lists, strict=True))


async def _missing(azure: "Azure", change: Change) -> str:
    """What a restored account held before and doesn't now, in a sentence; "" for nothing."""
    now = await _links(azure, change.principals[0], {name: _LINKS[name] for name in _RESTORED})
    gone = [item for name in _RESTORED for item in change.before[name] if item not in now[name]]
    names = (str(i.get("displayName") or i.get("resourceDisplayName") or i.get("scope")) for i in gone)
    return f"Restored, but without: {', '.join(names)}. Give it back by hand if it is needed." if gone else ""
