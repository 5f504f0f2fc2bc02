"""Keys that a suspect read are made anew; exports that he began are ended."""

from collections.abc import AsyncIterator

import pytest

from responders.model import encode
from responders.subscriptions.revoke_disk_access import RevokeDiskAccess
from responders.subscriptions.rotate_keys import RotateKeys
from sandbox.azure import keys
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import AUTHORIZATION, PROD, applied, planned, plant

ACTION, REVOKE = RotateKeys(), RevokeDiskAccess()
STORE = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/stcontosoprod"


@pytest.fixture
async def read() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "keys-read.yaml", ACTION.permissions) as there:
        yield there


def current(there: Attacked) -> list[str]:
    return [keys.key(there.sandbox.world, STORE, name) for name in ("key1", "key2")]


async def test_only_resources_whose_keys_were_read_get_new_ones(read: Attacked) -> None:
    plan = await planned(read, ACTION)

    assert len(plan.changes) == 9
    assert not any("stnotread" in c.resource for c in plan.changes)


async def test_no_key_is_in_what_is_kept(read: Attacked) -> None:
    old = current(read)
    plan = await planned(read, ACTION)
    [change] = [c for c in plan.changes if c.resource == STORE]

    outcome = await applied(read, ACTION, change)

    assert not set(old) & set(current(read))
    kept = encode(plan) + encode(outcome)
    assert not [key for key in (*old, *current(read)) if key.encode() in kept]


async def test_after_a_lost_answer_only_the_other_key_is_made_anew(read: Attacked) -> None:
    plan = await planned(read, ACTION)
    [change] = [c for c in plan.changes if c.resource == STORE]
    read.sandbox.world.state["keys"] = {f"{STORE}|key1".lower(): {"serial": 1}}
    first = current(read)[0]

    outcome = await applied(read, ACTION, change)

    assert outcome.status == "done"
    assert current(read)[0] == first
    assert read.sandbox.world.state["keys"][f"{STORE}|key2".lower()]["serial"] == 1


async def test_keys_behind_a_lock_that_forbids_to_list_them_are_for_a_person(read: Attacked) -> None:
    plant(read, f"{STORE}{AUTHORIZATION}/locks/still", level="ReadOnly")

    plan = await planned(read, ACTION)

    assert STORE not in {c.resource for c in plan.changes}
    assert any(STORE in line and "locked" in line for line in plan.by_hand)


async def test_an_export_that_has_ended_needs_nothing() -> None:
    async with attacked(EXERCISES / "snapshot-export.yaml", REVOKE.permissions) as there:
        ledger = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.Compute/disks/ledger"
        plant(there, ledger, diskState="Unattached")

        plan = await planned(there, REVOKE)

    assert ledger not in {c.resource for c in plan.changes}
    assert any("ledger" in line and "it has ended" in line for line in plan.kept)
