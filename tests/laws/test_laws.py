"""The five laws. Each runs over every action and every attack that the action has something to do in."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from responders.action import Action
from responders.actions import ACTIONS
from responders.errors import Permanent
from sandbox.score import restored
from tests.laws.stage import Attacked, attacked, attacks, found

Check = Callable[[Action, Attacked], Awaitable[None]]


def law(check: Check) -> Callable[[Action], Awaitable[None]]:
    """A test of each action that makes the check in every exercise in which the action has something to do."""

    @pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
    async def test(action: Action) -> None:
        for file in attacks():
            if await found(action, file):
                async with attacked(file, action.permissions, before=action) as world:
                    try:
                        await check(action, world)
                    except AssertionError as error:
                        error.add_note(f"In exercise {file.stem}.")
                        raise

    test.__name__ = check.__name__
    return test


@law
async def test_plan_writes_nothing(action: Action, world: Attacked) -> None:
    before, first = world.state(), len(world.sandbox.requests)

    await world.plan(action)

    assert world.state() == before
    assert world.writes(first) == []


@law
async def test_apply_twice_is_apply_once(action: Action, world: Attacked) -> None:
    changes = await world.plan(action)
    for change in changes:
        await world.until_settled(action.apply, change)
        await world.until_settled(action.verify, change)
    once, first = world.state(), len(world.sandbox.requests)

    again = [await world.until_settled(action.apply, change) for change in changes]

    assert [outcome.status for outcome in again] == ["already_so"] * len(changes)
    assert world.state() == once
    assert world.writes(first) == []


@law
async def test_verify_is_clean_after_apply_and_nothing_is_left_to_plan(action: Action, world: Attacked) -> None:
    for change in await world.plan(action):
        assert (await world.until_settled(action.apply, change)).status == "done"
        assert (await world.until_settled(action.verify, change)).status == "done"

    if action.reversible:  # what can't be undone can be done again: sessions are ended anew
        assert await world.plan(action) == []


@law
async def test_undo_restores_the_world_or_says_why_not(action: Action, world: Attacked) -> None:
    before = world.state()
    changes = await world.plan(action)
    for change in changes:
        await world.until_settled(action.apply, change)
        await world.until_settled(action.verify, change)
    between = world.state()

    undone = [await world.until_settled(action.undo, change) for change in reversed(changes)]

    if action.reversible:
        assert [outcome.status for outcome in undone] == ["done"] * len(changes)
        assert restored(before, world.state(), between=between) == ()
        again = [await world.until_settled(action.undo, change) for change in changes]
        assert [outcome.status for outcome in again] == ["already_so"] * len(changes)
    else:
        assert all(outcome.status == "failed" and outcome.reason for outcome in undone)
        assert all(change.lasting for change in changes)  # whoever approves it reads before what stays


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
async def test_some_exercise_needs_the_action(action: Action) -> None:
    needed = [file for file in attacks() if await found(action, file)]

    assert needed, f"No exercise has anything for {action.id}: write one (docs/exercises.md)."


RIGHTS = [(action, right) for action in ACTIONS for right in action.permissions]


@pytest.mark.parametrize(("action", "right"), RIGHTS, ids=[f"{a.id}-{r.rsplit('/', 2)[-2:]}" for a, r in RIGHTS])
async def test_every_right_is_needed(action: Action, right: str) -> None:
    """Without it some exercise comes to a refusal; with all of them, by the laws above, none does."""
    rest = [other for other in action.permissions if other != right]
    needed = [file for file in attacks() if await found(action, file)]
    for file in (*needed, *(file for file in attacks() if file not in needed)):  # most show it where there are changes
        if await _refused(action, file, rest):
            return
    pytest.fail(f"{action.id} works without {right}: take it out of its permissions.")


async def _refused(action: Action, file: Path, rights: list[str]) -> bool:
    async with attacked(file, rights, before=action) as world:
        try:
            changes = await world.plan(action)
            for change in changes:
                await world.until_settled(action.apply, change)
                await world.until_settled(action.verify, change)
            if action.reversible:
                for change in reversed(changes):
                    await world.until_settled(action.undo, change)
        except Permanent as error:
            return " 403 " in str(error)
    return False
