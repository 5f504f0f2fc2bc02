"""Tokens checked by published keys."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from sandbox.functions import verify_with_keys
from sandbox.functions.sign_in import principal

KEY = rsa.generate_private_key(65537, 2048)


def token(key: rsa.RSAPrivateKey = KEY, kid: str = "one", **claims: Any) -> str:
    body = {"aud": "api://us", "exp": datetime.now(UTC) + timedelta(hours=1), "oid": "1234", **claims}
    return jwt.encode(body, key, "RS256", headers={"kid": kid})


@pytest.fixture
async def keys() -> AsyncIterator[str]:
    async def serve(_: web.Request) -> web.Response:
        public = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [{**public, "kid": "one", "use": "sig"}]})

    site = web.Application()
    site.router.add_get("/keys", serve)
    async with TestServer(site) as server:
        yield str(server.make_url("/keys"))


async def test_a_token_is_good_by_key_audience_and_time(keys: str) -> None:
    verify = verify_with_keys(keys, "api://us")
    for text, good in (
        (token(), True),
        (token(aud="api://them"), False),
        (token(exp=datetime.now(UTC) - timedelta(minutes=1)), False),
        (token(rsa.generate_private_key(65537, 2048)), False),
        (token(kid="two"), False),
        (jwt.encode({"aud": "api://us", "exp": 9999999999}, "", "none", headers={"kid": "one"}), False),
        ("nonsense", False),
        ("", False),
    ):
        claims = await asyncio.to_thread(verify, text)
        assert (claims is not None and claims["oid"] == "1234") is good


def test_a_name_that_fits_no_header_is_left_to_the_claims() -> None:
    assert "X-MS-CLIENT-PRINCIPAL-NAME" not in principal({"oid": "1", "name": "Zoë\r\nX: y"})
    assert principal({"oid": "1", "upn": "ann@contoso.example"})["X-MS-CLIENT-PRINCIPAL-NAME"] == "ann@contoso.example"
