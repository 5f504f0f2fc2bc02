"""What a suspect put a user into is taken back, and nothing else of him is touched."""

from datetime import timedelta

import pytest

from responders.users.remove_group_memberships import RemoveGroupMemberships
from tests.responders.users.tenant import tenant
from tests.sandbox.estate import ADMIN, CHIEF, MALLORY, NOW

ACTION = RemoveGroupMemberships()


async def test_a_membership_that_a_suspect_gave_goes_and_comes_back_and_the_user_stays() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.owners[its.group("operators")] = [its.graph.id(MALLORY)]
        before = its.state()
        await its.joins(MALLORY, MALLORY, "operators")
        planted = its.state()

        plan = await its.plan(ACTION)
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert [c.familiarity for c in plan.changes] == ["unfamiliar"]
        assert its.state() == before
        assert f"/users/{its.graph.id(MALLORY)}" in its.state()
        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["done"]
        assert its.state() == planted
        assert await its.undo(ACTION, *plan.changes) == ["already_so"]


async def test_what_we_put_back_is_still_the_suspects() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.owners[its.group("operators")] = [its.graph.id(MALLORY)]
        await its.joins(MALLORY, MALLORY, "operators")
        plan = await its.plan(ACTION)
        await its.apply(ACTION, *plan.changes)
        await its.undo(ACTION, *plan.changes)

        assert (await its.plan(ACTION)).changes == plan.changes


async def test_what_another_gave_in_the_window_is_unknown() -> None:
    async with tenant(*ACTION.permissions) as its:
        await its.joins(ADMIN, MALLORY, "operators")

        (change,) = (await its.plan(ACTION)).changes

        assert change.familiarity == "unknown"


async def test_what_is_older_than_the_window_is_kept() -> None:
    async with tenant(*ACTION.permissions) as its:
        plan = await its.plan(ACTION)

        assert plan.changes == ()
        assert plan.by_hand == ()
        assert [k.startswith(f"{MALLORY} in the group on call: nobody added it") for k in plan.kept] == [True]


async def test_a_group_that_may_hold_roles_is_left_too() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, CHIEF]
        await its.joins(CHIEF, MALLORY, "admins")

        plan = await its.plan(ACTION)

        assert await its.apply(ACTION, *plan.changes) == ["done"]
        assert await its.undo(ACTION, *plan.changes) == ["done"]


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"groupTypes": ["DynamicMembership"]}, "a Groups Administrator has to look at the rule"),
        ({"onPremisesSyncEnabled": True}, "an administrator there has to take the member out"),
    ],
)
async def test_a_group_that_is_filled_elsewhere_is_for_a_person(fields: dict[str, object], who: str) -> None:
    async with tenant(*ACTION.permissions) as its:
        await its.joins(ADMIN, MALLORY, "operators")
        directory = its.sandbox.world.directory
        directory.put({**directory.objects[its.group("operators")], **fields})

        plan = await its.plan(ACTION)

        assert plan.changes == ()
        assert [who in line and "operators" in line for line in plan.by_hand] == [True]


async def test_an_ownership_is_for_a_person() -> None:
    async with tenant(*ACTION.permissions) as its:
        await its.joins(ADMIN, MALLORY, "operators", what="owners")

        plan = await its.plan(ACTION)

        assert plan.changes == ()
        assert ["became an owner of the group operators" in line for line in plan.by_hand] == [True]


async def test_a_deleted_user_is_in_no_group_and_can_not_be_put_back_before_he_is_restored() -> None:
    async with tenant(*ACTION.permissions) as its:
        await its.joins(ADMIN, MALLORY, "operators")
        (change,) = (await its.plan(ACTION)).changes
        its.sandbox.world.directory.delete(its.graph.id(MALLORY), NOW + timedelta(minutes=1))

        assert await its.apply(ACTION, change) == ["already_so"]
        assert await its.undo(ACTION, change) == ["failed"]


async def test_who_is_in_no_group_needs_nothing() -> None:
    async with tenant(*ACTION.permissions) as its:
        plan = await its.plan(ACTION, CHIEF)

        assert plan.reason == "The user is in no group, and owns none."
