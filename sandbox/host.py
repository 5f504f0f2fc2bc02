"""The Functions host of a drill: a process of its own, so that it can be killed and started again."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

import aiohttp

from sandbox.azure import Sandbox
from sandbox.people import Died, Unexpected

APP = Path(__file__).parents[1]
AUDIENCE = "api://countersign"
LOG = "host.log"
_TAIL = 2000  # characters of its log that a message shows
_GRACE = 15  # seconds to end by itself


class Host:
    """Runs the function app on 127.0.0.1, in the time of the sandbox."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        sandbox: Sandbox,
        *,
        kill_at: int | None = None,
        app: Path = APP,
    ) -> None:
        """`app` is the folder of function_app.py: another one's for another version of it."""
        self._app = app
        self._folder, self._sandbox, self._kill_at = folder, sandbox, kill_at
        # What Azure would set, and nothing of whoever runs the drill: settings and credentials of his are not for it.
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
        self._environment = {**inherited, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._log: IO[bytes] | None = None
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120))
        self.url = ""
        self.next_timer: datetime | None = None  # as of the last `idle` or `advance`
        self.deaths = 0
        self._doomed = kill_at is not None  # whether the next death is meant

    async def start(self) -> None:
        """Start it, at the same address as before. Raises Unexpected when it doesn't come up."""
        keys = f"{self._sandbox.endpoints.login}/{self._sandbox.world.tenant}/discovery/v2.0/keys"
        mortal = ["sandbox.mortal", str(self._kill_at)] if self._kill_at and not self.deaths else ["sandbox.functions"]
        options = [
            "--app",
            str(self._app),
            "--database",
            str(self._folder / "host.db"),
            "--jwks",
            keys,
            "--audience",
            AUDIENCE,
        ]
        port = ["--port", self.url.rpartition(":")[2]] if self.url else []
        self._log = (self._folder / LOG).open("ab")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *mortal, *options, *port,
            cwd=APP, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        assert self._process.stdout  # noqa: S101  it was asked for
        self.url = (await self._process.stdout.readline()).decode().strip()
        if not self.url.startswith("http://"):
            await self._process.wait()
            raise Unexpected(f"The Functions host did not start: {self._told()}")

    async def stop(self) -> None:
        """End it, whatever it is at."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _GRACE)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._log:
            self._log.close()
        await self._session.close()

    def kill(self) -> None:
        """Kill it, now: nothing is cleaned up."""
        if self._process and self._process.returncode is None:
            self._doomed = True
            self._process.kill()

    async def revive(self) -> None:
        """Start it again after it died. Raises Unexpected when nobody killed it."""
        assert self._process  # noqa: S101  what died was there
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _GRACE)
        self.deaths += 1
        self._doomed, doomed = False, self._doomed
        if not doomed:
            raise Unexpected(f"The Functions host died (exit status {self._process.returncode}): {self._told()}")
        await self.start()

    async def idle(self) -> None:
        """Return when all that is left is to wait for people and timers. Raises Died."""
        await self._control("GET", "/host/idle")

    async def advance(self, to: datetime) -> None:
        """Move the time of the host and of Azure. Raises Died."""
        self._sandbox.clock.set(max(to, self._sandbox.clock.now()))
        await self._control("POST", "/host/clock", {"now": self._sandbox.clock.now().isoformat()})

    async def key(self, name: str) -> str:
        """The system key of an extension's webhook. Raises Died."""
        keys = await self._control("GET", "/host/keys")
        return str(keys["systemKeys"][name])  # type: ignore[index]

    async def _control(self, method: str, path: str, body: object = None) -> dict[str, object]:
        try:
            async with self._session.request(method, self.url + path, json=body) as response:
                text = await response.text()
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Died(f"{method} {path}: {error}") from error
        if response.status != 200:  # noqa: PLR2004
            raise Unexpected(
                f"The Functions host is broken: {method} {path} was answered {response.status}: {self._told()}"
            )
        answer: dict[str, object] = json.loads(text)
        if "next_timer" in answer:
            due = answer["next_timer"]
            self.next_timer = datetime.fromisoformat(str(due)) if due else None
        return answer

    def _told(self) -> str:
        return (self._folder / LOG).read_text(encoding="utf-8", errors="replace")[-_TAIL:] or "its log is empty."
