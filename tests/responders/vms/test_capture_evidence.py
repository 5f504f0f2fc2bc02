"""Evidence is there before a disk is changed, and stays."""

import hashlib

import pytest
from azure.core.exceptions import HttpResponseError

from responders.model import encode
from responders.vms import machine as machines
from responders.vms import snapshots
from responders.vms.capture_evidence import CaptureEvidence
from responders.vms.reset_passwords import ResetPasswords
from sandbox.azure import guest
from sandbox.stage import EVIDENCE
from tests.responders.vms.attacked import inside, machine, opened, planned, put, settled, subject

ACTION = CaptureEvidence()


async def test_a_snapshot_of_each_disk_holds_what_is_on_it() -> None:
    async with opened(ACTION) as world:
        on_it = inside(world, ACTION)
        for change in (await planned(world, ACTION)).changes:
            assert await settled(world, ACTION, change) == ["done", "done"]

        kept = world.sandbox.world.list("Microsoft.Compute/snapshots", EVIDENCE)
        assert [s.properties["incremental"] for s in kept] == [True, True]
        assert [s.properties["networkAccessPolicy"] for s in kept] == ["DenyAll", "DenyAll"]
        assert {s.body["tags"]["countersign-incident"] for s in kept} == {world.case.incident}
        assert on_it in [s.body.get("sandbox", {}).get("guest") for s in kept]


async def test_the_journal_gets_a_hash_of_what_was_made() -> None:
    async with opened(ACTION) as world:
        change = (await planned(world, ACTION)).changes[0]
        await settled(world, ACTION, change)
        outcome = await ACTION.verify(change, world.azure)
        assert outcome.after["sha256"] == hashlib.sha256(encode(outcome.after["metadata"])).hexdigest()
        assert outcome.after["sha256"] in outcome.reason


async def test_nobody_deletes_it_by_mistake() -> None:
    async with opened(ACTION) as world:
        change = (await planned(world, ACTION)).changes[0]
        await settled(world, ACTION, change)
        locks = world.sandbox.world.beneath(change.resource, "Microsoft.Authorization/locks")
        assert [lock.properties["level"] for lock in locks] == ["CanNotDelete"]
        with pytest.raises(HttpResponseError):
            await world.azure.arm("DELETE", change.resource, snapshots.VERSION)
        assert change.resource in world.sandbox.world


async def test_a_disk_that_was_swapped_meanwhile_is_not_taken_for_it() -> None:
    async with opened(ACTION) as world:
        change = next(c for c in (await planned(world, ACTION)).changes if c.before["uniqueId"])
        put(world, change.before["disk"], uniqueId="another")
        assert (await world.until_settled(ACTION.apply, change)).status == "drifted"
        assert change.resource not in world.sandbox.world


async def test_without_a_place_for_evidence_a_person_has_to_do_it_and_passwords_stay() -> None:
    async with opened(ACTION, evidence_group="") as world:
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "COUNTERSIGN_EVIDENCE_GROUP is not set" in plan.by_hand[0]
        vm = await machines.read(world.azure, subject(world, ACTION).id)
        assert vm
        assert "nothing of vm-web-1 was kept" in await snapshots.missing(world.azure, "i", vm)
    async with opened(ResetPasswords(), evidence_group="") as world:
        plan = await planned(world, ResetPasswords())
        assert plan.changes == ()
        assert "nothing of vm-web-1 was kept" in plan.by_hand[0]


async def test_of_an_ephemeral_system_nothing_can_be_kept_and_that_is_said() -> None:
    async with opened(ACTION) as world:
        vm = machine(world, ACTION)
        held = inside(world, ACTION)
        storage = {**vm.properties["storageProfile"]}
        storage["osDisk"] = {"osType": "Linux", "diffDiskSettings": {"option": "Local"}}
        put(world, vm.id, storageProfile=storage)
        guest.keep(world.sandbox.world, machine(world, ACTION), held)

        plan = await planned(world, ACTION)

        assert [c.before["disk"].rpartition("/")[2] for c in plan.changes] == ["data-web-1"]
        assert "ephemeral OS disk" in plan.kept[0]
        assert plan.by_hand == ()  # after the rebuild, there is nothing that anybody could still do
