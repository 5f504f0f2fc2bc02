"""Directory roles, held and eligible, and administrative units, in plain HTTP."""

from datetime import timedelta
from typing import Any

from tests.sandbox.estate import ADMIN, CHIEF, MALLORY, OPS, READER, RESPONDER
from tests.sandbox.graphs import Graph, opened

ROLES = "/roleManagement/directory"
READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
GLOBAL = "62e90394-69f5-4237-9190-012177145e10"


async def ask(graph: Graph, who: str, what: str, action: str, **more: Any) -> tuple[int, Any]:
    body = {"action": action, "principalId": graph.id(MALLORY), "roleDefinitionId": READERS, "directoryScopeId": "/"}
    return await graph(who, "POST", f"{ROLES}/{what}ScheduleRequests", body | more)


async def test_without_a_license_there_is_no_pim() -> None:
    async with opened() as graph:
        graph.grant("RoleManagement.ReadWrite.Directory")
        status, body = await graph(RESPONDER, "GET", f"{ROLES}/roleEligibilitySchedules")
        assert (status, body["error"]["code"]) == (400, "AadPremiumLicenseRequired")
        assert (await graph(RESPONDER, "GET", f"{ROLES}/roleAssignments"))[0] == 200


async def test_an_eligible_role_is_given_activated_and_taken() -> None:
    async with opened() as graph:
        graph.azure.world.directory.licenses = ["P2"]
        graph.grant("RoleEligibilitySchedule.Remove.Directory", "RoleAssignmentSchedule.Remove.Directory")
        graph.grant("RoleManagement.Read.Directory", "AuditLog.Read.All")
        before, directory, mallory = graph.azure.world.snapshot(), graph.azure.world.directory, graph.id(MALLORY)
        assert (await ask(graph, MALLORY, "roleAssignment", "selfActivate", justification="x"))[0] == 400
        assert (await ask(graph, MALLORY, "roleEligibility", "adminAssign"))[0] == 403
        status, made = await ask(graph, CHIEF, "roleEligibility", "adminAssign", justification="audit")
        assert (status, made["status"]) == (201, "Provisioned")
        status, body = await ask(graph, CHIEF, "roleEligibility", "adminAssign")
        assert (status, body["error"]["code"]) == (400, "RoleAssignmentExists")
        assert directory.roles_of(mallory) == set()
        query = f"?$filter=principalId eq '{mallory}'&$expand=roleDefinition"
        for what in ("roleEligibilitySchedules", "roleEligibilityScheduleInstances"):
            _, body = await graph(RESPONDER, "GET", f"{ROLES}/{what}{query}")
            assert [e["roleDefinition"]["displayName"] for e in body["value"]] == ["Directory Readers"]

        status, body = await ask(graph, MALLORY, "roleAssignment", "selfActivate")
        assert body["error"]["code"] == "RoleAssignmentRequestPolicyValidationFailed"
        assert (await ask(graph, MALLORY, "roleAssignment", "selfActivate", justification="work"))[0] == 201
        assert directory.roles_of(mallory) == {"Directory Readers"}
        _, body = await graph(RESPONDER, "GET", f"{ROLES}/roleAssignmentScheduleInstances{query}")
        assert [e["assignmentType"] for e in body["value"]] == ["Activated"]

        status, body = await ask(graph, RESPONDER, "roleAssignment", "adminRemove")
        assert (status, body["error"]["code"]) == (400, "ActiveDurationTooShort")
        graph.azure.clock.advance(timedelta(minutes=6))
        assert (await ask(graph, RESPONDER, "roleAssignment", "adminRemove", justification="theft"))[0] == 201
        assert (await ask(graph, RESPONDER, "roleEligibility", "adminRemove"))[0] == 201
        for what in ("roleAssignment", "roleEligibility"):
            status, body = await ask(graph, RESPONDER, what, "adminRemove")
            assert (status, body["error"]["code"]) == (400, "RoleAssignmentDoesNotExist")
        assert graph.azure.world.snapshot() == before

        clause = f"targetResources/any(t: t/id eq '{mallory}') and activityDisplayName eq"
        pim = "'Add eligible member to role in PIM completed (permanent)'"
        _, body = await graph(RESPONDER, "GET", f"/auditLogs/directoryAudits?$filter={clause} {pim}")
        (entry,) = body["value"]
        assert (entry["loggedByService"], entry["initiatedBy"]["user"]["id"]) == ("PIM", graph.id(CHIEF))
        assert entry["targetResources"][0]["displayName"] == "Directory Readers"
        clause += " 'Add eligible member to role'"
        _, body = await graph(RESPONDER, "GET", f"/auditLogs/directoryAudits?$filter={clause}")
        assert body["value"][0]["initiatedBy"]["app"]["displayName"] == "MS-PIM"


