"""What a suspect recovered, though it is as old as it was before."""

from collections.abc import AsyncIterator

import pytest

from responders.model import Known
from responders.subscriptions.delete_resources import DeleteResources
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, done, of, planned

ACTION = DeleteResources()
VAULTS = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.KeyVault/vaults"
RETIRED = f"{VAULTS}/kv-retired"


@pytest.fixture
async def recovered() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "recovered-vault.yaml", ACTION.permissions) as there:
        yield there


async def test_what_was_deleted_before_is_deleted_again_and_what_is_in_use_stays(recovered: Attacked) -> None:
    plan = await planned(recovered, ACTION)

    assert [change.resource for change in plan.changes] == [RETIRED]
    assert "he recovered it: by Azure's log, remy@contoso.example deleted it at" in str(of(plan, RETIRED).reasons)


async def test_it_is_gone_as_it_was_and_can_be_recovered(recovered: Attacked) -> None:
    change = of(await planned(recovered, ACTION), RETIRED)

    await done(recovered, ACTION, change)
    assert recovered.sandbox.world.get(RETIRED) is None

    await recovered.until_settled(ACTION.undo, change)
    assert recovered.sandbox.world.get(RETIRED)


async def test_an_owners_word_keeps_it(recovered: Attacked) -> None:
    known = Known(id=RETIRED, because="said so by olivia", by="o")

    assert (await planned(recovered, ACTION, known=(known,))).changes == ()
