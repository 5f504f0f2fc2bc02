"""What proves that somebody is out or in: passwords, sessions, secrets, certificates and trusts, each tried."""

import base64
import time
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox.azure import World
from tests.sandbox.estate import ADMIN, CHIEF, DEPLOYER, GROUP, MALLORY, NOW, OPS, PASSWORD, RESPONDER
from tests.sandbox.graphs import Graph, opened

ISSUER, SUBJECT, AUDIENCE = "https://pipelines.example", "repo:evil", "api://AzureADTokenExchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NEW = "Another-horse-8"


async def sign_in(graph: Graph, **fields: str) -> tuple[int, dict[str, Any]]:
    """The number of the refusal (0 for none), and the answer."""
    url = f"{graph.azure.endpoints.login}/{graph.azure.world.tenant}/oauth2/v2.0/token"
    form = {"scope": "https://graph.microsoft.com/.default", **fields}
    async with graph.session.post(url, data=form) as answer:
        body = await answer.json()
        return next(iter(body.get("error_codes", ())), 0), body


async def password(graph: Graph, upn: str, text: str) -> tuple[int, dict[str, Any]]:
    return await sign_in(graph, grant_type="password", username=upn, password=text)


async def federated(graph: Graph, client: str, subject: str = SUBJECT) -> int:
    token = graph.azure.tokens.outside(ISSUER, subject, AUDIENCE)
    fields = {"client_id": client, "client_assertion": token, "client_assertion_type": ASSERTION}
    return (await sign_in(graph, grant_type="client_credentials", **fields))[0]


async def test_a_reset_password_must_be_changed_and_the_old_one_and_its_session_are_dead() -> None:
    async with opened() as graph:
        _, session = await password(graph, MALLORY, PASSWORD)
        graph.grant("User-PasswordProfile.ReadWrite.All")
        profile = {"password": NEW, "forceChangePasswordNextSignIn": True}
        assert (await graph(RESPONDER, "PATCH", f"/users/{MALLORY}", {"passwordProfile": profile}))[0] == 204
        assert (await password(graph, MALLORY, PASSWORD))[0] == 50126
        assert (await sign_in(graph, grant_type="refresh_token", refresh_token=session["refresh_token"]))[0] == 50173
        assert (await password(graph, MALLORY, NEW))[0] == 50055
        url = f"{graph.azure.endpoints.login}/{graph.azure.world.tenant}/changepassword"
        form = {"username": MALLORY, "password": PASSWORD, "new_password": "Third-horse-9"}
        async with graph.session.post(url, data=form) as answer:
            assert (await answer.json())["error_codes"] == [50126]
        async with graph.session.post(url, data={**form, "password": NEW}) as answer:
            assert answer.status == 200
        assert (await password(graph, MALLORY, "Third-horse-9"))[0] == 0


async def test_a_pass_signs_in_until_it_is_removed() -> None:
    async with opened() as graph:
        graph.grant("UserAuthenticationMethod.ReadWrite.All")
        path = f"/users/{MALLORY}/authentication/temporaryAccessPassMethods"
        _, made = await graph(CHIEF, "POST", path, {"lifetimeInMinutes": 60})
        assert (await password(graph, MALLORY, made["temporaryAccessPass"]))[0] == 0
        assert (await graph(RESPONDER, "DELETE", f"{path}/{made['id']}"))[0] == 204
        assert (await password(graph, MALLORY, made["temporaryAccessPass"]))[0] == 50126


async def test_a_deleted_user_is_nobody_until_restored() -> None:
    async with opened() as graph:
        _, session = await password(graph, MALLORY, PASSWORD)
        oid = graph.id(MALLORY)
        assert (await graph(ADMIN, "DELETE", f"/users/{MALLORY}"))[0] == 204
        assert (await password(graph, MALLORY, PASSWORD))[0] == 50034
        assert (await sign_in(graph, grant_type="refresh_token", refresh_token=session["refresh_token"]))[0] == 50034
        assert (await graph(ADMIN, "POST", f"/directory/deletedItems/{oid}/restore"))[0] == 200
        assert (await password(graph, MALLORY, PASSWORD))[0] == 0


