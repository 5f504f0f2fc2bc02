"""Reads a base world (sandbox/worlds/*.yaml) into a world: tenant, people, subscriptions, resources, roles, locks.

The parts, all of them optional:

    tenant: <guid>
    management_groups: [{name: contoso, parent: ""}]
    subscriptions: [{id: <guid>, name: Production, management_group: contoso}]
    users: [...]  service_principals: [...]  groups: [...]           # directory_file.py
    licenses: [P2]  administrative_units: [...]                      # the same
    resource_groups: [{id: /subscriptions/…/resourceGroups/app, location: westeurope, tags: {owner: ops@…}}]
    resources: [{id: /subscriptions/…, location: westeurope, properties: {…}}]          # bodies as a GET answers them
    role_definitions: [{name: Responder, scopes: [/subscriptions/…], actions: [...], data_actions: [...]}]
    role_assignments: [{scope: /subscriptions/…, role: Owner, principal: ops@contoso.example}]
    locks: [{scope: /subscriptions/…, name: keep, level: CanNotDelete}]
    machines: [{id: /subscriptions/…/virtualMachines/web, users: [{name: ops}], scanner: clamav}]   # see guest.py

Loading a second file adds to the first.
"""

from datetime import datetime
from typing import Any

import msgspec

from sandbox.azure import (
    authorization,
    compute_images,
    directory_file,
    groups,
    guest,
    ids,
    locks,
    network,
    rbac,
    recovery,
    role_definitions,
    roles,
    soft_delete,
    storage,
    subscriptions,
)
from sandbox.azure.clock import stamp
from sandbox.azure.directory import GROUP, USER, Directory
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import World

Json = dict[str, Any]

_MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/"


