"""A host that is killed while a machine is rebuilt goes on with the same rebuild: never a second one."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from sandbox.azure.world import Pace
from sandbox.drill import Drill, perform
from sandbox.scene import EXERCISES, Scene, load
from sandbox.score import Score
from sandbox.stage import identity

Json = dict[str, Any]

# What may be done once: a reimage, a disk made, a disk put in.
WRITES = {"specialized-disk-swap": ("PUT", "PATCH"), "vm-run-command": ("POST",), "ephemeral-disk": ("POST",)}
# Deaths, in calls from those writes. What runs side by side is not in the same order each time.
MOMENTS = {"specialized-disk-swap": range(0, 3, 2), "vm-run-command": range(0, 8, 4), "ephemeral-disk": range(-3, 4, 3)}


class Response(NamedTuple):
    score: Score
    calls: list[Json]  # of the responder, in order
    died: bool


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the response on, everything that Azure does takes twenty seconds: the engine asks several times."""
    attack = Drill.attack

    async def attacked(drill: Drill) -> None:
        await attack(drill)
        drill.sandbox.world.pace = Pace(seconds=20)

    monkeypatch.setattr(Drill, "attack", attacked)


def scanned_soon(scene: Scene) -> Scene:
    """With no hours of scans, which would be most of what is asked of Azure: what dies here is a rebuild."""
    machines = tuple(replace(machine, scan_seconds=20) for machine in scene.world.machines)
    return replace(scene, world=replace(scene.world, machines=machines))


async def respond(name: str, folder: Path, kill_at_call: int | None = None) -> Response:
    scene, told = scanned_soon(load(EXERCISES / f"{name}.yaml")), list[str]()
    score = await perform(scene, kill_at_call=kill_at_call, keep=folder, tell=lambda event, _: told.append(event))
    requests = json.loads((folder / name / "requests.json").read_text())
    return Response(score, [r for r in requests if r["caller"] == identity(scene)], "died" in told)


def rebuilds(calls: Sequence[Json], name: str) -> list[int]:
    """Where among the calls a machine gets another system; what an undo does lies after those."""
    found = [
        n
        for n, call in enumerate(calls, 1)
        if call["method"] in WRITES[name]
        and call["status"] in {200, 201, 202}
        and (call["path"].endswith("/reimage") or "-clean-" in call["path"] or _is_machine(call["path"]))
    ]
    return found[:2] if name == "specialized-disk-swap" else found


def _is_machine(path: str) -> bool:
    return path.rpartition("/")[0].endswith("/virtualMachines")


@pytest.mark.parametrize("name", WRITES)
async def test_killed_at_any_poll_of_a_rebuild_it_goes_on_with_the_same(name: str, tmp_path: Path) -> None:
    whole = await respond(name, tmp_path / "whole")
    assert whole.score.failures == ()
    once = rebuilds(whole.calls, name)
    assert len(once) == len(WRITES[name])
    for call in sorted({at + moment for at in once for moment in MOMENTS[name]}):
        killed = await respond(name, tmp_path / str(call), call)
        assert killed.died
        assert killed.score.failures == (), call
        assert len(rebuilds(killed.calls, name)) == len(once), call
        sent = [c["path"] for c in killed.calls if c["method"] == "POST" and c["path"].endswith("/reimage")]
        assert len(sent) <= 1, call
