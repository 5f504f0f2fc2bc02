"""Whom a suspect put into a group with rights here leaves it; the group keeps its rights and its other members."""

from collections.abc import AsyncIterator

import pytest

from responders.errors import Permanent
from responders.model import Change
from responders.subscriptions.remove_group_members import RemoveGroupMembers
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import applied, planned

ACTION = RemoveGroupMembers()
GUEST = "helpdesk_fabrikam.example#EXT#@contoso.example"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "owner-through-a-group.yaml", ACTION.permissions) as there:
        yield there


def id_of(there: Attacked, name: str) -> str:
    return there.scene.who(name)


async def test_only_the_memberships_of_the_window_in_groups_with_rights_are_proposed(there: Attacked) -> None:
    plan = await planned(there, ACTION)

    assert {c.summary for c in plan.proposed} == {
        f"take {GUEST} out of the group Platform Owners",
        f"take {GUEST} out of the group Platform Night Shift",
    }
    nested = next(c for c in plan.changes if "Night Shift" in c.summary)
    assert "the group holds a role in the subscription, being in Platform Owners" in nested.reasons
    assert "by the suspect iam@contoso.example" in nested.reasons[0]
    assert plan.changes[0].principals == (id_of(there, GUEST),)


async def test_a_group_that_holds_no_role_here_is_left_alone(there: Attacked) -> None:
    world = there.sandbox.world
    for grant in list(world.list("Microsoft.Authorization/roleAssignments")):
        if grant.properties["principalType"] == "Group":
            world.delete(grant.id)

    plan = await planned(there, ACTION)

    assert (plan.changes, plan.reason) == ((), "No group holds a role in the subscription.")


async def test_rights_through_the_group_above_count_too(there: Attacked) -> None:
    world = there.sandbox.world
    nights = id_of(there, "Platform Night Shift")
    for grant in list(world.list("Microsoft.Authorization/roleAssignments")):
        if grant.properties["principalId"] == nights:
            world.delete(grant.id)

    assert len((await planned(there, ACTION)).proposed) == 2


async def test_what_a_suspect_is_in_himself_is_left_to_his_own_step(there: Attacked) -> None:
    [first] = there.case.suspects
    both = (first, type(first)(id=id_of(there, GUEST), kind="guest", upn=GUEST))

    assert (await planned(there, ACTION, suspects=both)).changes == ()


async def test_what_somebody_else_did_in_the_window_is_unknown(there: Attacked) -> None:
    other = type(there.case.suspects[0])(id=id_of(there, "dev@contoso.example"), kind="user")

    plan = await planned(there, ACTION, suspects=(other,))

    assert {c.familiarity for c in plan.changes} == {"unknown"}
    assert plan.proposed == ()


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"groupTypes": ["DynamicMembership"]}, "a Groups Administrator has to look at the rule"),
        ({"onPremisesSyncEnabled": True}, "an administrator there has to take the member out of it"),
    ],
)
async def test_a_group_that_is_filled_elsewhere_is_told_to_a_person(
    there: Attacked, fields: dict[str, object], who: str
) -> None:
    there.sandbox.world.directory.objects[id_of(there, "Platform Owners")].update(fields)

    plan = await planned(there, ACTION)

    assert len(plan.changes) == 1
    [said] = plan.by_hand
    assert who in said


@pytest.mark.parametrize("member", ["", "x/../y", "$ref"])
async def test_nothing_but_a_membership_can_be_deleted(there: Attacked, member: str) -> None:
    change = (await planned(there, ACTION)).changes[0]
    forged = Change(action=ACTION.id, resource="r", summary="s", before={**change.before, "member": member})
    before = there.state()

    with pytest.raises(Permanent, match="is no object id"):
        await ACTION.undo(forged, there.azure)
    assert (await applied(there, ACTION, forged)).status == "already_so"

    assert there.state() == before


async def test_a_group_that_an_intruder_names_after_a_members_id_does_not_lose_that_member(there: Attacked) -> None:
    directory = there.sandbox.world.directory
    honest = id_of(there, "owner@contoso.example")
    for entry in directory.audits:
        for change in (c for target in entry["targetResources"] for c in target["modifiedProperties"]):
            if change["displayName"] == "Group.DisplayName":
                change["newValue"] = f'"{honest}"'

    assert honest not in {c.before["member"] for c in (await planned(there, ACTION)).changes}
