"""Privileged Identity Management of directory roles in Microsoft Graph: who may activate one, and who has.

An eligibility gives nothing until its holder activates it; an active role is in roleAssignments too, whichever way it
came. Requests are answered when they are done. Without a license P2 all of it is 400 AadPremiumLicenseRequired.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from sandbox.azure.directory import Directory, iso
from sandbox.azure.directory_new import new_eligibility
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import allow
from sandbox.azure.graph_audit import record, target
from sandbox.azure.graph_reply import bad, many, missing, payload
from sandbox.azure.graph_roles import expanded, log, take
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import ROLE_NAMES

Json = dict[str, Any]

room = Room("")

_ROLES = "/roleManagement/directory/"
_SHORTEST = timedelta(minutes=5)  # an activation that is younger can't be ended
_PIM: Json = {"user": None, "app": {"appId": None, "displayName": "MS-PIM", "servicePrincipalId": None}}


@room.on("GET", _ROLES + "roleEligibilitySchedules", "eligible.read")
async def eligibility_schedules(call: Call) -> Reply:
    """List who may activate which role."""
    return _list(call, list(call.world.directory.eligible.values()), "roleEligibilitySchedule")


@room.on("GET", _ROLES + "roleEligibilitySchedules/{entry}", "eligible.read")
async def eligibility_schedule(call: Call) -> Reply:
    """Read one."""
    return _one(call, list(call.world.directory.eligible.values()))


@room.on("GET", _ROLES + "roleEligibilityScheduleInstances", "eligible.read")
async def eligibility_instances(call: Call) -> Reply:
    """List who may activate which role now."""
    found = [_instance(s, {"roleEligibilityScheduleId": s["id"]}) for s in call.world.directory.eligible.values()]
    return _list(call, found, "roleEligibilityScheduleInstance")


@room.on("GET", _ROLES + "roleAssignmentSchedules", "active.read")
async def assignment_schedules(call: Call) -> Reply:
    """List who holds which role, given to him or activated by him."""
    return _list(call, _assigned(call.world.directory), "roleAssignmentSchedule")


@room.on("GET", _ROLES + "roleAssignmentSchedules/{entry}", "active.read")
async def assignment_schedule(call: Call) -> Reply:
    """Read one."""
    return _one(call, _assigned(call.world.directory))


@room.on("GET", _ROLES + "roleAssignmentScheduleInstances", "active.read")
async def assignment_instances(call: Call) -> Reply:
    """List who holds which role now."""
    found = [
        _instance(
            s,
            {
                "assignmentType": s["assignmentType"],
                "roleAssignmentOriginId": s["id"],
                "roleAssignmentScheduleId": s["id"],
            },
        )
        for s in _assigned(call.world.directory)
    ]
    return _list(call, found, "roleAssignmentScheduleInstance")


@room.on("GET", _ROLES + "roleEligibilityScheduleRequests", "eligible.read")
async def eligibility_requests(call: Call) -> Reply:
    """List what was asked for."""
    found = [r for r in call.world.directory.role_requests if r["kind"] == "eligible"]
    return _list(call, [_shown(r) for r in found], "roleEligibilityScheduleRequest")


@room.on("GET", _ROLES + "roleAssignmentScheduleRequests", "active.read")
async def assignment_requests(call: Call) -> Reply:
    """List what was asked for."""
    found = [r for r in call.world.directory.role_requests if r["kind"] == "active"]
    return _list(call, [_shown(r) for r in found], "roleAssignmentScheduleRequest")


@room.on("GET", _ROLES + "roleEligibilityScheduleRequests/{entry}", "eligible.read")
async def eligibility_request(call: Call) -> Reply:
    """Read one."""
    return _one(call, [_shown(r) for r in call.world.directory.role_requests])


@room.on("GET", _ROLES + "roleAssignmentScheduleRequests/{entry}", "active.read")
async def assignment_request(call: Call) -> Reply:
    """Read one."""
    return _one(call, [_shown(r) for r in call.world.directory.role_requests])


@room.on("POST", _ROLES + "roleEligibilityScheduleRequests")
async def ask_eligibility(call: Call) -> Reply:
    """Let somebody activate a role (adminAssign), or no more (adminRemove)."""
    body = _asked(call, "eligible")
    directory, (principal, role, scope) = call.world.directory, _ends(body)
    held = next((e for e in directory.eligible.values() if _ends(e) == (principal, role, scope)), None)
    if body["action"] == "adminAssign":
        if held:
            raise _refused("RoleAssignmentExists", "The Role assignment already exists.")
        made = new_eligibility(directory, principal, role, scope, call.clock.now())
        return _done(call, body, "eligible", made["id"], "Add eligible member to role")
    if held is None:
        raise _refused("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
    del directory.eligible[held["id"]]
    return _done(call, body, "eligible", held["id"], "Remove eligible member from role")


@room.on("POST", _ROLES + "roleAssignmentScheduleRequests")
async def ask_assignment(call: Call) -> Reply:
    """Give, take, activate or deactivate a role."""
    body = _asked(call, "active")
    directory, now, (principal, role, scope) = call.world.directory, call.clock.now(), _ends(body)
    held = next((a for a in directory.role_assignments.values() if _ends(a) == (principal, role, scope)), None)
    if body["action"] in {"adminAssign", "selfActivate"}:
        if held:
            raise _refused("RoleAssignmentExists", "The Role assignment already exists.")
        eligible = next((e for e in directory.eligible.values() if _ends(e) == (principal, role, scope)), None)
        if body["action"] == "selfActivate" and eligible is None:
            raise _refused("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
        made = directory.assign_role(principal, role, directory.new_id("active", principal, role), scope)
        if body["action"] == "selfActivate" and eligible:
            until = iso(now + _duration(body))
            directory.activated[made["id"]] = {"using": eligible["id"], "from": iso(now), "until": until}
        return _done(call, body, "active", made["id"], "Add member to role")
    if held is None:
        raise _refused("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
    activation = directory.activated.get(held["id"])
    if activation and now - datetime.fromisoformat(activation["from"]) < _SHORTEST:
        raise _refused("ActiveDurationTooShort", "The active duration is too short. Minimum required is 5 minutes.")
    take(call, held)
    return _done(call, body, "active", held["id"], "Remove member from role")


def expire(directory: Directory, now: datetime) -> None:
    """End the activations whose time is over."""
    for gone in [k for k, a in directory.activated.items() if datetime.fromisoformat(a["until"]) <= now]:
        directory.role_assignments.pop(gone, None)
        del directory.activated[gone]


def _asked(call: Call, kind: str) -> Json:
    """The request's body, checked. Raises ApiError 400 or 403."""
    body = dict(payload(call))
    _licensed(call)
    actions = {"eligible": ("adminAssign", "adminRemove"), "active": ("adminAssign", "adminRemove")}[kind]
    himself = ("selfActivate", "selfDeactivate") if kind == "active" else ()
    action = body.get("action")
    if action not in {*actions, *himself}:
        raise ApiError(501, "NotImplemented", f"The sandbox does not know the action {action!r} of a request.")
    body["principalId"], body["roleDefinitionId"] = (
        str(body.get(name, "")).lower() for name in ("principalId", "roleDefinitionId")
    )
    body.setdefault("directoryScopeId", "/")
    if action not in himself:
        allow(call, f"{kind}.{'remove' if action == 'adminRemove' else 'write'}")
    elif call.caller.oid != body["principalId"]:
        raise _refused("InvalidSubject", "The subject of the request is not the caller.")
    if body["principalId"] not in call.world.directory.objects:
        raise ApiError(404, "SubjectNotFound", "The subject is not found.")
    if body["roleDefinitionId"] not in ROLE_NAMES:
        raise ApiError(404, "RoleNotFound", "The Role is not found.")
    if action == "selfActivate" and not body.get("justification"):
        message = 'The following policy rules failed: ["JustificationRule"]'
        raise _refused("RoleAssignmentRequestPolicyValidationFailed", message)
    return body


