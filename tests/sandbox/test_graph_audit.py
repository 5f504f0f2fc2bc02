"""Entra's audit log: who added what to whom, in the shapes of the live log."""

import json
from datetime import timedelta
from typing import Any

from tests.sandbox.estate import CHIEF, DEPLOYER, MALLORY, OPS, RESPONDER
from tests.sandbox.graphs import Graph, opened

MAIL_READ = "810c84a8-4a9e-49e6-bf7d-12d183f40d01"
MS_GRAPH = "00000003-0000-0000-c000-000000000000"
GLOBAL = "62e90394-69f5-4237-9190-012177145e10"


async def audits(graph: Graph, clause: str = "") -> list[dict[str, Any]]:
    graph.grant("AuditLog.Read.All")
    found, url = [], "/auditLogs/directoryAudits?$top=2" + (f"&$filter={clause}" if clause else "")
    while url:
        status, body = await graph(RESPONDER, "GET", url)
        assert status == 200, body
        found += body["value"]
        url = body.get("@odata.nextLink", "")
    return found


def values(entry: dict[str, Any], side: str = "newValue") -> dict[str, Any]:
    properties = entry["targetResources"][0]["modifiedProperties"]
    return {p["displayName"]: json.loads(p[side]) for p in properties if p[side] is not None}


def named(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {e["activityDisplayName"]: e for e in entries}


def group(graph: Graph, name: str) -> str:
    groups = graph.azure.world.directory.of_type("#microsoft.graph.group")
    return next(str(g["id"]) for g in groups if g["displayName"] == name)


async def test_a_membership_names_the_member_and_the_group() -> None:
    async with opened() as graph:
        team = group(graph, "on call")
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{graph.id(OPS)}"}
        assert (await graph(CHIEF, "POST", f"/groups/{team}/members/$ref", link))[0] == 204
        assert (await graph(CHIEF, "DELETE", f"/groups/{team}/members/{graph.id(OPS)}/$ref"))[0] == 204
        found = named(await audits(graph, f"targetResources/any(t: t/id eq '{team}')"))
        added, taken = found["Add member to group"], found["Remove member from group"]
        assert (added["category"], added["operationType"]) == ("GroupManagement", "Assign")
        assert added["initiatedBy"]["user"]["id"] == graph.id(CHIEF)
        who, what = added["targetResources"]
        assert (who["type"], who["id"], who["userPrincipalName"]) == ("User", graph.id(OPS), OPS)
        assert (what["type"], what["id"]) == ("Group", team)
        assert values(added) == {"Group.ObjectID": team, "Group.DisplayName": "on call"}
        assert values(taken, "oldValue")["Group.ObjectID"] == team


async def test_roles_owners_and_app_roles_say_of_what() -> None:
    async with opened() as graph:
        mallory, app = graph.id(MALLORY), graph.azure.world.directory.application(DEPLOYER)
        assert app
        role = {"principalId": mallory, "roleDefinitionId": GLOBAL, "directoryScopeId": "/"}
        assert (await graph(CHIEF, "POST", "/roleManagement/directory/roleAssignments", role))[0] == 201
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{graph.id(OPS)}"}
        assert (await graph(CHIEF, "POST", f"/applications/{app['id']}/owners/$ref", link))[0] == 204
        deployer, api = graph.id(DEPLOYER), graph.id(MS_GRAPH)
        grant = {"principalId": deployer, "resourceId": api, "appRoleId": MAIL_READ}
        assert (await graph(CHIEF, "POST", f"/servicePrincipals/{deployer}/appRoleAssignments", grant))[0] == 201
        found = named(await audits(graph, f"initiatedBy/user/id eq '{graph.id(CHIEF)}'"))
        role_entry, owner = found["Add member to role"], found["Add owner to application"]
        assert values(role_entry)["Role.TemplateId"] == GLOBAL
        assert values(role_entry)["Role.DisplayName"] == "Global Administrator"
        assert [t["id"] for t in role_entry["targetResources"]] == [mallory, GLOBAL]
        assert values(owner)["Application.ObjectID"] == app["id"]
        app_role = found["Add app role assignment to service principal"]
        assert [t["id"] for t in app_role["targetResources"]] == [api]
        assert values(app_role)["ServicePrincipal.ObjectID"] == deployer
        assert values(app_role)["AppRole.Value"] == "Mail.Read"


async def test_secrets_show_before_and_after_without_their_text() -> None:
    async with opened() as graph:
        app = graph.azure.world.directory.application(DEPLOYER)
        assert app
        _, made = await graph(MALLORY, "POST", f"/applications/{app['id']}/addPassword", {})
        _, on_principal = await graph(MALLORY, "POST", f"/servicePrincipals/{graph.id(DEPLOYER)}/addPassword", {})
        entries = await audits(graph, "activityDateTime ge 2026-03-01T00:00:00Z and result eq 'success'")
        by_name = named(entries)
        changed = by_name["Update application – Certificates and secrets management "]  # noqa: RUF001
        assert any(made["keyId"] in key for key in values(changed)["KeyDescription"])
        assert not any(made["keyId"] in key for key in values(changed, "oldValue")["KeyDescription"])
        assert any(
            on_principal["keyId"] in k for k in values(by_name["Add service principal credentials"])["KeyDescription"]
        )
        assert "Update application" in by_name
        assert made["secretText"] not in json.dumps(entries)


async def test_a_person_consents_for_himself_and_nobody_else() -> None:
    async with opened() as graph:
        grant = {"clientId": graph.id(DEPLOYER), "consentType": "Principal", "principalId": graph.id(OPS)}
        grant |= {"resourceId": graph.id(MS_GRAPH), "scope": "Mail.Read offline_access"}
        assert (await graph(MALLORY, "POST", "/oauth2PermissionGrants", grant))[0] == 403
        assert (await graph(OPS, "POST", "/oauth2PermissionGrants", grant))[0] == 201
        assert (await graph(OPS, "POST", "/oauth2PermissionGrants", grant))[0] == 400
        entries = await audits(graph, f"initiatedBy/user/id eq '{graph.id(OPS)}'")
        by_name = named(entries)
        assert set(by_name) == {
            "Add delegated permission grant",
            "Add app role assignment grant to user",
            "Consent to application",
        }
        assert len({e["correlationId"] for e in entries}) == 1
        asked = by_name["Add delegated permission grant"]
        assert values(asked)["DelegatedPermissionGrant.Scope"] == "Mail.Read offline_access"
        assert values(asked)["ServicePrincipal.ObjectID"] == graph.id(DEPLOYER)
        assert values(by_name["Add app role assignment grant to user"])["User.ObjectID"] == graph.id(OPS)
        assert "Mail.Read" in values(by_name["Consent to application"])["ConsentAction.Permissions"]
        _, held = await graph(OPS, "GET", "/me/appRoleAssignments")
        assert graph.id(DEPLOYER) in {a["resourceId"] for a in held["value"]}


async def test_the_newest_comes_first_and_filters_combine() -> None:
    async with opened() as graph:
        for name in ("one", "two", "three"):
            graph.azure.clock.advance(timedelta(minutes=1))
            assert (await graph(MALLORY, "POST", "/applications", {"displayName": name}))[0] == 201
        clause = f"activityDisplayName eq 'Add application' and initiatedBy/user/id eq '{graph.id(MALLORY)}'"
        found = await audits(graph, clause)
        assert [e["targetResources"][0]["displayName"] for e in found] == ["three", "two", "one"]
        late = await audits(graph, f"{clause} and activityDateTime ge {found[1]['activityDateTime']}")
        assert len(late) == 2
