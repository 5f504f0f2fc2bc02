"""What an intruder made is deleted: in order, through locks, and nothing else with it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from playbooks.dispatch import subjects
from responders.errors import Temporary
from responders.model import Change, Known, Outcome, Plan
from responders.subscriptions.delete_resources import DeleteResources
from sandbox.azure.world import Resource
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked

Json = dict[str, Any]

ACTION = DeleteResources()
MINING, LOCKED = EXERCISES / "cryptomining.yaml", EXERCISES / "locked-resource-group.yaml"
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
WEB, MINERS = f"{PROD}/resourceGroups/rg-web", f"{PROD}/resourceGroups/rg-batch-8841"
DATA, MIRROR = f"{PROD}/resourceGroups/rg-data", f"{PROD}/resourceGroups/rg-mirror"
VM, NIC, ADDRESS = (
    f"{WEB}/providers/Microsoft.{name}"
    for name in (
        "Compute/virtualMachines/vm-web-3",
        "Network/networkInterfaces/nic-web-3",
        "Network/publicIPAddresses/pip-web-3",
    )
)
DISK, OWN_DISK = (f"{WEB}/providers/Microsoft.Compute/disks/{name}" for name in ("data-web-3", "osdisk-web-3"))
STORE = f"{DATA}/providers/Microsoft.Storage/storageAccounts/stbackup8841"
VAULT = f"{DATA}/providers/Microsoft.KeyVault/vaults/kv-sync-8841"
KEEP = f"{DATA}/providers/Microsoft.Authorization/locks/keep"


@pytest.fixture
async def mined() -> AsyncIterator[Attacked]:
    async with attacked(MINING, ACTION.permissions) as there:
        yield there


@pytest.fixture
async def locked() -> AsyncIterator[Attacked]:
    async with attacked(LOCKED, ACTION.permissions) as there:
        yield there


async def planned(there: Attacked, **fields: Any) -> Plan:
    there.case = there.case.having(**fields)
    [subject] = [s for s in subjects(there.case) if s.kind == "subscription"]
    return await ACTION.plan(there.case, subject, there.azure)


def of(plan: Plan, resource: str) -> Change:
    return next(c for c in plan.changes if c.resource.lower() == resource.lower())


async def done(there: Attacked, change: Change) -> Outcome:
    outcome = await there.until_settled(ACTION.apply, change)
    if outcome.status in {"done", "already_so"}:
        await there.until_settled(ACTION.verify, change)
    return outcome


def body(there: Attacked, id_: str) -> Resource:
    found = there.sandbox.world.get(id_)
    assert found
    return found


# -- what is to go -----------------------------------------------------------------------------------------------------


async def test_a_group_of_his_goes_as_one_and_what_is_beside_the_web_site_by_itself(mined: Attacked) -> None:
    plan = await planned(mined)
    assert {c.resource.lower() for c in plan.proposed} == {i.lower() for i in (MINERS, VM, NIC, ADDRESS, DISK)}
    group = of(plan, MINERS)
    assert group.summary.startswith("delete the resource group rg-batch-8841; with all 12 resources in it")
    assert {p["id"].rsplit("/", 1)[-1] for p in group.before["parts"]} >= {
        "batch-east-1",
        "osdisk-east-1",
        "vnet-north",
    }
    assert [c["id"].rsplit("/", 1)[-1] for c in group.before["children"]] == ["run"]
    assert "osdisk-web-3" in of(plan, VM).summary


async def test_what_uses_something_goes_before_it(mined: Attacked) -> None:
    plan = await planned(mined)
    place = {c.resource: n for n, c in enumerate(plan.changes)}
    assert of(plan, NIC).follows == (VM,)
    assert of(plan, DISK).follows == (VM,)
    assert of(plan, ADDRESS).follows == (NIC,)
    assert all(place[before] < place[c.resource] for c in plan.changes for before in c.follows)


async def test_a_group_with_something_familiar_in_it_stays_and_only_his_things_go(mined: Attacked) -> None:
    honest = f"{MINERS}/providers/Microsoft.Storage/storageAccounts/sthonest"
    made = {"createdAt": "2020-01-01T00:00:00Z", "lastModifiedAt": "2020-01-01T00:00:00Z"}
    mined.sandbox.world.put(honest, {"location": "eastus", "properties": {}}).stamps = made
    plan = await planned(mined)
    ids = {c.resource.lower() for c in plan.changes}
    assert MINERS.lower() not in ids
    assert honest.lower() not in ids
    assert f"{MINERS}/providers/Microsoft.Compute/virtualMachines/batch-east-1".lower() in ids


async def test_a_group_that_resource_graph_does_not_show_yet_stays(mined: Attacked) -> None:
    mined.sandbox.world.changes.clear()
    plan = await planned(mined)
    assert MINERS.lower() not in {c.resource.lower() for c in plan.changes}
    assert f"{MINERS}/providers/Microsoft.Network/virtualNetworks/vnet-east" in {c.resource for c in plan.changes}


async def test_what_an_owner_says_is_his_stays(mined: Attacked) -> None:
    known = (Known(id=ADDRESS, because="said so by owner@contoso.example", by="0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d01"),)
    plan = await planned(mined, known=known)
    assert ADDRESS not in {c.resource for c in plan.changes}


async def test_what_nobody_answers_for_is_offered_by_name(mined: Attacked) -> None:
    plan = await planned(mined, findings=(), makers={})
    assert of(plan, ADDRESS).familiarity == "unfamiliar"  # Azure itself says who made it
    mined.sandbox.world.get(ADDRESS).stamps.pop("createdBy")  # type: ignore[union-attr]
    plan = await planned(mined)
    assert of(plan, ADDRESS).familiarity == "unknown"
    assert ADDRESS not in {c.resource for c in plan.proposed}


async def test_what_he_only_changed_is_shown_and_stays(mined: Attacked) -> None:
    plan = await planned(mined)
    [line] = plan.kept
    assert "pip-web: written by the suspect, but made" in line


async def test_a_machine_that_would_take_a_familiar_disk_along_is_left_to_a_person(mined: Attacked) -> None:
    world, logs = mined.sandbox.world, f"{WEB}/providers/Microsoft.Compute/disks/logs"
    vm = body(mined, VM)
    storage = vm.properties["storageProfile"]
    disk = {"lun": 1, "name": "logs", "createOption": "Attach", "deleteOption": "Delete", "managedDisk": {"id": logs}}
    more = {**storage, "dataDisks": [*storage["dataDisks"], disk]}
    world.put(VM, {**vm.body, "properties": {**vm.properties, "storageProfile": more}})
    plan = await planned(mined)
    assert not {VM, OWN_DISK} & {c.resource for c in plan.changes}
    [said] = plan.by_hand
    assert "disks/logs would go with it" in said


# -- how it goes -------------------------------------------------------------------------------------------------------


async def test_accepted_is_not_deleted(mined: Attacked) -> None:
    plan = await planned(mined)
    mined.sandbox.world.pace.seconds = 120
    group = of(plan, MINERS)
    assert (await ACTION.apply(group, mined.azure)).reason == "Azure has begun to delete it."
    with pytest.raises(Temporary, match="deleting"):
        await ACTION.verify(group, mined.azure)
    with pytest.raises(Temporary, match="then what goes with it"):  # the machine first, then its disk
        await ACTION.apply(of(plan, VM), mined.azure)
    with pytest.raises(Temporary, match="vm-web-3, which is being deleted"):
        await ACTION.apply(of(plan, NIC), mined.azure)
    mined.sandbox.clock.advance(timedelta(seconds=121))
    assert (await ACTION.verify(group, mined.azure)).status == "done"
    assert (await done(mined, of(plan, VM))).status == "done"
    assert OWN_DISK not in mined.sandbox.world
    assert (await done(mined, of(plan, NIC))).status == "done"


async def test_what_is_used_by_what_stays_fails_with_the_way_out(mined: Attacked) -> None:
    plan = await planned(mined)
    outcome = await done(mined, of(plan, NIC))
    assert outcome.status == "failed"
    assert "vm-web-3, which was not deleted. Approve both" in outcome.reason
    assert NIC in mined.sandbox.world


async def test_what_somebody_else_took_into_use_fails_with_azures_words(mined: Attacked) -> None:
    plan = await planned(mined)
    for change in plan.changes[:-1]:
        await done(mined, change)
    other = f"{WEB}/providers/Microsoft.Network/networkInterfaces/nic-web-1"
    nic = body(mined, other)
    parts = [{"name": "primary", "properties": {"publicIPAddress": {"id": ADDRESS}}}]
    mined.sandbox.world.put(other, {**nic.body, "properties": {**nic.properties, "ipConfigurations": parts}})
    outcome = await done(mined, of(plan, ADDRESS))
    assert outcome.status == "failed"
    assert "still allocated to resource" in outcome.reason
    assert "run the incident again" in outcome.reason


async def test_tags_that_a_planted_thing_gets_after_the_plan_do_not_save_it(mined: Attacked) -> None:
    change = of(await planned(mined), DISK)
    await done(mined, of(await planned(mined), VM))
    disk = body(mined, DISK)
    tagged = {**disk.body, "tags": {"mine": "no"}, "properties": {**disk.properties, "networkAccessPolicy": "AllowAll"}}
    mined.sandbox.world.put(DISK, tagged)
    outcome = await ACTION.apply(change, mined.azure)
    assert (outcome.status, outcome.after["definitions"][0]["tags"]) == ("done", {"mine": "no"})
    assert (await done(mined, change)).status == "already_so"


async def test_what_another_one_has_taken_the_place_of_is_left_alone(mined: Attacked) -> None:
    change = of(await planned(mined), ADDRESS)
    mined.sandbox.world.get(ADDRESS).stamps["createdAt"] = "2026-03-02T11:11:11Z"  # type: ignore[union-attr]
    assert (await ACTION.apply(change, mined.azure)).status == "drifted"


async def test_a_machine_that_would_take_more_along_than_was_approved_is_left_alone(mined: Attacked) -> None:
    change = of(await planned(mined), VM)
    machine = body(mined, VM)
    storage = machine.properties["storageProfile"]
    more = {"lun": 9, "createOption": "Attach", "deleteOption": "Delete", "managedDisk": {"id": f"{DISK}-honest"}}
    storage = {**storage, "dataDisks": [*(storage.get("dataDisks") or ()), more]}
    mined.sandbox.world.put(VM, {**machine.body, "properties": {**machine.properties, "storageProfile": storage}})
    assert (await ACTION.apply(change, mined.azure)).status == "drifted"


async def test_what_comes_into_a_group_after_the_plan_keeps_it(mined: Attacked) -> None:
    plan = await planned(mined)
    new = f"{MINERS}/providers/Microsoft.Storage/storageAccounts/stnew"
    mined.sandbox.world.put(new, {"location": "eastus", "properties": {}})
    outcome = await done(mined, of(plan, MINERS))
    assert (outcome.status, outcome.after["id"]) == ("drifted", new)
    assert MINERS in mined.sandbox.world


async def test_a_disk_that_is_lent_out_is_taken_back_and_deleted(mined: Attacked) -> None:
    plan = await planned(mined)
    await done(mined, of(plan, VM))
    disk = body(mined, DISK)
    mined.sandbox.world.put(DISK, {**disk.body, "properties": {**disk.properties, "diskState": "ActiveSAS"}})
    plan = await planned(mined)
    assert (await done(mined, of(plan, DISK))).status == "done"
    assert DISK not in mined.sandbox.world


async def test_no_password_is_in_the_evidence_and_a_machine_comes_back_with_one_that_nobody_knows(
    mined: Attacked,
) -> None:
    plan = await planned(mined)
    assert "made-up-For" not in str(plan)
    for change in plan.changes:
        await done(mined, change)
    undone = [await mined.until_settled(ACTION.undo, change) for change in reversed(plan.changes)]
    assert {outcome.status for outcome in undone} == {"done"}
    assert "adminPassword" not in str(undone)
    login = body(mined, f"{MINERS}/providers/Microsoft.Compute/virtualMachines/batch-east-1").properties["osProfile"]
    assert login["adminUsername"] == "batch"


async def test_when_the_answer_to_a_delete_was_lost_it_is_known_as_done(mined: Attacked) -> None:
    plan = await planned(mined)
    mined.sandbox.faults.on("DELETE", "vm-web-3", "reply_lost", 5)
    outcome = await done(mined, of(plan, VM))
    assert outcome.status in {"done", "already_so"}
    assert not {VM, OWN_DISK} & {r.id for r in mined.sandbox.world}


# -- locks -------------------------------------------------------------------------------------------------------------


async def test_a_lock_above_is_named_and_put_back_and_his_own_goes(locked: Attacked) -> None:
    plan = await planned(locked)
    before = body(locked, KEEP).body
    assert "the lock keep (CanNotDelete) of rg-data: taken off for that, and put back" in of(plan, STORE).summary
    vault = of(plan, VAULT).summary
    assert "with the lock no (CanNotDelete) of kv-sync-8841" in vault
    assert "Azure keeps kv-sync-8841 for 30 days to be recovered, and nobody can purge it before" in vault
    for change in plan.changes:
        assert (await done(locked, change)).status == "done"
    assert body(locked, KEEP).body == before
    assert not {STORE, VAULT, MIRROR} & {r.id for r in locked.sandbox.world}


async def test_side_by_side_nobody_puts_a_lock_back_before_another_is_through(locked: Attacked) -> None:
    plan = await planned(locked)
    before = body(locked, KEEP).body
    outcomes = await asyncio.gather(*(done(locked, of(plan, id_)) for id_ in (STORE, VAULT, MIRROR)))
    assert [o.status for o in outcomes] == ["done"] * 3
    assert body(locked, KEEP).body == before
    assert not {STORE, VAULT, MIRROR} & {r.id for r in locked.sandbox.world}


async def test_whoever_died_in_between_is_made_good_by_the_retry_and_by_verify(locked: Attacked) -> None:
    plan = await planned(locked)
    before, store = body(locked, KEEP).body, of(plan, STORE)
    locked.sandbox.world.delete(KEEP)  # and dead
    assert (await ACTION.apply(store, locked.azure)).status == "done"
    assert body(locked, KEEP).body == before
    locked.sandbox.world.delete(KEEP)  # deleted too, and dead
    assert (await ACTION.apply(store, locked.azure)).status == "already_so"
    assert body(locked, KEEP).body == before
    locked.sandbox.world.delete(KEEP)
    assert (await ACTION.verify(store, locked.azure)).status == "done"
    assert body(locked, KEEP).body == before


async def test_a_refused_delete_leaves_all_locks_as_they_were(locked: Attacked) -> None:
    plan = await planned(locked)
    more = f"{PROD}/providers/Microsoft.Authorization/locks/all"
    locked.sandbox.world.put(more, {"properties": {"level": "CanNotDelete"}, "type": "Microsoft.Authorization/locks"})
    before = locked.state()
    outcome = await done(locked, of(plan, VAULT))
    assert outcome.status == "drifted"
    assert "Another lock was put there after the plan" in outcome.reason
    assert locked.state() == before


async def test_a_lock_that_was_changed_after_the_plan_is_not_taken_off(locked: Attacked) -> None:
    plan = await planned(locked)
    lock = body(locked, KEEP)
    locked.sandbox.world.put(KEEP, {**lock.body, "properties": {"level": "ReadOnly", "notes": "Hands off"}})
    before = locked.state()
    assert (await done(locked, of(plan, STORE))).status == "drifted"
    assert locked.state() == before


async def test_what_somebody_else_locked_is_perhaps_evidence_and_offered_by_name(locked: Attacked) -> None:
    lock = f"{STORE}/providers/Microsoft.Authorization/locks/evidence"
    made = {"type": "Microsoft.Authorization/locks", "properties": {"level": "CanNotDelete"}}
    stamps = {"createdBy": "soc@contoso.example", "createdAt": (locked.case.until - timedelta(minutes=1)).isoformat()}
    locked.sandbox.world.put(lock, made).stamps = stamps
    plan = await planned(locked)
    change = of(plan, STORE)
    assert change.familiarity == "unknown"
    assert "perhaps it is to stay as evidence" in change.reasons[-1]


async def test_what_was_in_a_read_only_group_comes_back_into_it(locked: Attacked) -> None:
    world = locked.sandbox.world
    lock = body(locked, KEEP)
    world.put(KEEP, {**lock.body, "properties": {"level": "ReadOnly"}})
    before = body(locked, KEEP).body
    plan = await planned(locked)
    assert "Azure exported no template" in of(plan, STORE).lasting
    await done(locked, of(plan, STORE))
    assert STORE not in world
    assert (await locked.until_settled(ACTION.undo, of(plan, STORE))).status == "done"
    assert STORE in world
    assert body(locked, KEEP).body == before


async def test_one_thing_with_a_name_that_we_do_not_handle_does_not_save_all_others(mined: Attacked) -> None:
    odd = f"{MINERS}/providers/Microsoft.Insights/metricAlerts/CPU [prod]"
    at = (mined.case.until - timedelta(minutes=1)).isoformat()
    made = {"createdAt": at, "lastModifiedAt": at}
    mined.sandbox.world.put(odd, {"location": "global", "properties": {}}).stamps = made

    plan = await planned(mined)

    assert VM in {c.resource for c in plan.changes}
    assert MINERS.lower() not in {c.resource.lower() for c in plan.changes}
    assert [odd in line for line in plan.by_hand] == [True]


async def test_what_has_no_date_is_old_unless_the_log_may_lack_who_wrote_it(mined: Attacked) -> None:
    bare, odd = f"{WEB}/providers/Microsoft.Web/sites/bare", f"{WEB}/providers/Microsoft.Web/sites/ba[re]"
    for id_ in (bare, odd):
        mined.sandbox.world.put(id_, {"location": "westeurope", "properties": {}})

    plan = await planned(mined)
    assert bare not in {c.resource for c in plan.changes}
    assert not any("ba[re]" in line for line in plan.by_hand)

    plan = await planned(mined, gaps={mined.case.subscription: "the log may lack some"})
    assert of(plan, bare).familiarity == "unknown"
    assert "the log may lack some" in of(plan, bare).reasons[0]
    assert any("ba[re]" in line for line in plan.by_hand)


async def test_a_lock_on_a_thing_with_a_name_that_we_do_not_handle_stops_nothing(locked: Attacked) -> None:
    odd = f"{DATA}/providers/Microsoft.Insights/metricAlerts/CPU [prod]"
    locked.sandbox.world.put(odd, {"location": "global", "properties": {}})
    kind = "Microsoft.Authorization/locks"
    locked.sandbox.world.put(f"{odd}/providers/{kind}/keep", {"type": kind, "properties": {"level": "CanNotDelete"}})

    assert (await done(locked, of(await planned(locked), STORE))).status == "done"


async def test_one_thing_of_a_type_that_nobody_knows_does_not_save_all_others(mined: Attacked) -> None:
    odd, made = f"{MINERS}/providers/Microsoft.Insights/oddities/odd", mined.case.until.isoformat()
    thing = mined.sandbox.world.put(odd, {"location": "global", "properties": {}})
    thing.stamps = {"createdAt": made, "lastModifiedAt": made}

    plan = await planned(mined)

    assert VM in {c.resource for c in plan.changes}
    assert MINERS.lower() not in {c.resource.lower() for c in plan.changes}
    assert [odd in line for line in plan.by_hand] == [True]


async def test_a_part_with_a_name_that_we_do_not_handle_does_not_save_its_whole(mined: Attacked) -> None:
    mined.sandbox.world.put(f"{VM}/runCommands/run [1]", {"location": "eastus", "properties": {}})

    change = of(await planned(mined), VM)

    assert "shows in no definition" in change.lasting
