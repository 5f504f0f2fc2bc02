"""Virtual machines, with azure-mgmt-compute as Microsoft ships it."""

import json
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox.azure import Sandbox, World
from tests.sandbox.estate import GROUP, MALLORY, OPS, READER, SUBSCRIPTION, Rest, browser, compute, estate
from tests.sandbox.machines import AT, PASSWORD, VM, extension, gets_in, model, opened, os_disk, power

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "compute"
DISKS = f"{GROUP}/providers/Microsoft.Compute/disks"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"


async def test_a_machine_is_made_with_its_disk_and_shows_no_password() -> None:
    async with opened() as (_, client):
        vm = await client.virtual_machines.get(*AT)
        assert (vm.name, vm.provisioning_state, vm.os_profile.admin_username) == ("web", "Succeeded", "azureuser")
        assert PASSWORD not in json.dumps(vm.as_dict())
        assert vm.instance_view is None
        vm = await client.virtual_machines.get(*AT, expand="instanceView")
        assert [s.code for s in vm.instance_view.statuses] == ["ProvisioningState/succeeded", "PowerState/running"]
        disk = await client.disks.get("app", vm.storage_profile.os_disk.name)
        assert (disk.managed_by, disk.properties.disk_state) == (VM, "Attached")
        assert [v.name async for v in client.virtual_machines.list("app")] == ["web"]
        assert [v.name async for v in client.virtual_machines.list_all()] == ["web"]
        assert vm.vm_id


async def test_creating_answers_201_and_creating_until_it_is_done() -> None:
    async with estate() as azure, browser(azure) as session:
        azure.world.pace.polls = 2
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        status, body = await arm("PUT", f"{VM}?api-version=2024-07-01", model())
        assert (status, body["properties"]["provisioningState"]) == (201, "Creating")
        async with compute(azure, OPS) as client:
            assert await power(client) == ""
        async with compute(azure, OPS) as client:
            poller = await client.virtual_machines.begin_create_or_update("app", "two", model())
            assert (await poller.result()).name == "two"


@pytest.mark.parametrize(
    ("first", "verb", "way", "end"),
    [
        (None, "deallocate", "deallocating", "deallocated"),
        (None, "power_off", "stopping", "stopped"),
        ("deallocate", "start", "starting", "running"),
        (None, "restart", "running", "running"),
        (None, "redeploy", "running", "running"),
    ],
)
async def test_power_moves_with_the_operation(first: str | None, verb: str, way: str, end: str) -> None:
    async with opened() as (azure, client):
        if first:
            await (await getattr(client.virtual_machines, f"begin_{first}")(*AT)).result()
        azure.world.pace.polls = 3
        poller = await getattr(client.virtual_machines, f"begin_{verb}")(*AT)
        assert await power(client) == f"PowerState/{way}"
        assert await poller.result() is None
        assert await power(client) == f"PowerState/{end}"
        azure.world.pace.polls = 0
        await (await getattr(client.virtual_machines, f"begin_{verb}")(*AT)).result()
        assert await power(client) == f"PowerState/{end}"


async def test_both_headers_lead_to_the_end_and_a_token_resumes_the_poll() -> None:
    async with opened() as (azure, client):
        azure.world.pace.retry_after = None  # as Compute has it
        seen: list[Any] = []
        poller = await client.virtual_machines.begin_deallocate(
            *AT, raw_response_hook=lambda r: seen.append(r.http_response)
        )
        assert seen[0].status_code == 202
        assert (
            "/providers/Microsoft.Compute/locations/westeurope/operations/" in seen[0].headers["Azure-AsyncOperation"]
        )
        assert "monitor=true" in seen[0].headers["Location"]
        assert "Retry-After" not in seen[0].headers
        token = poller.continuation_token()
        posts = sum(r.method == "POST" for r in azure.requests)
        resumed = await client.virtual_machines.begin_deallocate(*AT, continuation_token=token)
        await resumed.result()
        assert sum(r.method == "POST" for r in azure.requests) == posts
        assert await power(client) == "PowerState/deallocated"


