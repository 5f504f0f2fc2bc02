"""Performs an exercise: an Azure and a Functions host are booted, the deed is done, and people answer the response."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from sandbox import alerting, log_ins, logic_app
from sandbox.answering import Answering
from sandbox.azure import Clock, Faults, Sandbox
from sandbox.azure.errors import ApiError
from sandbox.host import LOG, Host
from sandbox.innocent import Innocent
from sandbox.lasting import lasting
from sandbox.people import People, Unexpected
from sandbox.playing import Tell, nothing, play
from sandbox.scene import Scene, load
from sandbox.score import Score, State, Tally, key_of, restored, tally
from sandbox.stage import build, environment, identity, state
from sandbox.thief import Thief

_OPEN = {"Active", "InProgress"}
_PARTS = 3  # of the key of an object of the directory: "", its collection and its id


async def perform(
    scene: Scene,
    *,
    kill_at: int | None = None,
    kill_at_call: int | None = None,
    faults: Faults | None = None,
    latency: float = 0.0,
    keep: Path | None = None,
    tell: Tell = nothing,
) -> Score:
    """Perform an exercise and score the response.

    `kill_at`: the host process is killed at that moment (mortal.py), and started again.
    `kill_at_call`: the same at the responder's nth call to Azure, whose effect happens while nobody hears of it.
    `faults`, `latency` (seconds): Azure's.
    `keep`: a folder that gets <id>/ with the incident, the evidence and the logs.
    `tell`: is called with what happens, as it happens: call, alert, incident (each time it is read), answer, vote,
    undo, died, score.
    """
    with tempfile.TemporaryDirectory(prefix="countersign-") as scratch:
        folder = (keep or Path(scratch)) / scene.exercise.id
        _clear(folder)
        fate = _Fate(faults or Faults(), identity(scene), kill_at_call)
        async with (
            Sandbox(build(scene), clock=Clock(scene.now), faults=fate, latency=latency) as sandbox,
            People(sandbox, scene) as people,
        ):
            host = Host(folder, environment(scene, sandbox, folder), sandbox, kill_at=kill_at)
            fate.kill = host.kill
            drill = Drill(scene, sandbox, people, host, tell)
            try:
                return await drill.run()
            finally:
                await host.stop()
                if keep:
                    drill.keep(folder)


def _clear(folder: Path) -> None:
    """An empty folder: of what a former performance left there a host would take up the runs, and another's evidence.

    Raises FileExistsError where there is something else.
    """
    if (folder / LOG).exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds something that is no exercise's: give --keep another directory.")


class _Fate(Faults):
    """Azure's faults, and the death of the host at one of the responder's calls."""

    kill: Callable[[], None]

    def __init__(self, faults: Faults, caller: str, nth: int | None) -> None:
        super().__init__(faults.retry_after, faults.lag)
        self._faults, self._caller, self._nth, self._calls = faults, caller, nth, 0

    def next(self, method: str, path: str, caller: str) -> str:
        """Name the fault of a call that comes in now; "" for none. What has come in is answered, heard or not."""
        self._calls += caller == self._caller
        if self._calls == self._nth and caller == self._caller:
            self.kill()
        return self._faults.next(method, path, caller)

    def answer(self, name: str) -> ApiError | None:
        """What the fault answers."""
        return self._faults.answer(name)


def perform_file(file: Path, keep: Path | None = None) -> Score:
    """Read, perform and score one file, in whatever process. Raises BadFile."""
    return asyncio.run(perform(load(file), keep=keep))


class Drill:
    """One performance."""

    def __init__(
        self,
        scene: Scene,
        sandbox: Sandbox,
        people: People,
        host: Host,
        tell: Tell,
    ) -> None:
        self.scene, self.sandbox, self.people, self.host, self.tell = scene, sandbox, people, host, tell
        self.answering = Answering(scene, people, host, tell)
        self.thief = Thief(scene, sandbox, people)
        self.alert: dict[str, Any] = {}
        self.innocent = Innocent(self._state)

    async def run(self) -> Score:
        """All of it. What stops it early becomes a failure of the score."""
        failures: list[str] = []
        undone: bool | None = None
        seconds, calls = 0.0, 0
        before: State = {}
        after: State = {}
        shut: set[str] = set()
        try:
            await self.attack()
            before = self._state()
            await self.thief.take(key.rpartition("/")[2] for key in self._people("/users/"))
            failures += log_ins.shut(self.sandbox, self.scene.exercise)
            first, began = len(self.sandbox.requests), time.perf_counter()
            await self.answering.respond(await self.deliver())
            seconds, calls = time.perf_counter() - began, self._calls(first)
            after = self._state()
            open_, shut = await self._try_all()
            open_ += log_ins.open_(self.sandbox, self.scene.exercise)
            failures += open_
            if restored(before, after):
                await self.answering.undo()
                left = restored(before, self._state(), lasting(self.answering.incident), after)
                failures += left
                undone = not left
        except Unexpected as error:
            failures.append(str(error))
            after = after or self._state()
        found = (
            tally(self.scene.exercise.expect, before, after, self._names(), shut, self.innocent.state, self._accused())
            if before
            else None
        )
        return self._score(found, failures, calls=calls, seconds=seconds, undone=undone)

    def _accused(self) -> set[str]:
        """Object ids of those as whom the attack acts and whom the alert names."""
        named = {str(one.get("aadUserId")).lower() for one in self.alert.get("properties", {}).get("entities", ())}
        return named & {self.scene.who(call.by).lower() for call in self.scene.exercise.attack}

    async def _try_all(self) -> tuple[list[str], set[str]]:
        """Try the attacker's ways in, let owners come back, and try again: what is wrong, into what nothing leads."""
        identities = self._people("/users/", "/servicePrincipals/", "/applications/")
        failures, shut = await self.thief.tries(identities)
        failures += await self.thief.keys(self.scene.role("Owner")[0])
        owners = {key_of(text, self._names()): text for text in self.scene.exercise.expect.returned}
        vault = environment(self.scene, self.sandbox, Path())["COUNTERSIGN_VAULT"]
        failures += await self.thief.returned(owners, vault)
        if owners:
            again, _ = await self.thief.tries(owners)
            failures += [why for why in again if why not in failures]
        return failures, shut

    def _people(self, *collections: str) -> dict[str, str]:
        """Identities into which nothing may lead any more: their names in the exercise, by key.

        An application is one too of which the exercise names a credential alone.
        """
        expect, names = self.scene.exercise.expect, self._names()
        found = {}
        for text in (*expect.evicted, *expect.returned):
            key = key_of(text, names)
            whole = "/".join(key.split("/")[:_PARTS])
            if key.startswith(collections) and (key == whole or not key.startswith("/users/")):
                found[whole] = text if key == whole else whole
        return found

    def _state(self) -> State:
        return state(self.sandbox, self.scene.exercise)

    async def attack(self) -> None:
        """Do the deed while the host comes up, and let Defender notice. Raises Unexpected."""
        attack = play(self.scene, self.sandbox, self.people, self.tell, self.thief, self.innocent.watch)
        await asyncio.gather(attack, self.host.start())
        self.alert = alerting.raised(self.scene, self.sandbox.world, self.sandbox.clock)
        self.tell("alert", self.alert)

    async def deliver(self) -> str:
        """Bring the alert to the responder by the exercise's channel. Returns the id of the incident."""
        via = self.scene.exercise.alert.via
        if via == "eventgrid":
            await self.answering.event(alerting.event(self.alert))
            return await self.answering.only_incident()
        by = self.scene.role("Sender" if via == "logicapp" else "Approver")[0]
        body = {"id": self.alert["id"]}
        if via == "logicapp":
            body = await logic_app.handed(alerting.exported(self.alert), self.sandbox.clock.now())
        return await self.answering.deliver(by, body)

    def _names(self) -> dict[str, str]:
        """Object ids by name, those included that the exercise itself made."""
        users = self.sandbox.world.directory.objects.values()
        made = {str(u["userPrincipalName"]).lower(): str(u["id"]) for u in users if u.get("userPrincipalName")}
        return {**made, **self.scene.identities}

    def keep(self, folder: Path) -> None:
        """Write what happened into a folder that has the evidence and the host's log already."""
        world = self.sandbox.world
        shown = {
            "incident.json": self.answering.incident,
            "alert.json": self.alert,
            "activity-log.json": world.activity.dump(),
            "requests.json": [asdict(request) for request in self.sandbox.requests],
            "mails.json": world.mails,
        }
        for name, what in shown.items():
            (folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(what)))

    def _calls(self, first: int) -> int:
        """Requests of the responder to Azure since the `first`; signing in doesn't count."""
        me = identity(self.scene)
        return sum(r.caller == me and r.service != "login" for r in self.sandbox.requests[first:])

    def _score(
        self, found: Tally | None, failures: list[str], *, calls: int, seconds: float, undone: bool | None
    ) -> Score:
        expect, alert = self.scene.exercise.expect, "not raised"
        if found is None:  # it was never done, and there is nothing to compare
            found = Tally((0, len(expect.evicted)), (0, 0), ())
        else:
            stored = self.sandbox.world.get(self.alert["id"])
            status = str(stored.properties["status"]) if stored else "gone"
            alert = "open" if status in _OPEN else status.lower()
            if alert != expect.alert:
                result = self.answering.incident.get("result")
                failures = [*failures, f"The alert is {status}, not {expect.alert}; the incident came to: {result}."]
        failures = [*found.failures, *failures]
        if failures:
            failures += [f"The responder says: {trouble}" for trouble in self.answering.troubles()]
        score = Score(
            id=self.scene.exercise.id,
            title=self.scene.exercise.title,
            evicted="/".join(map(str, found.evicted)),
            kept="/".join(map(str, found.kept)),
            alert=alert,
            approvals=self.answering.asked,
            named=len(self.answering.named),
            calls=calls,
            seconds=round(seconds, 3),
            undone=undone,
            passed=not failures,
            failures=tuple(failures),
        )
        self.tell("score", msgspec.to_builtins(score))
        return score
