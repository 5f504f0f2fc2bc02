"""The people that the settings name, and what they may do."""

from typing import TYPE_CHECKING

from playbooks.doctor.check import Deployment, Result, broken, ok, redeployed
from playbooks.doctor.hosting import references, site
from responders import directory, people
from responders.actions import ACTIONS
from responders.azure import absent_is_fine, segment
from responders.ids import GLOBAL_ADMINISTRATOR, is_guid

if TYPE_CHECKING:
    from responders.model import Json

_FEWEST = 2  # whose approval an irreversible change needs


async def approvers(deployment: Deployment) -> list[Result]:
    """Those who are told that something waits for approval."""
    names = deployment.settings.approvers
    gone = await _gone(deployment, names)
    where = f"COUNTERSIGN_APPROVERS ({', '.join(names) or 'nobody'})"
    fix = redeployed("approvers: at least two people who are enabled, by their user principal names")
    fix += "\nsh infra/consent.sh role NAME Approver USER  # each of them, once"
    if gone:
        return [broken(approvers, where, f"Not there, or disabled: {', '.join(gone)}.", fix)]
    if len(set(names)) < _FEWEST:
        why = f"{len(set(names))} of them: a step that needs two approvals could never run."
        return [broken(approvers, where, why, fix)]
    return [ok(approvers, where, "All are there and enabled.")]


async def owners(deployment: Deployment) -> list[Result]:
    """Those who are asked where nothing in Azure says who is the owner."""
    names = deployment.settings.owners
    gone = await _gone(deployment, names)
    where = f"COUNTERSIGN_OWNERS ({', '.join(names) or 'nobody'})"
    fix = redeployed("owners: people who are enabled, by their user principal names")
    if gone:
        return [broken(owners, where, f"Not there, or disabled: {', '.join(gone)}.", fix)]
    if not names:
        why = "It is empty: of what has no owner tag and no Owner, nobody is asked, and silence is unexpected."
        return [broken(owners, where, why, fix)]
    return [ok(owners, where, "All are there and enabled.")]


async def protected(deployment: Deployment) -> list[Result]:
    """What is never changed."""
    settings = deployment.settings
    gone = [
        name
        for name in settings.protected
        if not name.startswith("/") and (await directory.principal(deployment.its.azure, name)) is None
    ]
    where = f"COUNTERSIGN_PROTECTED ({len(settings.protected)} entries)"
    if gone:
        fix = redeployed("protectedIds: what nobody is called protects nobody")
        return [broken(protected, where, f"The directory knows no {', '.join(gone)}.", fix)]
    return [ok(protected, where, "All principals of it are there.")]


async def break_glass(deployment: Deployment) -> list[Result]:
    """Whether a Global Administrator is protected."""
    azure = deployment.its.azure
    path = "/roleManagement/directory/roleAssignments"
    query = {"$filter": f"roleDefinitionId eq '{GLOBAL_ADMINISTRATOR}'"}
    held = {str(one["principalId"]).lower() async for one in azure.graph_pages(path, query)}
    guarded = {name.lower() for name in await deployment.its.guarded() if is_guid(name)}
    where = "Global Administrators among COUNTERSIGN_PROTECTED"
    if held & guarded:
        return [ok(break_glass, where, f"{len(held & guarded)} of {len(held)} are protected.")]
    why = f"None is, of {len(held)} that hold the role: a response could lock out those who let others in again."
    fix = redeployed("your break-glass accounts in protectedIds, by their object ids")
    return [broken(break_glass, where, why, fix)]


async def told(deployment: Deployment) -> list[Result]:
    """Whether anybody hears that something waits."""
    settings = deployment.settings
    if not settings.mail_from and not settings.channels:
        # Whoever asks for others has their settings, but for the secrets among them.
        app = await site(deployment)
        if app and "COUNTERSIGN_CHANNELS" in await references(deployment, app):
            return [ok(told, "channels", "They are kept in the Key Vault.")]
        fix = redeployed("mailFrom, a mailbox, or with channels")
        return [broken(told, "mail and channels", "Neither is set: questions and gates wait unseen.", fix)]
    if settings.mail_from and not await _mailbox(deployment, settings.mail_from):
        fix = redeployed("mailFrom: the user principal name of a mailbox")
        return [broken(told, f"mailbox {settings.mail_from}", "The directory knows no such mailbox.", fix)]
    return [ok(told, "mail and channels", "Set." if settings.channels else f"Mails come from {settings.mail_from}.")]


async def gates(deployment: Deployment) -> list[Result]:
    """The gates that the settings choose."""
    chosen, known = deployment.settings.gates, {one.id: one for one in ACTIONS}
    wrong = [f"no action is called {id_}" for id_ in chosen if id_ not in known]
    wrong += [
        f"{id_} is irreversible: it is never auto"
        for id_, gate in chosen.items()
        if gate == "auto" and id_ in known and not known[id_].reversible
    ]
    where = f"COUNTERSIGN_GATES ({len(chosen)} chosen)"
    if wrong:
        fix = redeployed("COUNTERSIGN_GATES in settings; python -m playbooks list shows what there is")
        return [broken(gates, where, "; ".join(wrong) + ".", fix)]
    return [ok(gates, where)]


async def _mailbox(deployment: Deployment, name: str) -> bool:
    """Whether there is a mailbox of that name. Those that are shared are of accounts that are disabled."""
    found: Json = {}
    with absent_is_fine():
        found = await deployment.its.azure.graph("GET", f"/users/{segment(name)}", {"$select": "id,mail"})
    return bool(found.get("mail"))


async def _gone(deployment: Deployment, names: tuple[str, ...]) -> list[str]:
    """The names that no enabled user has."""
    return [name for name in names if await people.named(deployment.its.azure, name) is None]