async def test_an_activation_ends_by_itself() -> None:
    async with opened() as graph:
        graph.azure.world.directory.licenses = ["P2"]
        await ask(graph, CHIEF, "roleEligibility", "adminAssign")
        hours = {"expiration": {"type": "afterDuration", "duration": "PT2H"}}
        status, _ = await ask(
            graph, MALLORY, "roleAssignment", "selfActivate", justification="work", scheduleInfo=hours
        )
        assert status == 201
        graph.azure.clock.advance(timedelta(hours=3))
        _, body = await graph(READER, "GET", f"{ROLES}/roleAssignments?$filter=principalId eq '{graph.id(MALLORY)}'")
        assert body["value"] == []


async def test_whoever_does_not_exist_is_not_found() -> None:
    async with opened() as graph:
        graph.azure.world.directory.licenses = ["P2"]
        nobody = "00000000-0000-0000-0000-000000000000"
        status, body = await ask(graph, CHIEF, "roleAssignment", "adminRemove", principalId=nobody)
        assert (status, body["error"]["code"]) == (404, "SubjectNotFound")
        status, body = await ask(graph, CHIEF, "roleAssignment", "adminRemove", roleDefinitionId=nobody)
        assert (status, body["error"]["code"]) == (404, "RoleNotFound")


async def test_roles_are_objects_with_members() -> None:
    async with opened() as graph:
        graph.grant("RoleManagement.ReadWrite.Directory")
        _, body = await graph(READER, "GET", f"/directoryRoles(roleTemplateId='{GLOBAL}')")
        _, held = await graph(READER, "GET", f"/users/{CHIEF}/memberOf/microsoft.graph.directoryRole")
        assert [r["id"] for r in held["value"]] == [body["id"]]
        path = f"/directoryRoles/{body['id']}/members"
        _, members = await graph(READER, "GET", path)
        assert [m["id"] for m in members["value"]] == [graph.id(CHIEF)]
        status, refused = await graph(RESPONDER, "DELETE", f"{path}/{graph.id(CHIEF)}/$ref")
        assert status == 400
        assert "last remaining Global Administrator" in refused["error"]["message"]
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{graph.id(OPS)}"}
        assert (await graph(CHIEF, "POST", f"{path}/$ref", link))[0] == 204
        assert (await graph(RESPONDER, "DELETE", f"{path}/{graph.id(CHIEF)}/$ref"))[0] == 204


async def test_members_of_a_restricted_unit_are_beyond_the_tenant() -> None:
    async with opened() as graph:
        graph.grant("User.ReadWrite.All", "AdministrativeUnit.ReadWrite.All", "Directory.Read.All")
        unit = {"displayName": "Board", "isMemberManagementRestricted": True}
        _, made = await graph(CHIEF, "POST", "/directory/administrativeUnits", unit)
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/users/{graph.id(MALLORY)}"}
        path = f"/directory/administrativeUnits/{made['id']}/members"
        assert (await graph(CHIEF, "POST", f"{path}/$ref", link))[0] == 204
        for who in (RESPONDER, CHIEF, ADMIN):
            status, body = await graph(who, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False})
            assert (status, body["error"]["code"]) == (403, "Authorization_RequestDenied")
            assert "restricted management administrative unit" in body["error"]["message"]
        assert (await graph(RESPONDER, "DELETE", f"/users/{MALLORY}"))[0] == 403
        _, seen = await graph(RESPONDER, "GET", f"/users/{MALLORY}/memberOf/microsoft.graph.administrativeUnit")
        assert [u["isMemberManagementRestricted"] for u in seen["value"]] == [True]
        scope = f"/administrativeUnits/{made['id']}"
        graph.azure.world.directory.assign_role(graph.id(OPS), "User Administrator", scope=scope)
        assert (await graph(OPS, "PATCH", f"/users/{READER}", {"accountEnabled": False}))[0] == 403
        assert (await graph(RESPONDER, "DELETE", f"{path}/{graph.id(MALLORY)}/$ref"))[0] == 204
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False}))[0] == 204


async def test_hidden_members_are_hidden() -> None:
    async with opened() as graph:
        graph.grant("Directory.Read.All")
        unit = {"displayName": "Whistle", "visibility": "HiddenMembership"}
        _, made = await graph(CHIEF, "POST", "/directory/administrativeUnits", unit)
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/users/{graph.id(MALLORY)}"}
        path = f"/directory/administrativeUnits/{made['id']}/members"
        assert (await graph(CHIEF, "POST", f"{path}/$ref", link))[0] == 204
        assert (await graph(RESPONDER, "GET", path))[1]["value"] == []
        assert (await graph(RESPONDER, "GET", f"/users/{MALLORY}/memberOf/microsoft.graph.administrativeUnit"))[1][
            "value"
        ] == []
        graph.grant("Member.Read.Hidden")
        assert [m["id"] for m in (await graph(RESPONDER, "GET", path))[1]["value"]] == [graph.id(MALLORY)]
