"""An account that an intruder made is deleted with evidence, and comes back whole; an older one never is."""

from typing import Any

from responders.users.delete import Delete
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, CHIEF, MALLORY, PASSWORD

ACTION = Delete()
NEW = "new@contoso.example"


async def _made(its: Tenant, **more: Any) -> None:
    its.later(minutes=1)
    body = {"accountEnabled": True, "displayName": "New", "mailNickname": "new", "userPrincipalName": NEW}
    await its.does(ADMIN, "POST", "/users", {**body, "passwordProfile": {"password": PASSWORD}})
    directory = its.sandbox.world.directory
    directory.put({**directory.objects[its.graph.id(NEW)], **more})
    its.later(minutes=1)


async def test_one_that_a_suspect_made_goes_with_evidence_and_comes_back_whole() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, ADMIN]
        await _made(its)
        await its.joins(ADMIN, NEW, "operators")
        await its.does(NEW, "POST", f"/users/{NEW}/authentication/phoneMethods",
                       {"phoneNumber": "+31 700000000", "phoneType": "mobile"})  # fmt: skip
        before = its.state()

        (change,) = (await its.plan(ACTION, NEW)).changes
        assert change.familiarity == "unfamiliar"
        assert change.before["user"]["userPrincipalName"] == NEW
        assert [g["displayName"] for g in change.before["memberOf"]] == ["operators"]
        assert "+31 700000000" in {m.get("phoneNumber") for m in change.before["authentication/methods"]}

        assert await its.apply(ACTION, change) == ["done"]
        assert its.state() != before
        assert await its.apply(ACTION, change) == ["already_so"]
        assert await its.undo(ACTION, change) == ["done"]
        assert its.state() == before
        assert await its.undo(ACTION, change) == ["already_so"]


async def test_an_older_one_is_never_deleted() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _made(its, createdDateTime="2024-01-01T00:00:00Z")
        its.suspects = [MALLORY, ADMIN]
        plan = await its.plan(ACTION, NEW)
        assert not plan.changes
        assert "before the window" in plan.kept[0]


async def test_one_that_somebody_else_made_is_offered_and_one_without_a_date_is_not() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _made(its)
        assert [c.familiarity for c in (await its.plan(ACTION, NEW)).changes] == ["unknown"]
        directory = its.sandbox.world.directory
        directory.put({**directory.objects[its.graph.id(NEW)], "createdDateTime": None})
        assert not (await its.plan(ACTION, NEW)).changes


async def test_one_that_holds_a_role_or_comes_from_on_premises_is_for_a_person() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, ADMIN]
        await _made(its, onPremisesSyncEnabled=True)
        assert "delete it there" in (await its.plan(ACTION, NEW)).by_hand[0]
        directory = its.sandbox.world.directory
        directory.put({**directory.objects[its.graph.id(NEW)], "onPremisesSyncEnabled": None})
        directory.assign_role(its.graph.id(NEW), "Global Administrator")
        assert "holds the directory role Global Administrator" in (await its.plan(ACTION, NEW)).by_hand[0]


async def test_one_that_renames_itself_after_the_plan_goes_all_the_same() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, ADMIN]
        await _made(its)
        plan = await its.plan(ACTION, NEW)
        await its.does(CHIEF, "PATCH", f"/users/{NEW}", {"userPrincipalName": "other@contoso.example"})

        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert plan.changes[0].principals[0] not in its.sandbox.world.directory.objects
