"""The deployment that is examined."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import connector

from sandbox import deployed
from sandbox.azure import Clock, Sandbox
from sandbox.functions.host import Host
from sandbox.scene import load
from sandbox.stage import HOME, build, environment
from tests.api.responder import PROD, TAKEOVER
from tests.playbooks.doctor.patient import DORA, GLASS, Patient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A function app that lets nobody in without a sign-in."""
    app = Path(__file__).parents[3]
    async with Host(app, tmp_path_factory.mktemp("doctor") / "host.db", verify_token=lambda _: None) as host:
        yield host.url


@pytest_asyncio.fixture(loop_scope="module")
async def patient(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Patient]:
    """A deployment in which nothing is broken."""
    scene = load(TAKEOVER)
    async with Sandbox(build(scene), clock=Clock()) as sandbox:
        monkeypatch.setenv("SSL_CERT_FILE", sandbox.ca_file)
        # aiohttp has read whom to trust when it was imported.
        monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=sandbox.ca_file))
        people = [
            {"upn": DORA, "directory_roles": ["Global Reader"]},
            {"upn": GLASS, "directory_roles": ["Global Administrator"]},
        ]
        reads = [{"scope": scope, "role": "Owner", "principal": DORA} for scope in (PROD, HOME)]
        reads += [{"scope": HOME, "role": "Storage Blob Data Contributor", "principal": DORA}]
        sandbox.world.load({"users": people}, scene.now)
        sandbox.world.load({"role_assignments": reads}, scene.now)
        settings = {
            **environment(scene, sandbox, tmp_path),
            **deployed.deploy(sandbox, scene, url),
            "COUNTERSIGN_PROTECTED": GLASS,
            "COUNTERSIGN_MAIL_FROM": "soc@contoso.example",
        }
        yield Patient(scene, sandbox, settings)
