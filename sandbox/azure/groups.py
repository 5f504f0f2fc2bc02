"""Resource groups, and the tags of anything."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from sandbox.azure import deletions, ids, operations
from sandbox.azure.errors import ApiError, bad_request, group_not_found, subscription_not_found
from sandbox.azure.lists import clauses, invalid, page, unquote
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

if TYPE_CHECKING:
    import re

    from sandbox.azure.clock import Clock

Json = dict[str, Any]

TYPE = "Microsoft.Resources/resourceGroups"
_ACTION = "Microsoft.Resources/subscriptions/resourceGroups"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_TAGS = "/{scope}/providers/Microsoft.Resources/tags/default"

room = Room("")


@room.on("GET", "/subscriptions/{subscription}/resourceGroups")
async def list_groups(call: Call) -> Reply:
    """List the groups that the caller may read."""
    text = call.query.get("$filter", "")
    test = clauses(text, _clause) if text else (lambda _: True)
    groups = [g for g in call.world.list(TYPE, call.parent) if test(g.body)]
    if not call.allowed(f"{_ACTION}/read", call.parent):
        groups = [g for g in groups if call.allowed(f"{_ACTION}/read", g.id)]
        if not groups and not call.sees(call.parent):
            call.require(f"{_ACTION}/read", call.parent)
    return page(call, [g.body for g in groups])


@room.on("GET", _GROUP, f"{_ACTION}/read")
async def get_group(call: Call) -> Reply:
    """Read one group."""
    return Reply(200, _need(call).body)


@room.on("HEAD", _GROUP, f"{_ACTION}/read")
async def head_group(call: Call) -> Reply:
    """Say whether a group exists."""
    return Reply(204 if call.path in call.world else 404)


@room.on("PUT", _GROUP, f"{_ACTION}/write")
async def put_group(call: Call) -> Reply:
    """Create a group, or replace its tags."""
    body, old = call.body, call.world.get(call.path)
    if not body.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    if old and old.body["location"].lower() != body["location"].lower().replace(" ", ""):
        message = (
            f"Invalid resource group location '{body['location']}'. The Resource group already exists in location "
            f"'{old.body['location']}'."
        )
        raise ApiError(409, "InvalidResourceGroupLocation", message)
    kept = {k: body[k] for k in ("tags", "managedBy") if k in body}
    return Reply(200 if old else 201, put(call.world, call.path, body["location"], kept, call).body)


@room.on("PATCH", _GROUP, f"{_ACTION}/write")
async def patch_group(call: Call) -> Reply:
    """Change a group's tags."""
    old = _need(call)
    change = {k: v for k, v in call.body.items() if k in {"tags", "managedBy"}}
    body = {**old.body, **change}
    return Reply(200, call.world.put(old.id, body, call.author, call.version).body)


@room.on("DELETE", _GROUP, f"{_ACTION}/delete")
async def delete_group(call: Call) -> Reply:
    """Delete a group with all that is in it."""
    old = _need(call)
    call.world.put(old.id, {**old.body, "properties": {"provisioningState": "Deleting"}})
    results = f"/subscriptions/{call.params['subscription']}/operationresults"
    return operations.accept(call, "resources.delete_group", {"id": old.id}, at=results)


@operations.effect("resources.delete_group")
def _deleted(world: World, clock: "Clock", args: Json) -> None:
    group = world.get(args["id"])
    if group is None:
        return
    if stuck := deletions.blockers(world, group.id):
        world.put(group.id, {**group.body, "properties": {"provisioningState": "Succeeded"}})
        names = ",".join(resource.id.partition("/providers/")[2] for resource, _ in stuck)
        message = (
            f"Deletion of resource group '{group.name}' failed as resources with identifiers '{names}' could not be "
            "deleted. The provisioning state of the resource group will be rolled back. Please check audit logs for "
            "more details."
        )
        details = [{"target": resource.id, "code": error.code, "message": error.message} for resource, error in stuck]
        raise ApiError(409, "ResourceGroupDeletionBlocked", message, details=details)
    deletions.remove(world, clock, group)


def put(world: World, id_: str, location: str, more: Json, call: Call | None = None) -> Resource:
    """Make a group, or replace it. `more` holds tags and managedBy."""
    head = {
        "type": TYPE,
        "location": location.lower().replace(" ", ""),
        "properties": {"provisioningState": "Succeeded"},
    }
    return world.put(id_, {**head, **more}, call.author if call else None, call.version if call else "")


