"""Any resource of any provider: made, read, listed, changed and deleted alike. What a room doesn't route ends here."""

import re
from typing import Any

from sandbox.azure import deletions, ids
from sandbox.azure.directory_new import new_managed_identity
from sandbox.azure.errors import ApiError, bad_request, parent_not_found, resource_not_found
from sandbox.azure.lists import clauses, invalid, page, unquote
from sandbox.azure.router import Call, Handler, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

room = Room("")
# What looks like a resource and is an answer made when asked for: an empty list of it would be a lie.
_COMPUTED = frozenset(
    {
        "microsoft.authorization/provideroperations",
        "microsoft.insights/metricdefinitions",
        "microsoft.insights/metrics",
        "microsoft.resourcehealth/availabilitystatuses",
    }
)
_LISTED = "Microsoft.Resources/subscriptions/resources/read"
# Types that answer every PUT alike, whether it makes something or writes what was there, by their reference.
_ALIKE = {
    "microsoft.authorization/policyassignments": 201,
    "microsoft.authorization/policydefinitions": 201,
    "microsoft.eventhub/namespaces/authorizationrules": 200,
    "microsoft.insights/diagnosticsettings": 200,
    "microsoft.security/alertssuppressionrules": 200,
    "microsoft.servicebus/namespaces/authorizationrules": 200,
}
# Types whose answers have no systemData: of these Azure tells nobody who made them, nor when.
_DATELESS = frozenset(
    {
        "microsoft.consumption/budgets",
        "microsoft.insights/diagnosticsettings",
        "microsoft.network/dnszones/a",
        "microsoft.network/networksecuritygroups/securityrules",
        "microsoft.network/virtualnetworks/virtualnetworkpeerings",
        "microsoft.security/alertssuppressionrules",
        "microsoft.sql/servers/firewallrules",
    }
)


# What a type takes and never shows again.
_UNSEEN = frozenset(
    {
        "administratorLoginPassword",
        "adminPassword",
        "password",
        "secureValue",
        "sqlAdministratorLoginPassword",
    }
)


def generic(call: Call) -> Handler | None:
    """The handler for a call that no room routes, its action set on the call. None: nobody knows what that would do."""
    parts = ids.parse(call.path)
    if "/" not in parts.type or "/providers/" not in call.path.lower():
        return None
    known, kind = call.world.get(call.path), parts.type.lower()
    # So is what a region has.
    if kind in _COMPUTED or (parts.collection and kind.split("/")[1] == "locations" and not call.world.list(kind)):
        return None
    if parts.collection:
        call.action = f"{parts.type}/read"
        return list_ if call.method == "GET" else None
    verb, handler = _HANDLERS.get(call.method, ("", None))
    call.action = f"{known.type if known else parts.type}/{verb}"
    return handler


def rendered(resource: Resource) -> Json:
    """What a GET answers: the body, with systemData when anybody is known to have written it."""
    dated = resource.stamps and resource.type.lower() not in _DATELESS
    return {**resource.visible, "systemData": resource.stamps} if dated else resource.visible


async def list_(call: Call) -> Reply:
    """List a type at and below a scope, or the children of a resource; with atExactScope() at the scope alone."""
    parts = ids.parse(call.path)
    need_parent(call)
    scope = call.parent if parts.names else parts.scope
    found = call.world.list(parts.type, scope)
    if call.query.get("$filter", "").lower() == "atexactscope()":
        found = [r for r in found if ids.parse(r.id).scope.lower() == scope.lower()]
    return page(call, [rendered(r) for r in found])


async def get(call: Call) -> Reply:
    """Read one resource."""
    return Reply(200, rendered(need(call)))


async def head(call: Call) -> Reply:
    """Say whether it exists."""
    return Reply(204 if call.path in call.world else 404)


async def put(call: Call) -> Reply:
    """Create or replace."""
    need_parent(call)
    body, old = _object(call), call.world.get(call.path)
    if old and body.get("location") and _place(body) != _place(old.body):
        message = (
            f"The resource '{old.name}' already exists in location '{old.body.get('location')}' in resource group "
            f"'{ids.parse(old.id).group}'. A resource with the same name cannot be created in location "
            f"'{body['location']}'. Please select a new resource name."
        )
        raise ApiError(409, "InvalidResourceLocation", message)
    there = old or _only(call, call.path)
    status = _ALIKE.get(ids.parse(call.path).type.lower(), 200 if there else 201)
    return Reply(status, rendered(_store(call, body, old)))


