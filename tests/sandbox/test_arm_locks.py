import pytest

from tests.sandbox.arm import AUTH, MALLORY, NOBODY, READER_ROLE, STORE, G, S, an_id, arm, assignment

CAN, READ = "CanNotDelete", "ReadOnly"
SITE = f"{G}/providers/Microsoft.Web/sites/shop"


def lock(level: str) -> dict[str, object]:
    return {"properties": {"level": level, "notes": "keep"}}


def at(scope: str) -> str:
    return f"{scope}{AUTH}/locks/keep"


async def test_a_lock_is_made_read_listed_and_removed() -> None:
    async with arm() as call:
        made = await call("PUT", at(G), lock(CAN), version="2020-05-01")
        assert (made.status, made.body["properties"]) == (201, {"level": CAN, "notes": "keep"})
        assert (await call("PUT", at(G), lock(READ), version="2016-09-01")).status == 200
        assert (await call("GET", at(G), version="2020-05-01")).body["properties"]["level"] == READ
        assert (await call("DELETE", at(G), version="2020-05-01")).status == 200
        assert (await call("DELETE", at(G), version="2020-05-01")).status == 204
        assert (await call("PUT", at(G), lock("Half"), version="2020-05-01")).status == 400


async def test_locks_are_listed_at_above_and_below_a_scope() -> None:
    async with arm() as call:
        for scope in (S, G, STORE):
            await call("PUT", at(scope), lock(CAN), version="2020-05-01")
        path = f"{G}{AUTH}/locks"
        assert (await call("GET", path, version="2020-05-01")).ids == {at(S), at(G), at(STORE)}
        assert (await call("GET", path, version="2020-05-01", filter="atScope()")).ids == {at(S), at(G)}


@pytest.mark.parametrize("scope", [S, G, STORE])
async def test_what_must_not_be_deleted_is_not_and_may_still_change(scope: str) -> None:
    async with arm() as call:
        await call("PUT", at(scope), lock(CAN), version="2020-05-01")
        answer = await call("DELETE", STORE)
        assert (answer.status, answer.code) == (409, "ScopeLocked")
        assert answer.message == (
            f"The scope '{STORE}' cannot perform delete operation because following scope(s) are locked: '{scope}'. "
            "Please remove the lock and try again."
        )
        assert (await call("PATCH", STORE, {"tags": {"a": "b"}})).status == 200


async def test_a_lock_holds_the_groups_and_parents_above_it() -> None:
    async with arm() as call:
        await call("PUT", at(STORE), lock(CAN), version="2020-05-01")
        assert (await call("DELETE", G)).code == "ScopeLocked"
        assert (await call("GET", G)).body["properties"]["provisioningState"] == "Succeeded"


async def test_a_lock_also_holds_role_assignments_but_not_new_ones() -> None:
    async with arm() as call:
        await call("PUT", at(G), lock(CAN), version="2020-05-01")
        given = f"{G}{AUTH}/roleAssignments/{an_id(1)}"
        assert (await call("PUT", given, assignment(READER_ROLE, call.oid(NOBODY)))).status == 201
        assert (await call("DELETE", given)).code == "ScopeLocked"


async def test_read_only_stops_writes_actions_and_new_roles() -> None:
    async with arm() as call:
        name = f"{S}/providers/Microsoft.Security/locations/centralus/alerts/none/dismiss"
        await call("PUT", at(S), lock(READ), version="2020-05-01")
        answer = await call("PUT", SITE, {"location": "westeurope"})
        assert answer.code == "ScopeLocked"
        assert "cannot perform write operation" in answer.message
        assert (await call("POST", name, version="2022-01-01")).code == "ScopeLocked"
        given = f"{G}{AUTH}/roleAssignments/{an_id(1)}"
        assert (await call("PUT", given, assignment(READER_ROLE, call.oid(NOBODY)))).code == "ScopeLocked"
        assert (await call("GET", STORE)).status == 200
        assert (await call("DELETE", at(S), version="2020-05-01")).status == 200
        assert (await call("PUT", SITE, {"location": "westeurope"})).status == 201


async def test_who_has_no_right_is_told_that_and_not_of_the_lock() -> None:
    async with arm() as call:
        await call("PUT", at(G), lock(CAN), version="2020-05-01")
        assert (await call("DELETE", at(G), who=MALLORY, version="2020-05-01")).status == 403
        assert (await call("DELETE", STORE, who=NOBODY)).code == "AuthorizationFailed"