@room.on("POST", _GROUP + "/moveResources", f"{_ACTION}/moveResources/action")
async def move(call: Call) -> Reply:
    """Move resources with all that is in them to another group: they get other ids."""
    home, target = need(call, call.parent), call.world.get(str(call.body.get("targetResourceGroup") or ""))
    if target is None:
        raise group_not_found(str(call.body.get("targetResourceGroup") or "").rpartition("/")[2])
    moved = [need(call, str(id_)) for id_ in call.body.get("resources") or ()]
    if not moved or not all(ids.within(resource.id, home.id) for resource in moved):
        raise bad_request("ResourceMovePolicyValidationFailed", "The resources have to be in the source group.")
    call.require(f"{_ACTION}/write", target.id)
    args = {"ids": [resource.id for resource in moved], "from": home.id, "to": target.id}
    at = f"/subscriptions/{call.params['subscription']}/operationresults"
    return operations.accept(call, "groups.move", args, at=at)


@operations.effect("groups.move")
def _moved(world: World, _: "Clock", args: Json) -> None:
    for id_ in args["ids"]:
        for resource in filter(None, (world.get(id_), *world.beneath(id_))):
            world.move(resource.id, args["to"] + resource.id[len(args["from"]) :])


def _need(call: Call) -> Resource:
    found = call.world.get(call.path)
    if found is None:
        raise group_not_found(call.params["group"])
    return found


def _clause(match: "re.Match[str]") -> Any:
    field, value = (match["field"] or "").lower(), unquote(match, "value").lower()
    if field == "tagname":
        return lambda body: value in {k.lower() for k in body.get("tags") or {}}
    if field == "tagvalue":
        return lambda body: value in {str(v).lower() for v in (body.get("tags") or {}).values()}
    raise invalid(match[0])


@room.on("GET", "/subscriptions/{subscription}/tagNames", "Microsoft.Resources/subscriptions/tagNames/read")
async def tag_names(call: Call) -> Reply:
    """List the names of tags in a subscription, with their values, and how often each is given."""
    used: dict[str, Counter[str]] = {}
    for resource in (call.world.get(call.parent), *call.world.beneath(call.parent)):
        for name, value in ((resource.body if resource else {}).get("tags") or {}).items():
            used.setdefault(name, Counter())[str(value)] += 1

    def entry(id_: str, kind: str, name: str, count: int) -> Json:
        return {"id": id_, kind: name, "count": {"type": "Total", "value": count}}

    found = []
    for name, values in sorted(used.items()):
        id_ = f"{call.path}/{name}"
        own = [entry(f"{id_}/tagValues/{value}", "tagValue", value, count) for value, count in values.items()]
        found.append({**entry(id_, "tagName", name, values.total()), "values": own})
    return page(call, found)


# -- tags --------------------------------------------------------------------------------------------------------------


@room.on("GET", _TAGS, "Microsoft.Resources/tags/read")
async def get_tags(call: Call) -> Reply:
    """Read the tags of a subscription, group or resource."""
    return Reply(200, _tags(_tagged(call)))


@room.on("PUT", _TAGS, "Microsoft.Resources/tags/write")
async def put_tags(call: Call) -> Reply:
    """Replace all tags."""
    return _retag(call, lambda _, new: new)


@room.on("PATCH", _TAGS, "Microsoft.Resources/tags/write")
async def patch_tags(call: Call) -> Reply:
    """Merge, replace or delete the tags that the body names."""
    ways = {
        "merge": lambda old, new: {**old, **new},
        "replace": lambda _, new: new,
        "delete": lambda old, new: {k: v for k, v in old.items() if k not in new},
    }
    way = ways.get(str(call.body.get("operation", "")).lower())
    if way is None:
        raise bad_request("InvalidTagPatchOperation", "The tags operation must be one of 'Merge', 'Replace', 'Delete'.")
    return _retag(call, way)


@room.on("DELETE", _TAGS, "Microsoft.Resources/tags/delete")
async def delete_tags(call: Call) -> Reply:
    """Remove all tags."""
    return Reply(_retag(call, lambda _, __: {}).status)


def _retag(call: Call, way: Any) -> Reply:
    target = _tagged(call)
    tags = way(target.body.get("tags") or {}, (call.body.get("properties") or {}).get("tags") or {})
    changed = call.world.put(target.id, {**target.body, "tags": tags}, call.author)
    return Reply(200, _tags(changed))


def _tags(resource: Resource) -> Json:
    id_ = f"{resource.id}/providers/Microsoft.Resources/tags/default"
    head = {"id": id_, "name": "default", "type": "Microsoft.Resources/tags"}
    return {**head, "properties": {"tags": resource.body.get("tags") or {}}}


def _tagged(call: Call) -> Resource:
    scope = call.params["scope"]
    found = call.world.get(scope)
    if found is None and not ids.parse(scope).group:
        raise subscription_not_found(ids.parse(scope).subscription)
    return found or need(call, scope)
