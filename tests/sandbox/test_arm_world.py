import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure import Sandbox, World
from sandbox.azure.ids import parse
from tests.sandbox.arm import MALLORY, MG, NOW, OPS, STORE, SUB, WORLD, G, S, an_id, arm

SITE = f"{G}/providers/Microsoft.Web/sites/shop"


def a_world(extra: dict[str, Any] | None = None) -> World:
    world = World()
    world.load(WORLD, NOW)
    world.load(extra or {}, NOW)
    return world


def test_the_same_file_makes_the_same_world() -> None:
    assert a_world().dump() == a_world().dump()


async def test_a_saved_world_goes_on_where_it_was(tmp_path: Path) -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope"})
        token = call.azure.token(MALLORY, "arm")
        call.azure.world.save(tmp_path / "world.json")
        before = call.azure.world.dump()
    world = World.open(tmp_path / "world.json")
    assert world.dump() == before
    async with Sandbox(world) as azure:
        assert azure.tokens.verify(token, "arm")["upn"] == MALLORY


async def test_a_snapshot_ignores_stamps_and_nothing_else() -> None:
    async with arm() as call:
        world = call.azure.world
        await call("PUT", SITE, {"location": "westeurope", "tags": {"createdBy": "me"}})
        before = world.snapshot()
        await call("PUT", SITE, {"location": "westeurope", "tags": {"createdBy": "me"}}, who=MALLORY)
        assert world.snapshot() == before
        await call("PUT", SITE, {"location": "westeurope", "tags": {"createdBy": "you"}})
        assert world.snapshot() != before
        await call("PUT", SITE, {"location": "westeurope", "tags": {"createdBy": "me"}})
        assert world.snapshot() == before
        assert json.dumps(before)


async def test_a_snapshot_holds_people_too() -> None:
    async with arm() as call:
        world = call.azure.world
        before, user = world.snapshot(), world.directory.find(MALLORY)
        assert user
        world.directory.put({**user, "accountEnabled": False})
        assert world.snapshot() != before


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"resorces": []}, "resorces"),
        ({"resources": [{"id": f"{S}/resourceGroups/gone/providers/A.B/c/d"}]}, "gone"),
        ({"resources": [{"id": f"{SITE}/slots/blue"}]}, "shop"),
        ({"role_assignments": [{"scope": S, "role": "King", "principal": OPS}]}, "King"),
        ({"role_assignments": [{"scope": S, "role": "Owner", "principal": "ghost"}]}, "ghost"),
        ({"locks": [{"scope": S, "name": "x"}]}, "level"),
        ({"tenant": an_id(5)}, "tenant"),
        ({"subscriptions": [{"id": an_id(1), "name": "x", "management_group": "none"}]}, "none"),
    ],
)
def test_a_wrong_file_is_refused_and_the_reason_named(part: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        a_world(part)


def test_a_world_can_hold_another_tenants_subscription_and_system_data() -> None:
    made = {"createdBy": OPS, "createdByType": "User", "createdAt": "2025-01-01T00:00:00.0000000Z"}
    world = a_world({"resources": [{"id": SITE, "location": "westeurope", "systemData": made}]})
    site = world.get(SITE)
    assert site
    assert site.stamps["createdBy"] == OPS
    assert "systemData" not in site.body


def test_scopes_go_up_over_the_management_groups_to_the_root() -> None:
    up = a_world().scopes(STORE)
    known = [STORE.lower(), G.lower(), S, MG.lower(), MG.lower().replace("contoso", "root"), ""]
    assert [scope for scope in up if scope in known] == known


@pytest.mark.parametrize(
    ("path", "kind", "names", "scope", "collection"),
    [
        (S, "Microsoft.Resources/subscriptions", (SUB,), "", False),
        (f"{S}/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups", (SUB,), "", True),
        (G, "Microsoft.Resources/subscriptions/resourceGroups", ("app",), S, False),
        (f"{SITE}/slots", "Microsoft.Web/sites/slots", ("shop",), G, True),
        (f"{SITE}/slots/a", "Microsoft.Web/sites/slots", ("shop", "a"), G, False),
        (f"{G}/providers/A.B/c/providers", "A.B/c", ("providers",), G, False),
        (f"{SITE}/providers/A.B/c/d", "A.B/c", ("d",), SITE, False),
        ("/providers/A.B/c", "A.B/c", (), "", True),
        ("/", "", (), "", False),
    ],
)
def test_paths_are_taken_apart(path: str, kind: str, names: tuple[str, ...], scope: str, *, collection: bool) -> None:
    parts = parse(path)
    assert (parts.type, parts.names, parts.scope, parts.collection) == (kind, names, scope, collection)


async def test_the_environment_is_that_of_a_process_with_a_managed_identity() -> None:
    async with arm() as call:
        environment = call.azure.environment(an_id(3))
        assert environment["AZURE_CLIENT_ID"] == an_id(3)
        assert environment["COUNTERSIGN_ARM"] == call.azure.endpoints.arm
        assert environment["SSL_CERT_FILE"] == call.azure.ca_file
        assert environment["IDENTITY_ENDPOINT"].startswith(call.azure.endpoints.login)