async def patch(call: Call) -> Reply:
    """Change what the body names; null takes away."""
    old = need(call)
    return Reply(200, rendered(_store(call, merged(old.body, _object(call)), old)))


async def delete(call: Call) -> Reply:
    """Delete with all children. What isn't there is deleted already."""
    found = call.world.get(call.path)
    if found is None:
        return Reply(204)
    if begun := deletions.begin(call, found):
        return begun
    deletions.remove(call.world, call.clock, found)
    return Reply(200)


_HANDLERS: dict[str, tuple[str, Handler]] = {
    "GET": ("read", get),
    "HEAD": ("read", head),
    "PUT": ("write", put),
    "PATCH": ("write", patch),
    "DELETE": ("delete", delete),
}


def need(call: Call, id_: str = "") -> Resource:
    """The resource of the call's path, or of `id_`. Raises ApiError 404 in Resource Manager's words."""
    found = call.world.get(id_ or call.path)
    if found is None:
        parts = ids.parse(id_ or call.path)
        raise resource_not_found(parts.type, parts.name, parts.group)
    return found


def need_parent(call: Call) -> None:
    """Raise ApiError 404 when the call is about a child of a resource that isn't there."""
    parts = ids.parse(call.path)
    depth = len(parts.names) - (0 if parts.collection else 1)
    if depth > 0:
        parent = call.parent if parts.collection else call.parent.rpartition("/")[0]
        if parent not in call.world and not _only(call, parent):
            raise parent_not_found("/".join(parts.names[:depth]))
    elif parts.scope and "/providers/" in parts.scope.lower() and parts.scope not in call.world:
        need(call, parts.scope)


def _only(call: Call, id_: str) -> bool:
    """Whether it is a part that its resource has from the beginning, the only one of its kind: blobServices/default."""
    parts = ids.parse(id_)
    return len(parts.names) > 1 and parts.names[-1].lower() == "default" and id_.rsplit("/", 2)[0] in call.world


def merged(old: Json, change: Json) -> Json:
    """JSON merge patch (RFC 7396)."""
    result = {k: v for k, v in old.items() if k not in change or change[k] is not None}
    for key, value in change.items():
        if isinstance(value, dict):
            before = old.get(key)
            result[key] = merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            result[key] = value
    return result


def with_identity(call: Call, body: Json, old: Resource | None) -> Json:
    """Give a resource the system-assigned identity that it asks for, or end the one that it no longer wants."""
    wanted = body.get("identity")
    if isinstance(wanted, dict) and str(wanted.get("type", "")).lower() == "none":
        wanted, body = None, {k: v for k, v in body.items() if k != "identity"}
    elif isinstance(wanted, dict) and wanted.get("userAssignedIdentities") == {}:
        body = {**body, "identity": {k: v for k, v in wanted.items() if k != "userAssignedIdentities"}}
        wanted = body["identity"]
    principal = (old.body.get("identity") or {}).get("principalId") if old else None
    if not isinstance(wanted, dict) or "systemassigned" not in str(wanted.get("type", "")).lower():
        call.world.directory.purge(principal or "")
        own = {"principalId", "tenantId"}
        kept = {"identity": {k: v for k, v in wanted.items() if k not in own}} if isinstance(wanted, dict) else {}
        return {**body, **kept}
    if not principal:
        principal = new_managed_identity(call.world.directory, call.path, call.clock.now())["id"]
    return {**body, "identity": {**wanted, "principalId": principal, "tenantId": call.world.tenant}}


def _store(call: Call, body: Json, old: Resource | None) -> Resource:
    body = with_identity(call, _seen({k: v for k, v in body.items() if k != "systemData"}), old)
    if "location" in body and (old is None or "provisioningState" in old.properties):
        body["properties"] = {**(body.get("properties") or {}), "provisioningState": "Succeeded"}
    return call.world.put(call.path, body, call.author, call.version)


