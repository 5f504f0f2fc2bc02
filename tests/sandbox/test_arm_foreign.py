"""Calls that foreign clients make, in the shapes that they read: the Azure CLI and Cloud Custodian."""

import pytest

from tests.sandbox.arm import AUTH, MALLORY, MG, NOBODY, OPS, READER_ROLE, STORE, G, S, arm


async def test_names_behind_ids_are_told_by_the_old_graph_too() -> None:
    async with arm() as call:
        azure = call.azure
        url = f"{azure.endpoints.graph}/{azure.world.tenant}/getObjectsByObjectIds?api-version=1.6"
        body = {"objectIds": [call.oid(MALLORY), "none"], "includeDirectoryObjectReferences": True}
        answer = await call("POST", url, body, token=azure.token(OPS, "graph"))
        (found,) = answer.body["value"]
        assert (found["objectType"], found["objectId"]) == ("User", call.oid(MALLORY))
        assert found["userPrincipalName"] == MALLORY
        assert (await call("POST", url, body, token="")).status == 401


async def test_role_assignments_are_given_and_taken_in_custodians_old_version() -> None:
    async with arm() as call:
        listed = await call("GET", f"{S}{AUTH}/roleAssignments", version="2015-07-01")
        (mine,) = [a for a in listed.body["value"] if a["properties"]["principalId"] == call.oid(MALLORY)]
        assert (await call("DELETE", mine["id"], version="2015-07-01")).status == 200
        assert {a["properties"]["scope"] for a in listed.body["value"]} == {MG, S, G}


async def test_the_cli_finds_roles_by_name_and_deletes_by_the_newest_version_of_a_type() -> None:
    async with arm() as call:
        named = await call(
            "GET", f"{S}{AUTH}/roleDefinitions", version="2022-05-01-preview", filter="roleName eq 'Reader'"
        )
        assert [role["name"] for role in named.body["value"]] == [READER_ROLE]
        provider = (await call("GET", f"{S}/providers/Microsoft.Storage", version="2024-11-01")).body
        versions = provider["resourceTypes"][0]["apiVersions"]
        assert (await call("DELETE", STORE, version=versions[0], who=NOBODY)).status == 403
        assert (await call("DELETE", STORE, version=versions[0])).status == 200
        assert not (await call("GET", f"{S}/resources", version="2024-11-01", filter="")).ids


async def test_a_disk_that_takes_its_time_is_the_last_answer_of_its_location() -> None:
    async with arm() as call:
        disk = f"{G}/providers/Microsoft.Compute/disks/spare"
        body = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
        begun = await call("PUT", disk, body)
        made = await call("GET", begun.headers["Location"])
        assert (begun.status, made.status, made.body["id"]) == (202, 200, disk)


async def test_a_storage_account_says_what_it_was_not_told() -> None:
    async with arm() as call:
        home, name = f"{S}/providers/Microsoft.Storage", "stmade"
        asked = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
        assert (await call("POST", f"{home}/checkNameAvailability", asked)).body == {"nameAvailable": True}
        account = f"{G}/providers/Microsoft.Storage/storageAccounts/{name}"
        acls = {"properties": {"networkAcls": {"defaultAction": "Deny"}}}
        assert (await call("PUT", account, {"location": "westeurope", **acls})).status == 202
        made = (await call("GET", account)).body
        assert made["properties"]["encryption"]["keySource"] == "Microsoft.Storage"
        assert made["properties"]["networkAcls"] == {
            "bypass": "AzureServices",
            "defaultAction": "Deny",
            "ipRules": [],
            "virtualNetworkRules": [],
        }
        taken = (await call("POST", f"{home}/checkNameAvailability", asked)).body
        assert (taken["nameAvailable"], taken["reason"]) == (False, "AlreadyExists")
        assert (await call("GET", f"{account}/blobServices/default")).status == 200
        assert (await call("PUT", f"{account}/blobServices/default/containers/c", {})).status == 201
        assert (await call("PUT", f"{account}/localUsers/none/keys/c", {})).code == "ParentResourceNotFound"


