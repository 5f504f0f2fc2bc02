"""Disks and snapshots, with azure-mgmt-compute as Microsoft ships it."""

import json
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.estate import GROUP, OPS, Rest, browser
from tests.sandbox.machines import AT, VM, bash, files_of, gets_in, model, opened, os_disk

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "compute"
DISKS = f"{GROUP}/providers/Microsoft.Compute/disks"


async def test_a_snapshot_keeps_what_is_on_the_disk() -> None:
    async with opened() as (azure, client):
        source = azure.world.get(os_disk(azure)["managedDisk"]["id"])
        assert source
        azure.world.put(source.id, {**source.body, "sandbox": {"infected": True}})
        body: dict[str, Any] = {
            "location": "westeurope",
            "properties": {
                "incremental": True,
                "creationData": {"createOption": "Copy", "sourceResourceId": source.id},
            },
        }
        made = await (await client.snapshots.begin_create_or_update("app", "evidence", body)).result()
        assert (made.properties.provisioning_state, made.properties.os_type) == ("Succeeded", "Linux")
        copy = azure.world.get(made.id)
        assert copy
        assert copy.body["sandbox"] == {"infected": True}
        body["properties"]["creationData"]["sourceResourceId"] = f"{DISKS}/ghost"
        with pytest.raises(ResourceNotFoundError):
            await client.snapshots.begin_create_or_update("app", "none", body)
        sas = await (
            await client.snapshots.begin_grant_access("app", "evidence", {"access": "Read", "durationInSeconds": 300})
        ).result()
        assert sas.access_sas.startswith("https://")
        await (await client.snapshots.begin_revoke_access("app", "evidence")).result()
        await (await client.snapshots.begin_delete("app", "evidence")).result()
        await (await client.snapshots.begin_delete("app", "evidence")).result()


async def test_a_copy_to_another_region_takes_its_time() -> None:
    async with opened() as (azure, client):
        source = os_disk(azure)["managedDisk"]["id"]
        creation = {"createOption": "CopyStart", "sourceResourceId": source}
        body = {"location": "northeurope", "properties": {"incremental": True, "creationData": creation}}
        await (await client.snapshots.begin_create_or_update("app", "far", body)).result()
        done = [(await client.snapshots.get("app", "far")).properties.completion_percent for _ in range(4)]
        assert done[-1] == 100
        assert done == sorted(done)
        assert done[0] < 100


async def test_the_disk_of_a_deallocated_machine_is_reserved_and_can_be_lent() -> None:
    async with opened() as (azure, client):
        name = os_disk(azure)["name"]
        with pytest.raises(ResourceExistsError, match="attached to a running VM"):
            await client.disks.begin_grant_access("app", name, {"access": "Read", "durationInSeconds": 300})
        before = azure.world.snapshot()[os_disk(azure)["managedDisk"]["id"].lower()]
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        assert (await client.disks.get("app", name)).properties.disk_state == "Reserved"
        assert azure.world.snapshot()[os_disk(azure)["managedDisk"]["id"].lower()] == before
        poller = await client.disks.begin_grant_access("app", name, {"access": "Read", "durationInSeconds": 300})
        assert (await poller.result()).access_sas.startswith("https://")


async def test_data_disks_are_attached_and_detached_and_keep_what_they_hold() -> None:
    async with opened() as (azure, client):
        data = {"id": f"{DISKS}/data", "location": "westeurope", "sandbox": {"content": "ledger"}, "properties": {}}
        azure.world.put(f"{DISKS}/data", data)
        disks = [{"lun": 0, "createOption": "Attach", "name": "data", "managedDisk": {"id": f"{DISKS}/data"}}]
        for wanted, owner in ((disks, VM), ([], None)):
            body = {"properties": {"storageProfile": {"dataDisks": wanted}}}
            await (await client.virtual_machines.begin_update(*AT, body)).result()
            assert (await client.disks.get("app", "data")).managed_by == owner
        held = azure.world.get(f"{DISKS}/data")
        assert held
        assert held.body["sandbox"] == {"content": "ledger"}


