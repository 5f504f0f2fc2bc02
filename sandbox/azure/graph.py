"""Microsoft Graph v1.0 as a service: sign-in, routing, errors, $batch. What it answers is in graph_*.py.

Changes show at once, unless the fault "eventual" hits one: then some more reads show the object as it was. The audit
log (auditLogs/directoryAudits) is made by what is done: see graph_audit.py.
"""

import base64
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.azure import (
    aad_graph,
    graph_apps,
    graph_audit,
    graph_credentials,
    graph_deleted,
    graph_grants,
    graph_groups,
    graph_links,
    graph_methods,
    graph_objects,
    graph_pim,
    graph_risk,
    graph_roles,
    graph_units,
    graph_users,
)
from sandbox.azure.directory import APPLICATION
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import allow
from sandbox.azure.router import Call, Caller, Reply, Router
from sandbox.azure.tokens import Invalid

Json = dict[str, Any]

MOST_IN_BATCH = 20
_PEOPLE = (graph_users, graph_links, graph_methods, graph_deleted, graph_groups, graph_objects)
_RIGHTS = (graph_roles, graph_pim, graph_units, graph_apps, graph_credentials, graph_grants, graph_audit, graph_risk)
_router = Router(tuple(part.room for part in (*_PEOPLE, *_RIGHTS)))
_BY_UNIQUE_NAME = re.compile(r"^/applications\(uniqueName='([^']*)'\)", re.IGNORECASE)
_BY_APP_ID = re.compile(r"^/(servicePrincipals|applications)\(appId='([^']*)'\)", re.IGNORECASE)
_BY_KEY = re.compile(r"^/(\w+)\('([^']*)'\)")
_KINDS = "user|group|servicePrincipal|application|directoryRole|administrativeUnit"
_CAST = re.compile(rf"/microsoft\.graph\.({_KINDS})$", re.IGNORECASE)


async def handle(call: Call) -> Reply:
    """Answer one request: any path beneath /v1.0."""
    call.request = call.world.new_id("request")
    try:
        sign_in(call)
        if aad_graph.asked(call):
            return await aad_graph.answer(call)
        reply = await (_batch(call) if call.path.lower() == "/v1.0/$batch" else _answer(call))
    except ApiError as error:
        reply = _refusal(call, error)
    reply.headers = {**_headers(call), **reply.headers}
    return reply


def sign_in(call: Call) -> None:
    """Set the caller from the bearer token. Raises ApiError 401."""
    if not call.bearer:
        raise ApiError(401, "InvalidAuthenticationToken", "Access token is empty.")
    try:
        claims = call.tokens.verify(call.bearer, "graph")
    except Invalid as error:
        lifetime = "Lifetime validation failed, the token is expired."
        raise ApiError(401, "InvalidAuthenticationToken", lifetime if error.expired else str(error)) from error
    forwarded = call.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    call.caller = Caller.of(claims, forwarded or str(claims.get("ipaddr", "")))
    if call.caller.tenant != call.world.tenant:
        message = "The identity of the calling application could not be established."
        raise ApiError(403, "Authorization_IdentityNotFound", message)
    if why := call.world.directory.usable(claims):
        wanted = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"0"}}}').decode()
        challenge = f'Bearer realm="", error="insufficient_claims", claims="{wanted}"'
        message = f"Continuous access evaluation resulted in challenge with result: InteractionRequired: {why}."
        raise ApiError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge})


async def _answer(call: Call) -> Reply:
    call = replace(call, path=_normal(call))
    found = _router.find(call.method, call.path)
    if found is None:
        raise ApiError(501, "NotImplemented", f"The sandbox does not know {call.method} {call.service}{call.path}.")
    route, params = found
    call.params.update(params)
    directory = call.world.directory
    graph_pim.expire(directory, call.clock.now())
    target = directory.find(params.get("id", "")) or {}
    if route.action:
        allow(call, route.action, str(target.get("id", "")))
    if call.method == "GET":
        with directory.lagging():
            return await route.handler(call)
    before, recorded = directory.objects.get(str(target.get("id"))), len(directory.audits)
    reply = await route.handler(call)
    if before and call.world.lag:
        directory.remember(before, call.world.lag)
    if route.action not in _READING and len(directory.audits) == recorded:
        made = reply.body if isinstance(reply.body, dict) else {}
        made = directory.objects.get(str(made.get("invitedUser", made).get("id"))) or made
        graph_audit.plainly(call, route.template, target or made)
    return reply


