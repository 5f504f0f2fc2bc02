"""A world that was attacked, and one action in it, with the rights of that action and no others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport

from playbooks.case import build as build_case
from playbooks.dispatch import PLAYBOOKS, subjects
from responders.action import Action
from responders.azure import Azure, explained
from responders.errors import Temporary
from responders.investigation import scope
from responders.investigation.findings import findings
from responders.model import Case, Change, Outcome, Subject
from responders.services import Services
from responders.settings import Settings
from sandbox import alerting, stage
from sandbox.azure import Clock, Sandbox
from sandbox.drill import play
from sandbox.people import People
from sandbox.scene import EXERCISES, Scene, load

LAW = "law"  # the identity that has one action's rights
_TRIES = 20


@cache
def attacks() -> tuple[Path, ...]:
    """The exercises in which something has to be evicted."""
    files = sorted(EXERCISES.glob("*.yaml"))
    return tuple(file for file in files if load(file).exercise.expect.evicted)


class Identity:
    """Signs in as somebody of the sandbox."""

    def __init__(self, sandbox: Sandbox, who: str) -> None:
        self._sandbox, self._who = sandbox, who

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        graph, vault = scopes[0].startswith(self._sandbox.endpoints.graph), "vault" in scopes[0]
        return AccessToken(self._sandbox.token(self._who, "graph" if graph else "vault" if vault else "arm"), 2**40)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class Attacked:
    """One attacked world."""

    scene: Scene
    sandbox: Sandbox
    case: Case
    azure: Azure  # as the identity that has one action's rights

    def subjects(self, action: Action) -> list[Subject]:
        kinds = {kind for kind, book in PLAYBOOKS.items() if action.id in {step.action for step in book}}
        return [s for s in subjects(self.case) if s.kind in kinds]

    def state(self) -> Mapping[str, Any]:
        return stage.state(self.sandbox, self.scene.exercise)

    def writes(self, since: int) -> list[str]:
        calls = self.sandbox.requests[since:]
        reads = ("/getByIds", "/$batch")
        return [f"{r.method} {r.path}" for r in calls if r.method != "GET" and not r.path.endswith(reads)]

    async def plan(self, action: Action) -> list[Change]:
        with explained("plan"):
            plans = [await action.plan(self.case, s, self.azure) for s in self.subjects(action)]
        return [change for plan in plans for change in plan.changes]

    async def until_settled(self, function: Callable[[Change, Azure], Awaitable[Outcome]], change: Change) -> Outcome:
        """Call like the engine does: again while it says Temporary, with time passing in between."""
        for _ in range(_TRIES):
            try:
                with explained(change.summary):
                    return await function(change, self.azure)
            except Temporary:
                self.sandbox.clock.advance(timedelta(seconds=15))
        raise AssertionError(f"{change.summary} never settles.")


@asynccontextmanager
async def attacked(file: Path, rights: Iterable[str]) -> AsyncIterator[Attacked]:
    """The world after the attack of an exercise, and the case that the responder makes of its alert."""
    scene = load(file)
    world, clock = stage.build(scene, {LAW: rights}), Clock(scene.now)
    async with Sandbox(world, clock=clock) as sandbox, People(sandbox, scene) as people:
        await play(scene, sandbox, people)
        raised = alerting.raised(scene, world, clock)
        said = stage.environment(scene, sandbox, Path()) | {"COUNTERSIGN_EVIDENCE": "memory://"}
        settings = Settings.load(said)
        async with AioHttpTransport(connection_verify=sandbox.ca_file) as transport:
            its = Services(settings)
            its.azure = Azure(settings, Identity(sandbox, stage.identity(scene)), transport)
            azure = Azure(settings, Identity(sandbox, stage.identity(scene, LAW)), transport)
            yield Attacked(scene, sandbox, await _case(its, raised["id"], clock.now()), azure)


async def _case(its: Services, alert: str, at: datetime) -> Case:
    from responders import defender

    found = await defender.read(its.azure, alert)
    assert found
    case, _ = await scope.widen(its.azure, await build_case(its, "incident", found, at))
    told = await findings(its.azure, its.settings, case, now=at)
    return case.having(findings=told.findings, notes=told.notes, makers=told.makers)
