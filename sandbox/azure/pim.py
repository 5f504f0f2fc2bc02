"""Privileged Identity Management of Azure roles: who may activate what, and who is active (2020-10-01).

A schedule is a resource; what makes and ends one is a request (pim_requests.py). A schedule that gives a role now has
an ordinary role assignment of the same name, and that is what RBAC counts. Instances are read off the schedules and,
for the active ones, off all ordinary assignments too: PIM shows those as permanent.

In Azure the platform names a schedule. Here it bears the name of the request that made it, so that an exercise can
name it; made again by another request it bears another one, and a world's snapshot shows it under the first.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.azure import authorization, ids, providers, rbac
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock

Json = dict[str, Any]

ELIGIBLE = "Microsoft.Authorization/roleEligibilitySchedules"
ACTIVE = "Microsoft.Authorization/roleAssignmentSchedules"
READ, WRITE = f"{rbac.ASSIGNMENT}/read", f"{rbac.ASSIGNMENT}/write"
_PATH = "/{scope}/providers/"
_PART = re.compile(r"(?P<field>principalId|roleDefinitionId|status)\s+eq\s+'(?P<value>[^']+)'", re.IGNORECASE)
_THROUGH = re.compile(r"assignedTo\('(?P<value>[^']+)'\)", re.IGNORECASE)

room = Room("Microsoft.Authorization", providers.PROVIDERS["Microsoft.Authorization"])


def _lister(kind: str) -> Any:
    async def list_schedules(call: Call) -> Reply:
        """List schedules at a scope and above, below it too without atScope()."""
        return page(call, shown(call, [_schedule(call.world, s) for s in call.world.list(kind)]))

    return list_schedules


def _getter(kind: str) -> Any:
    async def get_schedule(call: Call) -> Reply:
        """Read one schedule."""
        found = call.world.get(call.path)
        if found is None:
            raise absent(kind, call.params["name"])
        return Reply(200, _schedule(call.world, found))

    return get_schedule


def _instances(kind: str) -> Any:
    async def list_instances(call: Call) -> Reply:
        """List what may be activated, or is active, at this moment."""
        now = stamp(call.clock.now())
        found = [_instance(call.world, s) for s in call.world.list(kind) if s.properties["startDateTime"] <= now]
        ordinary = _ordinary(call.world) if kind == ACTIVE else ()
        return page(call, shown(call, [*found, *ordinary]))

    return list_instances


def _instance_getter(kind: str) -> Any:
    async def get_instance(call: Call) -> Reply:
        """Read one instance."""
        at = f"{call.params['scope']}/providers"
        name = call.params["name"]
        if schedule := call.world.get(f"{at}/{kind}/{name}"):
            return Reply(200, _instance(call.world, schedule))
        if kind == ACTIVE and (given := call.world.get(f"{at}/{rbac.ASSIGNMENT}/{name}")):
            return Reply(200, _of_ordinary(call.world, given))
        raise absent(f"{kind.removesuffix('s')}Instances", name)

    return get_instance


for _kind in (ELIGIBLE, ACTIVE):
    _now = f"{_kind.removesuffix('s')}Instances"
    room.on("GET", _PATH + _kind, READ)(_lister(_kind))
    room.on("GET", _PATH + _kind + "/{name}", READ)(_getter(_kind))
    room.on("GET", _PATH + _now, READ)(_instances(_kind))
    room.on("GET", _PATH + _now + "/{name}", READ)(_instance_getter(_kind))


def absent(kind: str, name: str) -> ApiError:
    """404 for a schedule, an instance or a request."""
    return ApiError(404, "ResourceNotFound", f"The {kind.rpartition('/')[2]} '{name}' is not found.")


def shown(call: Call, entries: Iterable[Json]) -> list[Json]:
    """Those that lie at the call's scope and that its filter asks for, told how they come to be there."""
    scope, text = call.params["scope"].lower(), call.query.get("$filter", "").strip()
    above = call.world.scopes(scope)
    only, wanted = _parts(call, text)
    found = []
    for entry in entries:
        properties = entry["properties"]
        at = str(properties["scope"]).lower().rstrip("/")
        here = at in above or (not only and scope in call.world.scopes(at))
        if not here or not all(_same(properties.get(name), values) for name, values in wanted.items()):
            continue
        member = "Direct" if at == scope or at not in above else "Inherited"
        more = {"memberType": member} if "memberType" in properties else {}
        found.append({**entry, "properties": {**properties, **more}})
    return found


def _same(value: object, wanted: set[str]) -> bool:
    """Role ids are compared by their last part: the same role is spelled with and without a subscription."""
    return str(value).rpartition("/")[2].lower() in wanted


def _parts(call: Call, text: str) -> tuple[bool, dict[str, set[str]]]:
    """What a filter says: whether only from the scope up, and which values are wanted."""
    only, wanted, me = False, dict[str, set[str]](), call.caller.oid
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else ():
        if match := _PART.fullmatch(part):
            name = {"principalid": "principalId", "status": "status"}.get(match["field"].lower(), "roleDefinitionId")
            wanted[name] = {match["value"].rpartition("/")[2].lower()}
        elif match := _THROUGH.fullmatch(part):
            who = match["value"].lower()
            wanted["principalId"] = {who, *call.world.directory.groups_of(who)}
        elif part.lower() == "astarget()":
            wanted["principalId"] = {me, *call.world.directory.groups_of(me)}
        elif part.lower() == "asrequestor()":
            wanted["requestorId"] = {me}
        elif part.lower() == "atscope()":
            only = True
        else:
            raise bad_request("InvalidFilter", f"The filter '{text}' is not supported.")
    return only, wanted


