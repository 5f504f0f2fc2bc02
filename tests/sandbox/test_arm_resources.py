import pytest

from tests.sandbox.arm import MALLORY, MEMBER, NOBODY, OTHER, STORE, SUB, G, S, arm

SITE = f"{G}/providers/Microsoft.Web/sites/shop"
RULE = f"{G}/providers/Contoso.Custom/boxes/one/things/two"


async def test_any_resource_can_be_made_read_and_deleted() -> None:
    async with arm() as call:
        made = await call("PUT", SITE, {"location": "westeurope", "properties": {"a": 1}, "tags": {"x": "y"}})
        assert (made.status, made.body["type"], made.body["name"]) == (201, "Microsoft.Web/sites", "shop")
        assert made.body["properties"] == {"a": 1, "provisioningState": "Succeeded"}
        assert (await call("PUT", SITE, {"location": "West Europe"})).status == 200
        assert (await call("GET", SITE)).body["id"] == SITE
        assert (await call("HEAD", SITE)).status == 204
        assert (await call("DELETE", SITE)).status == 200
        assert (await call("DELETE", SITE)).status == 204
        assert (await call("HEAD", SITE)).status == 404


async def test_ids_match_in_any_case_and_keep_their_spelling() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope"})
        assert (await call("GET", SITE.upper())).body["id"] == SITE
        await call("PUT", SITE.lower(), {"location": "westeurope", "kind": "app"})
        assert (await call("GET", SITE)).body["id"] == SITE


async def test_a_resource_tells_who_made_and_who_changed_it() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope"}, who=MALLORY)
        system = (await call("PUT", SITE, {"location": "westeurope"})).body["systemData"]
        assert (system["createdBy"], system["createdByType"]) == (MALLORY, "User")
        assert system["lastModifiedBy"] == "ops@contoso.example"
        assert system["createdAt"] == "2026-03-02T09:00:00.0000000Z"


async def test_patch_merges_and_null_takes_away() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope", "properties": {"a": 1, "b": {"c": 2, "d": 3}}})
        changed = await call("PATCH", SITE, {"properties": {"b": {"c": None, "e": 4}}})
        assert changed.body["properties"] == {"a": 1, "b": {"d": 3, "e": 4}, "provisioningState": "Succeeded"}


async def test_a_deleted_parent_takes_its_children_along() -> None:
    async with arm() as call:
        child = f"{SITE}/slots/blue"
        await call("PUT", SITE, {"location": "westeurope"})
        await call("PUT", child, {"location": "westeurope"})
        await call("DELETE", SITE)
        assert child not in call.azure.world


async def test_a_child_needs_its_parent() -> None:
    async with arm() as call:
        answer = await call("PUT", RULE, {"properties": {}})
        assert (answer.status, answer.code) == (404, "ParentResourceNotFound")
        assert "Parent resource 'one' not found" in answer.message


async def test_what_is_missing_is_said_in_resource_managers_words() -> None:
    async with arm() as call:
        answer = await call("GET", SITE)
        assert (answer.status, answer.code) == (404, "ResourceNotFound")
        assert answer.message == (
            "The Resource 'Microsoft.Web/sites/shop' under resource group 'app' was not found. For more details please "
            "go to https://aka.ms/ARMResourceNotFoundFix"
        )
        answer = await call("GET", SITE.replace("/app/", "/gone/"))
        assert (answer.code, answer.message) == ("ResourceGroupNotFound", "Resource group 'gone' could not be found.")
        assert (await call("DELETE", SITE.replace("/app/", "/gone/"))).status == 204


async def test_a_resource_stays_where_it_is() -> None:
    async with arm() as call:
        answer = await call("PUT", STORE, {"location": "eastus"})
        assert (answer.status, answer.code) == (409, "InvalidResourceLocation")


async def test_a_resource_gets_the_identity_it_asks_for_and_keeps_it() -> None:
    async with arm() as call:
        made = await call("PUT", SITE, {"location": "westeurope", "identity": {"type": "SystemAssigned"}})
        principal = made.body["identity"]["principalId"]
        again = await call("PUT", SITE, {"location": "westeurope", "identity": {"type": "SystemAssigned"}})
        assert again.body["identity"]["principalId"] == principal
        assert call.azure.world.directory.find(principal)


