from typing import TYPE_CHECKING

from responders import app_roles, trail
from responders.errors import Temporary
from responders.model import Change, Outcome, Plan, Undoes

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RemoveAppRoleAssignments:
    """Take back the app roles that a user was given in the window.

    DELETE /servicePrincipals/{id}/appRoleAssignedTo/{id}. An app role is what an application lets him do: in
    Countersign itself, to approve. Graph has the time, Entra's audit log who gave it. Roles that he has by way of a
    group are not his, and are left with the group.
    """

    id = "users.remove_app_role_assignments"
    permissions = (*trail.PERMISSIONS, "Directory.Read.All", "AppRoleAssignment.ReadWrite.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        judged = await app_roles.judged(azure, case, "users", subject.id)
        if not judged:
            return Plan(action=self.id, subject=subject, reason="The user has no app roles of his own.")
        name = subject.name or subject.id
        changes, kept = list[Change](), list[str]()
        for resource, role, verdict in judged:
            title = f"{role['resourceDisplayName'] or role['resourceId']}"
            if verdict.left_alone:
                kept.append(f"the app role of {name} in {title}: {'; '.join(verdict.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=resource,
                summary=f"take back the app role {role['appRoleId']} of {name} in {title}",
                reasons=verdict.reasons,
                before=role,
                principals=(subject.id,),
                lasting=app_roles.LASTING,
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else "The user was given no app role in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            awaits=trail.awaits(verdict for _, _, verdict in judged),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await app_roles.apply(azure, change, "users")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await app_roles.read(azure, change, "users") is not None:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return await app_roles.undo(azure, change, "users")
