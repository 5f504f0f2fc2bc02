"""What an intruder made is deleted through locks: lifted for it, put back on the rest."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from responders.subscriptions.delete_resources import DeleteResources
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, done, of, planned, stands

ACTION = DeleteResources()
LOCKED = EXERCISES / "locked-resource-group.yaml"
DATA, MIRROR = f"{PROD}/resourceGroups/rg-data", f"{PROD}/resourceGroups/rg-mirror"
STORE = f"{DATA}/providers/Microsoft.Storage/storageAccounts/stbackup8841"
VAULT = f"{DATA}/providers/Microsoft.KeyVault/vaults/kv-sync-8841"
KEEP = f"{DATA}/providers/Microsoft.Authorization/locks/keep"


@pytest.fixture
async def locked() -> AsyncIterator[Attacked]:
    async with attacked(LOCKED, ACTION.permissions) as there:
        yield there


async def test_a_lock_above_is_named_and_put_back_and_his_own_goes(locked: Attacked) -> None:
    plan = await planned(locked, ACTION)
    before = stands(locked, KEEP).body
    assert "the lock keep (CanNotDelete) of rg-data: taken off for that, and put back" in of(plan, STORE).summary
    vault = of(plan, VAULT).summary
    assert "with the lock no (CanNotDelete) of kv-sync-8841" in vault
    assert "Azure keeps kv-sync-8841 for 30 days to be recovered, and nobody can purge it before" in vault
    for change in plan.changes:
        assert (await done(locked, ACTION, change)).status == "done"
    assert stands(locked, KEEP).body == before
    assert not {STORE, VAULT, MIRROR} & {r.id for r in locked.sandbox.world}


async def test_side_by_side_nobody_puts_a_lock_back_before_another_is_through(locked: Attacked) -> None:
    plan = await planned(locked, ACTION)
    before = stands(locked, KEEP).body
    outcomes = await asyncio.gather(*(done(locked, ACTION, of(plan, id_)) for id_ in (STORE, VAULT, MIRROR)))
    assert [o.status for o in outcomes] == ["done"] * 3
    assert stands(locked, KEEP).body == before
    assert not {STORE, VAULT, MIRROR} & {r.id for r in locked.sandbox.world}


async def test_whoever_died_in_between_is_made_good_by_the_retry_and_by_verify(locked: Attacked) -> None:
    plan = await planned(locked, ACTION)
    before, store = stands(locked, KEEP).body, of(plan, STORE)
    locked.sandbox.world.delete(KEEP)  # and dead
    assert (await ACTION.apply(store, locked.azure)).status == "done"
    assert stands(locked, KEEP).body == before
    locked.sandbox.world.delete(KEEP)  # deleted too, and dead
    assert (await ACTION.apply(store, locked.azure)).status == "already_so"
    assert stands(locked, KEEP).body == before
    locked.sandbox.world.delete(KEEP)
    assert (await ACTION.verify(store, locked.azure)).status == "done"
    assert stands(locked, KEEP).body == before


async def test_a_refused_delete_leaves_all_locks_as_they_were(locked: Attacked) -> None:
    plan = await planned(locked, ACTION)
    more = f"{PROD}/providers/Microsoft.Authorization/locks/all"
    locked.sandbox.world.put(more, {"properties": {"level": "CanNotDelete"}, "type": "Microsoft.Authorization/locks"})
    before = locked.state()
    outcome = await done(locked, ACTION, of(plan, VAULT))
    assert outcome.status == "drifted"
    assert "Another lock was put there after the plan" in outcome.reason
    assert locked.state() == before


async def test_a_lock_that_was_changed_after_the_plan_is_not_taken_off(locked: Attacked) -> None:
    plan = await planned(locked, ACTION)
    lock = stands(locked, KEEP)
    locked.sandbox.world.put(KEEP, {**lock.body, "properties": {"level": "ReadOnly", "notes": "Hands off"}})
    before = locked.state()
    assert (await done(locked, ACTION, of(plan, STORE))).status == "drifted"
    assert locked.state() == before


async def test_what_somebody_else_locked_is_perhaps_evidence_and_offered_by_name(locked: Attacked) -> None:
    lock = f"{STORE}/providers/Microsoft.Authorization/locks/evidence"
    made = {"type": "Microsoft.Authorization/locks", "properties": {"level": "CanNotDelete"}}
    stamps = {"createdBy": "soc@contoso.example", "createdAt": (locked.case.until - timedelta(minutes=1)).isoformat()}
    locked.sandbox.world.put(lock, made).stamps = stamps
    plan = await planned(locked, ACTION)
    change = of(plan, STORE)
    assert change.familiarity == "unknown"
    assert "perhaps it is to stay as evidence" in change.reasons[-1]


async def test_what_was_in_a_read_only_group_comes_back_into_it(locked: Attacked) -> None:
    world = locked.sandbox.world
    lock = stands(locked, KEEP)
    world.put(KEEP, {**lock.body, "properties": {"level": "ReadOnly"}})
    before = stands(locked, KEEP).body
    plan = await planned(locked, ACTION)
    assert "Azure exported no template" in of(plan, STORE).lasting
    await done(locked, ACTION, of(plan, STORE))
    assert STORE not in world
    assert (await locked.until_settled(ACTION.undo, of(plan, STORE))).status == "done"
    assert STORE in world
    assert stands(locked, KEEP).body == before


async def test_a_lock_on_a_thing_with_a_name_that_we_do_not_handle_stops_nothing(locked: Attacked) -> None:
    odd = f"{DATA}/providers/Microsoft.Insights/metricAlerts/CPU [prod]"
    locked.sandbox.world.put(odd, {"location": "global", "properties": {}})
    kind = "Microsoft.Authorization/locks"
    locked.sandbox.world.put(f"{odd}/providers/{kind}/keep", {"type": kind, "properties": {"level": "CanNotDelete"}})

    assert (await done(locked, ACTION, of(await planned(locked, ACTION), STORE))).status == "done"
