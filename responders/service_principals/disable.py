from typing import TYPE_CHECKING

from responders.azure import segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.service_principals.registration import spared

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_SELECT = "id,appId,displayName,accountEnabled,appOwnerOrganizationId"


class Disable:
    """Stop an application from signing in to this tenant (PATCH /servicePrincipals/{id} accountEnabled).

    It gets no new tokens, whatever secrets it has; those already given out live on to their expiry, an hour or so.
    Everything that relies on the application stops too.
    """

    id = "service_principals.disable"
    permissions = ("Application.ReadWrite.All",)
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        found = await read(azure, subject.id)
        if found is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no service principal {subject.id}.")
        if not found["accountEnabled"]:
            return Plan(action=self.id, subject=subject, reason=f"{found['displayName']} is disabled already.")
        if why := spared(found):
            return Plan(
                action=self.id, subject=subject, reason="It is no application of yours to disable.", kept=(why,)
            )
        change = Change(
            action=self.id,
            resource=f"/servicePrincipals/{found['id']}",
            summary=f"stop the application {found['displayName']} from signing in",
            reasons=(subject.reason,),
            before={"accountEnabled": True, "appId": found["appId"]},
            principals=(found["id"],),
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        found = await read(azure, change.principals[0])
        if found is None or not found["accountEnabled"]:
            return Outcome(status="already_so", reason="It can't sign in already.")
        if found["appId"] != change.before["appId"]:
            return Outcome(status="drifted", reason="It belongs to another application now.")
        await switch(azure, change, enabled=False)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        found = await read(azure, change.principals[0])
        if found is not None and found["accountEnabled"]:
            raise Temporary(f"The application {found['displayName']} still shows as enabled.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        found = await read(azure, change.principals[0])
        if found is None:
            return Outcome(
                status="failed", reason="The service principal is gone: restore it from the deleted items first."
            )
        if found["accountEnabled"]:
            return Outcome(status="already_so", reason="It is enabled already.")
        await switch(azure, change, enabled=True)
        return Outcome(status="done")


async def read(azure: "Azure", id_: str) -> Json | None:
    """The service principal of that object id, without its credentials; None when it is gone."""
    return await azure.graph_read(f"/servicePrincipals/{segment(id_)}", {"$select": _SELECT})


async def switch(azure: "Azure", change: Change, *, enabled: bool) -> None:
    """Let the service principal of a change sign in, or not."""
    path = f"/servicePrincipals/{segment(change.principals[0])}"
    await azure.graph("PATCH", path, body={"accountEnabled": enabled})
