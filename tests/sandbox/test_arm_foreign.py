"""Calls that foreign clients make, in the shapes that they read: the Azure CLI and Cloud Custodian."""

import pytest

from sandbox.azure import raise_alert
from tests.sandbox.arm import AUTH, CHIEF, MALLORY, MG, NOBODY, NOW, OPS, READER_ROLE, STORE, SUB, G, S, arm

NAMED, PLAIN = "5d0c1b2a-3f4e-4d5c-8b6a-7f8e9d0c1b2a", "6e1d2c3b-4a5f-4e6d-9c7b-8a9f0e1d2c3b"


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


@pytest.mark.parametrize("path", ["/providers/Microsoft.Insights/metrics", "locations/westeurope/usages"])
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


async def test_what_is_there_from_the_beginning_is_changed_and_never_made() -> None:
    async with arm() as call:
        body = {"properties": {"deleteRetentionPolicy": {"enabled": True, "days": 7}}}
        assert (await call("PUT", f"{STORE}/blobServices/default", body)).status == 200
        rule = f"{S}/providers/Microsoft.Security/alertsSuppressionRules/noise"
        noise = {"properties": {"alertType": "*", "reason": "Noise", "state": "Enabled"}}
        assert (await call("PUT", rule, noise)).status == 200
        assert (await call("GET", rule)).body["properties"] == noise["properties"]
        assert [(await call("DELETE", rule)).status for _ in range(2)] == [204, 204]
        assert (await call("GET", rule)).status == 404


async def test_no_two_rules_of_a_group_have_the_same_place() -> None:
    async with arm() as call:
        group = f"{G}/providers/Microsoft.Network/networkSecurityGroups/nsg"
        await call("PUT", group, {"location": "westeurope"})
        rule = {"properties": {"priority": 200, "direction": "Inbound", "access": "Allow"}}
        assert (await call("PUT", f"{group}/securityRules/a", rule)).status == 201
        assert (await call("PUT", f"{group}/securityRules/a", rule)).status == 200
        refused = await call("PUT", f"{group}/securityRules/b", rule)
        assert (refused.status, refused.code) == (400, "SecurityRuleConflict")
        out = {"properties": {**rule["properties"], "direction": "Outbound"}}
        assert (await call("PUT", f"{group}/securityRules/b", out)).status == 201


@pytest.mark.parametrize(
    ("name", "status", "code"), [("No-Name", 400, "AccountNameInvalid"), ("data", 409, "StorageAccountAlreadyTaken")]
)
async def test_no_storage_account_gets_a_name_that_cannot_be_had(name: str, status: int, code: str) -> None:
    async with arm() as call:
        await call("PUT", f"{S}/resourceGroups/lab", {"location": "westeurope"})
        account = f"{S}/resourceGroups/lab/providers/Microsoft.Storage/storageAccounts/{name}"
        refused = await call("PUT", account, {"location": "westeurope"})
        assert (refused.status, refused.code) == (status, code)
        assert (await call("GET", account)).status == 404


async def test_a_management_group_takes_its_time_to_go() -> None:
    async with arm() as call:
        group = "/providers/Microsoft.Management/managementGroups/lab"
        assert (await call("PUT", group, {}, who=CHIEF)).status == 403
        call.azure.world.load({"role_assignments": [{"scope": "/", "role": "Owner", "principal": CHIEF}]}, NOW)
        assert (await call("PUT", group, {}, who=CHIEF)).status == 200
        begun = await call("DELETE", group, who=CHIEF)
        assert begun.status == 202
        assert (await call("GET", begun.headers["Location"], who=CHIEF)).status == 200
        assert (await call("GET", group, who=CHIEF)).status == 404


async def test_an_application_may_in_graph_what_its_directory_role_allows() -> None:
    async with arm() as call:
        azure = call.azure
        admin = {"name": "robot", "appId": NAMED, "directory_roles": ["User Administrator"]}
        azure.world.load({"service_principals": [admin, {"name": "plain", "appId": PLAIN}]}, NOW)
        url = f"{azure.endpoints.graph}/v1.0/users/{call.oid(NOBODY)}"
        off = {"accountEnabled": False}
        assert (await call("PATCH", url, off, token=azure.token(PLAIN, "graph"))).status == 403
        assert (await call("PATCH", url, off, token=azure.token(NAMED, "graph"))).status == 204
        assert not azure.world.directory.objects[call.oid(NOBODY)]["accountEnabled"]


async def test_resource_graph_knows_alerts_and_the_top_of_a_list_and_the_time() -> None:
    async with arm() as call:
        raised = raise_alert(call.azure.world, call.azure.clock, "ARM_OperationFromSuspiciousIP", SUB, NOW)
        path = "/providers/Microsoft.ResourceGraph/resources"
        asked = 'securityresources | where type == "microsoft.security/locations/alerts" | project id'
        assert [row["id"] for row in (await call("POST", path, {"query": asked})).body["data"]] == [raised["id"]]
        assert (await call("POST", path, {"query": asked}, who=NOBODY)).body["data"] == []
        top = (await call("POST", path, {"query": "resources | top 1 by name asc | project name"})).body["data"]
        assert top == [{"name": "data"}]
        late = "securityresources | where todatetime(properties.startTimeUtc) {} ago(1h) and now() > ago(1m) | count"
        counts = [
            (await call("POST", path, {"query": late.format(sign)})).body["data"][0]["Count"] for sign in ("<", ">")
        ]
        assert counts == [0, 1]


async def test_a_region_says_what_it_offers() -> None:
    async with arm() as call:
        region = f"{S}/providers/Microsoft.Compute/locations/westeurope"
        commands = (await call("GET", f"{region}/runCommands")).body["value"]
        assert {one["id"]: one["osType"] for one in commands} == {
            "RunShellScript": "Linux",
            "RunPowerShellScript": "Windows",
        }
        assert (await call("GET", f"{region}/runCommands/runshellscript")).body["script"] == ["echo $arg1 $arg2"]
        assert (await call("GET", f"{region}/runCommands/Other")).status == 404
        sizes = {one["name"]: one for one in (await call("GET", f"{region}/vmSizes")).body["value"]}
        assert sizes["Standard_D4s_v5"]["numberOfCores"] == 4
        offers = f"{region}/publishers/Canonical/artifacttypes/vmimage/offers"
        assert "ubuntu-24_04-lts" in {one["name"] for one in (await call("GET", offers)).body}
        assert [one["name"] for one in (await call("GET", f"{offers}/ubuntu-24_04-lts/skus")).body] == ["server"]
        assert (await call("GET", f"{offers}/other/skus")).status == 404
