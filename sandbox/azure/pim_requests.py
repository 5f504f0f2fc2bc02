"""Requests to PIM: what makes, activates and ends schedules. An answer of 201 is not success: its status says."""

import re
from datetime import datetime, timedelta
from typing import Any

from sandbox.azure import authorization, ids, locks, pim, pim_policies, rbac
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import page
from sandbox.azure.pim import ACTIVE, ELIGIBLE, READ, WRITE
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

OF = {f"{kind.removesuffix('s')}Requests": kind for kind in (ELIGIBLE, ACTIVE)}
PENDING = frozenset({"PendingApproval", "PendingAdminDecision"})
SHORTEST = timedelta(minutes=5)
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_ADMIN = {"adminassign", "adminupdate", "adminextend", "adminrenew", "adminremove"}
_SELF = {"selfactivate", "selfdeactivate", "selfextend", "selfrenew"}

room = Room("Microsoft.Authorization")


def _register(requests: str) -> None:
    path = f"/{{scope}}/providers/{requests}"
    room.on("GET", path, READ)(_lister(requests))
    room.on("GET", path + "/{name}", READ)(_get)
    room.on("PUT", path + "/{name}", f"{requests}/write", guarded=False)(_putter(requests))
    room.on("POST", path + "/{name}/cancel", f"{requests}/cancel/action", guarded=False)(_cancel)
    room.on("POST", path + "/{name}/validate", READ)(_validate)


def _lister(requests: str) -> Any:
    async def list_requests(call: Call) -> Reply:
        """List requests, done ones too."""
        return page(call, pim.shown(call, [r.body for r in call.world.list(requests)]))

    return list_requests


async def _get(call: Call) -> Reply:
    """Read one request."""
    return Reply(200, _need(call, call.path).body)


async def _validate(call: Call) -> Reply:
    """Say what a request would come to: here, whether it can be read."""
    return Reply(200, call.body)


async def _cancel(call: Call) -> Reply:
    """Take back a request that waits: whoever made it, or who could decide it."""
    found = _need(call, call.parent)
    p = found.properties
    if p["requestorId"] != call.caller.oid:
        call.require(WRITE, call.params["scope"])
    if p["status"] not in PENDING:
        message = f"The request is in status '{p['status']}' and cannot be canceled."
        raise bad_request("RoleAssignmentRequestCannotBeCanceled", message)
    call.world.put(found.id, {**found.body, "properties": {**p, "status": "Canceled"}})
    return Reply(200)


def _need(call: Call, id_: str) -> Resource:
    found = call.world.get(id_)
    if found is None:
        raise pim.absent(ids.parse(id_).type, call.params["name"])
    return found


def _putter(requests: str) -> Any:
    async def put_request(call: Call) -> Reply:
        """Ask for something, and mostly get it at once."""
        world, scope = call.world, call.params["scope"]
        given = call.body.get("properties") or {}
        asked = str(given.get("requestType") or "")
        if asked.lower() not in _ADMIN | _SELF:
            raise bad_request("InvalidRoleAssignmentRequest", f"The request type '{asked}' is invalid.")
        if asked.lower() in _ADMIN:
            call.require(WRITE, scope)
        elif str(given.get("principalId") or "").lower() != call.caller.oid:
            message = "The subject of a self request must be the caller."
            raise bad_request("RoleAssignmentRequestAcrsValidationFailed", message)
        if call.path in world:
            message = f"A request with the id '{call.params['name']}' already exists."
            raise ApiError(409, "RoleAssignmentRequestExists", message)
        properties = authorization.checked(call, given, scope)
        status, target = _done(call, OF[requests], asked.lower(), properties, given)
        eligible = OF[requests] == ELIGIBLE
        word = "Eligibility" if eligible else "Assignment"
        body = {
            **{k: v for k, v in properties.items() if k in _KEPT},
            "requestType": asked,
            "status": status,
            "approvalId": None,
            "scheduleInfo": given.get("scheduleInfo"),
            "ticketInfo": given.get("ticketInfo") or {"ticketNumber": None, "ticketSystem": None},
            "justification": given.get("justification"),
            "requestorId": call.caller.oid,
            "createdOn": stamp(call.clock.now()),
            f"targetRole{word}ScheduleId": target,
            f"targetRole{word}ScheduleInstanceId": None,
            **({} if eligible else {"linkedRoleEligibilityScheduleId": given.get("linkedRoleEligibilityScheduleId")}),
            "expandedProperties": pim.expanded(world, properties),
        }
        return Reply(201, world.put(call.path, {"type": requests, "properties": body}, version=call.version).body)

    return put_request