# -- as they are shown -------------------------------------------------------------------------------------------------


def expanded(world: World, properties: Json) -> Json:
    """The names behind scope, role and principal."""
    scope, principal = str(properties["scope"]), str(properties["principalId"])
    role = rbac.definition(world, str(properties["roleDefinitionId"])) or {}
    who = world.directory.find(principal) or {}
    kind = {"": "root"}.get(scope.rstrip("/"), ids.parse(scope).type.rpartition("/")[2].rstrip("s").lower())
    place = world.get(scope)
    named = str((place.body.get("displayName") or place.name) if place else scope)
    return {
        "scope": {"id": scope, "displayName": named, "type": kind},
        "roleDefinition": {
            "id": properties["roleDefinitionId"],
            "displayName": role.get("roleName"),
            "type": role.get("type"),
        },
        "principal": {
            "id": principal,
            "displayName": who.get("displayName"),
            "email": who.get("mail") or who.get("userPrincipalName"),
            "type": properties["principalType"],
        },
    }


def _schedule(world: World, schedule: Resource) -> Json:
    return _with(world, schedule.body, schedule.properties)


def _with(world: World, entry: Json, properties: Json) -> Json:
    return {**entry, "properties": {**properties, "expandedProperties": expanded(world, properties)}}


def _instance(world: World, schedule: Resource) -> Json:
    eligible = schedule.type.lower() == ELIGIBLE.lower()
    skipped = ("roleEligibilityScheduleRequestId", "roleAssignmentScheduleRequestId", "updatedOn")
    own = {k: v for k, v in schedule.properties.items() if k not in skipped}
    own["roleEligibilityScheduleId" if eligible else "roleAssignmentScheduleId"] = schedule.id
    if not eligible:
        linked = own.get("linkedRoleEligibilityScheduleId")
        own["originRoleAssignmentId"] = assignment_id(schedule)
        own["linkedRoleEligibilityScheduleInstanceId"] = linked
    return _with(world, _head(schedule.id, ELIGIBLE if eligible else ACTIVE), own)


def _ordinary(world: World) -> Iterator[Json]:
    """Ordinary assignments as PIM shows them. Those that it made itself are shown by their schedules."""
    made = {assignment_id(s).lower() for s in world.list(ACTIVE)}
    return (_of_ordinary(world, given) for given in world.list(rbac.ASSIGNMENT) if given.key not in made)


def _of_ordinary(world: World, given: Resource) -> Json:
    p = given.properties
    own = {
        **{k: p[k] for k in ("scope", "roleDefinitionId", "principalId", "principalType")},
        **{k: p.get(k) for k in ("condition", "conditionVersion", "createdOn")},
        "originRoleAssignmentId": given.id,
        "linkedRoleEligibilityScheduleId": None,
        "linkedRoleEligibilityScheduleInstanceId": None,
        "assignmentType": "Assigned",
        "memberType": "Direct",
        "status": "Provisioned",
        "startDateTime": p.get("createdOn"),
        "endDateTime": None,
    }
    return _with(world, _head(given.id, ACTIVE), own)


def _head(id_: str, kind: str) -> Json:
    instances = f"{kind.removesuffix('s')}Instances"
    scope, _, _ = id_.rpartition("/providers/")
    name = id_.rpartition("/")[2]
    return {"id": f"{scope}/providers/{instances}/{name}", "name": name, "type": instances}


# -- their life --------------------------------------------------------------------------------------------------------


def assignment_id(schedule: Resource) -> str:
    """The ordinary role assignment of an active schedule."""
    return f"{schedule.id.rpartition('/providers/')[0]}/providers/{rbac.ASSIGNMENT}/{schedule.name}"


def start(world: World, schedule: Resource, by: str, now: datetime) -> None:
    """Give the role of an active schedule whose time has come."""
    p = schedule.properties
    if schedule.type.lower() != ACTIVE.lower() or p["startDateTime"] > stamp(now):
        return
    if assignment_id(schedule) not in world:
        more: dict[str, Any] = {k: p[k] for k in ("condition", "conditionVersion") if p.get(k)}
        more |= {"createdOn": stamp(now), "updatedOn": stamp(now), "createdBy": by, "updatedBy": by}
        role = str(p["roleDefinitionId"])
        scope = str(p["scope"]).rstrip("/")
        authorization.assign(world, scope, role, str(p["principalId"]), schedule.name, **more)


def end(world: World, schedule: Resource) -> None:
    """Remove a schedule, and the role that it gives."""
    world.delete(schedule.id)
    if schedule.type.lower() == ACTIVE.lower():
        world.delete(assignment_id(schedule))


def settle(world: World, clock: "Clock") -> None:
    """Begin and end what the clock says."""
    for schedule in [*world.list(ELIGIBLE, lag=False), *world.list(ACTIVE, lag=False)]:
        now, until = clock.now(), schedule.properties.get("endDateTime")
        if until and until <= stamp(now):
            end(world, schedule)
        else:
            start(world, schedule, "", now)