async def test_starting_again_restores_the_world() -> None:
    async with opened() as (azure, client):
        before = azure.world.snapshot()
        await (await client.virtual_machines.begin_deallocate(*AT)).result()
        assert azure.world.snapshot() != before
        await (await client.virtual_machines.begin_start(*AT)).result()
        await power(client)
        assert azure.world.snapshot() == before


async def test_a_busy_machine_is_409() -> None:
    async with opened() as (azure, client):
        azure.world.pace.polls = 99
        await client.virtual_machines.begin_deallocate(*AT, polling=False)
        with pytest.raises(ResourceExistsError, match="Conflict"):
            await client.virtual_machines.begin_start(*AT)


async def test_an_ephemeral_machine_is_not_deallocated() -> None:
    async with opened(body=model(diffDiskSettings={"option": "Local"})) as (_, client):
        with pytest.raises(ResourceExistsError, match="OperationNotAllowed"):
            await client.virtual_machines.begin_deallocate(*AT)
        assert [d async for d in client.disks.list()] == []


async def test_a_missing_machine_is_404_and_deleting_it_is_done_already() -> None:
    async with opened() as (_, client):
        for call in (
            client.virtual_machines.begin_deallocate,
            client.virtual_machines.instance_view,
            client.virtual_machines.get,
        ):
            with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
                await call("app", "ghost")
        await (await client.virtual_machines.begin_delete("app", "ghost")).result()


@pytest.mark.parametrize(("option", "kept"), [("Delete", 0), ("Detach", 1), (None, 1)])
async def test_deleting_a_machine_keeps_the_disk_as_its_option_says(option: str | None, kept: int) -> None:
    async with opened(body=model(**({"deleteOption": option} if option else {}))) as (azure, client):
        await (await client.virtual_machines.begin_delete(*AT)).result()
        with pytest.raises(ResourceNotFoundError):
            await client.virtual_machines.get(*AT)
        disks = [d async for d in client.disks.list_by_resource_group("app")]
        assert [(d.managed_by, d.properties.disk_state) for d in disks] == [(None, "Unattached")] * kept
        assert VM.lower() not in azure.world.snapshot()


async def test_a_machines_own_identity_comes_and_goes_with_it() -> None:
    async with opened(body=model() | {"identity": {"type": "SystemAssigned"}}) as (azure, client):
        vm = await client.virtual_machines.get(*AT)
        assert azure.world.directory.find(vm.identity.principal_id)
        await (await client.virtual_machines.begin_delete(*AT)).result()
        await power_gone(client)
        assert azure.world.directory.find(vm.identity.principal_id) is None
        await (
            await client.virtual_machines.begin_create_or_update(
                *AT, model() | {"identity": {"type": "SystemAssigned"}}
            )
        ).result()
        again = await client.virtual_machines.get(*AT)
        assert again.identity.principal_id != vm.identity.principal_id
        assert again.vm_id != vm.vm_id


async def power_gone(client: Any) -> None:
    with pytest.raises(ResourceNotFoundError):
        await client.virtual_machines.instance_view(*AT)


async def test_a_patch_changes_only_what_it_names() -> None:
    async with opened() as (azure, client):
        body = {
            "tags": {"state": "suspect"},
            "properties": {"storageProfile": {"osDisk": {"deleteOption": "Detach", "createOption": "FromImage"}}},
        }
        vm = await (await client.virtual_machines.begin_update(*AT, body)).result()
        assert vm.tags == {"owner": OPS, "state": "suspect"}
        assert vm.storage_profile.os_disk.delete_option == "Detach"
        assert vm.storage_profile.os_disk.managed_disk.id == os_disk(azure)["managedDisk"]["id"]
        assert gets_in(azure, "azureuser", PASSWORD)


async def test_a_template_that_is_put_again_changes_nothing_about_the_disk() -> None:
    async with opened() as (azure, client):
        before = os_disk(azure)
        await (await client.virtual_machines.begin_create_or_update(*AT, model())).result()
        assert os_disk(azure) == before
        assert gets_in(azure, "azureuser", PASSWORD)