@pytest.mark.parametrize(
    ("version", "code"), [("", "MissingApiVersionParameter"), ("latest", "InvalidApiVersionParameter")]
)
async def test_a_bad_api_version_is_refused(version: str, code: str) -> None:
    async with arm() as call:
        answer = await call("GET", SITE, version=version)
        assert (answer.status, answer.code) == (400, code)


async def test_a_room_refuses_versions_that_it_does_not_know_and_lists_those_it_does() -> None:
    async with arm() as call:
        answer = await call("GET", f"{S}/providers/Microsoft.Security/alerts", version="2011-01-01")
        assert (answer.status, answer.code) == (400, "NoRegisteredProviderFound")
        assert "2022-01-01" in answer.message


async def test_a_type_takes_the_versions_that_its_provider_lists_and_no_others() -> None:
    async with arm() as call:
        provider = (await call("GET", f"{S}/providers/Microsoft.Storage", version="2021-04-01")).body
        (listed,) = [t["apiVersions"] for t in provider["resourceTypes"] if t["resourceType"] == "storageAccounts"]
        for version in listed:
            assert (await call("GET", STORE, version=version)).status == 200
        answer = await call("GET", STORE, version="2021-03-01")
        assert (answer.status, answer.code) == (400, "NoRegisteredProviderFound")
        assert listed[0] in answer.message


async def test_an_unknown_action_is_a_501_that_names_it() -> None:
    async with arm() as call:
        answer = await call("POST", f"{STORE}/failover", version="2023-01-01")
        assert answer.status == 501
        for part in ("POST", f"{STORE}/failover", "2023-01-01"):
            assert part in answer.message


async def test_malformed_json_is_refused() -> None:
    async with arm() as call:
        url = f"{call.azure.endpoints.arm}{SITE}?api-version=2022-03-01"
        headers = {"Authorization": f"Bearer {call.azure.token('ops@contoso.example', 'arm')}"}
        async with call.session.put(url, data=b"{no", headers=headers) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "InvalidRequestContent"


async def test_lists_reach_over_subscription_group_and_parent() -> None:
    async with arm() as call:
        slots = [f"{SITE}/slots/{n}" for n in ("blue", "green")]
        for id_ in (SITE, *slots):
            await call("PUT", id_, {"location": "westeurope"})
        for base in (S, G):
            assert (await call("GET", f"{base}/providers/Microsoft.Web/sites")).ids == {SITE}
        assert (await call("GET", f"{SITE}/slots")).ids == set(slots)


async def test_long_lists_come_in_pages_and_survive_deletes_between_them() -> None:
    async with arm() as call:
        names = [f"{G}/providers/Microsoft.Web/sites/s{n:02d}" for n in range(7)]
        for name in names:
            await call("PUT", name, {"location": "westeurope"})
        path, seen = f"{S}/providers/Microsoft.Web/sites", set[str]()
        answer = await call("GET", path, top="3")
        while True:
            seen |= answer.ids
            for id_ in answer.ids:
                await call("DELETE", id_)
            if "nextLink" not in answer.body:
                break
            answer = await call("GET", answer.body["nextLink"])
        assert seen == set(names)


# -- groups ------------------------------------------------------------------------------------------------------------


async def test_a_group_is_made_listed_tagged_and_deleted_with_its_resources() -> None:
    async with arm() as call:
        group = f"{S}/resourceGroups/lab"
        # As the Azure CLI writes it; what is made has Azure's spelling.
        assert (await call("PUT", group.lower(), {"location": "East US"})).status == 201
        assert (await call("PUT", group, {"location": "eastus", "tags": {"a": "b"}})).status == 200
        assert (await call("HEAD", group)).status == 204
        assert (await call("GET", group)).body["type"] == "Microsoft.Resources/resourceGroups"
        listed = await call("GET", f"{S}/resourceGroups", filter="tagName eq 'a' and tagValue eq 'b'")
        assert listed.ids == {group}
        await call("PUT", f"{group}/providers/Microsoft.Web/sites/x", {"location": "eastus"})
        deleted = await call("DELETE", group)
        assert (deleted.status, deleted.body, deleted.headers["Retry-After"]) == (202, "", "0")
        assert (await call("GET", deleted.headers["Location"])).status == 200
        assert (await call("HEAD", group)).status == 404
        assert not call.azure.world.beneath(group)


