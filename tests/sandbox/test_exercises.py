"""Every exercise, performed: all is evicted, nothing else touched, and undo restores the world."""

from pathlib import Path

import pytest

from sandbox.drill import perform
from sandbox.scene import EXERCISES, load


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("*.yaml")), ids=lambda p: p.stem)
async def test_the_response_evicts_all_touches_nothing_else_and_can_be_undone(path: Path) -> None:
    scene = load(path)
    score = await perform(scene)
    assert score.failures == ()
    assert score.passed
    n = len(scene.exercise.expect.evicted) + len(scene.exercise.expect.reverted)
    assert score.evicted == f"{n}/{n}"
    assert score.undone is (True if n else None)
    assert score.approvals > 0 if n else score.approvals == 0
    # What is evicted only since somebody named it is told in the exercise: an approver in a hurry might not.
    assert score.named == len(scene.exercise.answers.named or ())


STOLEN = EXERCISES / "stolen-operator-runbook.yaml"


# Two moments a commit, right before it and right after; about 140 of them in this exercise, its undo included.
@pytest.mark.parametrize("moment", range(1, 131, 10))
async def test_a_host_that_is_killed_at_any_commit_ends_in_the_same_world(moment: int) -> None:
    told: list[str] = []
    score = await perform(load(STOLEN), kill_at=moment, tell=lambda event, _: told.append(event))
    assert "died" in told
    assert score.failures == ()


# The 68 calls of this exercise, its undo included: what Azure did, nobody heard of.
@pytest.mark.parametrize("call", range(3, 67, 3))
async def test_a_host_that_is_killed_in_the_middle_of_a_call_ends_in_the_same_world(call: int) -> None:
    told: list[str] = []
    score = await perform(load(STOLEN), kill_at_call=call, tell=lambda event, _: told.append(event))
    assert "died" in told
    assert score.failures == ()
