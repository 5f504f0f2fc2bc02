"""Scale sets and Compute's own throttling, with azure-mgmt-compute as Microsoft ships it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from sandbox.azure import Sandbox, guest, guest_jail
from tests.sandbox.estate import GROUP, OPS, Rest, browser, compute, estate
from tests.sandbox.machines import AT, VM, model, opened

SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/pool"
ON = ("app", "pool")


def the_set(capacity: int = 2, **os_disk: Any) -> dict[str, Any]:
    profile = model(**os_disk)["properties"]
    own = {"computerNamePrefix": "pool", "adminUsername": "azureuser", "adminPassword": "First-secret-1!"}
    inner = {"storageProfile": profile["storageProfile"], "osProfile": own}
    return {
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "capacity": capacity},
        "properties": {"orchestrationMode": "Uniform", "virtualMachineProfile": inner},
    }


@asynccontextmanager
async def pool(**os_disk: Any) -> AsyncIterator[tuple[Sandbox, Any]]:
    async with estate() as azure, compute(azure, OPS) as client:
        sets = client.virtual_machine_scale_sets
        await (await sets.begin_create_or_update(*ON, the_set(**os_disk))).result()
        yield azure, client


def infected(azure: Sandbox, number: int) -> tuple[str, ...]:
    vm = azure.world.get(f"{SET}/virtualMachines/{number}")
    assert vm
    return guest.malware(guest.of(azure.world, vm))


async def test_a_set_makes_its_instances() -> None:
    async with pool() as (azure, client):
        instances = client.virtual_machine_scale_set_vms
        assert [(v.instance_id, v.name) async for v in instances.list(*ON)] == [("0", "pool_0"), ("1", "pool_1")]
        view = await instances.get_instance_view(*ON, "1")
        assert "PowerState/running" in [s.code for s in view.statuses]
        disk = (await instances.get(*ON, "0")).storage_profile.os_disk.managed_disk.id
        assert (azure.world.get(disk) or pytest.fail("no disk")).body["managedBy"] == f"{SET}/virtualMachines/0"
        await (await client.virtual_machine_scale_sets.begin_create_or_update(*ON, the_set(1))).result()
        assert [v.instance_id async for v in instances.list(*ON)] == ["0"]


@pytest.mark.skipif(not guest_jail.available(), reason="no user namespaces here")
@pytest.mark.parametrize("os_disk", [{}, {"diffDiskSettings": {"option": "Local"}}])
async def test_one_instance_is_reimaged_and_the_others_are_left_alone(os_disk: dict[str, Any]) -> None:
    async with pool(**os_disk) as (azure, client):
        instances = client.virtual_machine_scale_set_vms
        plant = {"commandId": "RunShellScript", "script": ["echo COUNTERSIGN-SANDBOX-MALWARE > /opt/miner"]}
        for number in ("0", "1"):
            await (await instances.begin_run_command(*ON, number, plant)).result()
        await (await instances.begin_reimage(*ON, "0", {"tempDisk": True})).result()
        assert (await instances.get(*ON, "0")).instance_id == "0"
        assert (infected(azure, 0), infected(azure, 1)) == ((), ("/opt/miner",))
        await (await client.virtual_machine_scale_sets.begin_reimage(*ON, {"instanceIds": ["1"]})).result()
        assert await instances.get(*ON, "1")
        assert infected(azure, 1) == ()


async def test_an_instance_is_deallocated_unless_it_is_ephemeral() -> None:
    async with pool() as (_, client):
        await (await client.virtual_machine_scale_set_vms.begin_deallocate(*ON, "0")).result()
        view = await client.virtual_machine_scale_set_vms.get_instance_view(*ON, "0")
        assert "PowerState/deallocated" in [s.code for s in view.statuses]
    async with pool(diffDiskSettings={"option": "Local"}) as (_, client):
        with pytest.raises(ResourceExistsError, match="ephemeral"):
            await client.virtual_machine_scale_set_vms.begin_deallocate(*ON, "0")


async def test_a_changed_model_reaches_an_instance_by_its_upgrade() -> None:
    async with pool() as (_, client):
        body = the_set()
        body["properties"]["virtualMachineProfile"]["extensionProfile"] = {"extensions": []}
        sets, instances = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms
        await (await sets.begin_create_or_update(*ON, body)).result()
        assert [v.latest_model_applied async for v in instances.list(*ON)] == [False, False]
        await (await sets.begin_update_instances(*ON, {"instanceIds": ["1"]})).result()
        assert [v.latest_model_applied async for v in instances.list(*ON)] == [False, True]


async def test_the_members_of_a_flexible_set_are_plain_machines() -> None:
    body = model()
    body["properties"]["virtualMachineScaleSet"] = {"id": SET}
    async with opened(body=body) as (azure, client):
        azure.world.put(SET, {"location": "westeurope", "properties": {"orchestrationMode": "Flexible"}})
        members = [v.id async for v in client.virtual_machine_scale_set_vms.list(*ON)]
        assert members == [VM]


async def test_every_answer_about_a_machine_says_what_is_left_and_a_world_may_refuse() -> None:
    async with opened() as (azure, client), browser(azure) as session:
        azure.world.state["compute"] = {"limits": True}
        seen: list[Any] = []
        for _ in range(11):  # the twelfth update made the machine
            poller = await client.virtual_machines.begin_start(
                *AT, raw_response_hook=lambda r: seen.append(r.http_response.headers)
            )
            await poller.result()
        left = [h["x-ms-ratelimit-remaining-resource"] for h in seen if "x-ms-ratelimit-remaining-resource" in h]
        assert left[0] == "Microsoft.Compute/UpdateVM;10"
        assert left[-1] == "Microsoft.Compute/UpdateVM;0"
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        status, body = await arm("POST", f"{VM}/start?api-version=2024-07-01")
        assert (status, body["error"]["code"]) == (429, "OperationNotAllowed")
        assert (await arm("POST", f"{VM}/deallocate?api-version=2024-07-01"))[0] == 202
        azure.clock.advance(timedelta(seconds=15))
        assert (await arm("POST", f"{VM}/start?api-version=2024-07-01"))[0] == 202
        with pytest.raises(HttpResponseError, match="OperationNotAllowed"):
            await client.virtual_machines.begin_start(*AT)


async def test_instances_are_turned_off_and_on_together_or_by_name() -> None:
    async with pool() as (_, client):
        sets, instances = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms

        async def power() -> list[str]:
            views = [await instances.get_instance_view(*ON, number) for number in "01"]
            return [next(s.code for s in view.statuses if s.code.startswith("PowerState/")) for view in views]

        await (await sets.begin_power_off(*ON)).result()
        assert await power() == ["PowerState/stopped"] * 2
        await (await sets.begin_start(*ON, {"instanceIds": ["1"]})).result()
        assert await power() == ["PowerState/stopped", "PowerState/running"]
        await (await sets.begin_deallocate(*ON, {"instanceIds": ["0"]})).result()
        assert await power() == ["PowerState/deallocated", "PowerState/running"]
        with pytest.raises(ResourceExistsError, match="is not allowed on VM '0' since it is deallocated"):
            await (await sets.begin_restart(*ON)).result()


async def test_named_instances_are_deleted_and_not_made_again() -> None:
    async with pool() as (_, client):
        sets, instances = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms
        await (await sets.begin_delete_instances(*ON, {"instanceIds": ["0"]})).result()
        assert [v.instance_id async for v in instances.list(*ON)] == ["1"]
        assert (await sets.get(*ON)).sku.capacity == 1
        with pytest.raises(HttpResponseError, match="instanceIds"):
            await (await sets.begin_delete_instances(*ON, {"instanceIds": []})).result()


async def test_of_an_instance_a_write_keeps_what_azure_gave_it_and_makes_none() -> None:
    async with pool() as (azure, _), browser(azure) as session:
        rest = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        before = azure.world.get(f"{SET}/virtualMachines/0")
        assert before
        body = {"location": "westeurope", "instanceId": "9", "tags": {"a": "b"}, "properties": {"vmId": "mine"}}
        assert (await rest("PUT", f"{SET}/virtualMachines/0?api-version=2024-07-01", body))[0] == 200
        after = azure.world.get(f"{SET}/virtualMachines/0")
        assert after
        assert (after.body["instanceId"], after.body["tags"]) == ("0", {"a": "b"})
        assert after.properties["vmId"] == before.properties["vmId"]
        assert (await rest("PUT", f"{SET}/virtualMachines/7?api-version=2024-07-01", body))[0] == 404
