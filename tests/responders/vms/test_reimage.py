"""A machine is rebuilt from a source that no intruder had a hand in, or not at all; its old disk can come back."""

from typing import Any

import msgspec
import pytest

from responders.errors import Temporary
from responders.vms import sources
from responders.vms.machine import read
from responders.vms.reimage import Reimage
from responders.vms.reimage_in_place import ReimageInPlace
from responders.vms.sources import Source
from sandbox.azure.world import Resource
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.vms.attacked import machine, opened, planned, put, settled

Json = dict[str, Any]

ACTION, IN_PLACE = Reimage(), ReimageInPlace()
SPECIALIZED, PLATFORM, ENCRYPTED = "specialized-disk-swap", "vm-run-command", "encrypted-vm"
IMAGES = "own-images"
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
SQL = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.Compute/virtualMachines/vm-sql"
GOLDEN = f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Compute/galleries/golden"


def found(world: Attacked, id_: str) -> Resource:
    there = world.sandbox.world.get(id_)
    assert there
    return there


def os_disk(world: Attacked, vm: str) -> str:
    return str(found(world, vm).properties["storageProfile"]["osDisk"]["managedDisk"]["id"])


async def chosen(world: Attacked, id_: str) -> tuple[Source | None, list[str]]:
    vm = await read(world.azure, id_)
    assert vm
    return await sources.choose(world.azure, world.case, vm)


# -- the source --------------------------------------------------------------------------------------------------------


async def test_a_restore_point_of_the_intruders_time_is_none_to_go_back_to() -> None:
    async with opened(ACTION, SPECIALIZED) as world:
        source, rejected = await chosen(world, machine(world, ACTION).id)
        assert source
        assert source.what.startswith("the restore point nightly-3")
        assert rejected == ["vm-app was made from no image that Azure knows"]


async def test_an_image_that_its_publisher_took_back_is_none() -> None:
    async with opened(ACTION, PLATFORM) as world:
        vm = machine(world, ACTION)
        world.sandbox.world.state.setdefault("compute", {})["images"] = {
            "canonical/ubuntu-24_04-lts/server": ["24.04.9"]
        }
        source, rejected = await chosen(world, vm.id)
        assert source is None
        assert "does not offer version 24.04.202602100 any more" in rejected[0]
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "COUNTERSIGN_IMAGES" in plan.by_hand[0]


async def test_a_managed_image_of_before_is_a_source() -> None:
    async with opened(ACTION, IMAGES) as world:
        source, rejected = await chosen(world, SQL)
        assert source
        assert (source.what, source.version, source.creation) == ("the managed image win-sql", "", None)
        assert rejected == []


