"""Management groups: the tree above the subscriptions."""

from typing import Any

from sandbox.azure import ids, operations, providers, subscriptions
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.errors import ApiError, subscription_not_found
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

TYPE = "Microsoft.Management/managementGroups"
_ALL = f"/providers/{TYPE}"
_ONE = f"{_ALL}/{{group}}"
_SUBSCRIPTION = f"{_ONE}/subscriptions/{{subscription}}"

room = Room("Microsoft.Management", providers.PROVIDERS["Microsoft.Management"])


@room.on("GET", _ALL)
async def list_groups(call: Call) -> Reply:
    """List the management groups that the caller may read."""
    return page(call, [_brief(g) for g in call.world.list(TYPE) if call.allowed(f"{TYPE}/read", g.id)])


@room.on("GET", _ONE, f"{TYPE}/read")
async def get_group(call: Call) -> Reply:
    """Read one, with what is beneath it when `$expand=children` asks for it, at any depth with `$recurse=true`."""
    found = _need(call)
    body = _shown(call, found)
    if call.query.get("$expand", "").lower() == "children":
        deep = call.query.get("$recurse", "").lower() == "true"
        body["properties"]["children"] = _children(call, found, deep=deep)
    return Reply(200, body)


@room.on("PUT", _ONE, f"{TYPE}/write")
async def put_group(call: Call) -> Reply:
    """Make one, or move or rename it."""
    given = call.body.get("properties") or {}
    parent = str(((given.get("details") or {}).get("parent") or {}).get("id") or "")
    if parent and parent not in call.world:
        raise _absent(parent)
    if parent:
        call.require(f"{TYPE}/write", parent)
        call.world.parents[call.path.lower()] = parent.lower()
    properties = {"tenantId": call.world.tenant, "displayName": given.get("displayName") or call.params["group"]}
    stored = call.world.put(call.path, {"type": TYPE, "properties": properties}, call.author, call.version)
    return Reply(200, _shown(call, stored))


@room.on("DELETE", _ONE, f"{TYPE}/delete")
async def delete_group(call: Call) -> Reply:
    """Delete one that has nothing beneath it."""
    found = call.world.get(call.path)
    if found is None:
        return Reply(204)
    if found.key in call.world.parents.values():
        message = f"Management group '{found.name}' has children. Move or delete them first."
        raise ApiError(400, "GroupNotEmpty", message)
    at = "/providers/Microsoft.Management/operationResults/delete/managementGroups"
    return operations.accept(call, "management_groups.delete", {"id": found.id}, at=at)


