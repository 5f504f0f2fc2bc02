"""Calls that foreign clients make, in the shapes that they read: the Azure CLI and Cloud Custodian."""

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