async def test_a_restore_point_brings_back_the_system_of_its_time() -> None:
    async with opened() as (azure, client):
        collection = {"location": "westeurope", "properties": {"source": {"id": VM}}}
        await client.restore_point_collections.create_or_update("app", "points", collection)
        point = await (await client.restore_points.begin_create("app", "points", "clean", {})).result()
        assert (point.properties.provisioning_state, point.name) == ("Succeeded", "clean")
        kept = point.properties.source_metadata.storage_profile.os_disk.disk_restore_point.id
        await bash(client, "useradd -m mallory", "echo mallory:Thief-1 | chpasswd")
        assert gets_in(azure, "mallory", "Thief-1")
        creation = {"createOption": "Restore", "sourceResourceId": kept}
        body = {"location": "westeurope", "properties": {"creationData": creation}}
        disk = await (await client.disks.begin_create_or_update("app", "restored", body)).result()
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        old = os_disk(azure)["name"]
        swap = {"createOption": "FromImage", "name": "restored", "managedDisk": {"id": disk.id}}
        await (
            await client.virtual_machines.begin_update(*AT, {"properties": {"storageProfile": {"osDisk": swap}}})
        ).result()
        await (await client.virtual_machines.begin_start(*AT)).result()
        await client.virtual_machines.instance_view(*AT)
        assert not gets_in(azure, "mallory", "Thief-1")
        assert "/home/mallory" not in files_of(azure)
        assert (await client.disks.get("app", old)).managed_by is None


async def test_a_machine_gives_three_restore_points_an_hour() -> None:
    async with opened() as (_, client):
        collection = {"location": "westeurope", "properties": {"source": {"id": VM}}}
        await client.restore_point_collections.create_or_update("app", "points", collection)
        for number in range(3):
            await (await client.restore_points.begin_create("app", "points", f"p{number}", {})).result()
        with pytest.raises(HttpResponseError, match="TooManyRequests"):
            await client.restore_points.begin_create("app", "points", "p3", {})


async def test_what_is_not_on_a_disk_can_not_be_captured() -> None:
    async with opened(body=model(diffDiskSettings={"option": "Local"})) as (_, client):
        collection = {"location": "westeurope", "properties": {"source": {"id": VM}}}
        await client.restore_point_collections.create_or_update("app", "points", collection)
        with pytest.raises(ResourceExistsError, match="ephemeral"):
            await client.restore_points.begin_create("app", "points", "one", {})


async def test_an_attached_disk_is_not_deleted() -> None:
    async with opened() as (azure, client):
        name = os_disk(azure)["name"]
        with pytest.raises(ResourceExistsError, match="is attached to VM"):
            await client.disks.begin_delete("app", name)
        with pytest.raises(HttpResponseError, match="creationData"):
            await client.disks.begin_create_or_update("app", "x", {"location": "westeurope", "properties": {}})


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official examples are not here")
async def test_answers_have_the_shape_of_the_official_examples() -> None:
    def sample(name: str) -> Any:
        return json.loads((SAMPLES / f"{name}.json").read_text())["responses"]["200"]["body"]

    async with opened() as (azure, client), browser(azure) as session:
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        _, vm = await arm("GET", f"{VM}?api-version=2024-07-01")
        assert {"name", "id", "type", "location", "tags", "properties"} <= set(vm) & set(sample("VirtualMachines_Get"))
        wanted = {"vmId", "hardwareProfile", "storageProfile", "osProfile", "provisioningState"}
        assert wanted <= set(vm["properties"]) & set(sample("VirtualMachines_Get")["properties"])
        _, view = await arm("GET", f"{VM}/instanceView?api-version=2024-07-01")
        assert {"computerName", "vmAgent", "disks", "statuses"} <= set(view) & set(
            sample("VirtualMachines_InstanceView")
        )
        body = {"commandId": "RunShellScript", "script": ["id"]}
        result = await (await client.virtual_machines.begin_run_command(*AT, body)).result()
        assert set(result.as_dict()["value"][0]) >= set(sample("VirtualMachines_RunCommand")["value"][0])
