"""Resource Graph: the inventory by query, over all subscriptions at once, as far as the caller may read.

Tables: resources, resourcecontainers, authorizationresources, securityresources (alerts alone), resourcechanges,
resourcecontainerchanges. The language
is kql_graph.py's; what that doesn't know is refused in the service's own shape. `world.state["resource_graph"]` may
say, for tests:

    lag: seconds until the inventory shows what happened (to resources and containers; changes come with it)
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox.azure import alerts, changes, ids, kql_graph, providers, rbac, subscriptions
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError
from sandbox.azure.kql import Table
from sandbox.azure.lists import decoded, encoded
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

PAGE = 1000
_MANAGEMENT = "Microsoft.Management/managementGroups"
_STRINGS = ("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy")
_DYNAMIC = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
_COLUMNS = dict.fromkeys(_STRINGS, "string") | dict.fromkeys(_DYNAMIC, "dynamic")
_CONTAINERS = (subscriptions.TYPE, "Microsoft.Resources/resourceGroups", _MANAGEMENT)
_ACCESS = (rbac.ASSIGNMENT, rbac.DEFINITION, "Microsoft.Authorization/classicAdministrators")
_NAMES = {"Microsoft.Resources/resourceGroups": "Microsoft.Resources/subscriptions/resourceGroups"}

room = Room("Microsoft.ResourceGraph", providers.PROVIDERS["Microsoft.ResourceGraph"])


@room.on("POST", "/providers/Microsoft.ResourceGraph/resources")
async def query(call: Call) -> Reply:
    """Run a query. The caller needs no right for that; he gets the rows that he may read."""
    body = call.body
    text, options = str(body.get("query") or ""), body.get("options") or {}
    if not text.strip():
        raise _refused(call, [{"code": "InvalidQuery", "message": "Query is missing."}])
    try:
        result = kql_graph.run(text, _tables(call, _scopes(call, body)), call.clock.now())
    except ApiError as error:
        inner = error.more.get("innererror") or {"code": error.code, "message": error.message}
        message = (
            "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the "
            "error before retrying."
        )
        code = "ParserFailure" if inner["code"] == "SyntaxError" else inner["code"]
        raise _refused(
            call, [{"code": "InvalidQuery", "message": message}, {"code": code, "message": inner["message"]}]
        ) from error
    return Reply(
        200, _page(result, options), {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
    )


def _page(result: Table, options: Json) -> Json:
    rows = list(result.rows)
    top = int(options.get("$top") or PAGE)
    start = int(options.get("$skip") or 0)
    if token := options.get("$skipToken"):
        start = int(decoded(str(token)))
    size = min(top, PAGE)
    shown, more = rows[start : start + size], len(rows) > start + size
    body: Json = {
        "totalRecords": len(rows),
        "count": len(shown),
        # Without ids there is no next page: what doesn't fit is cut off.
        "resultTruncated": "true" if more and "id" not in result.columns else "false",
        "facets": [],
        "data": [{name: _plain(row.get(name)) for name in result.columns} for row in shown],
    }
    if more and "id" in result.columns:
        body["$skipToken"] = encoded(str(start + size))
    if str(options.get("resultFormat", "")).lower() == "table":
        columns = [{"name": name, "type": "object" if k == "dynamic" else k} for name, k in result.columns.items()]
        body["data"] = {"columns": columns, "rows": [list(row.values()) for row in body["data"]]}
    return body


def _plain(value: Any) -> Any:
    return stamp(value) if isinstance(value, datetime) else value


def _refused(call: Call, details: Sequence[Json]) -> ApiError:
    message = (
        f"Please provide below info when asking for support: timestamp = {stamp(call.clock.now())}, "
        f"correlationId = {call.correlation}."
    )
    return ApiError(400, "BadRequest", message, details=list(details))


# -- rows --------------------------------------------------------------------------------------------------------------


def _scopes(call: Call, body: Json) -> list[str] | None:
    """The subscriptions asked for, in lower case. None for all."""
    if groups := body.get("managementGroups"):
        wanted = {f"/providers/{_MANAGEMENT}/{name}".lower() for name in groups}
        found = call.world.list(subscriptions.TYPE)
        return [s.key for s in found if wanted & set(call.world.scopes(s.id))]
    named = body.get("subscriptions")
    return [f"/subscriptions/{name}".lower() for name in named] if named else None


def _tables(call: Call, scopes: list[str] | None) -> dict[str, Table]:
    return {
        "resources": Table(_COLUMNS, _Rows(lambda: _inventory(call, scopes, containers=False))),
        "resourcecontainers": Table(_COLUMNS, _Rows(lambda: _inventory(call, scopes, containers=True))),
        "authorizationresources": Table(_COLUMNS, _Rows(lambda: _access(call, scopes))),
        "securityresources": Table(_COLUMNS, _Rows(lambda: _alerts(call, scopes))),
        "resourcechanges": Table(_COLUMNS, _Rows(lambda: _changed(call, scopes))),
        "resourcecontainerchanges": Table(_COLUMNS, _Rows(lambda: _changed(call, scopes, containers=True))),
    }


class _Rows:
    """Rows made when they are asked for: a query reads one table of them."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Json]:
        return iter(self._make())


