"""The Durable HTTP API, as the unmodified DurableOrchestrationClient and everybody else calls it."""

import base64
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from aiohttp import web

from sandbox.functions import clock as clocks
from sandbox.functions.engine import Engine
from sandbox.functions.events import Kind
from sandbox.functions.history import FINISHED, Instance, Store
from sandbox.functions.sign_in import Handler
from sandbox.functions.status import compact, summary
from sandbox.functions.turn import AlreadyExists

_PAGE = 100
_STATUSES = (*FINISHED, "Pending", "Running", "Suspended", "ContinuedAsNew")
_LONGEST_ID = 256
_FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")


class Problem(Exception):  # noqa: N818  the word of HTTP
    """An answer with an error."""

    def __init__(self, status: int, message: str, detail: str = "", kind: str = "System.ArgumentException") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"Message": message, "ExceptionMessage": detail or message, "ExceptionType": kind, "StackTrace": ""}


class Management:
    """The routes below /runtime/webhooks/durabletask and below the worker's own /durabletask."""

    def __init__(self, store: Store, engine: Engine, links: Callable[[str], dict[str, str]]) -> None:
        """`links` gives the URLs of an instance."""
        self._store, self._engine, self._links = store, engine, links

    def routes(self, prefix: str, guard: Callable[[Handler], Handler]) -> list[web.RouteDef]:
        """Return the routes below `prefix`. `guard` says who may call them."""

        def route(method: str, path: str, handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.RouteDef:
            return web.route(method, prefix + path, guard(_answer(handler)))

        return [
            route("POST", "/orchestrators/{name}", self._start),
            route("POST", "/orchestrators/{name}/{id}", self._start),
            route("GET", "/instances{_:/?}", self._list),
            route("DELETE", "/instances{_:/?}", self._purge_many),
            route("GET", "/instances/{id}", self._status),
            route("DELETE", "/instances/{id}", self._purge),
            route("POST", "/instances/{id}/raiseEvent/{event}", self._raise_event),
            route("POST", "/instances/{id}/terminate", self._terminate),
            route("POST", "/instances/{id}/suspend", self._suspend),
            route("POST", "/instances/{id}/resume", self._resume),
            route("POST", "/instances/{id}/rewind", self._rewind),
            route("POST", "/instances/{id}/restart", self._restart),
            route("*", "/entities{_:.*}", self._entities),
            route("*", "/{_:.*}", self._nothing),
        ]

    async def _nothing(self, request: web.Request) -> web.Response:  # noqa: ARG002  a handler
        return web.Response(status=404)

    async def _start(self, request: web.Request) -> web.Response:
        body = await request.text()
        input_ = json.dumps(_json(body)) if body.strip() else None
        instance = request.match_info.get("id") or uuid4().hex
        if instance.startswith("@") or _FORBIDDEN.search(instance) or len(instance) > _LONGEST_ID:
            raise Problem(400, f"{instance[:_LONGEST_ID]!r} can't be the id of an instance.")
        self._create(request.match_info["name"], instance, input_, request.query.get("version"))
        return await self._check_status(request, instance)

    def _create(self, name: str, instance: str, input_: str | None, version: str | None) -> None:
        try:
            with self._store.transaction():
                self._engine.orchestrations.create(name, instance, input_, version)
        except LookupError as error:
            message = "One or more of the arguments submitted is incorrect"
            raise Problem(400, message, str(error.args[0])) from error
        except AlreadyExists as error:
            message = "Something went wrong while processing your request"
            raise Problem(500, message, str(error), "System.InvalidOperationException") from error

    async def _check_status(self, request: web.Request, instance: str) -> web.Response:
        """Answer a start: with the links, or with the result if it comes within `timeout` seconds."""
        timeout = _number(request, "timeout")
        if timeout and _number(request, "pollingInterval") and (done := await self._engine.finished(instance, timeout)):
            if done.status == "Completed":
                return web.Response(text=done.output, content_type="application/json")
            return web.json_response(summary(done), status=500 if done.status == "Failed" else 200)
        links = self._links(instance)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(links, status=202, headers=headers)

    async def _list(self, request: web.Request) -> web.Response:
        condition, values = _filter(request)
        if prefix := request.query.get("instanceIdPrefix"):
            condition, values = f"{condition} AND substr(id, 1, length(?)) = ?", [*values, prefix, prefix]
        if token := request.headers.get("x-ms-continuation-token"):
            condition, values = f"{condition} AND (created, id) > (?, ?)", [*values, *_position(token)]
        page = int(_number(request, "top") or _PAGE)
        found = self._store.find_instances(condition=condition, values=values, limit=page + 1)
        more = _token(found[page - 1]) if len(found) > page else ""
        show = _flag(request, "showInput", default=True)
        body = [summary(one, show_input=show) for one in found[:page]]
        return web.json_response(body, headers={"x-ms-continuation-token": more})

    async def _status(self, request: web.Request) -> web.Response:
        instance = self._find(request)
        body = summary(instance, show_input=_flag(request, "showInput", default=True))
        if _flag(request, "showHistory"):
            history = [json.loads(event) for event, _ in self._store.history(instance.id)]
            body["historyEvents"] = compact(history, outputs=_flag(request, "showHistoryOutput"))
        if not instance.finished:
            return web.json_response(body, status=202, headers={"Location": str(request.url), "Retry-After": "5"})
        failed = instance.status == "Failed" and _flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(body, status=500 if failed else 200)

    async def _raise_event(self, request: web.Request) -> web.Response:
        body = await request.text()
        instance = self._running(request)
        if request.content_type != "application/json":
            raise Problem(400, "Only application/json request content is supported")
        self._send(instance, Kind.EVENT_RAISED, Name=request.match_info["event"], Input=json.dumps(_json(body)))
        return web.Response(status=202)

    async def _terminate(self, request: web.Request) -> web.Response:
        self._send(self._running(request), Kind.EXECUTION_TERMINATED, Input=request.query.get("reason", ""))
        return web.Response(status=202)

    async def _suspend(self, request: web.Request) -> web.Response:
        self._send(self._running(request), Kind.EXECUTION_SUSPENDED, Reason=request.query.get("reason", ""))
        return web.Response(status=202)

    async def _resume(self, request: web.Request) -> web.Response:
        self._send(self._running(request), Kind.EXECUTION_RESUMED, Reason=request.query.get("reason", ""))
        return web.Response(status=202)

    def _send(self, instance: Instance, kind: Kind, **fields: str) -> None:
        with self._store.transaction():
            self._engine.orchestrations.send(instance.id, "", kind, **fields)

    async def _rewind(self, request: web.Request) -> web.Response:
        if self._find(request).status != "Failed":
            return web.Response(status=410)
        raise Problem(501, "This host does not serve rewind. Restart the instance instead.", kind="NotImplemented")

    async def _restart(self, request: web.Request) -> web.Response:
        old = self._store.instance(request.match_info["id"])
        if not old:
            raise Problem(400, "InstanceId does not match a valid orchestration instance.")
        new = uuid4().hex if _flag(request, "restartWithNewInstanceId", default=True) else old.id
        self._create(old.name, new, old.input, old.version)
        return await self._check_status(request, new)

    async def _purge(self, request: web.Request) -> web.Response:
        return self._delete([self._find(request)])

    async def _purge_many(self, request: web.Request) -> web.Response:
        if not _time(request, "createdTimeFrom"):
            raise Problem(400, "Please provide value for 'createdTimeFrom' parameter.")
        condition, values = _filter(request)
        found = [one for one in self._store.find_instances(condition=condition, values=values) if one.finished]
        return self._delete(found) if found else web.Response(status=404)

    def _delete(self, instances: list[Instance]) -> web.Response:
        with self._store.transaction():
            for one in instances:
                self._engine.orchestrations.purge(one.id)
        return web.json_response({"instancesDeleted": len(instances)})

    async def _entities(self, request: web.Request) -> web.Response:
        raise Problem(501, f"This host does not serve durable entities: {request.path}", kind="NotImplemented")

    def _find(self, request: web.Request) -> Instance:
        if instance := self._store.instance(request.match_info["id"]):
            return instance
        raise web.HTTPNotFound(text="")

    def _running(self, request: web.Request) -> Instance:
        instance = self._find(request)
        if instance.finished:
            raise web.HTTPGone(text="")
        return instance


def _answer(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    """A handler whose problems become answers."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return web.json_response(problem.body, status=problem.status)

    return answer


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Problem(400, "Invalid JSON content", str(error), "Newtonsoft.Json.JsonReaderException") from error


def _filter(request: web.Request) -> tuple[str, list[str]]:
    """SQL, and its values, for the filters that listing and purging share. What can't be read is no filter."""
    conditions, values = ["1"], []
    for name, test in (("createdTimeFrom", "created >= ?"), ("createdTimeTo", "created <= ?")):
        if at := _time(request, name):
            conditions.append(test)
            values.append(at)
    if statuses := [s for s in ",".join(request.query.getall("runtimeStatus", [])).split(",") if s in _STATUSES]:
        conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += statuses
    return " AND ".join(conditions), values


def _time(request: web.Request, name: str) -> str | None:
    try:
        return clocks.text(clocks.parse(request.query.get(name, "").replace(" ", "+")))
    except ValueError:
        return None


def _number(request: web.Request, name: str) -> float | None:
    try:
        return float(request.query.get(name, ""))
    except ValueError:
        return None


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    return {"true": True, "false": False}.get(request.query.get(name, "").lower(), default)


def _token(last: Instance) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(json.dumps([last.created, last.id]).encode()).decode()


def _position(token: str) -> list[str]:
    try:
        created, instance = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise Problem(400, "The continuation token is not one of this host.") from error
    return [str(created), str(instance)]
