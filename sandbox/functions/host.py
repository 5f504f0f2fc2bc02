"""The host: one function app, one file, one address."""

import hmac
import json
import os
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from aiohttp import web
from azure.durable_functions.models.utils import http_utils
from azure.functions.decorators.function_app import FunctionRegister

from sandbox.functions.app import App, Worker, load
from sandbox.functions.clock import Clock, KeptClock
from sandbox.functions.control import CONTROL_PATHS, Control, local_only
from sandbox.functions.engine import Engine
from sandbox.functions.eventgrid import Webhook
from sandbox.functions.events import Json
from sandbox.functions.history import Store
from sandbox.functions.management import Management
from sandbox.functions.routes import Functions
from sandbox.functions.sign_in import Handler, Verify, sign_in

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
    """Runs a function app between `start` and `stop`. What it has begun goes on when another is started on the file.

    `app` is the folder of function_app.py, or the imported app, then with `host_json` as there is no file to read.
    Without `verify`, sign-in is off: nothing is checked, and the app can see that (WEBSITE_AUTH_ENABLED).
    Without `clock`, time is real, but can be moved; the difference is kept in the file.
    """

    _store: Store
    _engine: Engine
    _hub = "TestHubName"

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
        self._stack = AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Load the app and serve it on 127.0.0.1. Raises BadApp, InUse, and what importing the app raises."""
        async with AsyncExitStack() as stack:
            self._store = Store(self._database)
            stack.callback(self._store.close)
            listener = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            stack.callback(_set_environment(self._settings()))
            app = load(self._source, self._host_json)
            self._hub = app.extension("durableTask").get("hubName", self._hub)
            threads = ThreadPoolExecutor(_THREADS, "function")
            stack.callback(threads.shutdown, wait=False, cancel_futures=True)
            # The SDK's client keeps its connections for ever, though they belong to this loop. Nobody else closes them.
            stack.push_async_callback(http_utils._close_session)  # noqa: SLF001
            clock, worker = self._clock or _kept_clock(self._store), Worker(threads, self.client())
            self._engine = Engine(app, self._store, clock, worker, limit=self._activities)
            runner = web.AppRunner(self._site(app, clock, worker), access_log=None, shutdown_timeout=self._grace)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.SockSite(runner, listener).start()
            # The first to end: activities may still call the host by their client.
            stack.push_async_callback(self._engine.stop, self._grace)
            self._engine.start()
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Stop serving. What is not done yet is done by the next host on the file."""
        await self._stack.aclose()

    async def idle(self) -> None:
        """Return when no orchestrator or activity is runnable or running: only timers and events are waited for.

        Raises what broke the host, if something did.
        """
        await self._engine.idle()

    def next_timer(self) -> datetime | None:
        """When the next durable timer is due."""
        return self._engine.next_timer()

    def wake(self) -> None:
        """Look at the clock again: it was moved."""
        self._engine.wake()

    async def broken(self) -> None:
        """Return never, but raise what broke the host, once something did."""
        while True:
            self._engine.check()
            await self._engine.change()

    def client(self) -> str:
        """What a function gets for a durable client, and DurableOrchestrationClient is made from."""
        code = f"code={self.system_key(DURABLE_KEY)}"
        base = self.url + DURABLE_PATH
        new = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
        binding = {
            "taskHubName": self._hub,
            "connectionName": "Storage",
            "creationUrls": {
                "createNewInstancePostUri": f"{new}?{code}",
                "createAndWaitOnNewInstancePostUri": (
                    f"{new}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}&{code}"
                ),
            },
            "managementUrls": self._links("INSTANCEID"),
            "baseUrl": base,
            "requiredQueryStringParameters": code,
            "rpcBaseUrl": f"{self.url}{RPC_PATH}/",
            "httpBaseUrl": base,
        }
        return json.dumps(binding)

    def system_key(self, name: str) -> str:
        """The key of an extension's webhook: made once, and kept in the file."""
        if not (key := self._store.setting(f"key {name}")):
            key = secrets.token_urlsafe(32)
            self._store.set_setting(f"key {name}", key)
        return key

    def event_grid_url(self, function: str) -> str:
        """Where Event Grid delivers to a function."""
        return f"{self.url}{EVENT_GRID_PATH}?functionName={function}&code={self.system_key(EVENT_GRID_KEY)}"

    def _links(self, instance: str) -> dict[str, str]:
        base, key = f"{self.url}{DURABLE_PATH}/instances/{instance}", self.system_key(DURABLE_KEY)
        return {"id": instance} | {n: f"{base}{path}?{query}code={key}" for n, (path, query) in _LINKS.items()}

    def _site(self, app: App, clock: Clock, worker: Worker) -> web.Application:
        management = Management(self._store, self._engine, self._links)
        control = Control(app, self._engine, clock, self._keys)
        site = web.Application(client_max_size=_LARGEST_BODY)
        if self._verify:
            site.middlewares.append(sign_in(self._verify, (*self._excluded, RPC_PATH, *CONTROL_PATHS)))
        site.add_routes(management.routes(DURABLE_PATH, self._keyed(DURABLE_KEY)))
        site.add_routes(management.routes(RPC_PATH, local_only))
        site.add_routes(control.routes())
        site.router.add_route("*", EVENT_GRID_PATH, self._keyed(EVENT_GRID_KEY)(Webhook(app, worker).handle))
        site.router.add_route("*", "/{_:.*}", Functions(app, worker).handle)
        return site

    def _keys(self) -> Json:
        return {"systemKeys": {name: self.system_key(name) for name in (DURABLE_KEY, EVENT_GRID_KEY)}}

    def _keyed(self, name: str) -> Callable[[Handler], Handler]:
        """Open a webhook to those who have its system key."""

        def guard(handler: Handler) -> Handler:
            async def guarded(request: web.Request) -> web.StreamResponse:
                given = request.query.get("code") or request.headers.get("x-functions-key") or ""
                if not hmac.compare_digest(given.encode(), self.system_key(name).encode()):
                    return web.Response(status=401)
                return await handler(request)

            return guarded

        return guard

    def _settings(self) -> dict[str, str]:
        settings = {
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "WEBSITE_AUTH_ENABLED": str(self._verify is not None),
            "WEBSITE_HOSTNAME": self.url.partition("//")[2],
        }
        if isinstance(self._source, Path):
            settings["AzureWebJobsScriptRoot"] = str(self._source.resolve())
        return settings


def _set_environment(settings: dict[str, str]) -> Callable[[], None]:
    """Set app settings. Returns what puts back those that were there."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return restore


def _kept_clock(store: Store) -> KeptClock:
    """Real time, with an offset that is kept in microseconds."""
    name, microsecond = "clock offset", timedelta(microseconds=1)
    offset = int(store.setting(name) or 0) * microsecond
    return KeptClock(offset, lambda moved: store.set_setting(name, str(moved // microsecond)))
