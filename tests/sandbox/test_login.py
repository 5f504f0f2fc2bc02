"""The login service, with azure-identity as Microsoft ships it."""

import asyncio
import base64
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential as BlockingClientSecretCredential
from azure.identity.aio import ClientSecretCredential, ManagedIdentityCredential
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.azure import Clock, Sandbox, World
from sandbox.azure.claims import claims_of
from sandbox.azure.tokens import Invalid, Tokens
from tests.sandbox.estate import DEPLOYER, GROUP, MALLORY, NOW, OPS, PASSWORD, RESPONDER, SECRET, Rest, browser, estate

ARM = "https://management.azure.com/.default"


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


async def form(azure: Sandbox, session: aiohttp.ClientSession, **fields: str) -> tuple[int, dict[str, Any]]:
    url = f"{azure.endpoints.login}/{azure.world.tenant}/oauth2/v2.0/token"
    fields = {"client_id": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "scope": ARM, **fields}
    async with session.post(url, data=fields) as answer:
        return answer.status, await answer.json()


async def test_a_client_secret_signs_an_application_in() -> None:
    async with estate() as azure:
        settings = {"authority": azure.endpoints.login, "connection_verify": azure.ca_file}
        async with ClientSecretCredential(azure.world.tenant, DEPLOYER, SECRET, **settings) as credential:
            token = await credential.get_token(ARM)
        found = azure.tokens.verify(token.token, "arm")
        assert (found["appid"], found["idtyp"], found["tid"]) == (DEPLOYER, "app", azure.world.tenant)
        assert "upn" not in found


async def test_the_blocking_credential_of_msal_works_too() -> None:
    async with estate() as azure:
        settings = {
            "authority": azure.endpoints.login,
            "connection_verify": azure.ca_file,
            "disable_instance_discovery": True,
        }
        with BlockingClientSecretCredential(azure.world.tenant, DEPLOYER, SECRET, **settings) as credential:
            token = await asyncio.to_thread(credential.get_token, "https://graph.microsoft.com/.default")
        assert azure.tokens.verify(token.token, "graph")["appid"] == DEPLOYER


async def test_a_wrong_secret_is_aadsts7000215() -> None:
    async with estate() as azure:
        settings = {"authority": azure.endpoints.login, "connection_verify": azure.ca_file}
        async with ClientSecretCredential(azure.world.tenant, DEPLOYER, "not-it", **settings) as credential:
            with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
                await credential.get_token(ARM)


async def test_a_removed_secret_signs_nobody_in() -> None:
    async with estate() as azure, browser(azure) as session:
        graph = Rest(session, azure.endpoints.graph + "/v1.0", azure.token(MALLORY, "graph"))
        app = azure.world.directory.application(DEPLOYER)
        assert app
        status, _ = await graph(
            "POST", f"/applications/{app['id']}/removePassword", {"keyId": app["passwordCredentials"][0]["keyId"]}
        )
        assert status == 204
        fields = {"grant_type": "client_credentials", "client_id": DEPLOYER, "client_secret": SECRET}
        status, body = await form(azure, session, **fields)
        assert (status, body["error"], body["error_codes"]) == (401, "invalid_client", [7000215])


async def test_an_application_that_nobody_knows_is_aadsts700016() -> None:
    async with estate() as azure, browser(azure) as session:
        _, body = await form(azure, session, grant_type="client_credentials", client_id="x", client_secret="y")
        assert body["error_codes"] == [700016]


async def test_a_password_signs_a_person_in_and_the_refresh_token_again() -> None:
    async with estate() as azure, browser(azure) as session:
        status, body = await form(azure, session, grant_type="password", username=OPS, password=PASSWORD)
        assert status == 200
        assert azure.tokens.verify(body["access_token"], "arm")["upn"] == OPS
        fields = {"grant_type": "refresh_token", "scope": "https://graph.microsoft.com/.default"}
        status, again = await form(azure, session, **fields, refresh_token=body["refresh_token"])
        assert status == 200
        assert azure.tokens.verify(again["access_token"], "graph")["upn"] == OPS


@pytest.mark.parametrize(
    ("username", "password", "number"), [(OPS, "wrong", 50126), ("nobody@contoso.example", PASSWORD, 50034)]
)
async def test_a_wrong_password_or_name_has_its_number(username: str, password: str, number: int) -> None:
    async with estate() as azure, browser(azure) as session:
        status, body = await form(azure, session, grant_type="password", username=username, password=password)
        assert (status, body["error"], body["error_codes"]) == (400, "invalid_grant", [number])
        assert body["error_description"].startswith(f"AADSTS{number}: ")


async def test_a_disabled_account_gets_no_token_by_password_or_refresh() -> None:
    async with estate() as azure, browser(azure) as session:
        _, body = await form(azure, session, grant_type="password", username=MALLORY, password=PASSWORD)
        user = azure.world.directory.find(MALLORY)
        assert user
        azure.world.directory.put({**user, "accountEnabled": False})
        for fields in (
            {"grant_type": "password", "username": MALLORY, "password": PASSWORD},
            {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]},
        ):
            status, refused = await form(azure, session, **fields)
            assert (status, refused["error_codes"]) == (400, [50057])


