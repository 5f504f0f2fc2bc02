"""A tenant of the sandbox as the responder sees it, with an intruder in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from responders.action import Action
from responders.azure import Azure
from responders.model import Alert, Case, Change, Outcome, Plan, Principal, Subject
from responders.settings import Settings
from tests.sandbox.estate import MALLORY, NOW, OPS, RESPONDER, SUBSCRIPTION, VAULT, browser, estate
from tests.sandbox.graphs import Graph

Json = dict[str, Any]
WINDOW = timedelta(hours=2)  # it begins so long before NOW


class _Hasty(AioHttpTransport):  # type: ignore[misc]
    """The SDK's retries without their waits."""

    async def sleep(self, duration: float) -> None:  # noqa: ARG002
        await asyncio.sleep(0)


class Tenant:
    """The tenant; what people do in it; and what the responder does."""

    def __init__(self, graph: Graph, azure: Azure) -> None:
        self.graph, self.azure, self.sandbox = graph, azure, graph.azure
        self.suspects = [MALLORY]

    async def does(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Somebody calls Graph, and it works."""
        status, answer = await self.graph(who, method, path, body)
        assert status < 300, answer
        return answer

    async def joins(self, by: str, who: str, group: str, *, what: str = "members") -> None:
        body = {"@odata.id": f"{self.sandbox.endpoints.graph}/v1.0/directoryObjects/{self.graph.id(who)}"}
        await self.does(by, "POST", f"/groups/{self.group(group)}/{what}/$ref", body)

    def later(self, **time: float) -> None:
        self.sandbox.clock.advance(timedelta(**time))

    def forget(self) -> None:
        """As if so much time had passed that nothing is remembered of what was read."""
        self.azure = Azure(self.azure.settings, *self.azure._given)

    def group(self, name: str) -> str:
        found = (g for g in self.sandbox.world.directory.objects.values() if g.get("displayName") == name)
        return str(next(found)["id"])

    def state(self) -> Json:
        return dict(self.sandbox.world.directory.snapshot())

    @property
    def case(self) -> Case:
        until = self.sandbox.clock.now()
        alert = Alert(name="a", type="t", title="t", severity="High", status="Active", start=until, end=until)
        suspects = tuple(Principal(id=self.graph.id(one), kind="user", upn=one) for one in self.suspects)
        return Case(
            incident="i",
            alert=alert,
            subscription=SUBSCRIPTION,
            tenant=self.sandbox.world.tenant,
            suspects=suspects,
            since=NOW - WINDOW,
            until=until,
        )

    def subject(self, who: str = MALLORY) -> Subject:
        return Subject(kind="user", id=self.graph.id(who), name=who, reason="the alert names him")

    async def plan(self, action: Action, who: str = MALLORY) -> Plan:
        return await action.plan(self.case, self.subject(who), self.azure)

    async def apply(self, action: Action, *changes: Change) -> list[str]:
        return [(await self._settled(action.apply(change, self.azure))).status for change in changes]

    async def undo(self, action: Action, *changes: Change) -> list[str]:
        return [(await self._settled(action.undo(change, self.azure))).status for change in changes]

    async def _settled(self, outcome: Any) -> Outcome:
        found: Outcome = await outcome
        return found


@asynccontextmanager
async def tenant(*permissions: str) -> AsyncIterator[Tenant]:
    """A tenant whose responder holds these permissions in Graph."""
    async with estate() as sandbox, browser(sandbox) as session:
        graph = Graph(sandbox, session)
        graph.grant(*permissions)
        said = sandbox.environment(RESPONDER)
        said |= {"COUNTERSIGN_SUBSCRIPTIONS": SUBSCRIPTION, "COUNTERSIGN_EVIDENCE": "memory://"}
        said |= {"COUNTERSIGN_VAULT": f"{sandbox.endpoints.vault}/keep", "COUNTERSIGN_APPROVERS": OPS}
        role = {"scope": VAULT, "role": "Key Vault Secrets Officer", "principal": RESPONDER}
        sandbox.world.load({"role_assignments": [role]}, sandbox.clock.now())
        settings = Settings.load(said)
        async with _Hasty(connection_verify=sandbox.ca_file) as transport:
            yield Tenant(graph, Azure(settings, sandbox.credential(RESPONDER), transport))