async def test_a_group_that_is_not_there_can_not_be_deleted() -> None:
    async with arm() as call:
        assert (await call("DELETE", f"{S}/resourceGroups/none")).code == "ResourceGroupNotFound"


async def test_lists_show_only_what_the_caller_may_read() -> None:
    async with arm() as call:
        await call("PUT", f"{S}/resourceGroups/hidden", {"location": "westeurope"})
        await call("PUT", f"{S}/resourceGroups/hidden/providers/Microsoft.Web/sites/x", {"location": "westeurope"})
        assert (await call("GET", f"{S}/resourceGroups", who=MEMBER)).ids == {G}
        assert (await call("GET", f"{S}/resources", who=MEMBER)).ids == {STORE}
        assert (await call("GET", f"{S}/resourceGroups", who=NOBODY)).status == 403
        assert (await call("GET", f"{S}/resources", who=NOBODY)).status == 403
        assert (await call("GET", "/subscriptions", who=MEMBER)).ids == {S}
        assert (await call("GET", "/subscriptions", who=NOBODY)).ids == set()


# -- the inventory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("resourceType eq 'Microsoft.Web/sites'", 1),
        ("resourceType eq 'microsoft.web/SITES' or resourceType eq 'Microsoft.Storage/storageAccounts'", 2),
        ("name eq 'shop'", 1),
        ("name ne 'shop'", 2),
        ("substringof('ho', name)", 2),
        ("resourceGroup eq 'app' and location eq 'westeurope'", 3),
        ("location eq 'eastus'", 0),
        ("tagName eq 'tier' and tagValue eq 'front'", 1),
    ],
)
async def test_the_inventory_can_be_filtered(text: str, count: int) -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope", "tags": {"tier": "front"}})
        await call("PUT", f"{SITE}/slots/blue", {"location": "westeurope"})
        answer = await call("GET", f"{S}/resources", filter=text)
        assert len(answer.ids) == count
        assert "tagName" not in text or all("tags" not in entry for entry in answer.body["value"])


async def test_the_inventory_tells_times_only_when_asked() -> None:
    async with arm() as call:
        (plain,) = (await call("GET", f"{S}/resources")).body["value"]
        assert "createdTime" not in plain
        (full,) = (await call("GET", f"{G}/resources", expand="createdTime,changedTime,provisioningState")).body[
            "value"
        ]
        assert full["createdTime"] == full["changedTime"] == "2026-03-02T09:00:00.0000000Z"
        assert (full["kind"], full["provisioningState"]) == ("StorageV2", "Succeeded")


async def test_children_in_the_inventory_are_named_with_their_parents() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope"})
        await call("PUT", f"{SITE}/slots/blue", {"location": "westeurope"})
        names = {e["name"] for e in (await call("GET", f"{S}/resources")).body["value"]}
        assert names == {"data", "shop", "shop/blue"}


async def test_a_filter_that_nobody_understands_is_refused() -> None:
    async with arm() as call:
        for text in ("color eq 'red'", "name eq 'a' and", "name like 'a'"):
            assert (await call("GET", f"{S}/resources", filter=text)).status == 400


# -- tags --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [S, G, STORE])
async def test_tags_are_merged_replaced_and_deleted(scope: str) -> None:
    async with arm() as call:
        tags = f"{scope}/providers/Microsoft.Resources/tags/default"

        async def patch(operation: str, **values: str) -> object:
            body = {"operation": operation, "properties": {"tags": values}}
            return (await call("PATCH", tags, body, version="2021-04-01")).body["properties"]["tags"]

        await call("PUT", tags, {"properties": {"tags": {"a": "1"}}}, version="2021-04-01")
        assert await patch("Merge", b="2") == {"a": "1", "b": "2"}
        assert await patch("Delete", a="1") == {"b": "2"}
        assert await patch("Replace", c="3") == {"c": "3"}
        assert (await call("GET", tags, version="2021-04-01")).body["properties"]["tags"] == {"c": "3"}
        assert (await call("DELETE", tags, version="2021-04-01")).status == 200
        assert (await call("GET", tags, version="2021-04-01")).body["properties"]["tags"] == {}


