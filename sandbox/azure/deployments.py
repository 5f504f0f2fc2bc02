"""Deployments: a template's resources are made one after the other, with the rights of who deploys it.

A part of the real thing: at subscriptions and resource groups, incremental, without linked templates, secrets from a
vault and functions that list keys; what is left out is a 501 that names it. What a resource comes to is its provider's
business, as if its maker had written it himself.
"""

import hashlib
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import msgspec

from sandbox.azure import ids, operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.resources import need, rendered
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.template_language import invalid
from sandbox.azure.template_resources import Template, Wanted
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

TYPE = "Microsoft.Resources/deployments"
room = Room("")
_SCOPES = ("/subscriptions/{subscription}", "/subscriptions/{subscription}/resourceGroups/{group}")
_MORE = "Please see https://aka.ms/arm-deployment-operations for usage details."
_FAILED = f"At least one resource deployment operation failed. Please list deployment operations for details. {_MORE}"


async def deploy(call: Call) -> Reply:
    """Deploy a template. The answer comes when all is made; that it is, polling tells."""
    asked, template = _asked(call)
    wanted = template.wanted
    _allowed(call, wanted)
    old = call.world.get(call.path)
    made: list[Json] = []
    failed: dict[str, tuple[set[str], Json | None]] = {}
    log: list[Json] = []
    for one in wanted:
        if one.needs & {key for id_ in failed for key in failed[id_][0]}:
            failed[one.id] = (one.keys, None)
            continue
        error = await _make(call, one, log)
        if error:
            failed[one.id] = (one.keys, error)
        else:
            made.append({"id": one.id})
    details = [error for _, error in failed.values() if error]
    properties: Json = {
        "templateHash": _hash(asked),
        "parameters": template.parameters,
        "mode": "Incremental",
        "provisioningState": "Accepted",
        "timestamp": stamp(call.clock.now()),
        "duration": "PT0S",
        "correlationId": call.correlation,
        "providers": _providers(wanted),
        "dependencies": [],
        "outputResources": made,
    }
    if not details:
        properties["outputs"] = template.outputs
    # Neither in what is shown nor in what is hidden is there a value of a secret parameter.
    hidden = {"operations": log, "template": asked.get("template"), "errors": details}
    where = {name: value for name, value in call.body.items() if name in {"location", "tags"}}
    body = {"type": TYPE, **where, "properties": properties, "sandbox": hidden}
    stored = call.world.put(call.path, body, call.author, call.version)
    at = f"{stored.id}/operationStatuses"
    shown = _shown(stored)
    return operations.accept(call, "deployments.end", {"id": stored.id}, at=at, status=200 if old else 201, body=shown)


@operations.effect("deployments.end")
def _ended(world: World, clock: Clock, args: Json) -> None:  # noqa: ARG001
    found = need_in(world, args["id"])
    errors = found.hidden["errors"]
    error = {"code": "DeploymentFailed", "target": found.id, "message": _FAILED, "details": errors}
    state = {"provisioningState": "Failed", "error": error} if errors else {"provisioningState": "Succeeded"}
    world.put(found.id, {**found.body, "properties": {**found.properties, **state}})
    if errors:
        raise ApiError(409, "DeploymentFailed", _FAILED, target=found.id, details=errors)


async def validate(call: Call) -> Reply:
    """Say whether a template could be deployed, and make nothing."""
    path, call.path = call.path, call.parent
    asked, template = _asked(call)
    wanted = template.wanted
    _allowed(call, wanted)
    properties = {
        "templateHash": _hash(asked),
        "parameters": template.parameters,
        "mode": "Incremental",
        "provisioningState": "Succeeded",
        "timestamp": stamp(call.clock.now()),
        "duration": "PT0S",
        "correlationId": call.correlation,
        "providers": _providers(wanted),
        "validatedResources": [{"id": one.id} for one in wanted],
    }
    name = ids.parse(call.path).name
    body = {"id": call.path, "name": name, "type": TYPE, "properties": properties}
    call.path = path
    return Reply(200, body)


async def get(call: Call) -> Reply:
    """Read a deployment."""
    return Reply(200, _shown(_need(call, call.path)))


async def list_(call: Call) -> Reply:
    """List the deployments to a scope, and to that alone."""
    scope = ids.parse(call.path).scope.lower()
    found = [r for r in call.world.list(TYPE, scope) if ids.parse(r.id).scope.lower() == scope]
    return page(call, [_shown(one) for one in found])


async def list_operations(call: Call) -> Reply:
    """List what was done for a deployment, resource by resource."""
    found = _need(call, _provided(call.parent))
    return Reply(200, {"value": found.hidden.get("operations") or []})


async def export(call: Call) -> Reply:
    """Give the template of a deployment."""
    return Reply(200, {"template": _need(call, call.parent).hidden.get("template")})


