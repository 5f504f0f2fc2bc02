"""Authentication methods: who registers and removes them, and in which order they go."""

from typing import Any

from sandbox.azure import Sandbox, World
from tests.sandbox.estate import ADMIN, CHIEF, MALLORY, NOW, OPS, RESPONDER, browser, estate
from tests.sandbox.graphs import Graph, opened

METHODS = f"/users/{MALLORY}/authentication"
MOBILE = "3179e48a-750b-4051-897c-87b9720928f7"
APP = {"@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod", "id": "app-1"}


async def listed(graph: Graph, kind: str = "methods") -> list[str]:
    status, body = await graph(RESPONDER, "GET", f"{METHODS}/{kind}")
    assert status == 200
    return [m["id"] for m in body["value"]]


async def test_a_person_registers_and_an_application_removes() -> None:
    async with opened() as graph:
        graph.grant("UserAuthenticationMethod.ReadWrite.All")
        before = graph.azure.world.snapshot()
        phone = {"phoneType": "mobile", "phoneNumber": "+1 2065550100"}
        assert (await graph(OPS, "POST", f"{METHODS}/phoneMethods", phone))[0] == 403
        assert (await graph(MALLORY, "POST", f"{METHODS}/phoneMethods", phone))[0] == 201
        assert (await graph(MALLORY, "POST", f"{METHODS}/phoneMethods", phone))[0] == 400
        key = {"displayName": "Red key", "publicKeyCredential": {"id": "x"}}
        _, made = await graph(MALLORY, "POST", f"{METHODS}/fido2Methods", key)
        assert await listed(graph, "fido2Methods") == [made["id"]]
        assert await listed(graph, "phoneMethods") == [MOBILE]
        assert len(await listed(graph)) == 3  # with the password
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/phoneMethods/{made['id']}"))[0] == 404
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/fido2Methods/{made['id']}"))[0] == 204
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/fido2Methods/{made['id']}"))[0] == 404
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/phoneMethods/{MOBILE}"))[0] == 204
        assert graph.azure.world.snapshot() == before
        names = [(a["activityDisplayName"], a["resultReason"]) for a in graph.azure.world.directory.audits]
        assert names[0] == ("User registered security info", "User registered phone method")
        assert names[-1][0] == "Admin deleted security info"


async def test_the_default_method_goes_last_and_the_password_never() -> None:
    async with opened() as graph:
        graph.grant("UserAuthenticationMethod.ReadWrite.All")
        graph.azure.world.directory.methods[graph.id(MALLORY)] = [dict(APP)]
        phone = {"phoneType": "mobile", "phoneNumber": "+1 2065550100"}
        assert (await graph(MALLORY, "POST", f"{METHODS}/phoneMethods", phone))[0] == 201
        status, body = await graph(RESPONDER, "DELETE", f"{METHODS}/microsoftAuthenticatorMethods/app-1")
        assert (status, body["error"]["code"]) == (400, "badRequest")
        assert "default authentication method" in body["error"]["message"]
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/phoneMethods/{MOBILE}"))[0] == 204
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/microsoftAuthenticatorMethods/app-1"))[0] == 204
        (password,) = await listed(graph, "passwordMethods")
        assert (await graph(RESPONDER, "DELETE", f"{METHODS}/passwordMethods/{password}"))[0] == 400


async def test_a_pass_is_made_by_somebody_above_and_its_text_shown_once() -> None:
    async with opened() as graph:
        assert (await graph(MALLORY, "POST", f"{METHODS}/temporaryAccessPassMethods", {}))[0] == 403
        assert (await graph(ADMIN, "POST", f"{METHODS}/temporaryAccessPassMethods", {}))[0] == 403
        status, made = await graph(CHIEF, "POST", f"{METHODS}/temporaryAccessPassMethods", {"lifetimeInMinutes": 60})
        assert status == 201
        _, shown = await graph(CHIEF, "GET", f"{METHODS}/temporaryAccessPassMethods/{made['id']}")
        assert made["temporaryAccessPass"]
        assert shown["temporaryAccessPass"] is None


async def test_a_world_tells_what_was_registered_in_the_window() -> None:
    world = World()
    thief: dict[str, Any] = {**APP, "registered": "2026-03-02T08:30:00Z", "from": "198.51.100.7"}
    world.load({"users": [{"upn": OPS, "methods": [APP | {"id": "app-0"}, thief]}]}, NOW)
    async with Sandbox(world):
        (entry,) = world.directory.audits
        assert entry["activityDisplayName"] == "User registered security info"
        assert entry["activityDateTime"] == "2026-03-02T08:30:00Z"
        assert entry["initiatedBy"]["user"]["ipAddress"] == "198.51.100.7"
        assert [m["id"] for m in next(iter(world.directory.methods.values()))] == ["app-0", "app-1"]
        assert "registered" not in str(world.snapshot())


async def test_a_manager_is_read_set_and_taken_away() -> None:
    async with estate() as azure, browser(azure) as session:
        graph = Graph(azure, session)
        assert (await graph(RESPONDER, "GET", f"/users/{OPS}/manager"))[0] == 404
        link = {"@odata.id": f"https://graph.microsoft.com/v1.0/users/{graph.id(CHIEF)}"}
        assert (await graph(ADMIN, "PUT", f"/users/{OPS}/manager/$ref", link))[0] == 204
        _, body = await graph(RESPONDER, "GET", f"/users/{OPS}/manager?$select=id,userPrincipalName")
        assert body["userPrincipalName"] == CHIEF
        _, body = await graph(RESPONDER, "GET", f"/users/{CHIEF}/directReports")
        assert [u["id"] for u in body["value"]] == [graph.id(OPS)]
        assert (await graph(ADMIN, "DELETE", f"/users/{OPS}/manager/$ref"))[0] == 204
        assert (await graph(RESPONDER, "GET", f"/users/{OPS}/manager"))[0] == 404


async def test_app_roles_of_a_user_are_given_and_taken() -> None:
    async with opened() as graph:
        graph.grant("AppRoleAssignment.ReadWrite.All", "Directory.Read.All")
        before, path = graph.azure.world.snapshot(), f"/users/{OPS}/appRoleAssignments"
        _, held = await graph(RESPONDER, "GET", path)
        (approver,) = held["value"]
        assert (await graph(RESPONDER, "DELETE", f"{path}/{approver['id']}"))[0] == 204
        assert (await graph(RESPONDER, "DELETE", f"{path}/{approver['id']}"))[0] == 404
        again = {k: approver[k] for k in ("principalId", "resourceId", "appRoleId")}
        assert (await graph(RESPONDER, "POST", path, again))[0] == 201
        assert graph.azure.world.snapshot() == before