@operations.effect("management_groups.delete")
def _deleted(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    world.delete(args["id"])
    world.parents.pop(str(args["id"]).lower(), None)


@room.on("GET", _ONE + "/descendants", f"{TYPE}/descendants/read")
async def list_descendants(call: Call) -> Reply:
    """List everything beneath one, at any depth: groups and subscriptions."""
    found = _need(call, call.parent)
    below = [entry for entry in _tree(call) if found.key in call.world.scopes(entry.id)[1:]]
    return page(call, [_descendant(call, entry) for entry in below])


@room.on("GET", _ONE + "/subscriptions", f"{TYPE}/subscriptions/read")
async def list_subscriptions(call: Call) -> Reply:
    """List the subscriptions directly beneath one."""
    found = _need(call, call.parent)
    mine = [s for s in call.world.list(subscriptions.TYPE) if call.world.parents.get(s.key) == found.key]
    return page(call, [_subscription(found, s) for s in mine])


@room.on("GET", _SUBSCRIPTION, f"{TYPE}/subscriptions/read")
async def get_subscription(call: Call) -> Reply:
    """Read one subscription beneath a group."""
    group, found = _need(call, _group_of(call)), _need_subscription(call)
    if call.world.parents.get(found.key) != group.key:
        raise subscription_not_found(call.params["subscription"])
    return Reply(200, _subscription(group, found))


@room.on("PUT", _SUBSCRIPTION, f"{TYPE}/subscriptions/write")
async def put_subscription(call: Call) -> Reply:
    """Move a subscription beneath a group."""
    group, found = _need(call, _group_of(call)), _need_subscription(call)
    call.require("Microsoft.Authorization/roleAssignments/write", found.id)
    call.world.parents[found.key] = group.key
    return Reply(200, _subscription(group, found))


@room.on("DELETE", _SUBSCRIPTION, f"{TYPE}/subscriptions/delete")
async def delete_subscription(call: Call) -> Reply:
    """Take a subscription out of a group: it goes to the root."""
    group, found = _need(call, _group_of(call)), _need_subscription(call)
    if call.world.parents.get(found.key) != group.key:
        return Reply(204)
    del call.world.parents[found.key]
    return Reply(200)


def _group_of(call: Call) -> str:
    return f"{_ALL}/{call.params['group']}"


def _need(call: Call, id_: str = "") -> Resource:
    found = call.world.get(id_ or call.path)
    if found is None:
        raise _absent(id_ or call.path)
    return found


def _need_subscription(call: Call) -> Resource:
    found = call.world.get(f"/subscriptions/{call.params['subscription']}")
    if found is None:
        raise subscription_not_found(call.params["subscription"])
    return found


def _absent(id_: str) -> ApiError:
    message = f"The management group '{id_.rpartition('/')[2]}' cannot be found."
    return ApiError(404, "ManagementGroupNotFound", message)


def _tree(call: Call) -> list[Resource]:
    return [*call.world.list(TYPE), *call.world.list(subscriptions.TYPE)]


def _name(entry: Resource) -> str:
    return str(entry.properties.get("displayName") or entry.body.get("displayName") or entry.name)


def _brief(group: Resource) -> Json:
    properties = {"tenantId": group.properties.get("tenantId"), "displayName": _name(group)}
    return {"id": group.id, "type": TYPE, "name": group.name, "properties": properties}


def _parent(call: Call, entry: Resource) -> Json | None:
    above = call.world.get(call.world.parents.get(entry.key, ""))
    return {"id": above.id, "name": above.name, "displayName": _name(above)} if above else None


def _shown(call: Call, group: Resource) -> Json:
    body = _brief(group)
    at = group.stamps.get("lastModifiedAt") or stamp(call.clock.now())
    by = group.stamps.get("lastModifiedBy") or call.world.tenant
    body["properties"]["details"] = {
        "version": 1,
        "updatedTime": at,
        "updatedBy": by,
        **({"parent": above} if (above := _parent(call, group)) else {}),
    }
    return body


def _children(call: Call, group: Resource, *, deep: bool) -> list[Json]:
    found = []
    for entry in _tree(call):
        if call.world.parents.get(entry.key) == group.key:
            kind = TYPE if entry.type == TYPE else "/subscriptions"
            child = {"type": kind, "id": entry.id, "name": entry.name, "displayName": _name(entry)}
            below = _children(call, entry, deep=deep) if deep else []
            found.append({**child, "children": below} if below else child)
    return found


def _descendant(call: Call, entry: Resource) -> Json:
    kind = TYPE if entry.type == TYPE else f"{TYPE}/subscriptions"
    above = _parent(call, entry) or {"id": ""}
    properties = {"displayName": _name(entry), "parent": {"id": above["id"]}}
    return {"id": entry.id, "type": kind, "name": entry.name, "properties": properties}


def _subscription(group: Resource, entry: Resource) -> Json:
    properties = {
        "tenant": entry.body.get("tenantId"),
        "displayName": _name(entry),
        "parent": {"id": group.id},
        "state": entry.body.get("state"),
    }
    name = ids.parse(entry.id).subscription
    id_ = f"{group.id}/subscriptions/{name}"
    return {"id": id_, "type": f"{TYPE}/subscriptions", "name": name, "properties": properties}