def _until(call: Call) -> datetime:
    return call.clock.now() - timedelta(seconds=call.world.state.get("resource_graph", {}).get("lag", 0))


def _inventory(call: Call, scopes: list[str] | None, *, containers: bool) -> Iterator[Json]:
    world = call.world
    late = changes.bodies(world, stamp(_until(call)))
    bodies = {r.key: r.body for r in world if r.key not in late}
    bodies |= {key: body for key, body in late.items() if body is not None}
    for key in sorted(bodies):
        body = bodies[key]
        kind = str(body.get("type", ""))
        is_container = kind in _CONTAINERS
        tracked = "location" in body and key.count("/providers/") == 1 and not is_container
        if (is_container if containers else tracked) and _readable(call, scopes, str(body["id"]), kind):
            yield _row(call, body)


def _access(call: Call, scopes: list[str] | None) -> Iterator[Json]:
    for kind in _ACCESS:
        for entry in sorted(call.world.list(kind), key=lambda r: r.key):
            at = str(entry.properties.get("scope") or ids.parse(entry.id).scope).rstrip("/")
            if kind == rbac.DEFINITION:
                at = str((entry.properties.get("assignableScopes") or [""])[0]).rstrip("/")
            # What is inherited from above the subscriptions shows in all of them.
            inside = None if not at.lower().startswith("/subscriptions/") else scopes
            if _readable(call, inside, at or "/", kind):
                yield _row(call, entry.body)


def _alerts(call: Call, scopes: list[str] | None) -> Iterator[Json]:
    for alert in sorted(call.world.list(alerts.TYPE), key=lambda r: r.key):
        if _readable(call, scopes, alert.id, alerts.TYPE):
            yield _row(call, alert.body)


def _changed(call: Call, scopes: list[str] | None, *, containers: bool = False) -> Iterator[Json]:
    kinds = {kind.lower() for kind in _CONTAINERS}
    for change in changes.shown(call.world, _until(call)):
        target, kind = change["target"], change["properties"]["targetResourceType"]
        if (kind in kinds) is containers and _readable(call, scopes, target, kind):
            yield _row(call, {k: v for k, v in change.items() if k != "target"})


def _readable(call: Call, scopes: list[str] | None, id_: str, kind: str) -> bool:
    inside = scopes is None or any(ids.within(id_, scope) for scope in scopes)
    return inside and call.allowed(f"{_NAMES.get(kind, kind)}/read", id_.rstrip("/"))


def _row(call: Call, body: Json) -> Json:
    parts = ids.parse(body["id"])
    row = {name: body.get(name) for name in _COLUMNS}
    if body.get("type") == subscriptions.TYPE:
        row["name"] = body.get("displayName")
        row["properties"] = {k: body.get(k) for k in ("state", "managedByTenants", "subscriptionPolicies")}
    return row | {
        "type": _NAMES.get(str(row["type"]), str(row["type"])).lower(),
        "tenantId": call.world.tenant,
        "kind": row["kind"] or "",
        "location": str(row["location"] or "").lower(),
        "resourceGroup": parts.group.lower(),
        "subscriptionId": parts.subscription.lower(),
        "managedBy": row["managedBy"] or "",
    }
