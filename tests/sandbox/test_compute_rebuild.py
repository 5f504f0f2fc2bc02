"""Reimage and OS-disk swap: what they bring back, and what Azure refuses by name."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from sandbox.azure import Sandbox, guest
from tests.sandbox.estate import GROUP, Rest, browser
from tests.sandbox.machines import AT, PASSWORD, VM, bash, files_of, gets_in, model, opened, os_disk, power

DISKS = f"{GROUP}/providers/Microsoft.Compute/disks"
PLANTED = ("echo COUNTERSIGN-SANDBOX-MALWARE > /usr/local/bin/kworker", "useradd -m eve", "echo eve:Thief-1 | chpasswd")


async def reimage(client: Any, **body: Any) -> None:
    await (await client.virtual_machines.begin_reimage(*AT, body or {"tempDisk": True})).result()
    assert await power(client) == "PowerState/running"


async def swap(client: Any, disk_name: str, **os_disk: Any) -> Any:
    managed = {"id": f"{DISKS}/{disk_name}"}
    disk = {"createOption": "FromImage", "name": disk_name, "managedDisk": managed, **os_disk}
    poller = await client.virtual_machines.begin_update(*AT, {"properties": {"storageProfile": {"osDisk": disk}}})
    return await poller.result()


async def copy(client: Any, source: str, name: str = "clean", **properties: Any) -> None:
    creation = {"createOption": "Copy", "sourceResourceId": source}
    body = {"location": "westeurope", "properties": {"creationData": creation, **properties}}
    await (await client.disks.begin_create_or_update("app", name, body)).result()


def disk_id(azure: Sandbox) -> str:
    return str(os_disk(azure)["managedDisk"]["id"])


@pytest.mark.parametrize(("option", "kept"), [("Detach", 1), ("Delete", 0)])
async def test_a_reimage_gives_a_clean_disk_and_treats_the_old_one_as_its_option_says(option: str, kept: int) -> None:
    async with opened(body=model(deleteOption=option)) as (azure, client):
        old, before = os_disk(azure), await client.virtual_machines.get(*AT)
        await bash(client, *PLANTED)
        assert gets_in(azure, "eve", "Thief-1")
        await reimage(client)
        after = await client.virtual_machines.get(*AT)
        assert (after.vm_id, after.name) == (before.vm_id, before.name)
        assert os_disk(azure)["name"] != old["name"]
        assert "/usr/local/bin/kworker" not in files_of(azure)
        assert not gets_in(azure, "eve", "Thief-1")
        assert gets_in(azure, "azureuser", PASSWORD)  # the password that a thief may know works again
        assert (old["managedDisk"]["id"] in azure.world) == kept


async def test_the_kept_disk_of_a_reimage_brings_back_all_that_was_on_it() -> None:
    async with opened(body=model(deleteOption="Detach")) as (azure, client):
        await bash(client, *PLANTED)
        before = azure.world.snapshot()
        old = os_disk(azure)["name"]
        await reimage(client)
        new = os_disk(azure)["name"]
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        await swap(client, old)
        await (await client.disks.begin_delete("app", new)).result()
        await (await client.virtual_machines.begin_start(*AT)).result()
        assert await power(client) == "PowerState/running"
        assert gets_in(azure, "eve", "Thief-1")
        assert azure.world.snapshot() == before


async def test_a_reimage_takes_another_password_and_an_exact_version() -> None:
    async with opened() as (azure, client):
        exact = "24.04.202601150"
        await reimage(client, exactVersion=exact, osProfile={"adminPassword": "Third-secret-3!"})
        assert gets_in(azure, "azureuser", "Third-secret-3!")
        assert not gets_in(azure, "azureuser", PASSWORD)
        vm = await client.virtual_machines.get(*AT)
        assert vm.storage_profile.image_reference.exact_version == exact
        with pytest.raises(HttpResponseError, match="PlatformImageNotFound"):
            await client.virtual_machines.begin_reimage(*AT, {"exactVersion": "1.2.3"})
        with pytest.raises(HttpResponseError, match="custom data provided should be same"):
            await client.virtual_machines.begin_reimage(*AT, {"osProfile": {"customData": "ZWNobw=="}})


async def test_an_ephemeral_machine_is_reimaged_in_place() -> None:
    async with opened(body=model(diffDiskSettings={"option": "Local"})) as (azure, client):
        await bash(client, *PLANTED)
        assert gets_in(azure, "eve", "Thief-1")
        await reimage(client)
        assert not gets_in(azure, "eve", "Thief-1")
        with pytest.raises(ResourceExistsError, match="ephemeral"):
            await swap(client, "clean")


async def test_a_second_reimage_waits_for_the_first() -> None:
    async with opened() as (azure, client):
        azure.world.pace.polls = 99
        await client.virtual_machines.begin_reimage(*AT, {"tempDisk": True}, polling=False)
        with pytest.raises(ResourceExistsError, match="being reimaged"):
            await client.virtual_machines.begin_reimage(*AT, {"tempDisk": True})


async def test_a_machine_with_an_attached_disk_is_not_reimaged() -> None:
    async with opened() as (azure, client):
        await copy(client, disk_id(azure))
        attached = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": f"{DISKS}/clean"}}
        body = {
            "location": "westeurope",
            "properties": {"storageProfile": {"osDisk": attached}, "hardwareProfile": {"vmSize": "Standard_B1s"}},
        }
        await (await client.virtual_machines.begin_create_or_update("app", "special", body)).result()
        with pytest.raises(ResourceExistsError, match="attached or is specialized"):
            await client.virtual_machines.begin_reimage("app", "special", {"tempDisk": True})


async def test_an_encrypted_machine_is_neither_reimaged_nor_swapped() -> None:
    async with opened() as (azure, client):
        await copy(client, disk_id(azure))
        disk = azure.world.get(disk_id(azure))
        assert disk
        inner = {**disk.properties, "encryptionSettingsCollection": {"enabled": True}}
        azure.world.put(disk.id, {**disk.body, "properties": inner})
        with pytest.raises(ResourceExistsError, match="Azure Disk Encryption"):
            await client.virtual_machines.begin_reimage(*AT, {"tempDisk": True})
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        with pytest.raises(ResourceExistsError, match="OSDiskSwapNotSupportedForVMsUsingDiskEncryption"):
            await swap(client, "clean")


async def test_a_swap_takes_a_deallocated_machine_and_a_disk_that_fits() -> None:
    async with opened() as (azure, client):
        await copy(client, disk_id(azure))
        await copy(client, disk_id(azure), "trusted", securityProfile={"securityType": "TrustedLaunch"})
        await copy(client, disk_id(azure), "windows", osType="Windows")
        await copy(client, disk_id(azure), "old", hyperVGeneration="V1")
        with pytest.raises(ResourceExistsError, match=r"osDisk\.managedDisk\.id"):
            await swap(client, "clean")
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        before = azure.world.snapshot()[VM.lower()]
        with pytest.raises(ResourceExistsError, match=r"osDisk\.createOption"):
            await swap(client, "clean", createOption="Attach")
        with pytest.raises(ResourceExistsError, match=r"osDisk\.name"):
            await swap(client, "clean", name="other")
        for name, reason in (("trusted", "Security type"), ("windows", "OS type"), ("old", "generation")):
            with pytest.raises(HttpResponseError, match=reason):
                await swap(client, name)
        assert azure.world.snapshot()[VM.lower()]["properties"] == before["properties"]
        vm = await swap(client, "clean")
        assert vm.storage_profile.os_disk.managed_disk.id == f"{DISKS}/clean"


async def test_a_disk_straight_from_a_generalised_image_never_gets_an_agent() -> None:
    async with opened() as (azure, client):
        image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
        creation = {"createOption": "FromImage", "imageReference": image}
        body = {"location": "westeurope", "properties": {"osType": "Linux", "creationData": creation}}
        await (await client.disks.begin_create_or_update("app", "raw", body)).result()
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        await swap(client, "raw")
        await (await client.virtual_machines.begin_start(*AT)).result()
        view = await client.virtual_machines.instance_view(*AT)
        assert view.vm_agent.statuses[0].display_status == "Not Ready"
        assert not gets_in(azure, "azureuser", PASSWORD)
        with pytest.raises(HttpResponseError, match="VMAgentStatusCommunicationError"):
            await bash(client, "id")


async def test_the_publishers_versions_are_listed() -> None:
    async with opened() as (azure, client), browser(azure) as session:
        at = ("westeurope", "Canonical", "ubuntu-24_04-lts", "server")
        listed = await client.virtual_machine_images.list(*at)
        assert [v.name for v in listed] == ["24.04.202511180", "24.04.202601150", "24.04.202602100"]
        vm = await client.virtual_machines.get(*AT)
        assert vm.storage_profile.image_reference.exact_version == listed[-1].name
        arm = Rest(session, azure.endpoints.arm, azure.token("reader@contoso.example", "arm"))
        status, body = await arm("GET", f"{listed[-1].id}?api-version=2024-07-01")
        assert (status, body["properties"]["osDiskImage"]) == (200, {"operatingSystem": "Linux"})


async def test_an_image_brings_what_its_publisher_put_into_it() -> None:
    gallery = f"{GROUP}/providers/Microsoft.Compute/galleries/ours/images/base"
    implant = {"files": {"/opt/miner": "COUNTERSIGN-SANDBOX-MALWARE"}}
    async with opened() as (azure, client):
        azure.world.put(gallery, {"location": "westeurope", "properties": {"osState": "Generalized"}})
        azure.world.put(f"{gallery}/versions/1.0.1", {"location": "westeurope", "properties": {}, "sandbox": implant})
        body = model()
        body["properties"]["storageProfile"]["imageReference"] = {"id": f"{gallery}/versions/1.0.1"}
        made = await (await client.virtual_machines.begin_create_or_update("app", "other", body)).result()
        assert made.storage_profile.image_reference.exact_version == "1.0.1"
        vm = azure.world.get(made.id)
        assert vm
        assert guest.malware(guest.of(azure.world, vm)) == ("/opt/miner",)
        await (await client.virtual_machines.begin_reimage("app", "other", {"tempDisk": True})).result()
        await client.virtual_machines.get("app", "other")
        vm = azure.world.get(made.id)
        assert vm
        assert guest.malware(guest.of(azure.world, vm)) == ("/opt/miner",)  # reimaged from the same bad source
        azure.world.delete(f"{gallery}/versions/1.0.1")
        with pytest.raises(HttpResponseError, match="GalleryImageNotFound"):
            await client.virtual_machines.begin_reimage("app", "other", {"tempDisk": True})


async def test_a_specialised_image_brings_the_accounts_of_the_machine_it_was_taken_from() -> None:
    gallery = f"{GROUP}/providers/Microsoft.Compute/galleries/ours/images/golden"
    async with opened() as (azure, client):
        inside = {"guest": guest.new("Linux", "golden", {}, {"users": [{"name": "gold", "password": "Golden-6"}]})}
        azure.world.put(gallery, {"location": "westeurope", "properties": {"osState": "Specialized"}})
        azure.world.put(f"{gallery}/versions/2.0.0", {"location": "westeurope", "properties": {}, "sandbox": inside})
        creation = {"createOption": "FromImage", "galleryImageReference": {"id": f"{gallery}/versions/2.0.0"}}
        body = {"location": "westeurope", "properties": {"osType": "Linux", "creationData": creation}}
        await (await client.disks.begin_create_or_update("app", "gold", body)).result()
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        await swap(client, "gold")
        await (await client.virtual_machines.begin_start(*AT)).result()
        await power(client)
        assert gets_in(azure, "gold", "Golden-6")
        assert not gets_in(azure, "azureuser", PASSWORD)


async def test_user_data_is_shown_only_to_who_asks_for_it() -> None:
    async with opened() as (_, client):
        await (await client.virtual_machines.begin_update(*AT, {"properties": {"userData": "ZWNobw=="}})).result()
        assert (await client.virtual_machines.get(*AT)).user_data is None
        assert (await client.virtual_machines.get(*AT, expand="userData")).user_data == "ZWNobw=="
        links = await client.virtual_machines.retrieve_boot_diagnostics_data(*AT)
        assert links.serial_console_log_blob_uri.startswith("https://")
