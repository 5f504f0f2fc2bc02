"""Rights that a suspect gave go, at whatever scope, and nothing else does."""

from collections.abc import AsyncIterator

import pytest

from responders import locks, survival
from responders.errors import Permanent
from responders.subscriptions import assignments
from responders.subscriptions.strip_role_assignments import StripRoleAssignments
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import AUTHORIZATION, PROD, applied, planned, plant

ACTION = StripRoleAssignments()
DATA, WEB1 = (
    f"{PROD}/resourceGroups/rg-data",
    f"{PROD}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-web-1",
)
IN_GROUP = f"{DATA}{AUTHORIZATION}/roleAssignments/1d7c5a30-9b42-4f6e-8a15-3c0e9d2b7f01"
ON_MACHINE = f"{WEB1}{AUTHORIZATION}/roleAssignments/1d7c5a30-9b42-4f6e-8a15-3c0e9d2b7f02"
LOCK = f"{DATA}{AUTHORIZATION}/locks/keep-data"
BOB = "0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d06"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "owner-at-resource-group.yaml", ACTION.permissions) as there:
        yield there


async def test_each_proposal_says_who_has_it_where_since_when_and_from_whom(there: Attacked) -> None:
    plan = await planned(there, ACTION)

    assert {c.resource for c in plan.proposed} == {IN_GROUP, ON_MACHINE}
    for change, scope in ((c, c.before["properties"]["scope"]) for c in plan.changes):
        who = "helpdesk_fabrikam.example#EXT#@contoso.example"
        assert change.summary == f"delete the role assignment Owner of {who} on {scope}"
        assert "in the window, by the suspect iam@contoso.example" in change.reasons[0]


async def test_what_somebody_else_gave_in_the_window_is_unknown_and_says_his_name(there: Attacked) -> None:
    plant(there, IN_GROUP, createdBy=BOB)
    there.case = there.case.having(findings=())

    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == IN_GROUP)

    assert change.familiarity == "unknown"
    assert "by bob@contoso.example, who is no suspect" in change.reasons[0]


async def test_a_description_that_he_writes_after_the_plan_saves_nothing(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == ON_MACHINE)
    plant(there, ON_MACHINE, description="needed")

    outcome = await applied(there, ACTION, change)

    assert (outcome.status, outcome.after["properties"]["description"]) == ("done", "needed")
    assert ON_MACHINE not in there.sandbox.world


async def test_a_lock_is_lifted_for_it_and_put_back_as_it_was(there: Attacked) -> None:
    before = there.state()[LOCK.lower()]
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == IN_GROUP)

    assert "the lock keep-data (CanNotDelete) of rg-data is lifted for it and put back" in change.reasons
    assert (await applied(there, ACTION, change)).status == "done"
    assert IN_GROUP not in there.sandbox.world
    assert there.state()[LOCK.lower()] == before


async def test_a_lock_that_stayed_off_when_somebody_died_is_put_back(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == IN_GROUP)
    await applied(there, ACTION, change)
    there.sandbox.world.delete(LOCK)

    assert (await applied(there, ACTION, change)).status == "already_so"
    assert LOCK in there.sandbox.world


async def test_a_lock_that_is_another_one_now_is_left_alone(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == IN_GROUP)
    plant(there, LOCK, level="ReadOnly")

    assert (await applied(there, ACTION, change)).status == "drifted"
    assert IN_GROUP in there.sandbox.world


async def test_a_lock_that_comes_after_the_plan_stops_it_and_says_so(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == ON_MACHINE)
    plant(there, f"{WEB1}{AUTHORIZATION}/locks/late", level="ReadOnly")

    with pytest.raises(Permanent, match=r"ScopeLocked.*Remove the lock by hand"):
        await applied(there, ACTION, change)


async def test_undo_works_under_a_lock_that_forbids_writes(there: Attacked) -> None:
    plant(there, LOCK, level="ReadOnly")
    before = there.state()
    changes = (await planned(there, ACTION)).changes
    for change in changes:
        await applied(there, ACTION, change)

    undone = [(await ACTION.undo(change, there.azure)).status for change in changes]

    assert undone == ["done", "done"]
    assert there.state() == before


