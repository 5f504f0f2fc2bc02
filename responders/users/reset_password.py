import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from responders import notify
from responders.azure import explained, segment
from responders.errors import Permanent, Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.users import account
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_LENGTH = 32
# Without what looks alike, since somebody may have to read it out; quotes and blanks get lost on the way.
_ALPHABETS = ("abcdefghijkmnopqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "!#%+-=?@_")
# So soon after the vault has it, Entra has it too: the SDK's retries take no longer.
_AT_ONCE = timedelta(minutes=1)


class ResetPassword:
    """Give an account that is kept a new password, which is in the Key Vault alone (PATCH /users/{id} passwordProfile).

    Long, random, of this account alone, and to be changed at the next sign-in; the old one is dead at once. The user's
    manager, or else the approvers, hand it over: never by mail, which the thief may read. Irreversible, since nobody
    knows the old one.
    """

    id = "users.reset_password"
    permissions = (
        "AuditLog.Read.All",
        "Directory.Read.All",
        "User-PasswordProfile.ReadWrite.All",
        "Microsoft.KeyVault/vaults/secrets/setSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    )
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no user {subject.id}.")
        name = account.label(user)
        if account.external(user):
            reason = f"{name} is a guest: the password is kept in another tenant, and is that tenant's to reset."
            return Plan(action=self.id, subject=subject, reason=reason)
        verdict = await account.judge(azure, case, user)
        if verdict.familiarity == "unfamiliar":
            reason = f"{name} is to be deleted, not given back: {'; '.join(verdict.reasons)}."
            return Plan(action=self.id, subject=subject, reason=reason)
        if todo := await self._by_hand(azure, user):
            return Plan(action=self.id, subject=subject, reason="An application may not do it.", by_hand=(todo,))
        keeper = await _manager(azure, case, user["id"])
        change = Change(
            action=self.id,
            resource=f"/users/{user['id']}",
            summary=f"give {name} a new password, kept in the Key Vault for {keeper.get('name') or 'the approvers'}",
            reasons=(subject.reason, *verdict.reasons),
            before={
                "lastPasswordChangeDateTime": user["lastPasswordChangeDateTime"],
                "userPrincipalName": user["userPrincipalName"],
                "incident": case.incident,
                "keeper": keeper,
            },
            principals=(user["id"],),
            lasting="The old password is gone for good: nobody knows it.",
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None:
            return Outcome(status="already_so", reason="The account is gone, and its password with it.")
        tries = await azure.secret_versions(_secret(change))
        # One that somebody else set meanwhile is what a thief would do to keep the account: it dies too.
        if tries and _changed(user, change) and _is_set(user, tries):
            return Outcome(status="already_so", reason=_where(change, _name(tries[0]["id"])))
        # First the vault: a password that is set and not kept would lock the owner out. The one that is kept last is
        # always the one that is set next, so that whatever is lost on the way, a new try puts both right.
        password = _password()
        tags = {"user": user["id"], "incident": change.before["incident"], "change": change.id}
        kept = await azure.keep_secret(_secret(change), password, tags)
        profile = {"password": password, "forceChangePasswordNextSignIn": True}
        await azure.graph("PATCH", account.path(change), body={"passwordProfile": profile})
        return Outcome(status="done", reason=await _tell(azure, change, _name(kept)))

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is not None and not _changed(user, change):
            raise Temporary(f"That the password of {account.label(user)} was changed does not show yet.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)

    @staticmethod
    async def _by_hand(azure: "Azure", user: Json) -> str:
        name = account.label(user)
        if user.get("onPremisesSyncEnabled"):
            who = "an administrator of the directory on premises"
            return f"{name} is synchronised from on premises: reset its password there ({who})."
        if todo := account.by_hand(user, await account.standing(azure, user["id"]), "reset its password"):
            return todo
        if not azure.settings.vault:
            return f"COUNTERSIGN_VAULT is not set: reset the password of {name} (a Password or User Administrator)."
        return ""


def _password() -> str:
    """32 characters of all four kinds that Entra counts: some 190 bits."""
    everything = "".join(_ALPHABETS)
    while True:
        made = "".join(secrets.choice(everything) for _ in range(_LENGTH))
        if all(set(made) & set(kind) for kind in _ALPHABETS) and made[0] in string.ascii_letters:
            return made


def _secret(change: Change) -> str:
    """A name of the change's own, so that no other incident's password is taken for this one."""
    return f"ir-{change.principals[0]}-{change.id}"


def _changed(user: Json, change: Change) -> bool:
    now, then = time_of(user.get("lastPasswordChangeDateTime")), change.before["lastPasswordChangeDateTime"]
    return now is not None and (not then or now > datetime.fromisoformat(then))


def _is_set(user: Json, tries: list[Json]) -> bool:
    """Whether the one password that is kept is the one that was set.

    Of several nobody can tell which was set, and of one that was kept long before, whether it was: it is done anew.
    """
    changed = time_of(user.get("lastPasswordChangeDateTime"))
    kept = datetime.fromtimestamp(tries[0]["attributes"]["created"], UTC)
    return len(tries) == 1 and changed is not None and kept <= changed <= kept + _AT_ONCE


async def _manager(azure: "Azure", case: "Case", user: str) -> Json:
    """Who hands the password over: the user's manager (GET /users/{id}/manager); {} for the approvers.

    They are asked where he has none, or where that one is a suspect or can't sign in.
    """
    query = {"$select": "id,userPrincipalName,displayName,mail,accountEnabled"}
    found = await azure.graph_read(f"/users/{segment(user)}/manager", query)
    if found is None or not found.get("accountEnabled") or case.suspect(found["id"]):
        return {}
    name = str(found["userPrincipalName"])
    return {"name": name, "address": found.get("mail") or name}


async def _tell(azure: "Azure", change: Change, secret: str) -> str:
    """Tell the keeper where the password is. That he could not be told is said, and stops nothing."""
    keeper, settings = change.before["keeper"], azure.settings
    to = [keeper["address"]] if keeper else settings.approvers
    text = (
        f"The password of {change.before['userPrincipalName']} was reset: the account was held to be compromised. "
        f"The new one is in the Key Vault:\n\n{secret}\n\nHand it over in person or by a call that you make yourself, "
        "never by the user's mail or chat: a thief may still read them. It has to be changed at the first sign-in."
    )
    try:
        with explained("sending mail"):
            told = await notify.mail(azure, settings, to, "Countersign: a new password is to be handed over", text)
    except (Permanent, Temporary) as error:
        told = f"not mailed: {error}"
    return f"{_where(change, secret)} ({told})"


def _where(change: Change, secret: str) -> str:
    keeper = change.before["keeper"]
    return f"The new password is in {secret}, for {keeper.get('name') or 'the approvers'} to hand over."


def _name(secret: str) -> str:
    """A secret's id without its version."""
    return secret.rpartition("/")[0]
