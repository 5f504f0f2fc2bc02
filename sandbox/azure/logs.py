"""Log Analytics' query API: the table AzureActivity of the workspaces that Activity Logs are streamed to.

A subscription streams to a workspace while it has a diagnostic setting that names it, as in Azure:

    {id: /subscriptions/…/providers/Microsoft.Insights/diagnosticSettings/to-logs,
     properties: {workspaceId: <id of the workspace>, logs: [{category: Administrative, enabled: true}, …]}}

The workspace is any resource of its type, with its GUID in properties.customerId. What it holds is what was logged
meanwhile; when the setting is deleted, the rows stay. `world.state["logs"]` may say, for tests:

    lag: seconds until an event can be queried      rows: how many an answer holds at most, else 500,000
    error: what a query then says in a partial error
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.azure import ids, kql
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError
from sandbox.azure.kql_words import refused
from sandbox.azure.router import Call, Caller, Reply, Room, Router
from sandbox.azure.tokens import Invalid
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

WORKSPACE, SETTING = "Microsoft.OperationalInsights/workspaces", "Microsoft.Insights/diagnosticSettings"
ROWS = 500_000
_QUERY = f"{WORKSPACE}/query/read"
_TABLE = "AzureActivity"

room = Room("")


async def handle(call: Call) -> Reply:
    """Answer one request."""
    call.request = call.world.new_id("request")
    found = _ROUTER.find(call.method, call.path)
    try:
        if found is None:
            raise ApiError(501, "NotImplemented", f"The sandbox does not know {call.method} {call.path} of the logs.")
        route, params = found
        call.params.update(params)
        _sign_in(call)
        reply = await route.handler(call)
    except ApiError as error:
        reply = Reply(error.status, error.body(), error.headers)
    reply.headers = {"x-ms-request-id": call.request, **reply.headers}
    return reply


@room.on("POST", "/v1/workspaces/{workspace}/query")
async def query(call: Call) -> Reply:
    """Run a query."""
    workspace = _workspace(call)
    for action in (_QUERY, f"{WORKSPACE}/query/{_TABLE}/read"):
        if not call.allowed(action, workspace.id):
            message = "The provided credentials have insufficient access to perform the requested operation"
            raise ApiError(403, "InsufficientAccessError", message)
    body = call.body
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise refused("QueryParameterMissing", "The request holds no query")
    for name in ("timespan", "workspaces"):
        if body.get(name):
            raise refused("NotImplemented", f"The sandbox does not know '{name}': say it in the query")
    options = call.world.state.get("logs", {})
    lag = timedelta(seconds=options.get("lag", 0))
    rows = _rows(call.world, workspace, call.clock.now() - lag)
    result = kql.run(body["query"], {_TABLE: kql.Table({name: kind for name, (kind, _) in COLUMNS.items()}, rows)})
    return Reply(200, _answer(result, options.get("rows", ROWS), options.get("error", "")))


_ROUTER = Router((room,))


def sinks(world: World, subscription: str) -> Iterator[str]:
    """The workspaces that a subscription streams its Activity Log to."""
    for setting in world.list(SETTING, f"/subscriptions/{subscription}", lag=False):
        at = ids.parse(setting.id).scope.lower() == f"/subscriptions/{subscription}"
        on = any(log.get("enabled") for log in setting.properties.get("logs") or ())
        if at and on and (workspace := setting.properties.get("workspaceId")):
            yield str(workspace)


def _sign_in(call: Call) -> None:
    if not call.bearer:
        raise ApiError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    try:
        claims = call.tokens.verify(call.bearer, "logs")
    except Invalid as error:
        code = "InvalidAuthenticationTokenAudience" if "audience" in str(error) else "InvalidAuthenticationToken"
        raise ApiError(403, code, str(error)) from error
    if why := call.world.directory.usable(claims):
        raise ApiError(403, "InvalidAuthenticationToken", f"The access token is invalid: {why}.")
    forwarded = call.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    call.caller = Caller.of(claims, forwarded or str(claims.get("ipaddr", "")))


def _workspace(call: Call) -> Resource:
    wanted = call.params["workspace"].lower()
    for workspace in call.world.list(WORKSPACE):
        if str(workspace.properties.get("customerId", "")).lower() == wanted:
            return workspace
    raise ApiError(404, "WorkspaceNotFoundError", f"The workspace {call.params['workspace']} could not be found")


def _rows(world: World, workspace: Resource, now: datetime) -> Iterator["_Row"]:
    known = stamp(now)
    for event in world.activity.streams.get(workspace.key, ()):
        if event["submissionTimestamp"] <= known:
            yield _Row(event, str(workspace.properties["customerId"]))


def _answer(result: kql.Table, most: int, error: str) -> Json:
    columns = [{"name": name, "type": kind} for name, kind in result.columns.items()]
    rows = [[_written(row[name]) for name in result.columns] for row in result.rows]
    if len(rows) > most:
        error = (
            f"The results of this query exceed the set limit of {most} records, so not all records were returned "
            "(E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)."
        )
    body: Json = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows[:most]}]}
    if error:
        inner = {"code": "-2133196797", "message": error, "severity": 2, "severityName": "Error"}
        text = "Something went wrong processing your query on the server."
        details = [{"code": "EngineError", "message": text, "innererror": inner}]
        message = "There were some errors when processing your query."
        body["error"] = {"code": "PartialError", "message": message, "details": details}
    return body


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list) else value


# -- the table ---------------------------------------------------------------------------------------------------------


class _Row(Mapping[str, Any]):
    """One event as a row of AzureActivity; each column is made when it is asked for."""

    def __init__(self, event: Json, workspace: str) -> None:
        self.event, self.workspace = event, workspace

    def __getitem__(self, name: str) -> Any:
        return COLUMNS[name][1](self)

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)


# The stream has its own words, and its names in capitals.
_STATUS = {"Started": "Start", "Accepted": "Accept", "Succeeded": "Success", "Failed": "Failure"}
_Of = Callable[[_Row], Any]


def _text(*path: str) -> tuple[str, _Of]:
    def of(row: _Row) -> str:
        found: Any = row.event
        for name in path:
            found = (found or {}).get(name)
        return str(found or "")

    return "string", of


def _time(name: str) -> tuple[str, _Of]:
    return "datetime", lambda row: datetime.fromisoformat(row.event[name])


def _json(name: str) -> tuple[str, _Of]:
    return "string", lambda row: json.dumps(row.event.get(name) or {}, separators=(",", ":"))


def _dynamic(name: str) -> tuple[str, _Of]:
    return "dynamic", lambda row: row.event.get(name) or {}


COLUMNS: dict[str, tuple[str, _Of]] = {
    "TenantId": ("string", lambda row: row.workspace),
    "SourceSystem": ("string", lambda _: "Azure"),
    "TimeGenerated": _time("eventTimestamp"),
    "EventSubmissionTimestamp": _time("submissionTimestamp"),
    "OperationNameValue": ("string", lambda row: row.event["operationName"]["value"].upper()),
    "ActivityStatusValue": ("string", lambda row: _STATUS.get(s := row.event["status"]["value"], s)),
    "ActivitySubstatusValue": _text("subStatus", "value"),
    "CategoryValue": _text("category", "value"),
    "ResourceProviderValue": ("string", lambda row: row.event["resourceProviderName"]["value"].upper()),
    "Level": _text("level"),
    "Caller": _text("caller"),
    "CallerIpAddress": _text("httpRequest", "clientIpAddress"),
    "HTTPRequest": _json("httpRequest"),
    "Authorization": _json("authorization"),
    "Authorization_d": _dynamic("authorization"),
    "Claims": _json("claims"),
    "Claims_d": _dynamic("claims"),
    "Properties": _json("properties"),
    "Properties_d": _dynamic("properties"),
    "Hierarchy": _text("properties", "hierarchy"),
    "CorrelationId": _text("correlationId"),
    "OperationId": _text("operationId"),
    "EventDataId": _text("eventDataId"),
    "SubscriptionId": _text("subscriptionId"),
    "ResourceGroup": _text("resourceGroupName"),
    "ResourceId": _text("resourceId"),
    "_ResourceId": ("string", lambda row: row.event["resourceId"].lower()),
    # No longer filled.
    **dict.fromkeys(("OperationName", "ActivityStatus", "ActivitySubstatus", "Category"), ("string", lambda _: "")),
    "ResourceProvider": ("string", lambda _: ""),
    "Type": ("string", lambda _: _TABLE),
}
