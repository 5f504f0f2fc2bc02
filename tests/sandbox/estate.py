"""A small estate for the tests of the sandbox's rooms: who is who, one subscription, and clients of the real SDKs."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
from azure.mgmt.automation.aio import AutomationClient
from azure.mgmt.compute.aio import ComputeManagementClient

from sandbox.azure import Clock, Sandbox, World

Json = dict[str, Any]

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUBSCRIPTION = "5b1f7c2e-0a3d-4e6f-8a91-1c2d3e4f5a6b"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/app"
ACCOUNT = f"{GROUP}/providers/Microsoft.Automation/automationAccounts/ops"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/keep"

OPS, MALLORY, READER = "ops@contoso.example", "mallory@contoso.example", "reader@contoso.example"
ADMIN, CHIEF, GUEST = "helpdesk@contoso.example", "chief@contoso.example", "partner_fabrikam#EXT#@contoso.example"
RESPONDER, DEPLOYER = "9d4f6a10-55c2-4f0e-9b7a-3e2d1c0b9a88", "1f2e3d4c-5b6a-4789-8c0d-e1f2a3b4c5d6"
SECRET, PASSWORD = "a-secret-of-the-deployer", "Correct-horse-7"

PEOPLE: Json = {
    "users": [
        {"upn": OPS, "name": "Olga Ops", "password": PASSWORD, "app_roles": ["Approver"]},
        {"upn": MALLORY, "name": "Mallory", "password": PASSWORD},
        {"upn": READER, "name": "Rita Reader"},
        {"upn": ADMIN, "name": "Hal Help", "directory_roles": ["User Administrator"]},
        {"upn": CHIEF, "name": "Gil Global", "directory_roles": ["Global Administrator"]},
        {"upn": GUEST, "name": "Pat Partner", "type": "Guest", "mail": "pat@fabrikam.example"},
        {"upn": "tech@provider.example", "name": "Ted Tech", "tenant": "3c9d1e2f-7a6b-4c5d-8e9f-0a1b2c3d4e5f"},
    ],
    "service_principals": [
        {
            "name": "responder",
            "appId": RESPONDER,
            "kind": "managed_identity",
            "graph_permissions": ["User.Read.All", "User.EnableDisableAccount.All", "User.RevokeSessions.All"],
        },
        {"name": "deployer", "appId": DEPLOYER, "secret": SECRET, "owners": [MALLORY]},
    ],
    "groups": [
        {"name": "operators", "members": [OPS, "on call"]},
        {"name": "on call", "members": [MALLORY]},
        {"name": "admins", "members": [READER], "role_assignable": True},
    ],
}
AZURE: Json = {
    "subscriptions": [{"id": SUBSCRIPTION, "name": "Production"}],
    "resource_groups": [{"id": GROUP, "location": "westeurope"}],
    "resources": [
        {"id": ACCOUNT, "location": "westeurope", "properties": {"state": "Ok"}},
        {"id": VAULT, "location": "westeurope", "properties": {}},
    ],
    "role_assignments": [
        {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Owner", "principal": OPS},
        {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Contributor", "principal": MALLORY},
        {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Reader", "principal": READER},
        {"scope": VAULT, "role": "Key Vault Secrets Officer", "principal": OPS},
    ],
}


@asynccontextmanager
async def estate(**options: Any) -> AsyncIterator[Sandbox]:
    """A running sandbox with that world; its clock stands at NOW unless told otherwise."""
    options.setdefault("clock", Clock(NOW, running=False))
    world = World()
    world.load(PEOPLE | AZURE, NOW)
    async with Sandbox(world, **options) as azure:
        yield azure


# Any: the clients take bodies as plain dicts, their overloads don't say so.
def automation(azure: Sandbox, who: str) -> Any:
    return AutomationClient(azure.credential(who), SUBSCRIPTION, **_settings(azure))


def compute(azure: Sandbox, who: str) -> Any:
    return ComputeManagementClient(azure.credential(who), SUBSCRIPTION, **_settings(azure))


@asynccontextmanager
async def browser(azure: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP that trusts the sandbox."""
    tls = ssl.create_default_context(cafile=azure.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        yield session


class Rest:
    """One caller of one service, in plain HTTP."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str, proxy: str | None = None) -> None:
        self.session, self.base, self.headers = session, base, {"Authorization": f"Bearer {token}"}
        self.proxy = proxy

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        url = path if path.startswith("https://") else self.base + path
        headers = {**self.headers, **headers}
        async with self.session.request(method, url, json=body, headers=headers, proxy=self.proxy) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if text and "json" in answer.content_type else text


def _settings(azure: Sandbox) -> Json:
    return {
        "base_url": azure.endpoints.arm,
        "connection_verify": azure.ca_file,
        "polling_interval": 0,
        "retry_total": 0,
    }