for _scope in _SCOPES:
    _one = f"{_scope}/providers/{TYPE}/{{deployment}}"
    room.on("PUT", _one, f"{TYPE}/write")(deploy)
    room.on("GET", _one, f"{TYPE}/read")(get)
    room.on("GET", f"{_scope}/providers/{TYPE}", f"{TYPE}/read")(list_)
    room.on("POST", f"{_one}/validate", f"{TYPE}/validate/action")(validate)
    room.on("POST", f"{_one}/exportTemplate", f"{TYPE}/exportTemplate/action")(export)
    for _path in (_one, f"{_scope}/deployments/{{deployment}}"):
        room.on("GET", f"{_path}/operations", f"{TYPE}/operations/read")(list_operations)


def need_in(world: World, id_: str) -> Resource:
    """A deployment that is known to be there."""
    found = world.get(id_)
    if found is None:
        raise _missing(ids.parse(id_).name)
    return found


def _need(call: Call, id_: str) -> Resource:
    return need_in(call.world, id_)


def _missing(name: str) -> ApiError:
    return ApiError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")


def _provided(path: str) -> str:
    """The id of a deployment whose path was written without its provider."""
    scope, _, name = path.rpartition("/deployments/")
    return path if "/providers/" in path.lower() else f"{scope}/providers/{TYPE}/{name}"


def _shown(deployment: Resource) -> Json:
    return {key: value for key, value in rendered(deployment).items() if key != "systemData"}


def _asked(call: Call) -> tuple[Json, Template]:
    body = call.body
    asked = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(asked, dict):
        raise ApiError(400, "InvalidDeployment", "The 'properties' of the deployment are missing.")
    if asked.get("templateLink") or asked.get("parametersLink"):
        raise ApiError(501, "NotImplemented", "The sandbox does not fetch templates that are linked to.")
    if str(asked.get("mode", "Incremental")).lower() != "incremental":
        raise ApiError(501, "NotImplemented", "The sandbox does not know deployments of mode Complete.")
    scope = ids.parse(call.path).scope
    if "/resourcegroups/" in scope.lower():
        need(call, scope)
    elif not body.get("location"):
        raise ApiError(400, "LocationRequired", "The 'location' property is required for deployments at this scope.")
    template = asked.get("template")
    if not isinstance(template, dict):
        raise invalid("The template is missing")
    name = ids.parse(call.path).name
    return asked, Template(call, scope, name, template, asked.get("parameters") or {})


def _allowed(call: Call, wanted: list[Wanted]) -> None:
    """Refuse the whole before anything is made where a right for one resource is missing."""
    denied = [one for one in wanted if not call.allowed(f"{one.type}/write", one.id)]
    if denied:
        each = [
            f"Authorization failed for template resource '{ids.parse(one.id).name}' of type '{one.type}'. The client "
            f"'{call.caller.name}' with object id '{call.caller.oid}' does not have permission to perform action "
            f"'{one.type}/write' at scope '{one.id}'."
            for one in denied
        ]
        message = f"Deployment failed with multiple errors: '{':'.join(each)}'"
        raise ApiError(403, "InvalidTemplateDeployment", message)


async def _make(call: Call, one: Wanted, log: list[Json]) -> Json | None:
    """Make one resource as its maker would; the error, if there is one."""
    if call.through is None:
        raise RuntimeError("A deployment's call has no way to Resource Manager.")
    error: Json | None = None
    try:
        raw = msgspec.json.encode(one.body)
        query = {"api-version": one.version}
        reply = await call.through(replace(call, method="PUT", path=one.id, query=query, raw=raw, params={}))
        status = reply.status
    except ApiError as refusal:
        status, error = refusal.status, refusal.body()["error"]
    operations.settle(call.world, call.clock)
    if not error:
        error = _later(call.world, reply.operation)
    phrase = HTTPStatus(status).phrase.replace(" ", "")
    properties: Json = {
        "provisioningOperation": "Create",
        "provisioningState": "Failed" if error else "Succeeded",
        "timestamp": stamp(call.clock.now()),
        "duration": "PT0S",
        "statusCode": phrase,
        "targetResource": {"id": one.id, "resourceType": one.type, "resourceName": ids.parse(one.id).name},
    }
    if error:
        properties["statusMessage"] = {"error": error}
    number = f"{len(log):016X}"
    log.append({"id": f"{call.path}/operations/{number}", "operationId": number, "properties": properties})
    return error


def _later(world: World, operation: str) -> Json | None:
    """What became of the long-running operation by which a resource is made, if it has failed by now."""
    found = world.operations.get(operation) or {}
    error: Json | None = found.get("error") if found.get("status") == "Failed" else None
    return error


def _hash(asked: Json) -> str:
    return str(
        int(hashlib.sha256(msgspec.json.encode(asked.get("template"), order="deterministic")).hexdigest()[:16], 16)
    )


def _providers(wanted: list[Wanted]) -> list[Json]:
    kinds: dict[str, dict[str, None]] = {}
    for one in wanted:
        namespace, _, kind = one.type.partition("/")
        kinds.setdefault(namespace, {})[kind] = None
    return [{"namespace": n, "resourceTypes": [{"resourceType": k} for k in each]} for n, each in kinds.items()]