async def test_a_trusted_issuer_signs_an_application_in_until_the_trust_is_removed() -> None:
    async with opened() as graph:
        app = graph.azure.world.directory.application(DEPLOYER)
        assert app
        path = f"/applications/{app['id']}/federatedIdentityCredentials"
        trust = {"name": "ci", "issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
        assert await federated(graph, DEPLOYER) == 70021
        assert (await graph(MALLORY, "POST", path, trust))[0] == 201
        assert await federated(graph, DEPLOYER) == 0
        assert await federated(graph, DEPLOYER, "repo:other") == 70021
        assert (await graph(MALLORY, "DELETE", f"{path}/ci"))[0] == 204
        assert await federated(graph, DEPLOYER) == 70021


async def test_a_managed_identity_trusts_by_its_resource() -> None:
    world, name = World(), f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/robot"
    identity = {"name": "robot", "appId": DEPLOYER, "kind": "managed_identity", "resource": name}
    trust = {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
    resources = [
        {"id": name, "location": "westeurope", "properties": {}},
        {"id": f"{name}/federatedIdentityCredentials/ci", "properties": trust},
    ]
    subscription = GROUP.split("/")[2]
    world.load(
        {
            "subscriptions": [{"id": subscription, "name": "Production"}],
            "resource_groups": [{"id": GROUP, "location": "westeurope"}],
            "service_principals": [identity],
            "resources": resources,
        },
        NOW,
    )
    async with opened() as graph:
        graph.azure.world.directory, graph.azure.world.beneath = world.directory, world.beneath  # type: ignore[method-assign]
        assert await federated(graph, DEPLOYER) == 0
        world.delete(f"{name}/federatedIdentityCredentials/ci")
        assert await federated(graph, DEPLOYER) == 70021


async def test_a_certificate_signs_in_until_it_is_removed() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "deployer")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    )
    certificate = builder.sign(key, hashes.SHA256())
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    prints = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA1())).decode().rstrip("=")  # noqa: S303
    now = int(time.time())
    said = {"iss": DEPLOYER, "sub": DEPLOYER, "aud": "https://login", "exp": now + 300, "nbf": now}
    assertion = jwt.encode(said, key, algorithm="RS256", headers={"x5t": prints})
    fields = {"client_id": DEPLOYER, "client_assertion": assertion, "client_assertion_type": ASSERTION}
    async with opened() as graph:
        app = graph.azure.world.directory.application(DEPLOYER)
        assert app
        assert (await sign_in(graph, grant_type="client_credentials", **fields))[0] == 700027
        keys = [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": der}]
        assert (await graph(MALLORY, "PATCH", f"/applications/{app['id']}", {"keyCredentials": keys}))[0] == 204
        assert (await sign_in(graph, grant_type="client_credentials", **fields))[0] == 0
        assert (await graph(MALLORY, "PATCH", f"/applications/{app['id']}", {"keyCredentials": []}))[0] == 204
        assert (await sign_in(graph, grant_type="client_credentials", **fields))[0] == 700027


@pytest.mark.parametrize("licenses", [[], ["P2"]])
async def test_risk_and_sign_ins_take_a_license(licenses: list[str]) -> None:
    async with opened() as graph:
        graph.azure.world.directory.licenses = licenses
        graph.grant("IdentityRiskyUser.ReadWrite.All", "AuditLog.Read.All")
        await password(graph, MALLORY, "wrong")
        await password(graph, MALLORY, PASSWORD)
        path = "/identityProtection/riskyUsers"
        status, body = await graph(RESPONDER, "POST", f"{path}/confirmCompromised", {"userIds": [graph.id(MALLORY)]})
        ins = f"/auditLogs/signIns?$filter=userId eq '{graph.id(MALLORY)}'"
        if not licenses:
            assert (status, body["error"]["code"]) == (403, "Forbidden")
            status, body = await graph(RESPONDER, "GET", ins)
            code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
            assert (status, body["error"]["code"]) == (403, code)
            return
        assert status == 204
        _, body = await graph(RESPONDER, "GET", f"{path}/{graph.id(MALLORY)}")
        assert (body["riskLevel"], body["riskState"]) == ("high", "confirmedCompromised")
        assert (await graph(RESPONDER, "GET", f"{path}/{graph.id(OPS)}"))[0] == 404
        assert (await graph(RESPONDER, "POST", f"{path}/dismiss", {"userIds": [graph.id(MALLORY)]}))[0] == 204
        _, body = await graph(RESPONDER, "GET", ins)
        assert {s["status"]["errorCode"] for s in body["value"]} == {0, 50126}