async def test_rights_are_asked_for_by_the_action() -> None:
    async with opened(READER) as (azure, client):
        assert (await client.virtual_machines.get(*AT)).name == "web"
        refused = (
            lambda: client.virtual_machines.begin_deallocate(*AT),
            lambda: client.virtual_machines.begin_run_command(*AT, {"commandId": "RunShellScript", "script": ["id"]}),
            lambda: client.virtual_machines.begin_delete(*AT),
            lambda: client.virtual_machine_extensions.begin_create_or_update(*AT, "x", extension()),
        )
        before = azure.world.snapshot()
        call: Any
        for call in refused:
            with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
                await call()
        assert azure.world.snapshot() == before


async def test_a_machine_takes_rights_on_what_it_refers_to() -> None:
    only = [{"scope": VM, "role": "Virtual Machine Contributor", "principal": READER}]
    async with opened() as (azure, _), compute(azure, READER) as client:
        azure.world.put(NIC, {"location": "westeurope", "properties": {}})
        azure.world.load({"role_assignments": only}, azure.clock.now())
        body = model()
        body["properties"]["networkProfile"] = {"networkInterfaces": [{"id": NIC}]}
        with pytest.raises(HttpResponseError, match="LinkedAuthorizationFailed"):
            await client.virtual_machines.begin_create_or_update(*AT, body)


async def test_a_read_only_lock_keeps_a_machine_running() -> None:
    async with opened() as (azure, client), browser(azure) as session:
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        path = f"{GROUP}/providers/Microsoft.Authorization/locks/still?api-version=2020-05-01"
        assert (await arm("PUT", path, {"properties": {"level": "ReadOnly"}}))[0] == 201
        with pytest.raises(ResourceExistsError, match="ScopeLocked"):
            await client.virtual_machines.begin_deallocate(*AT)
        assert await power(client) == "PowerState/running"


async def test_what_was_done_is_in_the_activity_log() -> None:
    async with opened(MALLORY) as (azure, client):
        await (
            await client.virtual_machines.begin_run_command(*AT, {"commandId": "RunShellScript", "script": ["id"]})
        ).result()
        dumped = json.dumps(azure.world.activity.dump())
        assert "microsoft.compute/virtualmachines/runcommand/action" in dumped.lower()
        assert MALLORY in dumped


async def test_a_machine_of_a_world_file_works_like_one_that_was_made() -> None:
    body = {"id": VM, "location": "westeurope", "properties": {"hardwareProfile": {"vmSize": "Standard_B1s"}}}
    async with estate() as azure, compute(azure, OPS) as client:
        azure.world.load({"resources": [{**body, "sandbox": {"power": "deallocated"}}]}, azure.clock.now())
        assert await power(client) == "PowerState/deallocated"
        await (await client.virtual_machines.begin_start(*AT)).result()
        assert await power(client) == "PowerState/running"


async def test_a_running_operation_outlives_a_restart(tmp_path: Path) -> None:
    async with opened() as (azure, client):
        azure.world.pace.polls = 99
        await client.virtual_machines.begin_deallocate(*AT, polling=False)
        azure.world.save(tmp_path / "world.json")
    world = World.open(tmp_path / "world.json")
    for operation in world.operations.values():
        operation["polls"] = 0
    async with Sandbox(world) as again, compute(again, OPS) as client:
        assert await power(client) == "PowerState/deallocated"


async def test_nothing_hidden_is_in_the_inventory() -> None:
    async with opened() as (azure, _), browser(azure) as session:
        arm = Rest(session, azure.endpoints.arm, azure.token(READER, "arm"))
        for path in (f"/subscriptions/{SUBSCRIPTION}/resources?api-version=2021-04-01", f"{VM}?api-version=2024-07-01"):
            status, body = await arm("GET", path)
            assert status == 200
            assert PASSWORD not in json.dumps(body)
            assert '"sandbox"' not in json.dumps(body)
