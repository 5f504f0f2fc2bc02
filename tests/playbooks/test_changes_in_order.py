"""A change that follows others is made after them, and waits while one of them has to be tried again."""

import asyncio
from typing import Any

import pytest

from playbooks import changes
from responders.errors import Temporary
from responders.model import Change, Outcome, Plan, Subject

SUBJECT = Subject(kind="subscription", id="s")


def change(name: str, *follows: str) -> Change:
    return Change(action="subscriptions.delete_resources", resource=name, summary=name, follows=follows)


MACHINE, INTERFACE, ADDRESS, OTHER = change("vm"), change("nic", "vm"), change("ip", "nic", "gone"), change("store")
PLAN = Plan(action="subscriptions.delete_resources", subject=SUBJECT, changes=(MACHINE, INTERFACE, ADDRESS, OTHER))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, in order; the machine takes longest, and fails for now if it is in `busy`."""
    made: list[str] = []

    async def apply(_its: Any, _plan: Plan, one: Change, order: Any) -> Outcome | Temporary:
        for _ in range(3 if one is MACHINE else 1):
            await asyncio.sleep(0)
        if one.resource in order["busy"]:
            return Temporary(one.resource)
        made.append(one.resource)
        return Outcome(status="done")

    monkeypatch.setattr(changes, "_apply", apply)
    return made


async def test_each_is_made_after_those_that_it_follows(made: list[str]) -> None:
    its: Any = None
    assert await changes.apply_all(its, PLAN, PLAN.changes, {"busy": ()}) == ["done"] * 4
    assert made == ["store", "vm", "nic", "ip"]


async def test_while_one_has_to_be_tried_again_the_others_go_on_but_for_those_that_follow(made: list[str]) -> None:
    its: Any = None
    with pytest.raises(Temporary, match="vm"):
        await changes.apply_all(its, PLAN, PLAN.changes, {"busy": ("vm",)})
    assert made == ["store"]


async def test_what_is_followed_may_lie_in_an_earlier_batch(made: list[str]) -> None:
    its: Any = None
    assert await changes.apply_all(its, PLAN, PLAN.changes[1:], {"busy": ()}) == ["done"] * 3
    assert made == ["nic", "store", "ip"]
