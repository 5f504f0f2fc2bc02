"""HTTP functions: route templates, and requests and responses by way of the SDK's own classes."""

import logging
import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

from aiohttp import web
from azure.functions.meta import Datum

from sandbox.functions.app import HTTP, App, BadApp, Function, Worker

log = logging.getLogger(__name__)

# {name} {name?} {name:int} {name=default} {*rest}
_HOLE = re.compile(r"\{(?P<all>\*{0,2})(?P<name>\w+)(?::(?P<rule>\w+))?(?P<optional>\?)?(?:=(?P<default>[^}]*))?\}")
_RULES = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": r"(?:true|false)",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    None: r"[^/]+",
}


class Route(NamedTuple):
    """One function's way in."""

    function: Function
    methods: frozenset[str]  # empty: any
    pattern: re.Pattern[str]
    defaults: dict[str, str]
    rank: tuple[int, ...]  # by segment: text comes before parameters, and those before a catch-all


class Functions:
    """All HTTP functions of an app."""

    def __init__(self, app: App, worker: Worker) -> None:
        """Raises BadApp for a route that can't be read."""
        prefix = app.extension("http").get("routePrefix", "api")
        routes = [_route(function, prefix) for function in app.of_kind(HTTP).values()]
        self._routes, self._worker = sorted(routes, key=lambda route: route.rank), worker

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """404 for a path that no function has, 405 for one that has it with other methods."""
        found = [(r, match) for r in self._routes if (match := r.pattern.fullmatch(request.rel_url.raw_path))]
        for route, match in found:
            if not route.methods or request.method in route.methods:
                values = {name: unquote(value) for name, value in match.groupdict().items() if value}
                return await self._invoke(request, route.function, route.defaults | values)
        if not found:
            return web.Response(status=404)
        return web.Response(status=405, headers={"Allow": ", ".join(sorted({m for r, _ in found for m in r.methods}))})

    async def _invoke(self, request: web.Request, function: Function, values: dict[str, str]) -> web.StreamResponse:
        data = {
            "method": _text(request.method),
            "url": _text(str(request.url)),
            "headers": _texts(request.headers.items()),
            "query": _texts(request.query.items()),
            "params": _texts(values.items()),
            "body": Datum(await request.read(), "bytes"),
        }
        try:
            result = await self._worker.run(function, function.decode(data, "http"))
            return _response(function, result)
        except Exception:
            log.exception("Function %s failed.", function.name)
            return web.Response(status=500)  # as in Azure: what went wrong is in the log, not in the answer


def _response(function: Function, result: Any) -> web.Response:
    if result is None:
        return web.Response(status=204)
    answer = function.encode(result)
    if isinstance(answer, str):
        return web.Response(text=answer)
    headers = [(name, value.value) for name, value in answer["headers"].items()]
    for cookie in answer["cookies"] or ():
        headers += [("Set-Cookie", morsel.OutputString()) for morsel in cookie.values()]
    return web.Response(status=int(answer["status_code"].value), headers=headers, body=answer["body"].value)


def _route(function: Function, prefix: str) -> Route:
    template = "/".join(p for p in (prefix.strip("/"), str(getattr(function.trigger, "route", "")).strip("/")) if p)
    pattern, rank = "", list[int]()
    defaults = dict[str, str]()
    for segment in template.split("/") if template else ():
        text = _HOLE.sub("", segment)
        holes = list(_HOLE.finditer(segment))
        if "{" in text or "}" in text or any(h["rule"] not in _RULES for h in holes):
            raise BadApp(f"Function {function.name!r}: this host can't read {segment!r} in the route {template!r}.")
        defaults |= {h["name"]: h["default"] for h in holes if h["default"]}
        part = _pattern(segment, holes)
        if whole := not text and len(holes) == 1:
            part = f"/{part}"
            if holes[0]["optional"] or holes[0]["default"] is not None or holes[0]["all"]:
                part = f"(?:{part})?"
        pattern += part if whole else f"/{part}"
        rank.append(0 if not holes else 3 if holes[0]["all"] else 1 if text or holes[0]["rule"] else 2)
    methods = frozenset(str(getattr(m, "value", m)).upper() for m in getattr(function.trigger, "methods", None) or ())
    return Route(function, methods, re.compile(pattern + "/?", re.IGNORECASE), defaults, tuple(rank))


def _pattern(segment: str, holes: list[re.Match[str]]) -> str:
    pattern, at = "", 0
    for hole in holes:
        rule = ".*" if hole["all"] else _RULES[hole["rule"]]
        pattern += re.escape(segment[at : hole.start()]) + f"(?P<{hole['name']}>{rule})"
        at = hole.end()
    return pattern + re.escape(segment[at:])


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _texts(items: Iterable[tuple[str, str]]) -> dict[str, Datum]:
    return {name: _text(value) for name, value in items}
