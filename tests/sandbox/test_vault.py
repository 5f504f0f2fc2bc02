"""Key Vault's secrets, in plain HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sandbox.azure import Sandbox
from tests.sandbox.estate import MALLORY, NOW, OPS, READER, VAULT, Rest, browser, estate

SECRET = "/keep/secrets/ir-password"
VERSION = "?api-version=7.5"


@asynccontextmanager
async def opened(who: str = OPS) -> AsyncIterator[tuple[Sandbox, Rest]]:
    async with estate() as azure, browser(azure) as session:
        yield azure, Rest(session, azure.endpoints.vault, azure.token(who, "vault"))


async def put(vault: Rest, value: str = "New-secret-42!", **more: Any) -> dict[str, Any]:
    status, body = await vault("PUT", SECRET + VERSION, {"value": value, **more})
    assert status == 200
    return dict(body)


async def test_a_secret_is_stored_in_versions() -> None:
    async with opened() as (azure, vault):
        first = await put(vault, "one", tags={"action": "a1"}, contentType="password")
        second = await put(vault, "two")
        assert first["id"].startswith(f"{azure.endpoints.vault}/keep/secrets/ir-password/")
        assert first["id"] != second["id"]
        assert first["attributes"]["created"] == int(NOW.timestamp())
        assert (await vault("GET", SECRET + VERSION))[1]["value"] == "two"
        assert (await vault("GET", first["id"] + VERSION))[1]["value"] == "one"
        _, body = await vault("GET", SECRET + "/versions" + VERSION)
        assert [v.get("tags") for v in body["value"]] == [{"action": "a1"}, None]
        assert "value" not in body["value"][0]
        _, body = await vault("GET", "/keep/secrets" + VERSION)
        assert [v["id"] for v in body["value"]] == [first["id"].rpartition("/")[0]]


async def test_without_a_token_there_is_a_challenge() -> None:
    async with opened() as (azure, vault), vault.session.get(azure.endpoints.vault + SECRET + VERSION) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == (
            f'Bearer authorization="{azure.endpoints.login}/{azure.world.tenant}", resource="https://vault.azure.net"'
        )


async def test_a_subscription_role_gives_no_data() -> None:
    for who in (MALLORY, READER):
        async with opened(who) as (_, vault):
            status, body = await vault("PUT", SECRET + VERSION, {"value": "x"})
            assert (status, body["error"]["code"]) == (403, "Forbidden")
            assert body["error"]["innererror"]["code"] == "ForbiddenByRbac"


async def test_a_writer_may_be_kept_from_reading() -> None:
    async with opened(MALLORY) as (azure, vault):
        role = {
            "name": "Writer",
            "scopes": [VAULT],
            "data_actions": ["Microsoft.KeyVault/vaults/secrets/setSecret/action"],
        }
        held = {"scope": VAULT, "role": "Writer", "principal": MALLORY}
        azure.world.load({"role_definitions": [role], "role_assignments": [held]}, NOW)
        await put(vault)
        assert (await vault("GET", SECRET + VERSION))[0] == 403


async def test_a_deleted_secret_is_recovered_and_its_name_is_taken_meanwhile() -> None:
    async with opened() as (_, vault):
        assert (await vault("GET", SECRET + VERSION))[0] == 404
        await put(vault)
        status, body = await vault("DELETE", SECRET + VERSION)
        assert status == 200
        assert {"recoveryId", "deletedDate", "scheduledPurgeDate", "id"} <= set(body)
        assert (await vault("GET", SECRET + VERSION))[0] == 404
        status, body = await vault("PUT", SECRET + VERSION, {"value": "x"})
        assert (status, body["error"]["innererror"]["code"]) == (409, "ObjectIsDeletedButRecoverable")
        assert (await vault("POST", "/keep/deletedsecrets/ir-password/recover" + VERSION))[0] == 200
        assert (await vault("GET", SECRET + VERSION))[1]["value"] == "New-secret-42!"


async def test_a_disabled_version_is_not_read() -> None:
    async with opened() as (_, vault):
        made = await put(vault)
        assert (await vault("PATCH", made["id"] + VERSION, {"attributes": {"enabled": False}}))[0] == 200
        assert (await vault("GET", SECRET + VERSION))[0] == 403


async def test_versions_vaults_and_values_are_checked() -> None:
    async with opened() as (_, vault):
        assert (await vault("GET", SECRET + "?api-version=1.0"))[0] == 400
        assert (await vault("GET", "/elsewhere/secrets/x" + VERSION))[0] == 404
        assert (await vault("PUT", SECRET + VERSION, {"value": "x" * 30_000}))[0] == 400
        assert (await vault("POST", "/keep/keys/x/sign" + VERSION, {}))[0] == 501


async def test_many_secrets_come_in_pages() -> None:
    async with opened() as (_, vault):
        for i in range(5):
            await vault("PUT", f"/keep/secrets/s{i}{VERSION}", {"value": "x"})
        names, url = [], "/keep/secrets?api-version=7.5&maxresults=2"
        while url:
            _, body = await vault("GET", url)
            names += [v["id"].rpartition("/")[2] for v in body["value"]]
            url = body["nextLink"]
        assert names == ["s0", "s1", "s2", "s3", "s4"]
