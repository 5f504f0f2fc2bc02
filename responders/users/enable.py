from datetime import timedelta
from typing import TYPE_CHECKING

from responders import trail
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.users import account, authentication_methods
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_ENABLED, _DISABLED = "Enable account", "Disable account"
_PASSWORDS = (
    "Reset user password",
    "Change user password",
    "Reset password (by admin)",
    "Reset password (self-service)",
    "Change password (self-service)",
)
_NEAR = timedelta(minutes=1)  # so much an entry of the log is apart from what it tells of


class Enable:
    """Give an account back to its owner: let it sign in again (PATCH /users/{id} accountEnabled).

    Only what this responder itself disabled, what is known good, whose password was changed since, and that has nothing
    left which an intruder registered: whoever has the old ways in stays out. Undo blocks it again.
    """

    id = "users.enable"
    permissions = (
        "AuditLog.Read.All",
        "User.EnableDisableAccount.All",
        "User.Read.All",
        "UserAuthenticationMethod.Read.All",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None or user["accountEnabled"] or account.external(user):
            what = f"The directory has no user {subject.id}."
            if user is not None:
                what = f"{account.label(user)} is enabled, or a guest, which its home has to clear first."
            return Plan(action=self.id, subject=subject, reason=what)
        name = account.label(user)
        verdict = await account.judge(azure, case, user)
        if verdict.familiarity == "unfamiliar":
            return Plan(action=self.id, subject=subject, reason=f"{name} stays disabled: {'; '.join(verdict.reasons)}.")
        log = await trail.of_target(azure, case, user["id"], ours=True)
        who = f"{name}, when its owner can have it back (a User Administrator)"
        last = log.last((_DISABLED, _ENABLED), user["id"])
        ours = case.changed("users.disable", f"/users/{user['id']}")  # the log lags
        if last is None and not ours:
            reason = f"Neither this incident nor Entra's audit log shows that the responder disabled {name}."
            return Plan(action=self.id, subject=subject, reason=reason, by_hand=(f"{reason} Enable {who}.",))
        if why := await _not_ours(azure, case, log, None if ours else last):
            return Plan(action=self.id, subject=subject, reason=f"{name} stays disabled: {why}.")
        if way_in := await _way_in(azure, case, user, log):
            reason = f"{name} stays disabled {way_in}."
            return Plan(action=self.id, subject=subject, reason=reason, by_hand=(f"{reason} Then enable {who}.",))
        change = Change(
            action=self.id,
            resource=f"/users/{user['id']}",
            summary=f"let {name} sign in again",
            reasons=("its password was changed after the alert", *verdict.reasons),
            before={
                "accountEnabled": False,
                "lastPasswordChangeDateTime": user["lastPasswordChangeDateTime"],
                "userPrincipalName": user["userPrincipalName"],
            },
            principals=(user["id"],),
            familiarity=verdict.familiarity,
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None:
            return Outcome(status="drifted", reason="The account is gone.")
        if any(user[name] != change.before[name] for name in ("lastPasswordChangeDateTime", "userPrincipalName")):
            return Outcome(status="drifted", reason="Its name or password was changed after the plan was made.")
        if user["accountEnabled"]:
            return Outcome(status="already_so", reason="The account is enabled already.")
        await azure.graph("PATCH", account.path(change), body={"accountEnabled": True})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is not None and not user["accountEnabled"]:
            raise Temporary(f"{account.label(user)} does not show as enabled yet.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        user = await account.read(azure, change.principals[0])
        if user is None or not user["accountEnabled"]:
            return Outcome(status="already_so", reason="The account can't sign in.")
        await azure.graph("PATCH", account.path(change), body={"accountEnabled": False})
        return Outcome(status="done")


async def _not_ours(azure: "Azure", case: "Case", log: trail.Trail, last: trail.Entry | None) -> str:
    """Why an account is not the responder's to give back; "" where it is."""
    if last and last.by != await azure.own_id():
        return f"{last.name or last.by} disabled it, {utc(last.at)}"
    opened = (e for e in log.entries if e.activity == _ENABLED.lower() and case.suspect(e.by, e.at))
    if (first := next(opened, None)) is not None:
        return f"it was disabled before, until the suspect {first.name or first.by} enabled it"
    return ""


async def _way_in(azure: "Azure", case: "Case", user: Json, log: trail.Trail) -> str:
    """Until or while what an intruder could still sign in; "" where he could not."""
    changed = time_of(user.get("lastPasswordChangeDateTime"))
    if changed is None or changed < case.until.replace(microsecond=0):  # Entra counts in seconds
        return "until its password is changed"
    last = log.last(_PASSWORDS, user["id"])
    if last and case.suspect(last.by, last.at) and changed <= last.at + _NEAR:
        return "until its password is changed by somebody who is no suspect"
    theirs = await authentication_methods.left(azure, case, user)
    return f"while an intruder's {', '.join(theirs)} is registered for it" if theirs else ""
