"""A sandbox whose subscription streams its log to a workspace, things done in it, and the responder that reads it."""

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp
import msgspec
from azure.core.pipeline.transport import AioHttpTransport

from responders.azure import Azure
from responders.investigation import sources
from responders.investigation.activity import Activity
from responders.investigation.events import Notes
from responders.settings import Settings
from sandbox.azure import Clock, Sandbox, World
from tests.sandbox.arm import MALLORY, NOW, OPS, STORE, SUB, WORLD, Arm, G, Json, S, an_id

WORKSPACE = "cccccccc-1111-4222-8333-444444444444"
HOME = f"{G}/providers/Microsoft.OperationalInsights/workspaces/logs"
SETTING = f"{S}/providers/Microsoft.Insights/diagnosticSettings/to-logs"
STREAM: Json = {"workspaceId": HOME, "logs": [{"category": "Administrative", "enabled": True}]}
RESPONDER = an_id(77)
SITE = f"{G}/providers/Microsoft.Web/sites/shop"

DAY = timedelta(days=1)


def world(rights: Iterable[str], scopes: Iterable[str] = (S,)) -> Json:
    role = {"name": "watching", "scopes": [S], "actions": list(rights)}
    return {
        "service_principals": [{"name": "responder", "appId": RESPONDER}],
        "resources": [
            {"id": HOME, "location": "westeurope", "properties": {"customerId": WORKSPACE}},
            {"id": SETTING, "properties": STREAM},
        ],
        "role_definitions": [role],
        "role_assignments": [{"scope": s, "role": "watching", "principal": RESPONDER} for s in scopes],
    }


@dataclass
class Watched:
    """The sandbox, who calls it, and the responder's view of it, with and without the workspace."""

    sandbox: Sandbox
    call: Arm
    azure: Azure
    notes: Notes = field(default_factory=Notes)

    @property
    def clock(self) -> Clock:
        return self.sandbox.clock

    def asked(self, service: str) -> list[str]:
        """Paths that the responder asked a service for."""
        oid = self.call.oid(RESPONDER)
        return [r.path for r in self.sandbox.requests if r.service == service and r.caller == oid]

    async def activities(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        window: datetime | None = None,
        workspace: str = WORKSPACE,
    ) -> list[Activity]:
        """What the log says, oldest first. Where no window is given, all of it lies before one."""
        settings = msgspec.structs.replace(self.azure.settings, workspace=workspace)
        now = self.clock.now()
        read = sources.activities(
            self.azure,
            settings,
            SUB,
            since or now - 30 * DAY,
            until or now,
            window=window or until or now,
            now=now,
            notes=self.notes,
        )
        return sorted([a async for a in read], key=lambda a: (a.at, a.operation, a.resource))

    async def done(self, count: int = 3, *, every: timedelta = timedelta(hours=1)) -> None:
        """Some things, one after the other."""
        for n in range(count):
            self.clock.advance(every)
            assert (await self.call("PUT", f"{SITE}{n}", {"location": "westeurope"}, who=MALLORY)).status < 300

    async def history(self) -> None:
        """Two weeks of this and that."""
        self.clock.set(NOW - 14 * DAY)
        await self.done(5, every=timedelta(hours=9))
        await self.call("DELETE", STORE, who=MALLORY)
        await self.call("DELETE", f"{S}/resourceGroups/none", who=an_id(77))  # refused
        self.clock.advance(2 * DAY)
        await self.call("PUT", f"{S}/resourceGroups/lab", {"location": "westeurope", "tags": {"a": "b"}}, who=OPS)
        await self.call("DELETE", f"{S}/resourceGroups/lab", who=OPS)  # takes time
        self.clock.set(NOW - timedelta(hours=2))
        await self.done(2, every=timedelta(minutes=20))
        self.clock.set(NOW)


@asynccontextmanager
async def watched(
    rights: Iterable[str] = sources.PERMISSIONS, scopes: Iterable[str] = (S,), more: Json | None = None
) -> AsyncIterator[Watched]:
    """That sandbox; its clock stands at NOW."""
    made = World()
    for part in (WORLD, world(rights, scopes), more or {}):
        made.load(part, NOW - 365 * DAY)
    async with Sandbox(made, clock=Clock(NOW, running=False)) as sandbox:
        sandbox.throttle.on = False
        said = {"COUNTERSIGN_SUBSCRIPTIONS": SUB, "COUNTERSIGN_EVIDENCE": "memory://"}
        settings = Settings.load(sandbox.environment(RESPONDER) | said)
        tls = ssl.create_default_context(cafile=sandbox.ca_file)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
            AioHttpTransport(connection_verify=sandbox.ca_file) as transport,
        ):
            yield Watched(sandbox, Arm(sandbox, session), Azure(settings, sandbox.credential(RESPONDER), transport))