_KEPT = ("scope", "roleDefinitionId", "principalId", "principalType", "condition", "conditionVersion")


def _done(call: Call, kind: str, asked: str, properties: Json, given: Json) -> tuple[str, str | None]:
    """Do what is asked for: the request's status, and the name of the schedule it is about."""
    old = _current(call, kind, properties)
    if asked in {"adminremove", "selfdeactivate"}:
        return _removed(call, kind, properties, old)
    if asked in {"selfextend", "selfrenew"}:
        return "PendingAdminDecision", old.name if old else None
    if asked == "selfactivate":
        return _activated(call, kind, properties, given, old)
    if asked == "adminassign":
        if old or (kind == ACTIVE and _ordinary(call, properties)):
            raise bad_request("RoleAssignmentExists", "The Role assignment already exists.")
        return "Provisioned", _make(call, kind, properties, given, "Assigned").name
    if old is None:
        raise _nothing()
    span = _span(call, given)
    call.world.put(old.id, {**old.body, "properties": {**old.properties, **span}})
    return "Provisioned", old.name


def _removed(call: Call, kind: str, properties: Json, old: Resource | None) -> tuple[str, str | None]:
    target = old or (_ordinary(call, properties) if kind == ACTIVE else None)
    if target is None:
        raise _nothing()
    # The delete is PIM's own, so a lock makes the request fail, not the call.
    if locks.holding(call.world, target.id):
        return "FailedAsResourceIsLocked", target.name
    if old is None:
        authorization.keep_last_owner(call, target)
        call.world.delete(target.id)
        return "Revoked", target.name
    if kind == ACTIVE and _moment(old.properties["startDateTime"]) > call.clock.now() - SHORTEST:
        message = "The active duration is too short. The minimum required duration is 5 minutes."
        raise bad_request("ActiveDurationTooShort", message)
    pim.end(call.world, old)
    return "Revoked", old.name


def _activated(call: Call, kind: str, properties: Json, given: Json, old: Resource | None) -> tuple[str, str | None]:
    eligible = _eligibility(call, properties, given)
    if kind != ACTIVE or eligible is None:
        raise _nothing()
    if old:
        raise bad_request("RoleAssignmentExists", "The Role assignment already exists.")
    rules = pim_policies.rules(call.world, call.params["scope"], properties["roleDefinitionId"].rpartition("/")[2])
    needed = rules["Enablement_EndUser_Assignment"].get("enabledRules") or ()
    failed = [f"{name}Rule" for name in needed if name == "Justification" and not given.get("justification")]
    span = _span(call, given)
    most = _length(rules["Expiration_EndUser_Assignment"]["maximumDuration"])
    if not span["endDateTime"] or _moment(span["endDateTime"]) - _moment(span["startDateTime"]) > most:
        failed.append("ExpirationRule")
    if failed:
        message = f"The following policy rules failed: {failed}".replace("'", '"')
        raise bad_request("RoleAssignmentRequestPolicyValidationFailed", message)
    if rules["Approval_EndUser_Assignment"]["setting"]["isApprovalRequired"]:
        return "PendingApproval", None
    linked = {"linkedRoleEligibilityScheduleId": eligible.name}
    return "Provisioned", _make(call, kind, properties, given, "Activated", linked).name


