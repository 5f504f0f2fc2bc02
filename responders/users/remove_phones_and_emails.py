from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, fine
from responders.model import Change, Outcome, Plan, Undoes
from responders.users import authentication_methods

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RemovePhonesAndEmails:
    """Remove phones and mail addresses that were registered in the window (DELETE …/phoneMethods, …/emailMethods).

    Graph doesn't say when: Entra's audit log does, and by whom. Undo registers them again, under their old ids, which
    Graph gives by the type of phone. A phone that seems to be the default way to sign in waits for the step after
    users.remove_authentication_methods, since Graph gives it up last.
    """

    id = "users.remove_phones_and_emails"
    permissions = authentication_methods.PERMISSIONS
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        lasting = (
            "Undo registers it anew: that it was the default, signed in by SMS, and its date of before don't come back."
        )
        return await authentication_methods.removal(self.id, case, subject, azure, restorable=True, lasting=lasting)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await authentication_methods.apply(change, azure)

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        return await authentication_methods.verify(change, azure)

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        names = authentication_methods.RESTORABLE[authentication_methods.kind(change.before)]
        body = {name: change.before[name] for name in names}
        now = await authentication_methods.read(azure, change)
        if now is not None:
            if any(now.get(name) != body[name] for name in names):
                reason = (
                    "Another one was registered in its place since: remove that first, if this one is to come back."
                )
                return Outcome(status="failed", reason=reason, after=now)
            return Outcome(status="already_so", reason="It is registered again already.")
        with absent_is_fine(), fine("badRequest", "BadRequest") as said:
            await azure.graph("POST", authentication_methods.collection(change), body=body)
            return Outcome(status="done", reason=change.lasting)
        for message in said.values():
            return Outcome(status="failed", reason=f"Graph doesn't register it again: {message[:300]}")
        return Outcome(status="failed", reason="The account is gone: restore it first, then undo again.")
