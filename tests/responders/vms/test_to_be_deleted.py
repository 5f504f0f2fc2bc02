"""A machine that a suspect made is stopped, and left to whoever deletes it."""

import pytest

from responders.action import Action
from responders.vms.capture_evidence import CaptureEvidence
from responders.vms.deallocate import Deallocate
from responders.vms.isolate import Isolate
from responders.vms.list_accounts import ListAccounts
from responders.vms.reset_passwords import ResetPasswords
from tests.laws.stage import Attacked
from tests.responders.vms.attacked import opened


def _his(world: Attacked, action: Action) -> str:
    return next(s.id for s in world.subjects(action) if "rg-batch-8841" in s.id)


@pytest.mark.parametrize("action", [Isolate(), CaptureEvidence(), ListAccounts(), ResetPasswords()], ids=lambda a: a.id)
async def test_it_is_not_cleaned(action: Action) -> None:
    async with opened(action, "cryptomining") as world:
        for subject in world.subjects(action):
            if subject.id == _his(world, action):
                plan = await action.plan(world.case, subject, world.azure)
                assert (plan.changes, plan.by_hand) == ((), ())
                assert "is to be deleted (subscriptions.delete_resources), not cleaned" in plan.reason


async def test_it_is_stopped_so_that_nothing_it_does_goes_on() -> None:
    action = Deallocate()
    async with opened(action, "cryptomining") as world:
        subject = next(s for s in world.subjects(action) if s.id == _his(world, action))
        (change,) = (await action.plan(world.case, subject, world.azure)).changes
        assert "is to be deleted" in change.reasons[1]
