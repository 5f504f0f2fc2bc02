"""Deletes as Azure does them: in order, behind a 202, and sometimes not for good."""

from datetime import timedelta

import pytest

from tests.sandbox.arm import AUTH, MALLORY, NOBODY, READER_ROLE, STORE, Answer, Arm, G, Json, S, an_id, arm, assignment

NET = f"{G}/providers/Microsoft.Network"
NIC, VNET, NSG, IP = (
    f"{NET}/{name}"
    for name in ("networkInterfaces/n", "virtualNetworks/v", "networkSecurityGroups/s", "publicIPAddresses/p")
)
SUBNET, VM = f"{VNET}/subnets/front", f"{G}/providers/Microsoft.Compute/virtualMachines/m"
PLAN, SITE = f"{G}/providers/Microsoft.Web/serverfarms/plan", f"{G}/providers/Microsoft.Web/sites/shop"
VAULT, AI = f"{G}/providers/Microsoft.KeyVault/vaults/keep", f"{G}/providers/Microsoft.CognitiveServices/accounts/ai"
NET_VERSION, KV_VERSION, AI_VERSION = "2024-05-01", "2023-07-01", "2024-10-01"
HERE = {"location": "westeurope"}
PARTS: Json = {
    "resources": [
        {"id": NSG, **HERE, "properties": {}},
        {"id": IP, **HERE, "properties": {}},
        {
            "id": VNET,
            **HERE,
            "properties": {"subnets": [{"name": "front", "properties": {"networkSecurityGroup": {"id": NSG}}}]},
        },
        {"id": SUBNET, "properties": {}},
        {
            "id": NIC,
            **HERE,
            "properties": {
                "ipConfigurations": [
                    {"name": "one", "properties": {"subnet": {"id": SUBNET}, "publicIPAddress": {"id": IP}}}
                ]
            },
        },
        {"id": VM, **HERE, "properties": {"networkProfile": {"networkInterfaces": [{"id": NIC}]}}},
        {"id": PLAN, **HERE, "properties": {}},
        {"id": SITE, **HERE, "properties": {"serverFarmId": PLAN}},
        {"id": VAULT, **HERE, "properties": {"vaultUri": "https://keep"}, "tags": {"a": "b"}},
        {"id": AI, **HERE, "kind": "OpenAI", "properties": {"customSubDomainName": "ai"}},
    ]
}


async def finished(call: Arm, begun: Answer) -> None:
    assert begun.status == 202
    await call("GET", begun.headers["Location"])


@pytest.mark.parametrize(
    ("what", "status", "code", "user"),
    [
        (NIC, 400, "NicInUse", VM),
        (IP, 400, "PublicIPAddressCannotBeDeleted", f"{NIC}/ipConfigurations/one"),
        (NSG, 400, "InUseNetworkSecurityGroupCannotBeDeleted", SUBNET),
        (SUBNET, 400, "InUseSubnetCannotBeDeleted", f"{NIC}/ipConfigurations/one"),
        (VNET, 400, "InUseSubnetCannotBeDeleted", f"{NIC}/ipConfigurations/one"),
        (PLAN, 409, "Conflict", SITE),
    ],
)
async def test_what_is_in_use_stays(what: str, status: int, code: str, user: str) -> None:
    async with arm(PARTS) as call:
        before = call.azure.world.snapshot()
        answer = await call("DELETE", what)
        assert (answer.status, answer.code) == (status, code)
        assert user in answer.message
        assert (SUBNET if what == VNET else what).rpartition("/")[2] in answer.message
        assert call.azure.world.snapshot() == before


async def test_in_the_right_order_all_of_it_goes() -> None:
    async with arm(PARTS) as call:
        for id_ in (VM, NIC, IP, VNET, NSG):
            version = "2024-07-01" if id_ == VM else NET_VERSION
            await finished(call, await call("DELETE", id_, version=version))
            assert id_ not in call.azure.world
        assert (await call("DELETE", NIC, version=NET_VERSION)).status == 204


async def test_a_slow_delete_shows_that_it_goes_on() -> None:
    async with arm(PARTS) as call:
        call.azure.world.pace.polls = 1
        for id_ in (VM, NIC):
            call.azure.world.delete(id_)
        begun = await call("DELETE", IP, version=NET_VERSION)
        assert (begun.status, "Azure-AsyncOperation" in begun.headers) == (202, True)
        shown = await call("GET", IP, version=NET_VERSION)
        assert shown.body["properties"]["provisioningState"] == "Deleting"
        poll = await call("GET", begun.headers["Azure-AsyncOperation"])
        assert poll.body["status"] == "InProgress"
        assert (await call("GET", begun.headers["Azure-AsyncOperation"])).body["status"] == "Succeeded"
        assert (await call("GET", IP, version=NET_VERSION)).status == 404


