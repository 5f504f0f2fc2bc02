"""Rights that a suspect took away from others are given back, and none that nobody answers for."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.subscriptions import taken
from responders.subscriptions.former import Former
from responders.subscriptions.guards import ASSIGNMENT, KINDS
from responders.subscriptions.restore_guards import RestoreGuards
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, done, of, planned, stands

ACTION = RestoreGuards()
TAKEN = EXERCISES / "rights-taken-away.yaml"
ROLES = f"{PROD}/resourceGroups/{{}}/providers/Microsoft.Authorization/roleAssignments/9b3e5d71-6f28-4c4a-a1d0-{{}}"
OLD, LOGGED = ROLES.format("rg-ops", "2e7c8b5f4a01"), ROLES.format("rg-data", "2e7c8b5f4a02")


@pytest.fixture
async def robbed() -> AsyncIterator[Attacked]:
    async with attacked(TAKEN, ACTION.permissions) as there:
        yield there


async def test_what_others_held_is_told_by_name_and_whom_it_concerns_may_not_approve(robbed: Attacked) -> None:
    plan = await planned(robbed, ACTION)

    assert {c.resource for c in plan.changes} == {OLD, LOGGED}
    change = of(plan, LOGGED)
    assert (
        change.summary
        == f"make anew: the role assignment Reader of dev@contoso.example on {LOGGED.partition('/pro')[0]}"
    )
    assert change.principals == (robbed.scene.who("dev@contoso.example"),)
    assert any("it was that when iam@contoso.example deleted it" in reason for reason in of(plan, OLD).reasons)


async def test_it_is_there_again_with_the_same_role_for_the_same_holder(robbed: Attacked) -> None:
    await done(robbed, ACTION, of(await planned(robbed, ACTION), OLD))

    given = stands(robbed, OLD).properties
    assert given["principalId"] == robbed.scene.who("soc@contoso.example")
    assert given["roleDefinitionId"].endswith("acdd72a7-3385-48ef-bd42-f606fba81ae7")


async def test_what_gave_rights_to_a_suspect_stays_away(robbed: Attacked) -> None:
    dev = replace(robbed.case.suspects[0], id=robbed.scene.who("dev@contoso.example"), upn="dev@contoso.example")

    plan = await planned(robbed, ACTION, suspects=(*robbed.case.suspects, dev))

    assert {c.resource for c in plan.changes} == {OLD}
    assert any("it gave rights to dev@contoso.example, a suspect" in line for line in plan.kept)


async def test_what_was_given_in_the_window_too_is_offered_by_name(robbed: Attacked) -> None:
    since = robbed.scene.now - timedelta(days=41)
    (iam,) = robbed.case.suspects

    plan = await planned(robbed, ACTION, since=since, suspects=(replace(iam, since=robbed.case.since),))

    assert (of(plan, OLD).familiarity, of(plan, LOGGED).familiarity) == ("unfamiliar", "unknown")
    assert "but it was given in the window too" in str(of(plan, LOGGED).reasons)


def test_the_log_may_spell_it_in_any_way() -> None:
    body = {"Id": "x", "Properties": {"PrincipalId": "p", "RoleDefinitionId": "r", "Scope": "/s", "CreatedOn": "t"}}
    was = taken.shaped(KINDS[ASSIGNMENT], Former(known=True, body=body, whole=True))
    assert was.body == {"properties": {"roleDefinitionId": "r", "principalId": "p"}}