async def test_tags_are_counted_by_name_and_value() -> None:
    async with arm() as call:
        await call("PUT", f"{S}/resourceGroups/lab", {"location": "westeurope", "tags": {"stage": "test"}})
        names = (await call("GET", f"{S}/tagNames", version="2024-11-01")).body["value"]
        (stage,) = [entry for entry in names if entry["tagName"] == "stage"]
        assert stage["count"] == {"type": "Total", "value": 1}
        assert [value["tagValue"] for value in stage["values"]] == ["test"]


@pytest.mark.parametrize("path", ["/providers/Microsoft.Insights/metrics", "locations/westeurope/vmSizes"])
async def test_what_is_computed_when_asked_for_is_not_an_empty_list(path: str) -> None:
    async with arm() as call:
        full = f"{STORE}{path}" if path.startswith("/") else f"{S}/providers/Microsoft.Compute/{path}"
        assert (await call("GET", full)).status == 501


async def test_a_storage_account_is_made_in_the_end() -> None:
    async with arm() as call:
        account = f"{G}/providers/Microsoft.Storage/storageAccounts/stlate"
        begun = await call("PUT", account, {"location": "westeurope"})
        made = await call("GET", begun.headers["Location"])
        assert (begun.status, made.status, made.body["id"]) == (202, 200, account)


async def test_a_networks_subnets_are_read_one_by_one_wherever_they_were_made() -> None:
    async with arm() as call:
        network = f"{G}/providers/Microsoft.Network/virtualNetworks/net"
        inline = {"subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]}
        await call("PUT", network, {"location": "westeurope", "properties": inline})
        await call("PUT", f"{network}/subnets/b", {"properties": {"addressPrefix": "10.0.1.0/24"}})
        assert (await call("GET", f"{network}/subnets")).ids == {f"{network}/subnets/a", f"{network}/subnets/b"}
        for name in "ab":
            assert (await call("GET", f"{network}/subnets/{name}")).body["id"] == f"{network}/subnets/{name}"
        assert (await call("GET", f"{network}/subnets/c")).code == "ResourceNotFound"


async def test_a_vault_has_access_policies_even_if_none() -> None:
    async with arm() as call:
        vault = f"{G}/providers/Microsoft.KeyVault/vaults/kv-bare"
        properties = {"sku": {"family": "A", "name": "standard"}, "tenantId": call.azure.world.tenant}
        made = await call("PUT", vault, {"location": "westeurope", "properties": properties})
        assert (made.status, made.body["properties"]["accessPolicies"]) == (201, [])


async def test_no_template_is_said_to_be_deployed() -> None:
    async with arm() as call:
        body = {"properties": {"mode": "Incremental", "template": {"resources": []}}}
        answer = await call("PUT", f"{G}/providers/Microsoft.Resources/deployments/d", body)
        assert (answer.status, answer.code) == (501, "NotImplemented")


async def test_the_newest_version_of_an_extension_is_looked_up() -> None:
    async with arm() as call:
        path = (
            f"{S}/providers/Microsoft.Compute/locations/westeurope/publishers/Microsoft.Azure.Extensions/artifacttypes"
        )
        types = (await call("GET", f"{path}/vmextension/types")).body
        assert [one["name"] for one in types] == ["CustomScript"]
        assert (await call("GET", f"{path}/vmextension/types/CustomScript/versions")).body[0]["name"] == "2.1.13"
        assert (await call("GET", f"{path}/vmextension/types/Other/versions")).status == 404


async def test_a_policy_definition_that_azure_does_not_ship_is_not_found() -> None:
    async with arm() as call:
        answer = await call("GET", "/providers/Microsoft.Authorization/policyDefinitions/none", who=NOBODY)
        assert (answer.status, answer.code) == (404, "PolicyDefinitionNotFound")