async def test_revoked_sessions_make_the_refresh_token_aadsts50173_and_a_new_sign_in_works() -> None:
    async with estate() as azure, browser(azure) as session:
        _, body = await form(azure, session, grant_type="password", username=OPS, password=PASSWORD)
        user = azure.world.directory.find(OPS)
        assert user
        azure.world.directory.revoke_sessions(user["id"], NOW)
        _, refused = await form(azure, session, grant_type="refresh_token", refresh_token=body["refresh_token"])
        assert refused["error_codes"] == [50173]
        assert azure.world.directory.usable(claims(body["access_token"]))
        _, fresh = await form(azure, session, grant_type="password", username=OPS, password=PASSWORD)
        assert azure.world.directory.usable(claims(fresh["access_token"])) is None


async def test_tenant_resource_and_grant_are_checked() -> None:
    async with estate() as azure, browser(azure) as session:
        _, body = await form(
            azure, session, grant_type="password", username=OPS, password=PASSWORD, scope="https://x.example/.default"
        )
        assert body["error_codes"] == [500011]
        _, body = await form(azure, session, grant_type="device_code")
        assert body["error"] == "unsupported_grant_type"
        async with session.post(f"{azure.endpoints.login}/elsewhere/oauth2/v2.0/token", data={"scope": ARM}) as answer:
            assert (await answer.json())["error_codes"] == [90002]


async def test_the_old_token_endpoint_takes_a_resource() -> None:
    async with estate() as azure, browser(azure) as session:
        fields = {"grant_type": "client_credentials", "client_id": DEPLOYER, "client_secret": SECRET}
        url = f"{azure.endpoints.login}/{azure.world.tenant}/oauth2/token"
        async with session.post(url, data={**fields, "resource": "https://management.azure.com/"}) as answer:
            body = await answer.json()
        assert azure.tokens.verify(body["access_token"], "arm")["appid"] == DEPLOYER
        assert int(body["expires_on"]) > time.time()


async def test_discovery_leads_to_the_key_that_verifies_tokens() -> None:
    async with estate() as azure, browser(azure) as session:
        url = f"{azure.endpoints.login}/{azure.world.tenant}/v2.0/.well-known/openid-configuration"
        async with session.get(url) as answer:
            configuration = await answer.json()
        async with session.get(configuration["jwks_uri"]) as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json())
        token = azure.token(OPS, "app")
        key = keys[jwt.get_unverified_header(token)["kid"]]
        assert jwt.decode(token, key, audience="api://countersign")["roles"] == ["Approver"]
        async with session.get(f"{azure.endpoints.login}/common/discovery/instance") as answer:
            assert "tenant_discovery_endpoint" in await answer.json()


@pytest.mark.parametrize("endpoint", ["here", "azure"])
async def test_managed_identity_works_as_app_service_has_it(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with estate() as azure:
        for name, value in azure.environment(RESPONDER).items():
            monkeypatch.setenv(name, value)
        scope = (azure.endpoints.arm if endpoint == "here" else "https://management.azure.com") + "/.default"
        async with ManagedIdentityCredential(client_id=RESPONDER, connection_verify=azure.ca_file) as credential:
            token = await credential.get_token(scope)
        found = azure.tokens.verify(token.token, "arm")
        assert (found["appid"], found["idtyp"]) == (RESPONDER, "app")
        assert found["xms_mirid"]
        assert token.expires_on > time.time() + 23 * 3600


async def test_managed_identity_is_refused_without_header_or_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    async with estate() as azure:
        for name, value in (azure.environment(RESPONDER) | {"IDENTITY_HEADER": "forged"}).items():
            monkeypatch.setenv(name, value)
        async with ManagedIdentityCredential(client_id=RESPONDER, connection_verify=azure.ca_file) as credential:
            with pytest.raises(ClientAuthenticationError):
                await credential.get_token(ARM)
        for name, value in azure.environment(RESPONDER).items():
            monkeypatch.setenv(name, value)
        async with ManagedIdentityCredential(client_id=DEPLOYER, connection_verify=azure.ca_file) as credential:
            with pytest.raises(ClientAuthenticationError):
                await credential.get_token(ARM)


async def test_a_token_for_one_service_is_refused_by_another() -> None:
    async with estate() as azure, browser(azure) as session:
        path = f"{GROUP}?api-version=2021-04-01"
        assert (await Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))("GET", path))[0] == 200
        assert (await Rest(session, azure.endpoints.arm, azure.token(OPS, "graph"))("GET", path))[0] == 401
        status, body = await Rest(session, azure.endpoints.graph, azure.token(OPS, "arm"))("GET", "/v1.0/me")
        assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationToken")


async def test_tokens_outlive_a_restart_and_jumps_of_the_clock(tmp_path: Path) -> None:
    async with estate() as azure:
        token = azure.token(OPS, "arm")
        azure.world.save(tmp_path / "world.json")
    clock = Clock(NOW + timedelta(days=3), running=False)
    async with Sandbox(World.open(tmp_path / "world.json"), clock=clock) as azure, browser(azure) as session:
        status, _ = await Rest(session, azure.endpoints.arm, token)("GET", f"{GROUP}?api-version=2021-04-01")
        assert status == 200


def test_a_forged_or_expired_token_is_invalid() -> None:
    tokens, world = Tokens(), World()
    other = Tokens(_another_key())
    world.load({"users": [{"upn": OPS}]}, NOW)
    real = claims_of(world.directory, OPS, "arm")
    with pytest.raises(Invalid):
        tokens.verify(other.issue(real, "arm"), "arm")
    with pytest.raises(Invalid) as caught:
        tokens.verify(tokens.issue(real, "arm", timedelta(seconds=-1)), "arm")
    assert caught.value.expired
    with pytest.raises(Invalid):
        tokens.verify(jwt.encode(real | {"aud": "https://management.azure.com"}, "", algorithm="none"), "arm")


def _another_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()
