"""Who may do what: role assignments, direct, by group, inherited or delegated; deny assignments; conditions."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sandbox.azure import conditions, roles
from sandbox.azure.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.azure.router import Call, Caller
    from sandbox.azure.world import World

Json = dict[str, Any]

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
DENIAL = "Microsoft.Authorization/denyAssignments"
DELEGATION = "Microsoft.ManagedServices/registrationAssignments"
EVERYONE = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Grant:
    """One role that somebody holds at one scope."""

    scope: str  # lower case; "" is the root
    role: str  # id (GUID) of the role definition
    condition: str = ""


def definition(world: "World", role: str) -> Json | None:
    """The properties of a role (roleName, type, permissions, …) by its GUID or any id that ends in it."""
    guid = role.rpartition("/")[2].lower()
    if built_in := roles.BY_ID.get(guid):
        return built_in_properties(built_in)
    custom = world.get(f"/providers/{DEFINITION}/{guid}")
    return custom.properties if custom else None


@lru_cache
def built_in_properties(role: roles.BuiltIn) -> Json:
    """A built-in role as the `properties` of its role definition."""
    permission = {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": list(role.not_data_actions),
    }
    return {
        "roleName": role.name,
        "type": "BuiltInRole",
        "description": role.description,
        "assignableScopes": ["/"],
        "permissions": [permission],
        "createdOn": "2015-02-02T21:55:09.8806423Z",
        "updatedOn": "2023-10-18T18:31:47.0124521Z",
        "createdBy": None,
        "updatedBy": None,
    }


def allows(permissions: list[Json], action: str, *, data: bool = False) -> bool:
    """Whether permissions cover an action (or a data action). notActions take away within their own permission."""
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(
        _matches(tuple(p.get(yes) or ()), action) and not _matches(tuple(p.get(no) or ()), action) for p in permissions
    )


def allowing_role(call: "Call", action: str, scope: str, *, data: bool = False) -> str | None:
    """The name of a role by which the caller may do `action` at `scope`; None if there is none."""
    world = call.world
    above = set(world.scopes(scope))
    for grant in grants(world, call.caller):
        role = definition(world, grant.role) if grant.scope in above else None
        if role and allows(role["permissions"], action, data=data):
            attributes = conditions.Attributes(action, _request(call), _resource(world, scope))
            if not grant.condition or conditions.holds(grant.condition, attributes):
                return str(role["roleName"])
    return None


def require(call: "Call", action: str, scope: str, *, data: bool = False) -> str:
    """The name of the role that allows an action. Raises ApiError 403: nothing allows it, or something denies it."""
    role = allowing_role(call, action, scope, data=data)
    if role is None:
        raise forbidden(call, action, scope)
    if denial := denying(call.world, call.caller, action, scope):
        message = (
            f"{_who(call)} has permission to perform action '{action}' on scope '{scope}'; however, the access is "
            f"denied because of the deny assignment with name '{denial['denyAssignmentName']}' and Id '{denial['id']}' "
            f"at scope '{denial['scope']}'."
        )
        raise ApiError(403, "DenyAssignmentAuthorizationFailed", message)
    return role


def forbidden(call: "Call", action: str, scope: str) -> ApiError:
    """403: nothing allows it."""
    message = (
        f"{_who(call)} does not have authorization to perform action '{action}' over scope '{scope or '/'}' or the "
        "scope is invalid. If access was recently granted, please refresh your credentials."
    )
    return ApiError(403, "AuthorizationFailed", message)


def _who(call: "Call") -> str:
    caller = call.caller
    return f"The client '{caller.upn or caller.appid or caller.oid}' with object id '{caller.oid}'"


def grants(world: "World", caller: "Caller") -> "Iterator[Grant]":
    """All that a caller holds, anywhere."""
    held = _by_principal(world)
    for principal in (caller.oid, *world.directory.groups_of(caller.oid)):
        yield from held.get(principal, ())
    if caller.tenant != world.tenant:
        yield from _delegated(world, caller)


def sees(call: "Call", scope: str) -> bool:
    """Whether the caller has any role at, above or below a scope: then he sees that it exists."""
    above, below = set(call.world.scopes(scope)), scope.lower() + "/"
    return any(g.scope in above or g.scope.startswith(below) for g in grants(call.world, call.caller))


def denying(world: "World", caller: "Caller", action: str, scope: str) -> Json | None:
    """The deny assignment that covers a call, if one does."""
    above = world.scopes(scope)
    principals = {caller.oid, *world.directory.groups_of(caller.oid)}
    for entry in world.list(DENIAL, lag=False):
        denial = entry.properties
        at = str(denial["scope"]).lower().rstrip("/")
        here = at in above and (at == above[0] or not denial.get("doNotApplyToChildScopes"))
        named = {str(p["id"]).lower() for p in denial.get("principals") or ()}
        spared = {str(p["id"]).lower() for p in denial.get("excludePrincipals") or ()}
        hit = (EVERYONE in named or principals & named) and not principals & spared
        if here and hit and allows(denial["permissions"], action):
            return {**denial, "id": entry.id}
    return None


_cache: "WeakKeyDictionary[World, tuple[int, dict[str, list[Grant]]]]" = WeakKeyDictionary()
# Of each assignment what it gives to whom, with its body: that is never changed, but replaced.
_read: "WeakKeyDictionary[World, dict[str, tuple[Json, str, Grant]]]" = WeakKeyDictionary()


def _by_principal(world: "World") -> dict[str, list[Grant]]:
    revision = world.revision(ASSIGNMENT)
    cached = _cache.get(world)
    if cached and cached[0] == revision:
        return cached[1]
    held: dict[str, list[Grant]] = {}
    before, now = _read.get(world, {}), {}
    for entry in world.list(ASSIGNMENT, lag=False):
        found = before.get(entry.id)
        if found is None or found[0] is not entry.body:
            found = (entry.body, *_given(entry.properties))
        now[entry.id] = found
        held.setdefault(found[1], []).append(found[2])
    _cache[world], _read[world] = (revision, held), now
    return held


def _given(properties: Json) -> tuple[str, Grant]:
    guid = str(properties["roleDefinitionId"]).rpartition("/")[2].lower()
    grant = Grant(str(properties["scope"]).lower().rstrip("/"), guid, properties.get("condition") or "")
    return str(properties["principalId"]).lower(), grant


def _delegated(world: "World", caller: "Caller") -> "Iterator[Grant]":
    """What Lighthouse gives to people of another tenant."""
    for entry in world.list(DELEGATION, lag=False):
        contract = world.get(str(entry.properties["registrationDefinitionId"]))
        if entry.properties.get("provisioningState") == "Creating":
            continue
        if contract is None or str(contract.properties.get("managedByTenantId", "")).lower() != caller.tenant:
            continue
        scope = entry.id.lower().rpartition("/providers/")[0]
        for given in contract.properties.get("authorizations") or ():
            if str(given["principalId"]).lower() == caller.oid:
                yield Grant(scope, str(given["roleDefinitionId"]).rpartition("/")[2].lower())


@lru_cache(maxsize=4096)
def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(p).fullmatch(action) for p in patterns)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.IGNORECASE)


def _request(call: "Call") -> Json:
    """What conditions call @Request: the properties that the caller sends."""
    body = call.body if call.method == "PUT" and call.raw.lstrip()[:1] == b"{" else {}
    return body.get("properties") or {}


def _resource(world: "World", scope: str) -> Json:
    """What conditions call @Resource: the properties of what is there."""
    entry = world.get(scope)
    return entry.properties if entry else {}