async def test_what_a_deny_assignment_holds_is_told_to_a_person(there: Attacked) -> None:
    everyone = {"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}
    plant(
        there,
        f"{DATA}{AUTHORIZATION}/denyAssignments/6f3c1a52-7d08-4b9e-8c41-2e5a9d0b7f01",
        denyAssignmentName="Stack",
        scope=DATA,
        permissions=[{"actions": ["*/delete"], "notActions": []}],
        principals=[everyone],
        excludePrincipals=[],
        doNotApplyToChildScopes=False,
    )

    plan = await planned(there, ACTION)

    assert [c.resource for c in plan.changes] == [ON_MACHINE]
    [said] = plan.by_hand
    assert f"the deny assignment Stack at {DATA} forbids to take it" in said


async def test_what_privileged_identity_management_gives_is_left_to_its_own_step() -> None:
    async with attacked(EXERCISES / "pim-eligible-owner.yaml", ACTION.permissions) as there:
        plan = await planned(there, ACTION)

        assert plan.changes == ()
        assert sum("Privileged Identity Management gives it" in kept for kept in plan.kept) == 2


async def test_a_group_that_holds_the_last_owners_is_not_stripped() -> None:
    async with attacked(EXERCISES / "owner-through-a-group.yaml", ACTION.permissions) as there:
        world = there.sandbox.world
        [group] = [
            a.id
            for a in world.list("Microsoft.Authorization/roleAssignments")
            if a.properties["scope"] == PROD and a.properties["principalType"] == "Group"
        ]
        [alone] = [
            a.id
            for a in world.list("Microsoft.Authorization/roleAssignments")
            if a.properties["scope"] == PROD
            and a.properties["roleDefinitionId"].endswith("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
            and a.id != group
        ]
        world.delete(alone)
        made = there.case.until.isoformat()
        plant(there, group, createdBy=there.case.suspects[0].id, createdOn=made)
        plan = await planned(there, ACTION)
        assert group in [c.resource for c in plan.changes]

        plan = await survival.withhold(there.case, plan, there.azure)

        assert group not in [c.resource for c in plan.changes]
        assert "no other Owner" in plan.by_hand[0]


@pytest.mark.parametrize(
    ("actions", "but", "covered"),
    [
        (["*"], [], True),
        (["Microsoft.Authorization/*"], [], True),
        (["microsoft.authorization/roleassignments/DELETE"], [], True),
        (["*/delete"], [], True),
        (["Microsoft.*/roleAssignments/*"], [], True),
        (["*"], ["Microsoft.Authorization/*/Delete"], False),
        (["*/read"], [], False),
        (["Microsoft.Authorization/roleAssignments"], [], False),
        ([], [], False),
    ],
)
def test_which_permissions_cover_a_delete(actions: list[str], but: list[str], covered: bool) -> None:  # noqa: FBT001
    permissions = [{"actions": actions, "notActions": but}]
    assert assignments.allows(permissions, ["Microsoft.Authorization/roleAssignments/delete"]) is covered


def test_locks_above_are_in_the_way_and_those_beside_are_not() -> None:
    held = [{"id": LOCK, "name": "keep-data", "properties": {"level": "CanNotDelete"}}]
    assert locks.in_the_way(held, [IN_GROUP]) == ([], held)
    assert locks.in_the_way(held, [ON_MACHINE]) == ([], [])


async def test_an_older_one_that_a_suspect_wrote_again_is_not_taken_for_his(there: Attacked) -> None:
    plant(there, IN_GROUP, createdBy=BOB, createdOn="2024-01-01T00:00:00Z")

    plan = await planned(there, ACTION)

    assert {c.resource for c in plan.proposed} == {ON_MACHINE}
    change = next(c for c in plan.changes if c.resource == IN_GROUP)
    assert change.familiarity == "unknown"
    assert "wrote it again" in "; ".join(change.reasons)
