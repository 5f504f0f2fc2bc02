"""One history, read from Azure Monitor, from Log Analytics, or from both: the findings are the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from azure.core.pipeline.transport import AioHttpTransport

from playbooks.case import build as build_case
from responders import defender
from responders.azure import Azure
from responders.investigation import log_analytics
from responders.investigation.events import Notes
from responders.investigation.findings import Found, findings, told
from responders.investigation.join import Join
from responders.investigation.rules import Rules
from responders.investigation.window import Window
from responders.model import Case
from responders.services import Services
from responders.settings import Settings
from sandbox import alerting, stage
from sandbox.azure import Clock, Sandbox
from sandbox.people import People
from sandbox.playing import play
from sandbox.scene import EXERCISES, Scene, load
from tests.responders.investigation.watched import WORKSPACE


class Subscription:
    """One whose log has gone to a workspace since it was made, after the attack of an exercise."""

    def __init__(self, its: Services, case: Case, sandbox: Sandbox) -> None:
        self.its, self.case, self.sandbox = its, case, sandbox

    @property
    def now(self) -> datetime:
        return self.sandbox.clock.now()

    async def findings(self, workspace: str = "") -> Found:
        settings = msgspec.structs.replace(self.its.settings, workspace=workspace)
        return await findings(self.its.azure, settings, self.case, now=self.now)

    async def findings_of_log_analytics(self) -> Found:
        """What there would be if there were nothing but the workspace."""
        azure, case = self.its.azure, self.case
        began = case.since - self.its.settings.baseline
        window = Window(Rules.load(), case.suspects, began, case.since, await azure.own_id())
        notes = Notes()
        joined = Join(notes)
        counted = await log_analytics.hours(azure, WORKSPACE, case.subscription, began, case.until)
        spans = [(max(a, began), min(b, case.until)) for a, b in log_analytics.spans(counted)]
        async for part in log_analytics.read(azure, WORKSPACE, case.subscription, spans, notes):
            assert part.whole
            for one in joined.take(part.events, "log_analytics"):
                window.take(one)
        for one in joined.rest():
            window.take(one)
        assert list(notes) == []
        return told(window, case.alert.type)


@asynccontextmanager
async def subscription() -> AsyncIterator[Subscription]:
    scene = streamed(load(EXERCISES / "three-honest-weeks.yaml"))
    world, clock = stage.build(scene), Clock(scene.now)
    async with Sandbox(world, clock=clock) as sandbox, People(sandbox, scene) as people:
        await play(scene, sandbox, people)
        raised = alerting.raised(scene, world, clock)
        settings = Settings.load(stage.environment(scene, sandbox, Path()) | {"COUNTERSIGN_EVIDENCE": "memory://"})
        async with AioHttpTransport(connection_verify=sandbox.ca_file) as transport:
            its = Services(settings)
            its.azure = Azure(settings, sandbox.credential(stage.identity(scene)), transport)
            alert = await defender.read(its.azure, raised["id"])
            assert alert
            yield Subscription(its, await build_case(its, "incident", alert, clock.now()), sandbox)


def streamed(scene: Scene) -> Scene:
    """The same, with a workspace that the log goes to."""
    where = f"/subscriptions/{scene.world.responder.subscriptions[0]}"
    home = f"{where}/resourceGroups/{scene.world.resource_groups[0].id.rsplit('/', 1)[-1]}"
    home += "/providers/Microsoft.OperationalInsights/workspaces/logs"
    stream = {"workspaceId": home, "logs": [{"category": "Administrative", "enabled": True}]}
    more = (
        {"id": home, "location": "westeurope", "properties": {"customerId": WORKSPACE}},
        {"id": f"{where}/providers/Microsoft.Insights/diagnosticSettings/to-logs", "properties": stream},
    )
    world = msgspec.structs.replace(scene.world, resources=(*scene.world.resources, *more))
    return msgspec.structs.replace(scene, world=world)


async def test_whatever_the_source_the_findings_are_the_same() -> None:
    async with subscription() as its:
        monitor = (await its.findings()).findings
        logs = (await its.findings_of_log_analytics()).findings
        both = (await its.findings(WORKSPACE)).findings

    assert len(monitor) >= 30
    # Rule, level, score, the points and their reasons, resource, caller, outcome, events: all of it.
    assert logs == monitor
    assert both == monitor
