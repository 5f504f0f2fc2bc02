"""HTTP for all services: one TLS port each, faults and latency in front, the log of requests behind."""

import asyncio
import json
import ssl
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from re import sub
from urllib.parse import parse_qsl, unquote

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from sandbox.azure.clock import Clock
from sandbox.azure.doorway import called, owner
from sandbox.azure.errors import ApiError
from sandbox.azure.faults import Faults
from sandbox.azure.router import Call, Endpoints, Reply
from sandbox.azure.tokens import Tokens
from sandbox.azure.world import World

Service = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered, or would have been had the connection not been cut."""

    service: str
    method: str
    path: str
    query: str
    status: int  # 0: cut before anything happened
    caller: str  # object id; "" when nobody signed in
    at: datetime


class Server:
    """Serves one world's services on 127.0.0.1."""

    def __init__(self, world: World, clock: Clock, tokens: Tokens, faults: Faults, latency: float) -> None:
        self.world, self.clock, self.tokens, self.faults, self.latency = world, clock, tokens, faults, latency
        self.endpoints = Endpoints()
        self.requests: list[Request] = []
        self._runners: list[web.ServerRunner] = []

    async def start(self, services: dict[str, Service], tls: ssl.SSLContext) -> Endpoints:
        """Listen, one free port a service."""
        urls = {}
        for name, service in services.items():
            runner = web.ServerRunner(web.Server(self._handler(name, service), access_log=None))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
            await site.start()
            self._runners.append(runner)
            urls[name] = f"https://127.0.0.1:{runner.addresses[0][1]}"
        self.endpoints = Endpoints(**urls)
        return self.endpoints

    async def stop(self) -> None:
        """Close every port."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    def _handler(self, name: str, service: Service) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            call = await self._call(name, request)
            if self.latency:
                await asyncio.sleep(self.latency)
            fault = self.faults.next(call.method, call.path, _claimed_oid(call.bearer))
            reply = Reply(0) if fault == "reset" else await self._answer(call, service, fault)
            line = (name, call.method, call.path, request.query_string, reply.status, call.caller.oid, self.clock.now())
            self.requests.append(Request(*line))
            if fault in {"reset", "reply_lost"} and request.transport:
                request.transport.abort()
            return self._response(reply)

        return handle

    async def _answer(self, call: Call, service: Service, fault: str) -> Reply:
        refusal = self.faults.answer(fault)
        if refusal:
            return Reply(refusal.status, refusal.body(), refusal.headers)
        self.world.lag = self.faults.lag if fault == "eventual" else 0
        try:
            return await service(call)
        except ApiError as error:
            return Reply(error.status, error.body(), error.headers)
        finally:
            self.world.lag = 0

    async def _call(self, name: str, request: web.BaseRequest) -> Call:
        raw_path, _, raw_query = request.raw_path.partition("?")
        query = {k.lower(): v for k, v in parse_qsl(raw_query, keep_blank_values=True)}
        path = "/" + sub("/+", "/", unquote(raw_path)).strip("/")
        own = owner(request.host)
        path, home = (f"/{own}{path}".rstrip("/"), f"https://{request.host}") if own else (path, "")
        state = (self.world, self.clock, self.tokens, called(request.host) or self.endpoints)
        return Call(*state, name, request.method, path, query, request.headers, await request.read(), home=home)

    def _response(self, reply: Reply) -> web.Response:
        headers = CIMultiDict(reply.headers)
        headers["Date"] = format_datetime(self.clock.now(), usegmt=True)
        body = b""
        if isinstance(reply.body, bytes):
            body = reply.body
        elif isinstance(reply.body, str):
            body = reply.body.encode()
            headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        elif reply.body is not None:
            body = msgspec.json.encode(reply.body)
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
        return web.Response(status=reply.status or 500, body=body, headers=headers)


def _claimed_oid(token: str) -> str:
    """Read the object id that a token claims, unchecked: only to aim faults at one caller."""
    part = token.split(".")[1] if token.count(".") == 2 else ""  # noqa: PLR2004  header, claims, signature
    try:
        claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) if part else {}
    except ValueError:
        return ""
    return str(claims.get("oid", "")) if isinstance(claims, dict) else ""
