from typing import TYPE_CHECKING

from responders.model import Case, Change, Outcome, Plan, Undoes
from responders.subscriptions import automation_assets, planted
from responders.subscriptions.automation import ACCOUNT

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject


class PurgeAutomationAssets:
    """Delete what a suspect planted in Automation accounts in the window, and of which Azure hides something for good.

    Credentials, certificates, encrypted variables, modules and packages, runtime environments, source controls and
    watchers: what is in them is imported by runbooks, or signed in with. Irreversible, since nobody can read a password
    or a package back to make it anew. What was there before and a suspect wrote or deleted is for a person.
    """

    id = "subscriptions.purge_automation_assets"
    # The provider's list of operations names no right for PowerShell 7.2 modules and runtime environments, so that a
    # role can have those by a pattern alone. It reaches nothing but what is in accounts.
    permissions = (f"{ACCOUNT}/read", f"{ACCOUNT}/*/read", f"{ACCOUNT}/*/delete", *planted.PERMISSIONS)
    reversible = False
    undoes = Undoes(gone=True)

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        return await automation_assets.plan(self.id, case, subject, azure, shown=False)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await automation_assets.delete(change, azure)

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        return await automation_assets.gone(change, azure)

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)
