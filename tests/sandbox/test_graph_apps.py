"""Microsoft Graph: groups, applications and what they were given."""

import json
from pathlib import Path

from tests.sandbox.estate import (
    CHIEF,
    DEPLOYER,
    MALLORY,
    OPS,
    READER,
    RESPONDER,
)
from tests.sandbox.graphs import opened

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "graph"


async def test_groups_nest() -> None:
    async with opened() as graph:
        graph.grant("GroupMember.Read.All", "Directory.Read.All")
        _, body = await graph(RESPONDER, "GET", "/groups?$filter=displayName eq 'operators'&$select=id")
        group = body["value"][0]["id"]
        _, body = await graph(RESPONDER, "GET", f"/groups/{group}/members")
        assert {m["displayName"]: m["@odata.type"] for m in body["value"]} == {
            "Olga Ops": "#microsoft.graph.user",
            "on call": "#microsoft.graph.group",
        }
        _, body = await graph(RESPONDER, "GET", f"/groups/{group}/transitiveMembers/microsoft.graph.user?$select=id")
        assert {m["id"] for m in body["value"]} == {graph.id(OPS), graph.id(MALLORY)}
        _, body = await graph(RESPONDER, "GET", f"/users/{MALLORY}/transitiveMemberOf")
        assert {g["displayName"] for g in body["value"]} == {"operators", "on call"}
        _, body = await graph(RESPONDER, "POST", f"/users/{MALLORY}/getMemberGroups", {"securityEnabledOnly": True})
        assert set(body["value"]) == graph.azure.world.directory.groups_of(graph.id(MALLORY))


async def test_members_are_taken_by_reference() -> None:
    async with opened() as graph:
        directory = graph.azure.world.directory
        group = next(g["id"] for g in directory.of_type("#microsoft.graph.group") if g["displayName"] == "on call")
        path = f"/groups/{group}/members"
        assert (await graph(MALLORY, "DELETE", f"{path}/{graph.id(MALLORY)}/$ref"))[0] == 403
        graph.grant("GroupMember.ReadWrite.All")
        before = graph.azure.world.snapshot()
        assert (await graph(RESPONDER, "DELETE", f"{path}/{graph.id(MALLORY)}/$ref"))[0] == 204
        assert (await graph(RESPONDER, "DELETE", f"{path}/{graph.id(MALLORY)}/$ref"))[0] == 404
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{graph.id(MALLORY)}"}
        assert (await graph(RESPONDER, "POST", f"{path}/$ref", link))[0] == 204
        assert (await graph(RESPONDER, "POST", f"{path}/$ref", link))[0] == 400
        assert graph.azure.world.snapshot() == before


async def test_service_principals_are_found_by_app_id_and_disabled() -> None:
    async with opened() as graph:
        graph.grant("Application.ReadWrite.All")
        status, body = await graph(RESPONDER, "GET", f"/servicePrincipals(appId='{DEPLOYER}')")
        assert (status, body["displayName"], body["servicePrincipalType"]) == (200, "deployer", "Application")
        assert (await graph(RESPONDER, "GET", f"/servicePrincipals/{DEPLOYER}"))[0] == 404  # the id is another
        _, listed = await graph(RESPONDER, "GET", f"/servicePrincipals?$filter=appId eq '{DEPLOYER}'&$select=id")
        assert listed["value"] == [{"id": body["id"]}]
        assert (await graph(RESPONDER, "PATCH", f"/servicePrincipals/{body['id']}", {"accountEnabled": False}))[
            0
        ] == 204
        assert (await graph(DEPLOYER, "GET", "/organization"))[0] == 401
        assert (await graph(RESPONDER, "DELETE", f"/servicePrincipals/{graph.id(RESPONDER)}"))[0] == 403


async def test_an_owner_adds_a_secret_and_it_signs_in() -> None:
    async with opened() as graph:
        app = graph.azure.world.directory.application(DEPLOYER)
        assert app
        path = f"/applications/{app['id']}/addPassword"
        assert (await graph(READER, "POST", path, {}))[0] == 403
        status, made = await graph(MALLORY, "POST", path, {"passwordCredential": {"displayName": "backdoor"}})
        assert (status, made["displayName"]) == (200, "backdoor")
        _, shown = await graph(MALLORY, "GET", f"/applications/{app['id']}")
        assert made["keyId"] in {c["keyId"] for c in shown["passwordCredentials"]}
        assert made["secretText"] not in json.dumps(shown)
        fields = {"grant_type": "client_credentials", "client_id": DEPLOYER, "client_secret": made["secretText"]}
        url = f"{graph.azure.endpoints.login}/{graph.azure.world.tenant}/oauth2/v2.0/token"
        async with graph.session.post(url, data={**fields, "scope": "https://graph.microsoft.com/.default"}) as answer:
            assert answer.status == 200


async def test_app_roles_are_given_and_taken_and_make_permissions() -> None:
    async with opened() as graph:
        before, mine = graph.azure.world.snapshot(), graph.id(RESPONDER)
        _, ms = await graph(CHIEF, "GET", "/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')")
        role = next(r["id"] for r in ms["appRoles"] if r["value"] == "Mail.Send")
        grant = {"principalId": mine, "resourceId": ms["id"], "appRoleId": role}
        path = f"/servicePrincipals/{ms['id']}/appRoleAssignedTo"
        assert (await graph(MALLORY, "POST", path, grant))[0] == 403
        status, made = await graph(CHIEF, "POST", path, grant)
        assert status == 201
        assert "Mail.Send" in graph.azure.world.directory.app_roles_of(mine, ms["appId"])
        assert (await graph(CHIEF, "POST", path, grant))[0] == 400
        assert (await graph(CHIEF, "DELETE", f"{path}/{made['id']}"))[0] == 204
        assert (await graph(CHIEF, "DELETE", f"{path}/{made['id']}"))[0] == 404
        assert graph.azure.world.snapshot() == before


