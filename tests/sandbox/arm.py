"""A bigger estate for the tests of Resource Manager itself, and one plain client for all of its callers."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from sandbox.azure import Clock, Sandbox, World, ids
from sandbox.azure.arm import ROOMS
from sandbox.azure.router import Router

Json = dict[str, Any]

ROUTER = Router(ROOMS)  # knows the newest api-version of a type
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUB, OTHER = "6f1d2c3b-4a59-4687-9a1b-2c3d4e5f6071", "0c9b8a7d-6e5f-4a3b-8c2d-1e0f9a8b7c6d"
S, G = f"/subscriptions/{SUB}", f"/subscriptions/{SUB}/resourceGroups/app"
STORE = f"{G}/providers/Microsoft.Storage/storageAccounts/data"
MG = "/providers/Microsoft.Management/managementGroups/contoso"
AUTH = "/providers/Microsoft.Authorization"

OPS, MALLORY, READER, NOBODY = (f"{n}@contoso.example" for n in ("ops", "mallory", "reader", "nobody"))
CHIEF, MEMBER, TECH = "chief@contoso.example", "member@contoso.example", "tech@provider.example"
PROVIDER = "3c9d1e2f-7a6b-4c5d-8e9f-0a1b2c3d4e5f"  # another tenant
OWNER, CONTRIBUTOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER_ROLE = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

WORLD: Json = {
    "users": [
        *({"upn": upn} for upn in (OPS, MALLORY, READER, NOBODY, MEMBER)),
        {"upn": CHIEF, "directory_roles": ["Global Administrator"]},
        {"upn": TECH, "tenant": PROVIDER},
    ],
    "groups": [{"name": "outer", "members": ["inner"]}, {"name": "inner", "members": [MEMBER]}],
    "management_groups": [{"name": "root"}, {"name": "contoso", "parent": "root"}],
    "subscriptions": [
        {"id": SUB, "name": "Production", "management_group": "contoso"},
        {"id": OTHER, "name": "Elsewhere"},
    ],
    "resource_groups": [{"id": G, "location": "westeurope", "tags": {"owner": "ops"}}],
    "resources": [{"id": STORE, "location": "westeurope", "kind": "StorageV2", "properties": {}}],
    "role_assignments": [
        {"scope": S, "role": "Owner", "principal": OPS},
        {"scope": S, "role": "Contributor", "principal": MALLORY},
        {"scope": MG, "role": "Reader", "principal": READER},
        {"scope": G, "role": "Reader", "principal": "outer"},
    ],
}


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])

    @property
    def ids(self) -> set[str]:
        return {entry["id"] for entry in self.body["value"]}


class Arm:
    """Calls Resource Manager as anybody."""

    def __init__(self, azure: Sandbox, session: aiohttp.ClientSession) -> None:
        self.azure, self.session = azure, session

    def oid(self, who: str) -> str:
        entry = self.azure.world.directory.anyone(who)
        assert entry
        return str(entry["id"])

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = OPS,
        version: str | None = None,
        token: str | None = None,
        ip: str = "198.51.100.7",
        **query: str,
    ) -> Answer:
        if version is None:
            version = next(iter(ROUTER.versions(ids.parse(path).type)), "2022-04-01")
        url = path
        if not path.startswith("https://"):
            pairs = "&".join(f"${k}={quote(v)}" for k, v in query.items())
            url = f"{self.azure.endpoints.arm}{quote(path)}?api-version={version}&{pairs}"
        bearer = self.azure.token(who, "arm", ip=ip) if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            parsed = await answer.json() if text and "json" in answer.content_type else text
            return Answer(answer.status, parsed, dict(answer.headers))


def options(call: Arm) -> Json:
    """What makes a real SDK client talk to the sandbox."""
    return {"base_url": call.azure.endpoints.arm, "connection_verify": call.azure.ca_file, "retry_total": 0}


def an_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def assignment(role: str, principal: str, **more: Any) -> Json:
    definition = f"{S}{AUTH}/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": definition, "principalId": principal, **more}}


@asynccontextmanager
async def arm(extra: Json | None = None, **options: Any) -> AsyncIterator[Arm]:
    """A running sandbox with that world; its clock stands at NOW."""
    options.setdefault("clock", Clock(NOW, running=False))
    world = World()
    world.load(WORLD, NOW)
    world.load(extra or {}, NOW)
    async with Sandbox(world, **options) as azure:
        tls = ssl.create_default_context(cafile=azure.ca_file)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
            yield Arm(azure, session)
