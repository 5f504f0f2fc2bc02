"""A world that was attacked, and one action in it, with the rights of that action and no others."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from azure.core.pipeline.transport import AioHttpTransport

from playbooks.case import build as build_case
from playbooks.dispatch import PLAYBOOKS, subjects
from responders.action import Action
from responders.actions import action
from responders.azure import Azure, explained
from responders.errors import Temporary
from responders.investigation import everywhere, scope
from responders.model import Case, Change, Outcome, Subject
from responders.services import Services
from responders.settings import Settings
from sandbox import alerting, stage
from sandbox.azure import Clock, Sandbox, World
from sandbox.people import People
from sandbox.playing import play
from sandbox.scene import EXERCISES, Scene, load

LAW = "law"  # the identity that has one action's rights
# What has to be done before an action finds anything to do; everything else is planned right after the attack.
_APPLICATIONS = ("disable", "remove_federated_credentials", "remove_certificates", "remove_secrets")
AFTER = {
    "subscriptions.remove_role_definitions": ("subscriptions.strip_role_assignments",),
    "users.enable": (
        "users.disable",
        "users.remove_phones_and_emails",
        "users.remove_authentication_methods",
        "users.reset_password",
    ),
    "users.remove_authentication_methods": ("users.remove_phones_and_emails",),
    "vms.reset_passwords": ("vms.capture_evidence", "vms.list_accounts"),
    "vms.reimage": ("vms.capture_evidence",),
    "vms.reimage_in_place": ("subscriptions.delete_resources", "vms.capture_evidence"),
    "vms.release": ("vms.isolate", "vms.capture_evidence", "vms.scan", "vms.reimage"),
    "service_principals.enable": tuple(f"service_principals.{name}" for name in _APPLICATIONS),
}
_TRIES = 20


_scene = cache(load)


@cache
def attacks() -> tuple[Path, ...]:
    """The exercises in which something has to be evicted, or to be as it was before."""
    expected = ((file, _scene(file).exercise.expect) for file in sorted(EXERCISES.glob("*.yaml")))
    return tuple(file for file, expect in expected if expect.evicted or expect.reverted)


class _Kept(NamedTuple):
    """An attacked world as it is kept, so that each attack is made once for all tests of a process."""

    scene: Scene
    world: str  # JSON
    now: datetime
    case: Case


@dataclass
class Attacked:
    """One attacked world."""

    scene: Scene
    sandbox: Sandbox
    case: Case
    azure: Azure  # as the identity that has one action's rights

    def subjects(self, action: Action) -> list[Subject]:
        return _subjects(self.case, action)

    def state(self) -> Mapping[str, Any]:
        return stage.state(self.sandbox, self.scene.exercise)

    def writes(self, since: int) -> list[str]:
        calls = self.sandbox.requests[since:]
        reads = (
            "/getByIds",
            "/$batch",
            "/exportTemplate",
            "/Microsoft.ResourceGraph/resources",
            "/listKeys",
            "/getShareableLinks",
            "/backupStatus",
            "/listCredentials",
        )
        return [f"{r.method} {r.path}" for r in calls if r.method != "GET" and not r.path.endswith(reads)]

    async def plan(self, action: Action) -> list[Change]:
        with explained("plan"):
            plans = [await action.plan(self.case, s, self.azure) for s in self.subjects(action)]
        return [change for plan in plans for change in plan.changes]

    async def do(self, action: Action) -> None:
        """Plan, apply and verify, all of it."""
        for change in await self.plan(action):
            await self.until_settled(action.apply, change)
            await self.until_settled(action.verify, change)
            self.case = self.case.having(done=(*self.case.done, change))

    async def until_settled(self, function: Callable[[Change, Azure], Awaitable[Outcome]], change: Change) -> Outcome:
        """Call like the engine does: again while it says Temporary, with time passing in between."""
        hours = next((s.hours for book in PLAYBOOKS.values() for s in book if s.action == change.action), 0)
        for _ in range(_TRIES):
            try:
                with explained(change.summary):
                    return await function(change, self.azure)
            except Temporary:
                self.sandbox.clock.advance(timedelta(seconds=max(15, hours * 3600 // _TRIES)))
        raise AssertionError(f"{change.summary} never settles.")


@asynccontextmanager
async def attacked(file: Path, rights: Iterable[str], *, before: Action | None = None) -> AsyncIterator[Attacked]:
    """The world after the attack of an exercise, and the case that the responder makes of its alert.

    `before`: what AFTER has for that action is done already.
    """
    steps = AFTER.get(before.id, ()) if before else ()
    kept = _worlds.get((file, steps)) or await _prepare(file, steps)
    async with _revived(kept, rights) as world:
        yield world


async def found(action: Action, file: Path) -> int:
    """How many changes an action plans in an exercise: where it has nothing to do, no law can be broken."""
    if (action.id, file) not in _found:
        kept = _worlds.get((file, ())) or await _prepare(file, ())
        count = 0
        if _subjects(kept.case, action):
            async with attacked(file, action.permissions, before=action) as world:
                first = len(world.sandbox.requests)
                count = len(await world.plan(action))
                assert world.writes(first) == []
        _found[action.id, file] = count
    return _found[action.id, file]


_worlds: dict[tuple[Path, tuple[str, ...]], _Kept] = {}
_found: dict[tuple[str, Path], int] = {}


async def _prepare(file: Path, steps: tuple[str, ...]) -> _Kept:
    if steps:
        kept = _worlds.get((file, ())) or await _prepare(file, ())
        actions = [action(id_) for id_ in steps]
        rights = {right for one in actions for right in one.permissions}
        async with _revived(kept, rights) as attacked:
            for one in actions:
                await attacked.do(one)
            # What was done has to lie in the past of what comes after, in logs that count in seconds.
            attacked.sandbox.clock.advance(timedelta(minutes=5))
            kept = _kept(attacked.scene, attacked.sandbox, attacked.case)
    else:
        scene = _scene(file)
        world, clock = stage.build(scene), Clock(scene.now)
        async with Sandbox(world, clock=clock) as sandbox, People(sandbox, scene) as people:
            await play(scene, sandbox, people)
            raised = alerting.raised(scene, world, clock)
            async with _signed_in(scene, sandbox, "") as its:
                kept = _kept(scene, sandbox, await _case(its, raised["id"], clock.now()))
    _worlds[file, steps] = kept
    return kept


def _kept(scene: Scene, sandbox: Sandbox, case: Case) -> _Kept:
    return _Kept(scene, json.dumps(sandbox.world.dump()), sandbox.clock.now(), case)


@asynccontextmanager
async def _revived(kept: _Kept, rights: Iterable[str]) -> AsyncIterator[Attacked]:
    world = World.restore(json.loads(kept.world))
    stage.admit(world, kept.scene, LAW, rights)
    async with Sandbox(world, clock=Clock(kept.now)) as sandbox, _signed_in(kept.scene, sandbox, LAW) as its:
        yield Attacked(kept.scene, sandbox, kept.case, its.azure)


@asynccontextmanager
async def _signed_in(scene: Scene, sandbox: Sandbox, name: str) -> AsyncIterator[Services]:
    """What the responder works with, as the responder or as another identity."""
    said = stage.environment(scene, sandbox, Path()) | {"COUNTERSIGN_EVIDENCE": "memory://"}
    its = Services(Settings.load(said))
    async with AioHttpTransport(connection_verify=sandbox.ca_file) as transport:
        its.azure = Azure(its.settings, sandbox.credential(stage.identity(scene, name)), transport)
        yield its


def _subjects(case: Case, action: Action) -> list[Subject]:
    kinds = {kind for kind, book in PLAYBOOKS.items() if action.id in {step.action for step in book}}
    return [s for s in subjects(case) if s.kind in kinds]


async def _case(its: Services, alert: str, at: datetime) -> Case:
    from responders import defender

    found = await defender.read(its.azure, alert)
    assert found
    case, _ = await scope.widen(its.azure, await build_case(its, "incident", found, at))
    case, _ = await everywhere.look(its.azure, its.settings, case, now=at)
    return case
