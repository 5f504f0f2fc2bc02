from typing import TYPE_CHECKING

from responders import familiarity, trail
from responders.azure import fine, odata, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes, Verdict
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_ROLES = "/roleManagement/directory"
_ENDS = ("principalId", "roleDefinitionId", "directoryScopeId")
_NO_PIM = "AadPremiumLicenseRequired"
_LISTS = {"active": "roleAssignments", "eligible": "roleEligibilitySchedules"}
_REQUESTS = {"active": "roleAssignmentScheduleRequests", "eligible": "roleEligibilityScheduleRequests"}
# How the log begins: Privileged Identity Management has a dozen names, by how long a role is given and by which step.
_GIVEN = {"active": "add member to role", "eligible": "add eligible member to role"}
_WHY = "Countersign: taken back, or put back, after approval"


class StripDirectoryRoles:
    """Take the directory roles from a user that a suspect gave him in the window, or that he activated in it.

    Active roles, and those that he may activate: of Privileged Identity Management, where the tenant has it, by its
    requests (adminRemove), else by DELETE /roleManagement/directory/roleAssignments/{id}. Roles that he has by way of a
    group are the group's: see users.remove_group_memberships.
    """

    id = "users.strip_directory_roles"
    permissions = (*trail.PERMISSIONS, "RoleManagement.ReadWrite.Directory")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        query = {"$filter": f"principalId eq {odata(subject.id)}", "$expand": "roleDefinition"}
        held = [("active", a) for a in await _list(azure, "roleAssignments", query)]
        held += [("eligible", e) for e in await _list(azure, "roleEligibilitySchedules", query) if _direct(e)]
        if not held:
            return Plan(
                action=self.id, subject=subject, reason="The user has no directory role, and may activate none."
            )
        schedules = await _list(azure, "roleAssignmentSchedules", query) if held[0][0] == "active" else []
        log = await trail.of_target(azure, case, subject.id)
        changes, kept, verdicts = list[Change](), list[str](), list[Verdict]()
        for kind, role in sorted(held, key=lambda pair: (pair[0] != "eligible", str(pair[1]["id"]))):
            schedule = role if kind == "eligible" else next((s for s in schedules if _ends(s) == _ends(role)), None)
            resource = f"{_ROLES}/{_LISTS[kind]}/{role['id']}"
            verdict = _judge(case, kind, role, schedule, log, resource)
            title = _title(kind, role, schedule, subject.name or subject.id)
            verdicts.append(verdict)
            if verdict.left_alone:
                kept.append(f"{title}: {'; '.join(verdict.reasons)}")
                continue
            activated = schedule is not None and schedule.get("assignmentType") == "Activated"
            change = Change(
                action=self.id,
                resource=resource,
                summary=f"take {title}",
                reasons=verdict.reasons,
                before={
                    "kind": kind,
                    "id": role["id"],
                    **{end: role.get(end) for end in _ENDS},
                    "schedule": schedule and schedule["scheduleInfo"],
                },
                principals=(subject.id,),
                lasting="What he had activated comes back as given, until the same time." if activated else "",
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else "The user was given no directory role in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            awaits=trail.awaits(verdicts),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _now(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="The user does not have it.")
        again = now["id"] != change.before["id"]  # by which it is no other role
        with fine("RoleAssignmentDoesNotExist", "Request_ResourceNotFound"):
            if change.before["schedule"] is None:
                await azure.graph("DELETE", f"{_ROLES}/roleAssignments/{segment(now['id'])}")
            else:
                await _request(azure, change, "adminRemove")
        return Outcome(
            status="done", reason="It had been given again since the plan." if again else "", after=now if again else {}
        )

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _now(azure, change) is not None:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        if await _now(azure, change) is not None:
            return Outcome(status="already_so", reason="The user has it again already.")
        with fine("SubjectNotFound", "Request_ResourceNotFound"):
            if change.before["schedule"] is None:
                await azure.graph("POST", f"{_ROLES}/roleAssignments", body={e: change.before[e] for e in _ENDS})
            else:
                await _request(azure, change, "adminAssign", scheduleInfo=_kept(change.before["schedule"]))
            return Outcome(status="done", reason=change.lasting)
        return Outcome(status="failed", reason="The user is gone: restore the account first, then undo again.")


async def _list(azure: "Azure", what: str, query: dict[str, str]) -> list[Json]:
    """Role assignments or schedules; none where the tenant has no Privileged Identity Management."""
    with fine(_NO_PIM):
        return [entry async for entry in azure.graph_pages(f"{_ROLES}/{what}", query)]
    return []


async def _now(azure: "Azure", change: Change) -> Json | None:
    """It as it is now; by who has which role where, since what is put back has a new id."""
    before = change.before
    ends = " and ".join(f"{end} eq {odata(before[end])}" for end in _ENDS[:2])
    found = await _list(azure, _LISTS[before["kind"]], {"$filter": ends})
    return next((entry for entry in found if _ends(entry) == _ends(before)), None)


async def _request(azure: "Azure", change: Change, doing: str, **more: Json) -> None:
    body = {"action": doing, "justification": _WHY, **{end: change.before[end] for end in _ENDS}, **more}
    await azure.graph("POST", f"{_ROLES}/{_REQUESTS[change.before['kind']]}", body=body)


def _judge(case: "Case", kind: str, role: Json, schedule: Json | None, log: trail.Trail, resource: str) -> Verdict:
    at = time_of(schedule.get("createdDateTime")) if schedule else None
    if at and at < case.since:
        return Verdict(familiarity="familiar", reasons=(f"given {at:%Y-%m-%d}, before the window",))
    ids = {role["principalId"], role["roleDefinitionId"]}
    found = [e for e in log.entries if e.activity.startswith(_GIVEN[kind]) and ids <= e.about]
    # One deed has two entries: that of the directory names Privileged Identity Management, the other who asked it.
    entry = next((e for e in found if e.by), None) or next(iter(found), None)
    if entry is None and at:
        verdict = familiarity.judge(case, None, at, thing=resource, holder=role["principalId"])
        return trail.awaited(case, log, resource, verdict)
    if entry is None:
        return trail.absent(case, log, resource)
    return trail.verdict(case, entry, thing=resource, holder=role["principalId"])


def _title(kind: str, role: Json, schedule: Json | None, name: str) -> str:
    role_name = (role.get("roleDefinition") or {}).get("displayName") or role["roleDefinitionId"]
    scope = role.get("directoryScopeId") or role.get("appScopeId")  # it has one of them
    where = "" if scope == "/" else f" over {scope}"
    if kind == "eligible":
        return f"the right to activate {role_name}{where} from {name}"
    until = ((schedule or {}).get("scheduleInfo") or {}).get("expiration", {}).get("endDateTime")
    return f"the directory role {role_name}{where} from {name}" + (f" (it ends {until})" if until else "")


def _direct(schedule: Json) -> bool:
    return schedule.get("memberType") in {None, "Direct"}


def _ends(entry: Json) -> tuple[str, ...]:
    return tuple(str(entry.get(end)).lower() for end in _ENDS)


def _kept(info: Json) -> Json:
    """A schedule as a request takes it: without what it does not have."""
    expiration = {k: v for k, v in (info.get("expiration") or {}).items() if v is not None}
    start = {"startDateTime": info["startDateTime"]} if info.get("startDateTime") else {}
    return {**start, "expiration": expiration}
