"""Microsoft Graph: users, batches and errors, in plain HTTP as the responder speaks it."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure import Faults, World
from sandbox.azure.directory import Directory
from sandbox.azure.odata import Filter
from tests.sandbox.estate import (
    ADMIN,
    CHIEF,
    DEPLOYER,
    GUEST,
    MALLORY,
    NOW,
    OPS,
    PASSWORD,
    READER,
    RESPONDER,
    Rest,
)
from tests.sandbox.graphs import opened

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "graph"


async def test_a_plain_read_of_a_user_has_no_account_enabled() -> None:
    async with opened() as graph:
        status, body = await graph(RESPONDER, "GET", f"/users/{OPS}")
        assert status == 200
        assert "accountEnabled" not in body
        assert body["displayName"] == "Olga Ops"
        names = "id,accountEnabled,userType,onPremisesSyncEnabled,signInSessionsValidFromDateTime,externalUserState"
        _, body = await graph(RESPONDER, "GET", f"/users/{graph.id(OPS)}?$select={names}")
        assert body["accountEnabled"] is True
        assert set(body) == {"@odata.context", *names.split(",")}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official examples are not here")
async def test_answers_have_the_properties_of_the_official_examples() -> None:
    async with opened() as graph:
        graph.grant("Application.Read.All", "Directory.Read.All")
        sample = json.loads((SAMPLES / "Users_Get.response.json").read_text())
        _, body = await graph(RESPONDER, "GET", f"/users/{OPS}")
        assert set(sample) == set(body) - {"@odata.context"}
        sample = json.loads((SAMPLES / "ServicePrincipals_ListAppRoleAssignedTo.response.json").read_text())
        _, body = await graph(RESPONDER, "GET", f"/servicePrincipals/{graph.id(RESPONDER)}/appRoleAssignments")
        assert set(sample["value"][0]) == set(body["value"][0])
        sample = json.loads((SAMPLES / "Users_ListMemberOf.response.json").read_text())
        _, body = await graph(RESPONDER, "GET", f"/users/{OPS}/memberOf")
        assert set(sample["value"][0]) <= set(body["value"][0])


async def test_an_unknown_user_is_404_and_an_unknown_path_501() -> None:
    async with opened() as graph:
        status, body = await graph(RESPONDER, "GET", "/users/nobody@contoso.example")
        assert (status, body["error"]["code"]) == (404, "Request_ResourceNotFound")
        assert set(body["error"]["innerError"]) == {"date", "request-id", "client-request-id"}
        status, body = await graph(RESPONDER, "GET", "/teamwork/secrets")
        assert status == 501
        assert "/teamwork/secrets" in body["error"]["message"]


async def test_lists_filter_and_page() -> None:
    async with opened() as graph:
        _, body = await graph(RESPONDER, "GET", f"/users?$filter=userPrincipalName eq '{OPS.upper()}'")
        assert [u["displayName"] for u in body["value"]] == ["Olga Ops"]
        _, body = await graph(
            RESPONDER, "GET", "/users?$filter=startswith(displayName,'ri') or mail eq 'pat@fabrikam.example'"
        )
        assert {u["displayName"] for u in body["value"]} == {"Rita Reader", "Pat Partner"}
        seen, url, pages = [], "/users?$top=2&$select=id&$orderby=displayName", 0
        while url:
            _, body = await graph(RESPONDER, "GET", url)
            seen += [u["id"] for u in body["value"]]
            url, pages = body.get("@odata.nextLink", ""), pages + 1
        everybody = {u["id"] for u in graph.azure.world.directory.of_type("#microsoft.graph.user")}
        assert (set(seen), len(seen), pages) == (everybody, len(everybody), 3)


@pytest.mark.parametrize(
    "clause",
    ["displayName eq", "displayName is 'x'", "(displayName eq 'x'", "nothing eq 'x'", "displayName eq 'x' 'y'"],
)
async def test_a_bad_filter_is_400(clause: str) -> None:
    async with opened() as graph:
        status, body = await graph(RESPONDER, "GET", f"/users?$filter={clause}")
        assert status == 400
        assert body["error"]["code"] in {"BadRequest", "Request_UnsupportedQuery"}


@pytest.mark.parametrize(
    ("clause", "passing"),
    [
        ("a eq 'x'", 1),
        ("a eq 'X' and n ge 3", 1),
        ("not (a eq 'x')", 0),
        ("a in ('y', 'x')", 1),
        ("b/c eq null", 1),
        ("t eq true and (n lt 3 or n gt 3)", 0),
        ("l/any(i:i eq 'two')", 1),
        ("o/any(i:i/k eq 'v')", 1),
        ("d ge 2026-01-01T00:00:00Z", 1),
        ("q eq 'it''s'", 1),
    ],
)
def test_filters_mean_what_odata_says(clause: str, passing: int) -> None:
    entry = {"a": "x", "n": 3, "b": {"c": None}, "t": True, "l": ["one", "Two"], "o": [{"k": "v"}]}
    entry |= {"d": "2026-03-02T09:00:00Z", "q": "It's"}
    assert Filter(clause).test(entry) == passing


async def test_disabling_takes_its_permission_and_shows_at_once() -> None:
    async with opened() as graph:
        before = graph.azure.world.snapshot()
        assert await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False}) == (204, "")
        _, body = await graph(RESPONDER, "GET", f"/users/{MALLORY}?$select=accountEnabled")
        assert body["accountEnabled"] is False
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False}))[0] == 204
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": True}))[0] == 204
        assert graph.azure.world.snapshot() == before
        assert (await graph(DEPLOYER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False}))[0] == 403


async def test_a_disabled_user_is_out_at_once_everywhere() -> None:
    async with opened() as graph:
        await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False})
        status, body = await graph(MALLORY, "GET", "/me")
        assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationToken")
        arm = Rest(graph.session, graph.azure.endpoints.arm, graph.azure.token(MALLORY, "arm"))
        assert (await arm("GET", "/subscriptions?api-version=2022-12-01"))[0] == 401


async def test_a_holder_of_a_directory_role_is_beyond_a_permission_alone() -> None:
    async with opened() as graph:
        for target in (ADMIN, CHIEF):
            status, body = await graph(RESPONDER, "PATCH", f"/users/{target}", {"accountEnabled": False})
            assert (status, body["error"]["code"]) == (403, "Authorization_RequestDenied")
        graph.azure.world.directory.assign_role(graph.id(RESPONDER), "User Administrator")
        assert (await graph(RESPONDER, "PATCH", f"/users/{ADMIN}", {"accountEnabled": False}))[0] == 204
        assert (await graph(RESPONDER, "PATCH", f"/users/{CHIEF}", {"accountEnabled": False}))[0] == 403
        # A member of a role-assignable group counts as one, whether or not the group holds a role yet.
        group = next(
            g["id"] for g in graph.azure.world.directory.of_type("#microsoft.graph.group") if g["isAssignableToRole"]
        )
        graph.azure.world.directory.set_members(group, [graph.id(READER)])
        assert (await graph(RESPONDER, "PATCH", f"/users/{READER}", {"accountEnabled": False}))[0] == 403


async def test_a_password_takes_its_own_permission_and_its_own_call() -> None:
    async with opened() as graph:
        profile = {"passwordProfile": {"password": "New-secret-42!", "forceChangePasswordNextSignIn": True}}
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", profile))[0] == 403
        graph.grant("User.ReadWrite.All")
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", profile))[0] == 403
        graph.grant("User-PasswordProfile.ReadWrite.All")
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", profile | {"accountEnabled": False}))[0] == 403
        weak = {"passwordProfile": {"password": "weak"}}
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", weak))[0] == 400
        before, token = graph.azure.world.snapshot(), graph.azure.token(MALLORY, "graph")
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", profile))[0] == 204
        assert graph.azure.world.directory.private[graph.id(MALLORY)]["password"] == "New-secret-42!"
        assert graph.azure.world.snapshot() != before
        assert "New-secret-42!" not in json.dumps(graph.azure.world.snapshot())
        assert (await Rest(graph.session, graph.azure.endpoints.graph, token)("GET", "/v1.0/me"))[0] == 401


async def test_ending_sessions_ends_the_tokens_issued_so_far() -> None:
    async with opened() as graph:
        old, before = graph.azure.token(MALLORY, "graph"), graph.azure.world.snapshot()
        status, body = await graph(RESPONDER, "POST", f"/users/{MALLORY}/revokeSignInSessions")
        assert (status, body["value"]) == (200, True)
        assert (await Rest(graph.session, graph.azure.endpoints.graph, old)("GET", "/v1.0/me"))[0] == 401
        assert (await graph(MALLORY, "GET", "/me"))[0] == 200  # signed in anew
        assert graph.azure.world.snapshot() == before
        assert (await graph(DEPLOYER, "POST", f"/users/{MALLORY}/revokeSignInSessions"))[0] == 403


async def test_a_deleted_user_is_restored_as_he_was() -> None:
    async with opened() as graph:
        oid = graph.id(MALLORY)
        assert (await graph(RESPONDER, "DELETE", f"/users/{oid}"))[0] == 403
        graph.grant("User.DeleteRestore.All")
        before = graph.azure.world.snapshot()
        assert await graph(RESPONDER, "DELETE", f"/users/{oid}") == (204, "")
        assert (await graph(RESPONDER, "DELETE", f"/users/{oid}"))[0] == 404
        assert (await graph(RESPONDER, "GET", f"/users/{oid}"))[0] == 404
        assert f"/directory/deletedItems/{oid}" in graph.azure.world.snapshot()
        _, body = await graph(RESPONDER, "GET", "/directory/deletedItems/microsoft.graph.user")
        assert [u["id"] for u in body["value"]] == [oid]
        status, body = await graph(RESPONDER, "POST", f"/directory/deletedItems/{oid}/restore")
        assert (status, body["id"]) == (200, oid)
        assert (await graph(RESPONDER, "POST", f"/directory/deletedItems/{oid}/restore"))[0] == 404
        assert graph.azure.world.snapshot() == before


async def test_mail_goes_to_the_world() -> None:
    async with opened() as graph:
        message: dict[str, Any] = {"subject": "Expected?", "body": {"contentType": "Text", "content": "Was it you?"}}
        message["toRecipients"] = [{"emailAddress": {"address": OPS}}]
        assert (await graph(RESPONDER, "POST", f"/users/{ADMIN}/sendMail", {"message": message}))[0] == 403
        graph.grant("Mail.Send")
        assert await graph(RESPONDER, "POST", f"/users/{ADMIN}/sendMail", {"message": message}) == (202, "")
        assert [(m["from"], m["to"], m["subject"], m["body"]) for m in graph.azure.world.mails] == [
            (ADMIN, [OPS], "Expected?", "Was it you?")
        ]
        assert (await graph(MALLORY, "POST", f"/users/{OPS}/sendMail", {"message": message}))[0] == 403
        assert (await graph(CHIEF, "POST", f"/users/{OPS}/sendMail", {"message": message}))[0] == 403


async def test_people_without_a_role_read_and_guests_see_only_themselves() -> None:
    async with opened() as graph:
        assert (await graph(MALLORY, "GET", "/users"))[0] == 200
        assert (await graph(MALLORY, "PATCH", f"/users/{OPS}", {"accountEnabled": False}))[0] == 403
        assert (await graph(MALLORY, "DELETE", f"/users/{OPS}"))[0] == 403
        assert (await graph(GUEST, "GET", "/users"))[0] == 403
        assert (await graph(GUEST, "GET", "/me"))[0] == 200
        assert (await graph(ADMIN, "PATCH", f"/users/{MALLORY}", {"jobTitle": "Suspended"}))[0] == 204
        assert (await graph(ADMIN, "PATCH", f"/users/{CHIEF}", {"accountEnabled": False}))[0] == 403


async def test_people_and_guests_are_made() -> None:
    async with opened() as graph:
        body = {
            "accountEnabled": True,
            "displayName": "Eve",
            "mailNickname": "eve",
            "userPrincipalName": "eve@contoso.example",
        }
        body["passwordProfile"] = {"password": "Secret-of-eve-1"}
        assert (await graph(MALLORY, "POST", "/users", body))[0] == 403
        status, made = await graph(ADMIN, "POST", "/users", body)
        assert (status, made["userPrincipalName"]) == (201, "eve@contoso.example")
        assert (await graph(ADMIN, "POST", "/users", body))[0] == 400
        invitation = {
            "invitedUserEmailAddress": "eve@evil.example",
            "inviteRedirectUrl": "https://myapps.microsoft.com",
        }
        status, made = await graph(MALLORY, "POST", "/invitations", invitation)
        assert status == 201
        _, guest = await graph(ADMIN, "GET", f"/users/{made['invitedUser']['id']}?$select=userType,externalUserState")
        assert (guest["userType"], guest["externalUserState"]) == ("Guest", "PendingAcceptance")


async def test_synced_users_keep_their_password() -> None:
    async with opened() as graph:
        user = graph.azure.world.directory.find(MALLORY)
        assert user
        graph.azure.world.directory.put({**user, "onPremisesSyncEnabled": True})
        status, body = await graph(
            CHIEF, "PATCH", f"/users/{MALLORY}", {"passwordProfile": {"password": "New-secret-42!"}}
        )
        assert (status, body["error"]["code"]) == (400, "Request_BadRequest")


async def test_a_batch_answers_each_part() -> None:
    async with opened() as graph:
        requests = [
            {"id": "1", "method": "GET", "url": f"/users/{OPS}?$select=id"},
            {"id": "2", "method": "GET", "url": "/users/nobody"},
            {"id": "3", "method": "GET", "url": f"/users/{MALLORY}", "dependsOn": ["2"]},
            {"id": "4", "method": "PATCH", "url": f"/users/{MALLORY}", "body": {"accountEnabled": False}},
        ]
        status, body = await graph(RESPONDER, "POST", "/$batch", {"requests": requests})
        assert status == 200
        assert [(r["id"], r["status"]) for r in body["responses"]] == [("1", 200), ("2", 404), ("3", 424), ("4", 204)]
        assert body["responses"][0]["body"]["id"] == graph.id(OPS)
        many = [{"id": str(i), "method": "GET", "url": "/me"} for i in range(21)]
        assert (await graph(RESPONDER, "POST", "/$batch", {"requests": many}))[0] == 400


async def test_what_is_done_is_in_the_audit_log() -> None:
    async with opened() as graph:
        await graph(ADMIN, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False})
        await graph(ADMIN, "PATCH", f"/users/{CHIEF}", {"accountEnabled": False})  # refused
        graph.grant("AuditLog.Read.All")
        query = f"$filter=initiatedBy/user/id eq '{graph.id(ADMIN)}' and activityDateTime ge 2026-03-01T00:00:00Z"
        _, body = await graph(RESPONDER, "GET", f"/auditLogs/directoryAudits?{query}")
        assert [(e["activityDisplayName"], e["targetResources"][0]["id"]) for e in body["value"]] == [
            ("Disable account", graph.id(MALLORY))
        ]


async def test_under_eventual_consistency_reads_lag_a_write() -> None:
    async with opened(faults=(faults := Faults(lag=2))) as graph:
        faults.on("PATCH", f"/users/{MALLORY}", "eventual")
        await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False})
        seen = [
            (await graph(RESPONDER, "GET", f"/users/{MALLORY}?$select=accountEnabled"))[1]["accountEnabled"]
            for _ in range(3)
        ]
        assert seen == [True, True, False]


async def test_tokens_are_asked_for() -> None:
    async with opened() as graph:
        async with graph.session.get(f"{graph.azure.endpoints.graph}/v1.0/users") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (401, "InvalidAuthenticationToken")
            assert answer.headers["request-id"]
        assert (await graph("tech@provider.example", "GET", "/me"))[0] == 403


def test_a_directory_outlives_a_restart() -> None:
    world = World()
    world.load(
        {
            "users": [{"upn": OPS, "password": PASSWORD, "app_roles": ["Approver"]}],
            "groups": [{"name": "g", "members": [OPS]}],
        },
        NOW,
    )
    again = Directory.restore(json.loads(json.dumps(world.directory.dump())))
    assert again.snapshot() == world.directory.snapshot()
    assert again.find(OPS.upper()) == world.directory.find(OPS)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"users": [{"upn": OPS, "directory_roles": ["King"]}]}, "King"),
        ({"users": [{"upn": OPS, "app_roles": ["King"]}]}, "King"),
        ({"users": [{"name": "no upn"}]}, "upn"),
        ({"users": [{"upn": OPS, "pasword": "x"}]}, "pasword"),
        ({"groups": [{"name": "g", "members": ["ghost"]}]}, "ghost"),
        ({"service_principals": [{"name": "a", "graph_permissions": ["User.Rule.All"]}]}, "User.Rule.All"),
    ],
)
def test_a_world_file_with_an_error_says_which(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        World().load(entry, NOW)
