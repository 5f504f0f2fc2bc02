"""What an intruder made is deleted: in order, through locks, and nothing else with it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from responders.errors import Temporary
from responders.model import Known
from responders.subscriptions.delete_resources import DeleteResources
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, done, of, planned, stands

Json = dict[str, Any]

ACTION = DeleteResources()
MINING = EXERCISES / "cryptomining.yaml"
WEB, MINERS = f"{PROD}/resourceGroups/rg-web", f"{PROD}/resourceGroups/rg-batch-8841"
VM, NIC, ADDRESS = (
    f"{WEB}/providers/Microsoft.{name}"
    for name in (
        "Compute/virtualMachines/vm-web-3",
        "Network/networkInterfaces/nic-web-3",
        "Network/publicIPAddresses/pip-web-3",
    )
)
DISK, OWN_DISK = (f"{WEB}/providers/Microsoft.Compute/disks/{name}" for name in ("data-web-3", "osdisk-web-3"))


@pytest.fixture
async def mined() -> AsyncIterator[Attacked]:
    async with attacked(MINING, ACTION.permissions) as there:
        yield there


# -- what is to go -----------------------------------------------------------------------------------------------------


async def test_a_group_of_his_goes_as_one_and_what_is_beside_the_web_site_by_itself(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
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
    plan = await planned(mined, ACTION)
    place = {c.resource: n for n, c in enumerate(plan.changes)}
    assert of(plan, NIC).follows == (VM,)
    assert of(plan, DISK).follows == (VM,)
    assert of(plan, ADDRESS).follows == (NIC,)
    assert all(place[before] < place[c.resource] for c in plan.changes for before in c.follows)


async def test_a_group_with_something_familiar_in_it_stays_and_only_his_things_go(mined: Attacked) -> None:
    honest = f"{MINERS}/providers/Microsoft.Storage/storageAccounts/sthonest"
    made = {"createdAt": "2020-01-01T00:00:00Z", "lastModifiedAt": "2020-01-01T00:00:00Z"}
    mined.sandbox.world.put(honest, {"location": "eastus", "properties": {}}).stamps = made
    plan = await planned(mined, ACTION)
    ids = {c.resource.lower() for c in plan.changes}
    assert MINERS.lower() not in ids
    assert honest.lower() not in ids
    assert f"{MINERS}/providers/Microsoft.Compute/virtualMachines/batch-east-1".lower() in ids


async def test_a_group_that_resource_graph_does_not_show_yet_stays(mined: Attacked) -> None:
    mined.sandbox.world.changes.clear()
    plan = await planned(mined, ACTION)
    assert MINERS.lower() not in {c.resource.lower() for c in plan.changes}
    assert f"{MINERS}/providers/Microsoft.Network/virtualNetworks/vnet-east" in {c.resource for c in plan.changes}


async def test_what_an_owner_says_is_his_stays(mined: Attacked) -> None:
    known = (Known(id=ADDRESS, because="said so by owner@contoso.example", by="0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d01"),)
    plan = await planned(mined, ACTION, known=known)
    assert ADDRESS not in {c.resource for c in plan.changes}


async def test_what_nobody_answers_for_is_offered_by_name(mined: Attacked) -> None:
    plan = await planned(mined, ACTION, findings=(), makers={})
    assert of(plan, ADDRESS).familiarity == "unfamiliar"  # Azure itself says who made it
    mined.sandbox.world.get(ADDRESS).stamps.pop("createdBy")  # type: ignore[union-attr]
    plan = await planned(mined, ACTION)
    assert of(plan, ADDRESS).familiarity == "unknown"
    assert ADDRESS not in {c.resource for c in plan.proposed}


async def test_what_he_only_changed_is_shown_and_stays(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
    [line] = plan.kept
    assert "pip-web: written by the suspect, but made" in line


async def test_a_machine_that_would_take_a_familiar_disk_along_is_left_to_a_person(mined: Attacked) -> None:
    world, logs = mined.sandbox.world, f"{WEB}/providers/Microsoft.Compute/disks/logs"
    vm = stands(mined, VM)
    storage = vm.properties["storageProfile"]
    disk = {"lun": 1, "name": "logs", "createOption": "Attach", "deleteOption": "Delete", "managedDisk": {"id": logs}}
    more = {**storage, "dataDisks": [*storage["dataDisks"], disk]}
    world.put(VM, {**vm.body, "properties": {**vm.properties, "storageProfile": more}})
    plan = await planned(mined, ACTION)
    assert not {VM, OWN_DISK} & {c.resource for c in plan.changes}
    [said] = plan.by_hand
    assert "disks/logs would go with it" in said
    assert NIC not in {c.resource for c in plan.changes}  # it is in use
    assert any("nic-web-3: made by the suspect, and in" in line for line in plan.kept)


async def test_a_disk_of_his_in_a_machine_that_stays_is_left_to_a_person_unless_it_is_its_system(
    mined: Attacked,
) -> None:
    world, held = mined.sandbox.world, f"{WEB}/providers/Microsoft.Compute/virtualMachines/vm-web-1"
    data = stands(mined, f"{WEB}/providers/Microsoft.Compute/disks/data-web-3")
    world.delete(VM)
    world.put(data.id, {**data.body, "managedBy": held})
    plan = await planned(mined, ACTION)
    assert data.id not in {c.resource for c in plan.changes}
    [said] = plan.by_hand
    assert "detach it, if nobody needs it there" in said
    world.put(data.id, {**data.body, "managedBy": held, "properties": {**data.properties, "osType": "Linux"}})
    plan = await planned(mined, ACTION)
    assert data.id not in {c.resource for c in plan.changes}
    assert any("data-web-3: made by the suspect, and in" in line for line in plan.kept)


# -- how it goes -------------------------------------------------------------------------------------------------------


async def test_accepted_is_not_deleted(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
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
    assert (await done(mined, ACTION, of(plan, VM))).status == "done"
    assert OWN_DISK not in mined.sandbox.world
    assert (await done(mined, ACTION, of(plan, NIC))).status == "done"


async def test_what_is_used_by_what_stays_fails_with_the_way_out(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
    outcome = await done(mined, ACTION, of(plan, NIC))
    assert outcome.status == "failed"
    assert "vm-web-3, which was not deleted. Approve both" in outcome.reason
    assert NIC in mined.sandbox.world


async def test_what_somebody_else_took_into_use_fails_with_azures_words(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
    for change in plan.changes[:-1]:
        await done(mined, ACTION, change)
    other = f"{WEB}/providers/Microsoft.Network/networkInterfaces/nic-web-1"
    nic = stands(mined, other)
    parts = [{"name": "primary", "properties": {"publicIPAddress": {"id": ADDRESS}}}]
    mined.sandbox.world.put(other, {**nic.body, "properties": {**nic.properties, "ipConfigurations": parts}})
    outcome = await done(mined, ACTION, of(plan, ADDRESS))
    assert outcome.status == "failed"
    assert "still allocated to resource" in outcome.reason
    assert "run the incident again" in outcome.reason


async def test_tags_that_a_planted_thing_gets_after_the_plan_do_not_save_it(mined: Attacked) -> None:
    change = of(await planned(mined, ACTION), DISK)
    await done(mined, ACTION, of(await planned(mined, ACTION), VM))
    disk = stands(mined, DISK)
    tagged = {**disk.body, "tags": {"mine": "no"}, "properties": {**disk.properties, "networkAccessPolicy": "AllowAll"}}
    mined.sandbox.world.put(DISK, tagged)
    outcome = await ACTION.apply(change, mined.azure)
    assert (outcome.status, outcome.after["definitions"][0]["tags"]) == ("done", {"mine": "no"})
    assert (await done(mined, ACTION, change)).status == "already_so"


async def test_what_another_one_has_taken_the_place_of_is_left_alone(mined: Attacked) -> None:
    change = of(await planned(mined, ACTION), ADDRESS)
    mined.sandbox.world.get(ADDRESS).stamps["createdAt"] = "2026-03-02T11:11:11Z"  # type: ignore[union-attr]
    assert (await ACTION.apply(change, mined.azure)).status == "drifted"


async def test_a_machine_that_would_take_more_along_than_was_approved_is_left_alone(mined: Attacked) -> None:
    change = of(await planned(mined, ACTION), VM)
    machine = stands(mined, VM)
    storage = machine.properties["storageProfile"]
    more = {"lun": 9, "createOption": "Attach", "deleteOption": "Delete", "managedDisk": {"id": f"{DISK}-honest"}}
    storage = {**storage, "dataDisks": [*(storage.get("dataDisks") or ()), more]}
    mined.sandbox.world.put(VM, {**machine.body, "properties": {**machine.properties, "storageProfile": storage}})
    assert (await ACTION.apply(change, mined.azure)).status == "drifted"


async def test_what_comes_into_a_group_after_the_plan_keeps_it(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
    new = f"{MINERS}/providers/Microsoft.Storage/storageAccounts/stnew"
    mined.sandbox.world.put(new, {"location": "eastus", "properties": {}})
    outcome = await done(mined, ACTION, of(plan, MINERS))
    assert (outcome.status, outcome.after["id"]) == ("drifted", new)
    assert MINERS in mined.sandbox.world


async def test_a_disk_that_is_lent_out_is_taken_back_and_deleted(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
    await done(mined, ACTION, of(plan, VM))
    disk = stands(mined, DISK)
    mined.sandbox.world.put(DISK, {**disk.body, "properties": {**disk.properties, "diskState": "ActiveSAS"}})
    plan = await planned(mined, ACTION)
    assert (await done(mined, ACTION, of(plan, DISK))).status == "done"
    assert DISK not in mined.sandbox.world


async def test_no_password_is_in_the_evidence_and_a_machine_comes_back_with_one_that_nobody_knows(
    mined: Attacked,
) -> None:
    plan = await planned(mined, ACTION)
    assert "made-up-For" not in str(plan)
    for change in plan.changes:
        await done(mined, ACTION, change)
    undone = [await mined.until_settled(ACTION.undo, change) for change in reversed(plan.changes)]
    assert {outcome.status for outcome in undone} == {"done"}
    assert "adminPassword" not in str(undone)
    login = stands(mined, f"{MINERS}/providers/Microsoft.Compute/virtualMachines/batch-east-1").properties["osProfile"]
    assert login["adminUsername"] == "batch"


async def test_when_the_answer_to_a_delete_was_lost_it_is_known_as_done(mined: Attacked) -> None:
    plan = await planned(mined, ACTION)
    mined.sandbox.faults.on("DELETE", "vm-web-3", "reply_lost", 5)
    outcome = await done(mined, ACTION, of(plan, VM))
    assert outcome.status in {"done", "already_so"}
    assert not {VM, OWN_DISK} & {r.id for r in mined.sandbox.world}


async def test_one_thing_with_a_name_that_we_do_not_handle_does_not_save_all_others(mined: Attacked) -> None:
    odd = f"{MINERS}/providers/Microsoft.Insights/metricAlerts/CPU [prod]"
    at = (mined.case.until - timedelta(minutes=1)).isoformat()
    made = {"createdAt": at, "lastModifiedAt": at}
    mined.sandbox.world.put(odd, {"location": "global", "properties": {}}).stamps = made

    plan = await planned(mined, ACTION)

    assert VM in {c.resource for c in plan.changes}
    assert MINERS.lower() not in {c.resource.lower() for c in plan.changes}
    assert [odd in line for line in plan.by_hand] == [True]


async def test_what_has_no_date_is_old_unless_the_log_may_lack_who_wrote_it(mined: Attacked) -> None:
    bare, odd = f"{WEB}/providers/Microsoft.Web/sites/bare", f"{WEB}/providers/Microsoft.Web/sites/ba[re]"
    for id_ in (bare, odd):
        mined.sandbox.world.put(id_, {"location": "westeurope", "properties": {}})

    plan = await planned(mined, ACTION)
    assert bare not in {c.resource for c in plan.changes}
    assert not any("ba[re]" in line for line in plan.by_hand)

    plan = await planned(mined, ACTION, gaps={mined.case.subscription: "the log may lack some"})
    assert of(plan, bare).familiarity == "unknown"
    assert "the log may lack some" in of(plan, bare).reasons[0]
    assert any("ba[re]" in line for line in plan.by_hand)


async def test_one_thing_of_a_type_that_nobody_knows_does_not_save_all_others(mined: Attacked) -> None:
    odd, made = f"{MINERS}/providers/Microsoft.Insights/oddities/odd", mined.case.until.isoformat()
    thing = mined.sandbox.world.put(odd, {"location": "global", "properties": {}})
    thing.stamps = {"createdAt": made, "lastModifiedAt": made}

    plan = await planned(mined, ACTION)

    assert VM in {c.resource for c in plan.changes}
    assert MINERS.lower() not in {c.resource.lower() for c in plan.changes}
    assert [odd in line for line in plan.by_hand] == [True]


async def test_a_part_with_a_name_that_we_do_not_handle_does_not_save_its_whole(mined: Attacked) -> None:
    mined.sandbox.world.put(f"{VM}/runCommands/run [1]", {"location": "eastus", "properties": {}})

    change = of(await planned(mined, ACTION), VM)

    assert "shows in no definition" in change.lasting