def _make(call: Call, kind: str, properties: Json, given: Json, how: str, linked: Json | None = None) -> Resource:
    world, now = call.world, call.clock.now()
    scope, name = call.params["scope"], call.params["name"].lower()
    if any(r.name.lower() == name for r in world.list(rbac.ASSIGNMENT)):
        name = world.new_id("schedule", name)
    active = {"assignmentType": how, "linkedRoleEligibilityScheduleId": None, **(linked or {})}
    request = "roleEligibilityScheduleRequestId" if kind == ELIGIBLE else "roleAssignmentScheduleRequestId"
    body = {
        **{k: v for k, v in properties.items() if k in _KEPT},
        **(active if kind == ACTIVE else {}),
        "status": "Provisioned",
        request: call.path,
        **_span(call, given),
        "memberType": "Direct",
        "createdOn": stamp(now),
        "updatedOn": stamp(now),
    }
    schedule = world.put(f"{scope}/providers/{kind}/{name}", {"type": kind, "properties": body})
    # By this a snapshot knows one that was made again.
    first = world.state.setdefault("pim", {})
    mark = "|".join((scope, kind, properties["roleDefinitionId"].rpartition("/")[2], properties["principalId"])).lower()
    first[name] = first.setdefault(mark, name)
    pim.start(world, schedule, call.caller.oid, now)
    return schedule


def _current(call: Call, kind: str, properties: Json) -> Resource | None:
    return next((s for s in call.world.list(kind, lag=False) if _equal(s, properties)), None)


def _ordinary(call: Call, properties: Json) -> Resource | None:
    return next((a for a in call.world.list(rbac.ASSIGNMENT, lag=False) if _equal(a, properties)), None)


def _eligibility(call: Call, properties: Json, given: Json) -> Resource | None:
    """What the caller activates: his own or his groups', at the scope or above it."""
    mine = {call.caller.oid, *call.world.directory.groups_of(call.caller.oid)}
    above = call.world.scopes(call.params["scope"])
    role = properties["roleDefinitionId"].rpartition("/")[2]
    wanted = str(given.get("linkedRoleEligibilityScheduleId") or "").rpartition("/")[2].lower()
    now = stamp(call.clock.now())
    for schedule in call.world.list(ELIGIBLE, lag=False):
        p = schedule.properties
        same = p["roleDefinitionId"].endswith(role) and p["principalId"].lower() in mine
        here = str(p["scope"]).lower().rstrip("/") in above and p["startDateTime"] <= now
        if same and here and wanted in {"", schedule.name.lower()}:
            return schedule
    return None


def _equal(entry: Resource, properties: Json) -> bool:
    return all(str(entry.properties[k]).lower() == properties[k].lower() for k in authorization.IMMUTABLE)


def _nothing() -> ApiError:
    return bad_request("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")


def _span(call: Call, given: Json) -> Json:
    """From when to when, by what a request says. Nothing begins before now."""
    info = given.get("scheduleInfo") or {}
    now = call.clock.now()
    begin = max(_moment(info["startDateTime"]), now) if info.get("startDateTime") else now
    limit = info.get("expiration") or {}
    kind, until = str(limit.get("type") or "NoExpiration").lower(), None
    if kind == "afterduration":
        until = begin + _length(str(limit.get("duration") or ""))
    elif kind == "afterdatetime":
        until = _moment(str(limit.get("endDateTime") or ""))
    elif kind != "noexpiration":
        raise bad_request("InvalidRoleAssignmentRequest", f"The expiration type '{limit.get('type')}' is invalid.")
    return {"startDateTime": stamp(begin), "endDateTime": stamp(until) if until else None}


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_request("InvalidRoleAssignmentRequest", f"The time '{text}' is invalid.") from error


def _length(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise bad_request("InvalidRoleAssignmentRequest", f"The duration '{text}' is invalid.")
    years, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=365 * years + days, hours=hours, minutes=minutes, seconds=seconds)


for _requests in OF:
    _register(_requests)
