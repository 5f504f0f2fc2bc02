from typing import TYPE_CHECKING

from responders import trail
from responders.azure import absent_is_fine, odata, rest, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.service_principals import registration
from responders.service_principals.registration import Registration, spared

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class Delete:
    """Delete an application that a suspect made, with its service principal (DELETE /applications/{id}).

    Of an application that another tenant registered only the service principal is here, and only that is deleted. Entra
    keeps both for 30 days, and undo restores them with their object ids, so that what they hold works again. An
    application of which nobody knows who made it is offered, if it was made in the window; an older one never is.
    """

    id = "service_principals.delete"
    permissions = (
        *trail.PERMISSIONS,
        "Application.ReadWrite.All",
        "Directory.Read.All",
        "Microsoft.Authorization/roleAssignments/read",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        found = await registration.read(azure, subject.id)
        if found is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no service principal {subject.id}.")
        if why := spared(found.principal):
            return Plan(action=self.id, subject=subject, reason="It is no application of yours to delete.", kept=(why,))
        made = await registration.made(azure, case, found)
        verdicts = {path: verdict for path, verdict in made.items() if not verdict.left_alone}
        awaits = trail.awaits(made.values())
        if not verdicts:
            reason = f"{found.name} is not one that an intruder made."
            left = tuple(f"{found.name}: {'; '.join(v.reasons)}" for v in list(made.values())[:1])
            return Plan(action=self.id, subject=subject, reason=reason, kept=left, awaits=awaits)
        path, verdict = next(iter(verdicts.items()))  # with an application goes its service principal
        whole = path.startswith("/applications/")
        paths = [p for p in made if whole or p == path]
        what = "application" if whole else "service principal of the application"
        change = Change(
            action=self.id,
            resource=path,
            summary=f"delete the {what} {found.name}",
            reasons=verdict.reasons,
            before={"paths": paths, **await _evidence(azure, case, found)},
            principals=(found.id,),
            lasting="Entra restores it for 30 days; after that it is gone.",
            familiarity=verdict.familiarity,
        )
        return Plan(action=self.id, subject=subject, changes=(change,), awaits=awaits)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        there = await _there(azure, change)
        if not there:
            return Outcome(status="already_so", reason="It is gone already.")
        for path in there:
            with absent_is_fine():  # the service principal may have gone with its application
                await azure.graph("DELETE", path)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if there := await _there(azure, change):
            raise Temporary(f"{there[0]} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        there = await _there(azure, change)
        missing = [path for path in change.before["paths"] if path not in there]
        if not missing:
            return Outcome(status="already_so", reason="It is there.")
        for path in missing:  # the application first: its service principal can't be without it
            restored: Json = {}
            with absent_is_fine():
                id_ = segment(path.rpartition("/")[2])
                restored = await azure.graph("POST", f"/directory/deletedItems/{id_}/restore")
            if not restored and path not in await _there(azure, change):
                reason = f"Entra does not have {path} any more. What it was and held is in the evidence."
                return Outcome(status="failed", reason=reason)
        return Outcome(status="done", reason="Conditional access policies that named it don't come back with it.")


async def _there(azure: "Azure", change: Change) -> list[str]:
    """Those of its objects that there are."""
    return [path for path in change.before["paths"] if await registration.holder(azure, path) is not None]


async def _evidence(azure: "Azure", case: "Case", found: Registration) -> Json:
    """What the application was, had and was given."""
    path = f"/servicePrincipals/{segment(found.id)}"
    client = azure.authorization(case.subscription)
    held = client.role_assignments.list_for_subscription(filter=f"principalId eq {odata(found.id)}")
    roles = [rest(model)["id"] async for model in held]
    trusts = []
    if found.application:
        trusted = f"/applications/{segment(found.application['id'])}/federatedIdentityCredentials"
        trusts = [entry async for entry in azure.graph_pages(trusted)]
    owners = await registration.owners(azure, found)
    return {
        "principal": found.principal,
        "application": found.application,
        "federatedIdentityCredentials": trusts,
        "owners": {of: sorted(str(o["id"]) for o in people) for of, people in owners.items()},
        "appRoleAssignments": [a async for a in azure.graph_pages(f"{path}/appRoleAssignments")],
        "oauth2PermissionGrants": [g async for g in azure.graph_pages(f"{path}/oauth2PermissionGrants")],
        "memberOf": [str(g["id"]) async for g in azure.graph_pages(f"{path}/memberOf")],
        "roleAssignments": sorted(roles),
    }