_READING = {"users.read", "directory.read", "users.mail"}  # POSTs that change nothing in the directory


def _normal(call: Call) -> str:
    """The path without version, and with keys as segments: /applications(appId='…') becomes /applications/{id}."""
    version, _, rest = call.path.lstrip("/").partition("/")
    if version.lower() != "v1.0":
        raise ApiError(501, "NotImplemented", f"The sandbox speaks v1.0 of Microsoft Graph, not {version!r}.")
    path, directory = "/" + rest, call.world.directory
    if path.lower() == "/me" or path.lower().startswith("/me/"):
        if call.caller.kind != "User":
            raise ApiError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
        path = f"/users/{call.caller.oid}{path[3:]}"
    if by_app := _BY_APP_ID.match(path):
        apps = by_app[1].lower() == "applications"
        entry = directory.application(by_app[2]) if apps else directory.find(by_app[2])
        path = f"/{by_app[1]}/{entry['id'] if entry else by_app[2]}{path[by_app.end() :]}"
    if by_name := _BY_UNIQUE_NAME.match(path):
        known = (a for a in directory.of_type(APPLICATION) if a["uniqueName"] == by_name[1])
        path = f"/applications/{next(known, {'id': by_name[1]})['id']}{path[by_name.end() :]}"
    path = _BY_KEY.sub(r"/\1/\2", path.replace("(roleTemplateId=", "("))
    if cast := _CAST.search(path):
        call.query["cast"] = cast[1].lower()
        path = path[: cast.start()]
    return path.replace("/microsoft.graph.", "/")


async def _batch(call: Call) -> Reply:
    requests = call.body.get("requests") if isinstance(call.body, dict) else None
    if not isinstance(requests, list) or not requests or not all(isinstance(one, dict) for one in requests):
        raise ApiError(400, "BadRequest", "Invalid batch payload format.")
    if len(requests) > MOST_IN_BATCH:
        message = f"Number of batch request steps exceeds the maximum value of {MOST_IN_BATCH}."
        raise ApiError(400, "BadRequest", message)
    statuses: dict[str, int] = {}
    answers = []
    for request in requests:
        key = str(request.get("id", ""))
        if any(statuses.get(str(d), 424) >= 400 for d in request.get("dependsOn", ())):  # noqa: PLR2004
            error = ApiError(424, "FailedDependency", "A request that this one depends on has failed.")
            reply = _refusal(call, error)
        else:
            reply = await _part(call, request)
        statuses[key] = reply.status
        answer: Json = {"id": key, "status": reply.status, "headers": {**reply.headers}}
        if reply.body is not None:
            answer["headers"]["Content-Type"] = "application/json"
            answer["body"] = reply.body
        answers.append(answer)
    return Reply(200, {"responses": answers})


async def _part(call: Call, request: Json) -> Reply:
    url, _, query = str(request.get("url", "")).partition("?")
    part = replace(
        call,
        method=str(request.get("method", "GET")).upper(),
        path="/v1.0/" + unquote(url).strip("/"),
        query={k.lower(): v for k, v in parse_qsl(query)},
        headers={**call.headers, **request.get("headers", {})},
        raw=json.dumps(request["body"]).encode() if "body" in request else b"",
        params={},
    )
    try:
        return await _answer(part)
    except ApiError as error:
        return _refusal(call, error)


def _refusal(call: Call, error: ApiError) -> Reply:
    inner = {"date": call.clock.now().strftime("%Y-%m-%dT%H:%M:%S"), "request-id": call.request}
    inner["client-request-id"] = call.headers.get("client-request-id", call.request)
    body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
    return Reply(error.status, body, dict(error.headers))


def _headers(call: Call) -> dict[str, str]:
    return {
        "request-id": call.request,
        "client-request-id": call.headers.get("client-request-id", call.request),
        "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1"}}',
        "OData-Version": "4.0",
    }