async def test_a_group_goes_with_all_of_it_unless_somebody_outside_needs_it() -> None:
    other = f"{S}/resourceGroups/other"
    outside: Json = {
        "id": f"{other}/providers/Microsoft.Network/networkInterfaces/far",
        **HERE,
        "properties": {"ipConfigurations": [{"name": "x", "properties": {"subnet": {"id": SUBNET}}}]},
    }
    group: Json = {"resource_groups": [{"id": other, **HERE}], "resources": [*PARTS["resources"], outside]}
    async with arm(group) as call:
        before = call.azure.world.snapshot()
        begun = await call("DELETE", G, version="2024-03-01")
        failed = await call("GET", begun.headers["Location"])
        assert (failed.status, failed.code) == (409, "ResourceGroupDeletionBlocked")
        assert "InUseSubnetCannotBeDeleted" in {d["code"] for d in failed.body["error"]["details"]}
        assert call.azure.world.snapshot() == before
        await finished(call, await call("DELETE", outside["id"], version=NET_VERSION))
        await finished(call, await call("DELETE", G, version="2024-03-01"))
        assert not call.azure.world.beneath(G)


async def test_a_deleted_vault_is_recovered_as_it_was_but_for_what_hung_on_it() -> None:
    async with arm(PARTS) as call:
        given = f"{VAULT}{AUTH}/roleAssignments/{an_id(1)}"
        await call("PUT", given, assignment(READER_ROLE, call.oid(NOBODY)))
        before = call.azure.world.snapshot()
        assert (await call("DELETE", VAULT, version=KV_VERSION)).status == 200
        listed = await call("GET", f"{S}/providers/Microsoft.KeyVault/deletedVaults", version=KV_VERSION)
        (deleted,) = listed.body["value"]
        assert deleted["properties"]["vaultId"] == VAULT
        again = await call("PUT", VAULT, {**HERE, "properties": {}}, version=KV_VERSION)
        assert (again.status, again.code) == (409, "ConflictError")
        body = {**HERE, "properties": {"createMode": "recover"}}
        assert (await call("PUT", VAULT, body, version=KV_VERSION)).status == 200
        del before[given.lower()]
        assert call.azure.world.snapshot() == before
        assert not (await call("GET", f"{S}/providers/Microsoft.KeyVault/deletedVaults", version=KV_VERSION)).ids


async def test_a_deleted_vault_can_be_purged_unless_it_is_protected() -> None:
    async with arm(PARTS) as call:
        deleted = f"{S}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/keep"
        await call("PATCH", VAULT, {"properties": {"enablePurgeProtection": True}}, version=KV_VERSION)
        await call("DELETE", VAULT, version=KV_VERSION)
        assert (await call("POST", f"{deleted}/purge", version=KV_VERSION)).code == "MethodNotAllowed"
        call.azure.clock.advance(timedelta(days=91))
        assert (await call("GET", deleted, version=KV_VERSION)).status == 404
    async with arm(PARTS) as call:
        await call("DELETE", VAULT, version=KV_VERSION)
        assert (await call("POST", f"{deleted}/purge", version=KV_VERSION, who=MALLORY)).status == 202
        assert (await call("GET", deleted, version=KV_VERSION)).status == 404


async def test_a_deleted_ai_account_is_restored_or_purged() -> None:
    async with arm(PARTS) as call:
        before = call.azure.world.snapshot()
        await finished(call, await call("DELETE", AI, version=AI_VERSION))
        answer = await call("PUT", AI, {**HERE, "properties": {}}, version=AI_VERSION)
        assert (answer.status, answer.code) == (409, "FlagMustBeSetForRestore")
        assert (await call("PUT", AI, {**HERE, "properties": {"restore": True}}, version=AI_VERSION)).status == 200
        assert call.azure.world.snapshot() == before
        await finished(call, await call("DELETE", AI, version=AI_VERSION))
        home = f"{S}/providers/Microsoft.CognitiveServices"
        (deleted,) = (await call("GET", f"{home}/deletedAccounts", version=AI_VERSION)).ids
        await finished(call, await call("DELETE", deleted, version=AI_VERSION))
        assert not (await call("GET", f"{home}/deletedAccounts", version=AI_VERSION)).ids


async def test_a_group_is_exported_as_a_template_that_names_what_it_lacks() -> None:
    odd = {"id": f"{G}/providers/Contoso.Odd/things/one", **HERE, "properties": {}}
    async with arm({"resources": [*PARTS["resources"], odd]}) as call:
        begun = await call("POST", f"{G}/exportTemplate", {"resources": ["*"]}, version="2024-03-01")
        exported = (await call("GET", begun.headers["Location"])).body
        found = {entry["name"]: entry for entry in exported["template"]["resources"]}
        assert found["shop"]["properties"] == {"serverFarmId": PLAN}
        assert found["v/front"]["dependsOn"] == ["[resourceId('Microsoft.Network/virtualNetworks', 'v')]"]
        assert "Contoso.Odd/things" in [d["target"] for d in exported["error"]["details"]]
        only = await call("POST", f"{G}/exportTemplate", {"resources": [STORE]}, version="2024-03-01")
        template = (await call("GET", only.headers["Location"])).body["template"]
        assert [entry["name"] for entry in template["resources"]] == ["data"]


async def test_what_was_deleted_comes_back_by_a_put_of_its_body() -> None:
    async with arm(PARTS) as call:
        before = call.azure.world.snapshot()
        body = (await call("GET", SITE, version="2023-12-01")).body
        await call("DELETE", SITE, version="2023-12-01")
        assert (await call("PUT", SITE, body, version="2023-12-01")).status == 201
        after = call.azure.world.snapshot()
        after[SITE.lower()]["properties"].pop("provisioningState")
        assert after == before
