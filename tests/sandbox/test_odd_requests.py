"""Whatever is sent, every service says what is wrong with it: none of them breaks."""

import re
from collections.abc import Iterator

import pytest

from sandbox.azure import Sandbox, graph, vault
from sandbox.azure.arm import ROOMS
from sandbox.azure.router import Room
from tests.sandbox.arm import OPS, ROUTER, SUB, arm
from tests.sandbox.estate import OPS as KEEPER
from tests.sandbox.estate import browser, estate

BODIES = (
    *(b"", b"null", b"[]", b'"x"', b"3", b"{}", b"\xff\xfe", b'{"properties": null}', b'{"properties": "x"}'),
    *(b'{"properties": [], "location": 3}', b'{"location": "westeurope", "identity": "x", "tags": [], "sku": "x"}'),
    *(b'{"properties": {"principalId": 3, "roleDefinitionId": null}}', b'{"value": 3, "vms": 3, "query": 3}'),
    b'{"properties": {"template": {"resources": "x", "parameters": []}}}',
    *(b'{"displayName": 3}', b'{"ids": "x", "types": 3}', b'{"requests": [3]}', b'{"passwordCredential": "x"}'),
    b'{"passwordProfile": "x", "accountEnabled": "y", "@odata.id": 3, "attributes": "x"}',
)
QUERIES = ("", "&$top=x", "&$top=-1", "&$skiptoken=%25", "&$filter=x", "&$filter='", "&maxresults=x", "&$expand=(")
_NAMES = {"subscription": SUB, "group": "app", "scope": f"subscriptions/{SUB}", "location": "westeurope"}
_NAMES |= {"vault": "keep", "name": "data"}
_ROOMS = [r for module in vars(graph).values() if isinstance(r := getattr(module, "room", None), Room)]


def asked(rooms: list[Room]) -> Iterator[tuple[str, str]]:
    """Methods and paths that rooms answer, deletes left out: nothing would be left."""
    for method, template in {(route.method, route.template): None for room in rooms for route in room.routes}:
        if method != "DELETE":
            path = re.sub(r"\{(\w+)\}", lambda found: _NAMES.get(found[1], "x"), template)
            yield method, f"/{path.lstrip('/')}"


async def sweep(azure: Sandbox, service: str, token: str, calls: list[tuple[str, str]]) -> list[str]:
    """What broke."""
    broken = []
    url = getattr(azure.endpoints, service)
    async with browser(azure) as session:
        for method, path in calls:
            for more in QUERIES if method == "GET" else ("",):
                for body in (None,) if method == "GET" else BODIES:
                    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                    async with session.request(method, url + path + more, data=body, headers=headers) as answer:
                        if answer.status == 500:
                            broken.append(f"{method} {path}{more} {body!r}")
    return broken


async def test_resource_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for method, path in asked(list(ROOMS)):
        kind = re.sub(r"^.*/providers/", "", path) if "/providers/" in path else ""
        parts = kind.split("/")
        versions = ROUTER.versions("/".join([parts[0], *parts[1::2]])) or ("2022-04-01",)
        calls.append((method, f"{path}?api-version={versions[0]}"))
    assert len(calls) > 250
    async with arm() as call:
        monkeypatch.setattr("sandbox.azure.throttle.Throttle.take", lambda *_: {})
        assert await sweep(call.azure, "arm", call.azure.token(OPS, "arm"), calls) == []


async def test_microsoft_graph() -> None:
    calls = [(method, f"/v1.0{path}?") for method, path in asked(_ROOMS)]
    assert len(calls) > 60
    async with estate() as azure:
        token = azure.token("chief@contoso.example", "graph")
        assert await sweep(azure, "graph", token, [*calls, ("POST", "/v1.0/$batch?")]) == []


async def test_key_vault() -> None:
    calls = [(method, f"{path}?api-version=7.5") for method, path in asked([vault.room])]
    async with estate() as azure:
        assert await sweep(azure, "vault", azure.token(KEEPER, "vault"), calls) == []