async def test_a_managed_image_that_was_made_in_the_window_or_that_a_suspect_wrote_is_none() -> None:
    async with opened(ACTION, IMAGES) as world:
        image = found(world, f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Compute/images/win-sql")
        deed = next(f for f in world.case.findings if f.suspect)
        before = world.case
        world.case = before.having(findings=(*before.findings, msgspec.structs.replace(deed, resource=image.id)))
        source, rejected = await chosen(world, SQL)
        assert source is None
        assert "may be the intruder's: a suspect wrote it" in rejected[0]
        world.case = before
        image.stamps = {**image.stamps, "createdAt": before.until.isoformat()}
        source, rejected = await chosen(world, SQL)
        assert source is None
        assert "may be the intruder's: it was made" in rejected[0]
        world.sandbox.world.delete(image.id)
        source, rejected = await chosen(world, SQL)
        assert source is None
        assert "is not there any more" in rejected[0]


def cased(world: Attacked) -> str:
    return next(s.id for s in world.subjects(ACTION) if s.name == "vm-cased")


async def test_a_gallery_in_which_a_suspect_wrote_is_no_source_unless_people_say_so() -> None:
    async with opened(ACTION, ENCRYPTED) as world:
        version = f"{GOLDEN}/images/linux/versions/4.2.0"
        source, _ = await chosen(world, cased(world))
        assert source
        assert source.version == "4.2.0"
        deed = world.case.findings[0]
        fields = {name: getattr(deed, name) for name in deed.__struct_fields__}
        wrote = type(deed)(**{**fields, "suspect": True, "resource": version, "outcome": "succeeded"})
        world.case = world.case.having(findings=(*world.case.findings, wrote))
        source, rejected = await chosen(world, cased(world))
        assert source is None
        assert "may be the intruder's" in rejected[0]
        world.azure.settings = type(world.azure.settings)(
            **{n: getattr(world.azure.settings, n) for n in world.azure.settings.__struct_fields__ if n != "images"},
            images=(version,),
        )
        source, _ = await chosen(world, cased(world))
        assert source
        assert source.why == "it is one of COUNTERSIGN_IMAGES"


async def test_a_version_that_was_published_after_he_came_is_no_source() -> None:
    async with opened(ACTION, ENCRYPTED) as world:
        later = world.case.until.isoformat()
        put(world, f"{GOLDEN}/images/linux/versions/4.2.0", publishingProfile={"publishedDate": later})
        source, rejected = await chosen(world, cased(world))
        assert source is None
        assert "may be the intruder's" in rejected[0]


# -- what is refused ---------------------------------------------------------------------------------------------------


async def test_without_evidence_nothing_is_rebuilt() -> None:
    async with attacked(EXERCISES / f"{PLATFORM}.yaml", ACTION.permissions) as world:
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "approve vms.capture_evidence first" in plan.by_hand[0]


async def test_a_confidential_machine_is_refused_by_name() -> None:
    async with opened(ACTION, PLATFORM) as world:
        put(world, machine(world, ACTION).id, securityProfile={"securityType": "ConfidentialVM"})
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "is a confidential machine" in plan.by_hand[0]


async def test_a_node_of_a_cluster_is_cordoned_and_drained_by_a_person() -> None:
    async with opened(ACTION, PLATFORM) as world:
        group = f"{PROD}/resourceGroups/rg-web"
        cluster = f"{group}/providers/Microsoft.ContainerService/managedClusters/aks-prod"
        world.sandbox.world.put(group, {**found(world, group).body, "managedBy": cluster})
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "cordon and drain" in plan.by_hand[0]


async def test_another_disk_in_its_place_is_not_what_was_approved() -> None:
    async with opened(ACTION, SPECIALIZED) as world:
        (change,) = (await planned(world, ACTION)).changes
        vm = machine(world, ACTION)
        storage = vm.properties["storageProfile"]
        other = {**storage["osDisk"], "managedDisk": {"id": f"{vm.id.rpartition('/')[0]}/other"}}
        put(world, vm.id, storageProfile={**storage, "osDisk": other})
        assert (await ACTION.apply(change, world.azure)).status == "drifted"


# -- what is done ------------------------------------------------------------------------------------------------------


async def test_an_os_disk_that_would_go_with_its_machine_is_kept() -> None:
    async with opened(ACTION, ENCRYPTED) as world:
        vm = cased(world)
        old = os_disk(world, vm)
        assert found(world, vm).properties["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
        subject = next(s for s in world.subjects(ACTION) if s.id == vm)
        (change,) = (await ACTION.plan(world.case, subject, world.azure)).changes
        assert await settled(world, ACTION, change) == ["done", "done"]
        assert os_disk(world, vm) != old
        assert found(world, old).properties["diskState"] == "Unattached"


async def test_the_disk_of_a_swap_fits_where_the_old_one_was() -> None:
    async with opened(ACTION, SPECIALIZED) as world:
        vm = machine(world, ACTION)
        old = found(world, os_disk(world, vm.id))
        (change,) = (await planned(world, ACTION)).changes
        await settled(world, ACTION, change)
        new = found(world, os_disk(world, vm.id))
        for name in ("location", "zones"):
            assert new.body[name] == old.body[name]
        assert new.body["sku"]["name"] == old.body["sku"]["name"]
        for name in ("osType", "hyperVGeneration", "encryption", "diskSizeGB"):
            assert new.properties[name] == old.properties[name]
        assert found(world, vm.id).body["identity"] == vm.body["identity"]


async def test_the_approver_reads_what_a_rebuild_leaves_as_it_is() -> None:
    async with opened(ACTION, SPECIALIZED) as world:
        plan = await planned(world, ACTION)
        kept = " ".join(plan.kept)
        assert "the data disk data-app of vm-app is not rebuilt" in kept
        assert "the identity of vm-app and its roles stay" in kept
        assert "the extension AzureMonitorLinuxAgent stays" in kept


@pytest.mark.parametrize("exercise", ["ephemeral-disk", "scale-set-miner"])
async def test_what_nobody_can_keep_is_another_action_which_nothing_undoes(exercise: str) -> None:
    async with opened(IN_PLACE, exercise) as world:
        (change,) = (await planned(world, IN_PLACE)).changes
        assert "is lost" in change.summary
        assert (await IN_PLACE.undo(change, world.azure)).status == "failed"
    async with opened(ACTION, exercise) as world:
        assert (await planned(world, ACTION)).reason.startswith("vms.reimage_in_place is for")


async def test_a_machine_without_an_agent_is_up_when_it_runs() -> None:
    async with opened(ACTION, PLATFORM) as world:
        vm = machine(world, ACTION)
        profile = {**vm.properties["osProfile"], "linuxConfiguration": {"provisionVMAgent": False}}
        put(world, vm.id, osProfile={**profile, "allowExtensionOperations": False})
        (change,) = (await planned(world, ACTION)).changes
        assert await settled(world, ACTION, change) == ["done", "done"]


async def test_an_undo_does_not_start_what_was_off_with_the_intruder_in_it() -> None:
    async with opened(ACTION, PLATFORM) as world:
        vm = machine(world, ACTION)
        world.sandbox.world.put(vm.id, {**vm.body, "sandbox": {**vm.hidden, "power": "stopped"}})
        old = os_disk(world, vm.id)
        (change,) = (await planned(world, ACTION)).changes
        assert await settled(world, ACTION, change) == ["done", "done"]
        assert found(world, vm.id).hidden["power"] == "running"
        assert (await world.until_settled(ACTION.undo, change)).status == "done"
        assert os_disk(world, vm.id) == old
        assert found(world, vm.id).hidden["power"] == "deallocated"
        assert (await world.until_settled(ACTION.undo, change)).status == "already_so"


async def test_an_instance_is_not_rebuilt_while_its_set_would_run_the_intruders_code_in_it_again() -> None:
    action = ReimageInPlace()
    async with opened(action, "scale-set-model") as world:
        home = machine(world, action).id.rpartition("/virtualMachines/")[0]
        world.sandbox.world.put(f"{home}/extensions/tune", {"properties": {}})  # its removal is not approved yet
        (change,) = (await planned(world, action)).changes
        with pytest.raises(Temporary, match="extensions/tune would run in the new system"):
            await action.apply(change, world.azure)
        assert not [r for r in world.sandbox.requests if r.path.endswith("/reimage")]
        world.sandbox.world.delete(f"{home}/extensions/tune")
        assert await settled(world, action, change) == ["done", "done"]