def _done(call: Call, body: Json, kind: str, schedule: str, activity: str) -> Reply:
    """Record and answer a request. PIM's own entry names the person, the directory's one names PIM."""
    now, directory = iso(call.clock.now()), call.world.directory
    gone = activity.startswith("Remove")
    by = {"application": None, "device": None, "user": {"displayName": None, "id": call.caller.oid}}
    request = {
        "id": directory.new_id("role request"),
        "status": "Revoked" if gone else "Provisioned",
        "createdDateTime": now,
        "completedDateTime": now,
        "approvalId": None,
        "customData": None,
        **{name: body[name] for name in ("action", "principalId", "roleDefinitionId", "directoryScopeId")},
        "appScopeId": None,
        "isValidationOnly": False,
        "targetScheduleId": None if gone else schedule,
        "justification": body.get("justification"),
        "createdBy": by,
        "scheduleInfo": body.get("scheduleInfo"),
        "ticketInfo": {"ticketNumber": None, "ticketSystem": None},
    }
    directory.role_requests.append({**request, "kind": kind})
    role = body["roleDefinitionId"]
    what = {"id": role, "@odata.type": "#microsoft.graph.role", "displayName": ROLE_NAMES[role]}
    asked = {"id": request["id"], "@odata.type": "#microsoft.graph.request"}
    how = "completed (PIM activation)" if "self" in body["action"] else "in PIM completed (permanent)"
    targets = (target(what), target(asked), target(directory.objects[body["principalId"]]))
    record(call, f"{activity} {how}", "RoleManagement", *targets, service="PIM", reason=body.get("justification") or "")
    log(call, activity, body["principalId"], role, by=_PIM)
    return Reply(201, request)