def _seen(value: Any) -> Any:
    """What of a body is shown."""
    if isinstance(value, dict):
        return {name: _seen(inner) for name, inner in value.items() if name not in _UNSEEN}
    return [_seen(item) for item in value] if isinstance(value, list) else value


def _object(call: Call) -> Json:
    body = call.body
    if not isinstance(body, dict):
        raise bad_request("InvalidRequestContent", "The request content was invalid: expected a JSON object.")
    return body


def _place(body: Json) -> str:
    return str(body.get("location", "")).lower().replace(" ", "")


# -- the inventory: /resources -----------------------------------------------------------------------------------------


@room.on("GET", "/subscriptions/{subscription}/resources")
async def list_subscription(call: Call) -> Reply:
    """List what the caller may read in a subscription."""
    return _inventory(call, f"/subscriptions/{call.params['subscription']}")


@room.on("GET", "/subscriptions/{subscription}/resourceGroups/{group}/resources")
async def list_group(call: Call) -> Reply:
    """List what the caller may read in a resource group."""
    return _inventory(call, call.parent)


def _inventory(call: Call, scope: str) -> Reply:
    text = call.query.get("$filter", "")
    test = clauses(text, _clause) if text else (lambda _: True)
    expand = {part.strip().lower() for part in call.query.get("$expand", "").split(",")}
    # Azure leaves tags away when it was asked for them.
    leave = {"tags"} if "tagname" in text.lower() else set()
    tracked = [r for r in call.world.beneath(scope) if "location" in r.body and "/providers/" in r.key]
    if not call.allowed(_LISTED, scope):
        tracked = [r for r in tracked if call.allowed(f"{r.type}/read", r.id)]
        if not tracked and not call.sees(scope):
            call.require(_LISTED, scope)
    entries = (_entry(r, expand, leave) for r in tracked if test(r.body))
    return page(call, list(entries))


_SHOWN = ("location", "tags", "kind", "sku", "identity", "plan", "managedBy", "zones", "extendedLocation")


def _entry(resource: Resource, expand: set[str], leave: set[str]) -> Json:
    parts = ids.parse(resource.id)
    entry: Json = {"id": resource.id, "name": parts.name, "type": resource.type}
    entry |= {k: resource.body[k] for k in _SHOWN if k in resource.body and k not in leave}
    stamps = resource.stamps
    if "createdtime" in expand and stamps:
        entry["createdTime"] = stamps["createdAt"]
    if "changedtime" in expand and stamps:
        entry["changedTime"] = stamps["lastModifiedAt"]
    if "provisioningstate" in expand:
        entry["provisioningState"] = resource.properties.get("provisioningState", "Succeeded")
    return entry


def _clause(match: re.Match[str]) -> Any:
    field, value = (match["field"] or match["of"] or "").lower(), unquote(match, "value").lower()
    if match["function"]:
        function, argument = match["function"].lower(), unquote(match, "argument").lower()
        if function == "substringof":
            return lambda body: argument in _field(body, field)
        raise invalid(match[0])
    if field not in _FIELDS and not field.startswith(("identity/", "plan/")):
        raise invalid(match[0])
    if field == "tagname":
        return lambda body: value in {k.lower() for k in body.get("tags") or {}}
    if field == "tagvalue":
        return lambda body: value in {str(v).lower() for v in (body.get("tags") or {}).values()}
    equal = match["op"].lower() == "eq"
    return lambda body: (_field(body, field) == value) is equal


_FIELDS = {"resourcetype", "name", "location", "resourcegroup", "tagname", "tagvalue"}


def _field(body: Json, field: str) -> str:
    value: Any
    if field == "resourcetype":
        value = body["type"]
    elif field == "resourcegroup":
        value = ids.parse(body["id"]).group
    elif field == "name":
        value = ids.parse(body["id"]).name
    elif field == "location":
        value = _place(body)
    else:
        head, _, name = field.partition("/")
        value = {k.lower(): v for k, v in (body.get(head) or {}).items()}.get(name, "")
    return str(value).lower()