class _Struct(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class _ManagementGroup(_Struct):
    name: str
    parent: str = ""


class _Subscription(_Struct):
    id: str
    name: str
    tenant: str = ""
    management_group: str = ""
    tags: dict[str, str] = {}


class _Group(_Struct):
    id: str
    location: str
    tags: dict[str, str] = {}


class _Role(_Struct):
    name: str
    scopes: list[str]
    id: str = ""
    description: str = ""
    actions: list[str] = []
    not_actions: list[str] = []
    data_actions: list[str] = []
    not_data_actions: list[str] = []
    created: datetime | None = None
    created_by: str = ""


class _Assignment(_Struct):
    scope: str
    role: str  # name or GUID
    principal: str  # upn, object id or appId; name of a group
    name: str = ""
    condition: str = ""
    description: str = ""
    created: datetime | None = None
    created_by: str = ""  # as principal


class _Lock(_Struct):
    scope: str
    name: str
    level: str
    notes: str = ""


class _File(msgspec.Struct, kw_only=True):
    tenant: str = ""
    management_groups: list[_ManagementGroup] = []
    subscriptions: list[_Subscription] = []
    resource_groups: list[_Group] = []
    resources: list[dict[str, Any]] = []
    role_definitions: list[_Role] = []
    role_assignments: list[_Assignment] = []
    locks: list[_Lock] = []
    machines: list[dict[str, Any]] = []


_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_PEOPLE = ("licenses", "users", "service_principals", "groups", "administrative_units")


def load(world: World, data: Json, at: datetime) -> None:
    """Add a base world. Times left out are `at`. Raises ValueError, with the reason, for what can't be."""
    unknown = set(data) - set(_File.__struct_fields__) - set(_PEOPLE)
    if unknown:
        raise ValueError(f"Unknown parts of a world: {', '.join(sorted(unknown))}.")
    try:
        file = msgspec.convert(data, _File, strict=False)
        if file.tenant and file.tenant.lower() != world.tenant:
            if world.directory.of_type(USER) or any(True for _ in world):
                raise ValueError(f"The world belongs to tenant {world.tenant}, not {file.tenant}.")
            world.tenant = file.tenant.lower()
            world.directory = Directory(world.tenant)
        directory_file.load(world.directory, {k: data[k] for k in _PEOPLE if k in data}, at)
        _load(world, file, at)
    except (msgspec.ValidationError, LookupError) as error:
        raise ValueError(str(error)) from error


def _load(world: World, file: _File, at: datetime) -> None:
    for management in file.management_groups:
        id_ = _MANAGEMENT_GROUP + management.name
        world.put(id_, {"properties": {"displayName": management.name, "tenantId": world.tenant}})
        _beneath(world, id_, management.parent)
    for subscription in file.subscriptions:
        body = subscriptions.body(subscription.id, subscription.name, subscription.tenant or world.tenant)
        world.put(body["id"], {**body, **_tags(subscription.tags)})
        _beneath(world, body["id"], subscription.management_group)
    for group in file.resource_groups:
        _there(world, ids.parse(group.id).scope)
        groups.put(world, group.id, group.location, _tags(group.tags))
    for resource in file.resources:
        _load_resource(world, resource, at)
    _manage_groups(world)
    for role in file.role_definitions:
        _load_role(world, role, at)
    for assignment in file.role_assignments:
        _load_assignment(world, assignment, at)
    for lock in file.locks:
        properties = {"level": lock.level} | ({"notes": lock.notes} if lock.notes else {})
        body = {"type": locks.TYPE, "properties": properties}
        world.put(f"{lock.scope}/providers/{locks.TYPE}/{lock.name}", body)
    for machine in file.machines:
        guest.declare(world, machine)
    guest.furnish(world)
    compute_images.settle(world)


def _tags(tags: dict[str, str]) -> Json:
    return {"tags": tags} if tags else {}


def _beneath(world: World, id_: str, management_group: str) -> None:
    if management_group:
        parent = _MANAGEMENT_GROUP + management_group
        _there(world, parent)
        world.parents[id_.lower()] = parent.lower()


def _load_resource(world: World, body: Json, at: datetime) -> None:
    _there(world, _home(body["id"]))
    made = {"createdAt": stamp(at), "lastModifiedAt": stamp(at)}
    given = {k: v for k, v in body.items() if k != "systemData"}
    parts = ids.parse(body["id"])
    if parts.type.lower() == storage.KIND.lower():
        given = storage.completed(parts.name, given)
    elif parts.type.lower() == soft_delete.VAULTS.lower():
        given = recovery.with_policies(given)
    elif parts.type.lower() == network.GROUPS.lower() and (inner := given.get("properties")):
        given["properties"] = {**inner, "securityRules": network.named_rules(body["id"], inner)}
    stored = world.put(body["id"], given)
    stored.stamps = {**made, **body.get("systemData", {})}


def _manage_groups(world: World) -> None:
    """Give the groups of Kubernetes nodes to their clusters: AKS makes them, and says so in managedBy."""
    for cluster in world.list(_CLUSTERS, lag=False):
        name = str(cluster.properties.get("nodeResourceGroup") or "")
        if group := world.get(f"{cluster.id.partition('/resourceGroups/')[0]}/resourceGroups/{name}"):
            world.put(group.id, {**group.body, "managedBy": cluster.id})


def _load_role(world: World, role: _Role, at: datetime) -> None:
    permission = {
        "actions": role.actions,
        "notActions": role.not_actions,
        "dataActions": role.data_actions,
        "notDataActions": role.not_data_actions,
    }
    created, by = stamp(role.created or at), _principal(world, role.created_by)
    properties = {
        "roleName": role.name,
        "type": "CustomRole",
        "description": role.description,
        "assignableScopes": role.scopes,
        "permissions": [permission],
        "createdOn": created,
        "updatedOn": created,
        "createdBy": by,
        "updatedBy": by,
    }
    role_definitions.define(world, role.id or made_up_id("role definition", role.name), properties)


def _load_assignment(world: World, entry: _Assignment, at: datetime) -> None:
    scope = entry.scope.rstrip("/")
    role, principal = _role(world, entry.role), _principal(world, entry.principal)
    name = entry.name or made_up_id("role assignment", scope, role, principal)
    created, by = stamp(entry.created or at), _principal(world, entry.created_by)
    more: dict[str, Any] = {"createdOn": created, "updatedOn": created, "createdBy": by, "updatedBy": by}
    if entry.condition:
        more |= {"condition": entry.condition, "conditionVersion": "2.0"}
    if entry.description:
        more["description"] = entry.description
    authorization.assign(world, scope, role, principal, name, **more)


def _role(world: World, role: str) -> str:
    """The GUID of a role by its GUID or its name."""
    custom = {r.properties["roleName"].lower(): r.name for r in world.list(role_definitions.TYPE)}
    if built_in := roles.BY_NAME.get(role.lower()):
        return built_in.id
    found = custom.get(role.lower()) or (role.lower() if rbac.definition(world, role) else None)
    if found is None:
        names = ", ".join(sorted(one.name for one in roles.BUILT_IN))
        raise LookupError(f"No role {role!r}. Any other one than these has to be under role_definitions: {names}.")
    return found


def _principal(world: World, key: str) -> str:
    """The object id behind a upn, object id, appId or group name; "" for "" (the platform itself)."""
    if not key:
        return ""
    entry = world.directory.find(key) or next(
        (g for g in world.directory.of_type(GROUP) if g["displayName"] == key), None
    )
    if entry is None:
        raise LookupError(f"No principal {key!r}.")
    return str(entry["id"])


def _home(id_: str) -> str:
    """What a resource lies in: its parent resource, or its scope. A region is nobody's resource."""
    parts = ids.parse(id_)
    regional = len(parts.names) == 2 and parts.type.split("/")[1].lower() == "locations"  # noqa: PLR2004
    return id_.rpartition("/")[0].rpartition("/")[0] if len(parts.names) > 1 and not regional else parts.scope


def _there(world: World, id_: str) -> None:
    if id_ and id_ not in world:
        raise LookupError(f"The world has no {id_}.")