def _list(call: Call, found: list[Json], what: str) -> Reply:
    _licensed(call)
    live = [f for f in found if f["principalId"] in call.world.directory.objects]
    return many(call, expanded(call, live), f"roleManagement/directory/{what}s", f"unifiedR{what[1:]}")


def _one(call: Call, found: list[Json]) -> Reply:
    _licensed(call)
    entry = next((f for f in found if f["id"] == call.params["entry"]), None)
    if entry is None:
        raise missing(call.params["entry"])
    return Reply(200, entry)


def _assigned(directory: Directory) -> list[Json]:
    """Role assignments as unifiedRoleAssignmentSchedule."""
    found = []
    for a in directory.role_assignments.values():
        active = directory.activated.get(a["id"])
        end = {"type": "afterDateTime", "endDateTime": active["until"], "duration": None} if active else None
        expiration = end or {"type": "noExpiration", "endDateTime": None, "duration": None}
        start = active["from"] if active else None
        found.append(
            {
                **a,
                "appScopeId": None,
                "createdUsing": a["id"],
                "createdDateTime": start,
                "modifiedDateTime": None,
                "status": "Provisioned",
                "assignmentType": "Activated" if active else "Assigned",
                "memberType": "Direct",
                "activatedUsing": active["using"] if active else None,
                "scheduleInfo": {"startDateTime": start, "recurrence": None, "expiration": expiration},
            }
        )
    return found


def _instance(schedule: Json, more: Json) -> Json:
    info = schedule["scheduleInfo"]
    names = ("id", "principalId", "roleDefinitionId", "directoryScopeId", "appScopeId", "memberType")
    times = {"startDateTime": info["startDateTime"], "endDateTime": info["expiration"]["endDateTime"]}
    return {**{name: schedule[name] for name in names}, **times, **more}


def _shown(request: Json) -> Json:
    return {k: v for k, v in request.items() if k != "kind"}


def _ends(entry: Json) -> tuple[str, str, str]:
    return entry["principalId"], entry["roleDefinitionId"], entry["directoryScopeId"]


def _duration(body: Json) -> timedelta:
    text = ((body.get("scheduleInfo") or {}).get("expiration") or {}).get("duration") or "PT8H"
    try:
        return msgspec.convert(text, timedelta)
    except msgspec.ValidationError as error:
        raise bad(f"Invalid value specified for property 'duration': {text}.") from error


def _licensed(call: Call) -> None:
    if "P2" not in call.world.directory.licenses:
        message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."
        raise _refused("AadPremiumLicenseRequired", message)


def _refused(code: str, message: str) -> ApiError:
    return ApiError(400, code, message)
