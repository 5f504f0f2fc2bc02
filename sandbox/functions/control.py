"""Routes for whoever runs the host: none of them is open to anybody but this machine."""

import ipaddress
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from aiohttp import web

from sandbox.functions import clock as clocks
from sandbox.functions.app import EVENT_GRID, TIMER, App
from sandbox.functions.clock import Clock
from sandbox.functions.engine import Engine
from sandbox.functions.events import Json
from sandbox.functions.sign_in import Handler

CONTROL_PATHS = ("/host", "/admin")


def local_only(handler: Handler) -> Handler:
    """A handler that refuses all but programs on this machine.

    Web pages that are open in a browser here are refused too: they send an Origin, or come by a name of their own.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        host = (request.url.host or "").strip("[]")
        if "Origin" in request.headers or not _loopback(request.remote or "") or not _loopback(host):
            return web.Response(status=403, text="Only for programs on this machine.")
        return await handler(request)

    return guarded


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Control:
    """Time, rest and manual runs."""

    def __init__(self, app: App, engine: Engine, clock: Clock, keys: Callable[[], Json]) -> None:
        """`keys` gives the system keys, as Azure's listKeys does."""
        self._app, self._engine, self._clock, self._keys = app, engine, clock, keys

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/host/idle", local_only(self._idle)),
            web.get("/host/clock", local_only(self._time)),
            web.post("/host/clock", local_only(self._move)),
            web.get("/host/keys", local_only(self._list_keys)),
            web.post("/admin/functions/{name}", local_only(self._run)),
        ]

    async def _idle(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002  a handler
        """Answer once there is nothing to do but to wait."""
        await self._engine.idle()
        return self._answer()

    async def _time(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002  a handler
        return self._answer()

    async def _move(self, request: web.Request) -> web.StreamResponse:
        """Move the clock: {"advance": seconds} or {"now": ISO time}."""
        try:
            body = json.loads(await request.read())
            if "now" in body:
                to = clocks.parse(body["now"])
            else:
                to = self._clock.now() + timedelta(seconds=float(body["advance"]))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            return web.Response(status=400, text=f'Send {{"advance": seconds}} or {{"now": ISO time}}: {error!r}')
        move = getattr(self._clock, "set", None)
        if not move:
            return web.Response(status=409, text="The clock of this host can't be moved.")
        move(to)
        self._engine.wake()
        return self._answer()

    async def _list_keys(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002  a handler
        return web.json_response(self._keys())

    async def _run(self, request: web.Request) -> web.StreamResponse:
        """Run a timer or Event Grid function now, with {"input": text}, as Azure's host does: nobody waits for it."""
        function = self._app.functions.get(request.match_info["name"])
        if not function:
            return web.Response(status=404)
        if function.kind not in {TIMER, EVENT_GRID}:
            return web.Response(status=400, text=f"This host runs no {function.kind} by hand.")
        try:
            body = json.loads(await request.read() or "{}")
            text = body.get("input") or ""
            data = json.loads(text) if function.kind == EVENT_GRID else {"IsPastDue": False}
        except (ValueError, TypeError, AttributeError) as error:
            return web.Response(status=400, text=f'Send {{"input": "an event, as JSON"}}: {error}')
        self._engine.errand(function, data)
        return web.Response(status=202)

    def _answer(self) -> web.Response:
        due = self._engine.next_timer()
        return web.json_response({"now": _iso(self._clock.now()), "next_timer": _iso(due) if due else None})


def _iso(at: datetime) -> str:
    return clocks.text(at)
