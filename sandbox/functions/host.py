"""The host: one function app, one file, one address."""

import hmac
import json
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from aiohttp import web
from azure.durable_functions.models.utils import http_utils
from azure.functions.decorators.function_app import FunctionRegister

from sandbox.functions.app import Worker, load
from sandbox.functions.clock import Clock, KeptClock
from sandbox.functions.control import Control, local_only
from sandbox.functions.engine import Engine
from sandbox.functions.eventgrid import Webhook
from sandbox.functions.events import Json
from sandbox.functions.history import Store
from sandbox.functions.management import Management
from sandbox.functions.routes import Functions
from sandbox.functions.sign_in import Handler, Verify, sign_in

log = logging.getLogger(__name__)

EVENT_GRID_PATH = "/runtime/webhooks/eventgrid"
DURABLE_PATH = "/runtime/webhooks/durabletask"
RPC_PATH = "/durabletask"  # the worker's own way to the host: no key, this machine only
EVENT_GRID_KEY, DURABLE_KEY = "eventgrid_extension", "durabletask_extension"

_LARGEST_BODY = 100 << 20  # bytes, as in Azure
_THREADS = 32  # for functions that are not async: activities take half of them at most
_LINKS = {  # of an instance: path below it, and query
    "statusQueryGetUri": ("", ""),
    "sendEventPostUri": ("/raiseEvent/{eventName}", ""),
    "terminatePostUri": ("/terminate", "reason={text}&"),
    "rewindPostUri": ("/rewind", "reason={text}&"),
    "purgeHistoryDeleteUri": ("", ""),
    "restartPostUri": ("/restart", ""),
    "suspendPostUri": ("/suspend", "reason={text}&"),
    "resumePostUri": ("/resume", "reason={text}&"),
}


class Host:
    """Runs a function app between `start` and `stop`. What it has begun goes on when another one is started on the file.

    `app` is the folder of function_app.py, or the imported app, then with `host_json` as there is no file to read.
    Without `verify`, sign-in is off: nothing is checked, and the app can see that (WEBSITE_AUTH_ENABLED).
    Without `clock`, time is real, but can be moved; the difference is kept in the file.
    """

    def __init__(
        self,
        app: FunctionRegister | Path | str,
        database: Path | str,
        *,
        clock: Clock | None = None,
        verify_token: Verify | None = None,
        excluded_paths: tuple[str, ...] = (EVENT_GRID_PATH,),
        host_json: Json | None = None,
        activities: int = 16,
        grace: float = 10,
    ) -> None:
        """`activities` is how many run at a time; `grace` how many seconds they have to end when the host stops."""
        self._source = Path(app) if isinstance(app, str) else app
        self._database, self._clock, self._verify = database, clock, verify_token
        self._excluded, self._host_json = excluded_paths, host_json
        self._activities, self._grace = activities, grace
        self.url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Load the app and serve it on 127.0.0.1. Raises BadApp, InUse, and what importing the app raises."""
        self._store = Store(self._database)
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._environment = _set(self._settings())
        app = load(self._source, self._host_json)
        self._hub = app.extension("durableTask").get("hubName", "TestHubName")
        clock = self._clock or _kept_clock(self._store)
        self._worker = Worker(ThreadPoolExecutor(_THREADS, "function"), self.client())
        self._engine = Engine(app, self._store, clock, self._worker, limit=self._activities)
        management = Management(self._store, self._engine, self._links)
        functions, webhook = Functions(app, self._worker), Webhook(app, self._worker)
        site = web.Application(
            client_max_size=_LARGEST_BODY,
            middlewares=[self._guard, *([sign_in(self._verify, self._excluded)] if self._verify else [])],
        )