async def test_directory_roles_are_listed_given_and_taken() -> None:
    async with opened() as graph:
        graph.grant("RoleManagement.ReadWrite.Directory")
        before, path = graph.azure.world.snapshot(), "/roleManagement/directory/roleAssignments"
        _, body = await graph(READER, "GET", f"{path}?$filter=principalId eq '{graph.id(CHIEF)}'")
        assert len(body["value"]) == 1
        grant = {"principalId": graph.id(MALLORY), "directoryScopeId": "/"}
        grant["roleDefinitionId"] = body["value"][0]["roleDefinitionId"]
        assert (await graph(MALLORY, "POST", path, grant))[0] == 403
        status, made = await graph(CHIEF, "POST", path, grant)
        assert status == 201
        assert graph.azure.world.directory.roles_of(graph.id(MALLORY)) == {"Global Administrator"}
        assert (await graph(RESPONDER, "DELETE", f"{path}/{made['id']}"))[0] == 204
        assert (await graph(RESPONDER, "DELETE", f"{path}/{made['id']}"))[0] == 404
        assert graph.azure.world.snapshot() == before


async def test_consents_are_restored_under_a_new_id() -> None:
    async with opened() as graph:
        graph.grant("DelegatedPermissionGrant.ReadWrite.All")
        grant = {"clientId": graph.id(DEPLOYER), "consentType": "Principal", "principalId": graph.id(OPS)}
        grant |= {"resourceId": graph.id("00000003-0000-0000-c000-000000000000"), "scope": "Mail.Read"}
        _, made = await graph(RESPONDER, "POST", "/oauth2PermissionGrants", grant)
        before = graph.azure.world.snapshot()
        _, body = await graph(RESPONDER, "GET", f"/users/{OPS}/oauth2PermissionGrants")
        assert [g["id"] for g in body["value"]] == [made["id"]]
        assert (await graph(RESPONDER, "DELETE", f"/oauth2PermissionGrants/{made['id']}"))[0] == 204
        _, again = await graph(RESPONDER, "POST", "/oauth2PermissionGrants", grant)
        assert again["id"] != made["id"]
        assert graph.azure.world.snapshot() == before


async def test_federated_credentials_come_and_go() -> None:
    async with opened() as graph:
        app = graph.azure.world.directory.application(DEPLOYER)
        assert app
        graph.grant("Application.ReadWrite.All")
        before, path = graph.azure.world.snapshot(), f"/applications/{app['id']}/federatedIdentityCredentials"
        trust = {
            "name": "ci",
            "issuer": "https://evil.example",
            "subject": "repo:x",
            "audiences": ["api://AzureADTokenExchange"],
        }
        status, made = await graph(MALLORY, "POST", path, trust)
        assert status == 201
        assert graph.azure.world.snapshot() != before
        assert (await graph(RESPONDER, "DELETE", f"{path}/{made['id']}"))[0] == 204
        assert graph.azure.world.snapshot() == before


async def test_objects_are_resolved_by_id() -> None:
    async with opened() as graph:
        graph.grant("Directory.Read.All")
        ids = [graph.id(OPS), graph.id(DEPLOYER), "00000000-0000-0000-0000-000000000000"]
        _, body = await graph(RESPONDER, "POST", "/directoryObjects/getByIds", {"ids": ids})
        assert {o["@odata.type"] for o in body["value"]} == {
            "#microsoft.graph.user",
            "#microsoft.graph.servicePrincipal",
        }
        _, body = await graph(RESPONDER, "POST", "/directoryObjects/getByIds", {"ids": ids, "types": ["user"]})
        assert [o["id"] for o in body["value"]] == ids[:1]
        assert (await graph(RESPONDER, "GET", f"/directoryObjects/{ids[2]}"))[0] == 404
        _, body = await graph(RESPONDER, "GET", "/organization")
        assert body["value"][0]["id"] == graph.azure.world.tenant


async def test_whether_somebody_is_in_a_group_is_answered_for_any_object() -> None:
    async with opened() as graph:
        graph.grant("Directory.Read.All")
        directory = graph.azure.world.directory
        held = directory.groups_of(graph.id(MALLORY))
        asked = {"groupIds": [*held, str(graph.id(OPS))]}
        for of in (f"/users/{MALLORY}", f"/directoryObjects/{graph.id(MALLORY)}"):
            _, body = await graph(RESPONDER, "POST", f"{of}/checkMemberGroups", asked)
            assert set(body["value"]) == held
        nested = next(g["id"] for g in directory.of_type("#microsoft.graph.group") if g["displayName"] == "on call")
        _, body = await graph(RESPONDER, "POST", f"/groups/{nested}/getMemberGroups", {"securityEnabledOnly": False})
        assert set(body["value"]) == directory.groups_of(nested)
        assert (await graph(RESPONDER, "POST", "/directoryObjects/none/checkMemberGroups", asked))[0] == 404