# -- providers ---------------------------------------------------------------------------------------------------------


async def test_providers_tell_the_api_versions_of_their_types() -> None:
    async with arm() as call:
        provider = (await call("GET", f"{S}/providers/microsoft.compute", version="2021-04-01")).body
        types = {t["resourceType"]: t["apiVersions"] for t in provider["resourceTypes"]}
        assert provider["namespace"] == "Microsoft.Compute"
        assert "2024-07-01" in types["virtualMachines"]
        assert (await call("GET", f"{S}/providers", version="2021-04-01")).status == 200


async def test_a_planted_type_shows_up_with_the_version_it_was_made_with() -> None:
    async with arm() as call:
        await call("PUT", f"{G}/providers/Evil.Corp/rats/one", {"location": "westeurope"}, version="2019-07-07")
        provider = (await call("GET", f"{S}/providers/Evil.Corp")).body
        assert provider["resourceTypes"][0]["apiVersions"] == ["2019-07-07"]


async def test_an_unknown_provider_is_not_found() -> None:
    async with arm() as call:
        assert (await call("GET", f"{S}/providers/No.Such")).code == "InvalidResourceNamespace"


async def test_subscriptions_and_tenants_are_listed() -> None:
    async with arm() as call:
        (one,) = (await call("GET", "/subscriptions")).body["value"]
        assert (one["subscriptionId"], one["displayName"], one["state"]) == (SUB, "Production", "Enabled")
        assert (await call("GET", f"/subscriptions/{OTHER}")).status == 403
        assert (await call("GET", "/tenants")).body["value"][0]["tenantId"] == call.azure.world.tenant


async def test_a_part_that_each_resource_has_once_needs_not_be_made() -> None:
    async with arm() as call:
        await call("PUT", STORE, {"location": "westeurope"})
        container = f"{STORE}/blobServices/default/containers/out"
        assert (await call("PUT", container, {"properties": {}})).status == 201
        other = f"{G}/providers/Microsoft.Storage/storageAccounts/none/blobServices/default/containers/out"
        assert (await call("PUT", other, {"properties": {}})).status == 404


async def test_resources_move_with_what_is_in_them() -> None:
    async with arm() as call:
        target = f"{S}/resourceGroups/rg-there"
        await call("PUT", target, {"location": "westeurope"})
        await call("PUT", SITE, {"location": "westeurope"})
        await call("PUT", f"{SITE}/slots/try", {"location": "westeurope"})
        made = (await call("GET", SITE)).body["systemData"]["createdAt"]
        refused = await call("POST", f"{target}/moveResources", {"resources": [SITE], "targetResourceGroup": G})
        assert refused.status == 400
        moved = await call("POST", f"{G}/moveResources", {"resources": [SITE], "targetResourceGroup": target})
        assert moved.status == 202
        assert (await call("GET", SITE)).status == 404
        there = (await call("GET", SITE.replace(G, target))).body
        assert (there["id"], there["systemData"]["createdAt"]) == (SITE.replace(G, target), made)
        assert (await call("GET", f"{SITE}/slots/try".replace(G, target))).status == 200


async def test_a_cluster_hands_out_its_credentials_to_who_may() -> None:
    cluster = f"{G}/providers/Microsoft.ContainerService/managedClusters/aks"
    async with arm() as call:
        await call("PUT", cluster, {"location": "westeurope"})
        found = await call("POST", f"{cluster}/listClusterAdminCredential")
        assert [config["name"] for config in found.body["kubeconfigs"]] == ["clusterAdmin"]
        assert (await call("POST", f"{cluster}/listClusterAdminCredential", who=NOBODY)).status == 403
