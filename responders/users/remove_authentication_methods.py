from typing import TYPE_CHECKING

from responders.model import Change, Outcome, Plan, Undoes
from responders.users import authentication_methods

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RemoveAuthenticationMethods:
    """Remove the ways to sign in that were registered in the window (DELETE /users/{id}/authentication/…Methods/{id}).

    Authenticator apps, passkeys, codes and the like, by when Graph says that each was registered; Entra's audit log
    tells by whom. Those whose time nobody knows are offered. Irreversible: the user registers them anew.
    """

    id = "users.remove_authentication_methods"
    permissions = authentication_methods.PERMISSIONS
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        lasting = "It can't be put back: the user registers it anew."
        return await authentication_methods.removal(self.id, case, subject, azure, restorable=False, lasting=lasting)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await authentication_methods.apply(change, azure)

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        return await authentication_methods.verify(change, azure)

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)
