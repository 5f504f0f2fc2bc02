from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from responders import familiarity, trail
from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_GIVEN = "Add app role assignment grant to user"  # what the log calls it
_ENDS = ("principalId", "resourceId", "appRoleId")


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
        held = [a for a in await _held(azure, subject.id) if a["principalId"] == subject.id]
        if not held:
            return Plan(action=self.id, subject=subject, reason="The user has no app roles of his own.")
        log = trail.Trail(())
        if any((made := _made(a)) is None or made >= case.since for a in held):
            log = await trail.of_activity(azure, case, _GIVEN)
        name = subject.name or subject.id
        changes, kept, awaits = list[Change](), list[str](), list[str]()
        for assignment in sorted(held, key=lambda a: str(a["id"])):
            verdict = _judge(case, assignment, log)
            title = f"{assignment.get('resourceDisplayName') or assignment['resourceId']}"
            awaits += filter(None, [verdict.awaits])
            if verdict.familiarity == "familiar" or verdict.spared:
                kept.append(f"the app role of {name} in {title}: {'; '.join(verdict.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=_path(assignment),
                summary=f"take back the app role {assignment['appRoleId']} of {name} in {title}",
                reasons=verdict.reasons,
                before={n: assignment.get(n) for n in ("id", *_ENDS, "createdDateTime", "resourceDisplayName")},
                principals=(subject.id,),
                lasting="Given back, it has a new id, and the time of that.",
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
            awaits=tuple(awaits),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _now(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="The user does not have the app role.")
        with absent_is_fine():
            await azure.graph("DELETE", _path(now))
        # Whoever gives it again under another id gives him nothing else.
        again = now["id"] != change.before["id"]
        return Outcome(
            status="done", reason="It had been given again since the plan." if again else "", after=now if again else {}
        )

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _now(azure, change) is not None:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        if await _now(azure, change) is not None:
            return Outcome(status="already_so", reason="The user has the app role again already.")
        with absent_is_fine():
            await azure.graph("POST", _collection(change.before), body={n: change.before[n] for n in _ENDS})
            return Outcome(status="done", reason=change.lasting)
        return Outcome(
            status="failed", reason="The user or the application is gone: restore it first, then undo again."
        )


async def _held(azure: "Azure", user: str, query: Mapping[str, str] = {}) -> list[Json]:
    """A user's app roles, those of his groups among them (GET /users/{id}/appRoleAssignments)."""
    with absent_is_fine():
        return [a async for a in azure.graph_pages(f"/users/{segment(user)}/appRoleAssignments", query)]
    return []


async def _now(azure: "Azure", change: Change) -> Json | None:
    """The assignment as it is; by what it gives to whom, since one that is given back has a new id."""
    before = change.before
    held = await _held(azure, before["principalId"], {"$filter": f"resourceId eq {before['resourceId']}"})
    return next((a for a in held if all(a[end] == before[end] for end in _ENDS)), None)


def _collection(assignment: Json) -> str:
    return f"/servicePrincipals/{segment(assignment['resourceId'])}/appRoleAssignedTo"


def _path(assignment: Json) -> str:
    return f"{_collection(assignment)}/{segment(assignment['id'])}"


def _made(assignment: Json) -> datetime | None:
    made = assignment.get("createdDateTime")
    return datetime.fromisoformat(made) if made else None


def _judge(case: "Case", assignment: Json, log: trail.Trail) -> Verdict:
    made = _made(assignment)
    if made and made < case.since:
        return Verdict(familiarity="familiar", reasons=(f"given {made:%Y-%m-%d}, before the window",))
    principal, resource, role = (assignment[end] for end in _ENDS)
    entry = log.last([_GIVEN], principal, resource, role) or log.last([_GIVEN], principal, resource)
    if entry is None and made is None:
        return trail.absent(case, log, _path(assignment))
    if entry is None:
        verdict = familiarity.judge(case, None, made, thing=_path(assignment), holder=principal)
        return trail.awaited(case, log, _path(assignment), verdict)
    return trail.verdict(case, entry, thing=_path(assignment), holder=principal)
