"""Rights above the subscription go where ours reach, and else a person is told what to run."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from docs.rights import CONDITION
from responders import survival
from responders.subscriptions.strip_inherited_assignments import StripInheritedAssignments
from responders.subscriptions.strip_role_assignments import StripRoleAssignments
from sandbox import stage
from sandbox.scene import EXERCISES
from tests.laws.stage import LAW, Attacked, attacked
from tests.responders.subscriptions.rehearsal import AUTHORIZATION, applied, planned, plant

ACTION = StripInheritedAssignments()
CORP = "/providers/Microsoft.Management/managementGroups/corp"
AT_ROOT = f"{AUTHORIZATION}/roleAssignments/1075af01-7cbd-50e0-9602-54e7718439a3"
HONEST = f"{AUTHORIZATION}/roleAssignments/7e1f3a52-0c6d-4b98-9a47-5d2c8e0b6f01"
AT_CORP = f"{CORP}{AUTHORIZATION}/roleAssignments/7e1f3a52-0c6d-4b98-9a47-5d2c8e0b6f02"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "elevated-access.yaml", ACTION.permissions) as there:
        yield there


def grounded(there: Attacked, role: str = "") -> None:
    """Our identity has nothing above the subscription, or only that role at the root."""
    me = stage.identity(there.scene, LAW)
    world = there.sandbox.world
    for grant in list(world.list("Microsoft.Authorization/roleAssignments")):
        if grant.properties["principalId"] == me and grant.properties["scope"] == "/":
            world.delete(grant.id)
            if role:
                plant(
                    there,
                    grant.id,
                    **{**grant.properties, "roleDefinitionId": f"{AUTHORIZATION}/roleDefinitions/{role}"},
                )


async def test_what_lives_above_is_shown_with_where_and_is_no_part_of_the_other_step(there: Attacked) -> None:
    plan = await planned(there, ACTION)

    assert {c.resource for c in plan.proposed} == {AT_ROOT, AT_CORP}
    said = {c.resource: c.reasons for c in plan.changes}
    assert "it is inherited from the root (/), with all beneath it" in said[AT_ROOT]
    assert "it is inherited from the management group corp, with all beneath it" in said[AT_CORP]


async def test_it_explains_how_the_suspect_took_it_and_nobody_else_s_taking(there: Attacked) -> None:
    [took] = [f for f in there.case.findings if f.operation.endswith("elevateaccess/action")]
    another = replace(took, caller="another", events=("another's",))
    there.case = there.case.having(findings=(*there.case.findings, another))

    changes = {change.resource: change for change in (await planned(there, ACTION)).changes}

    assert changes[AT_ROOT].before["elevations"] == list(took.events)
    assert changes[AT_CORP].before["elevations"] == []


async def test_the_other_step_leaves_it_alone() -> None:
    other = StripRoleAssignments()
    async with attacked(EXERCISES / "elevated-access.yaml", other.permissions) as there:
        assert {AT_ROOT, AT_CORP}.isdisjoint(c.resource for c in (await planned(there, other)).changes)


async def test_where_azure_does_not_say_who_made_it_the_log_of_elevated_access_does(there: Attacked) -> None:
    plant(there, AT_ROOT, createdBy=None)

    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == AT_ROOT)

    assert change.familiarity == "unfamiliar"
    assert "by the suspect chief@contoso.example" in change.reasons[0]


@pytest.mark.parametrize("role", ["", READER])
async def test_without_rights_there_a_person_is_told_the_command(there: Attacked, role: str) -> None:
    grounded(there, role)
    chief = there.case.suspects[0].id

    plan = await planned(there, ACTION)

    assert plan.changes == ()
    root = next(said for said in plan.by_hand if "of chief@contoso.example" in said)
    assert root.endswith(
        f"runs: az role assignment delete --assignee {chief} --role 18d7d88d-d35e-4fb5-a5c3-7773c20a72d9 --scope /"
    )
    assert "A Global Administrator" in root
    corp = next(said for said in plan.by_hand if "of legacy-backup" in said)
    assert corp.endswith(f"--scope {CORP}")
    assert "An Owner or User Access Administrator of it" in corp


async def test_without_rights_what_is_only_unknown_is_no_ones_duty(there: Attacked) -> None:
    grounded(there)
    plant(there, AT_CORP, createdBy="0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d06")
    there.case = there.case.having(findings=())

    plan = await planned(there, ACTION)

    assert not any("legacy-backup" in said for said in plan.by_hand)
    assert any("legacy-backup" in said and "az role assignment delete" in said for said in plan.kept)


async def test_an_answer_that_was_lost_is_no_refusal_though_the_condition_of_our_role_asks_for_what_is_gone(
    there: Attacked,
) -> None:
    me = stage.identity(there.scene, LAW)
    for grant in there.sandbox.world.list("Microsoft.Authorization/roleAssignments"):
        if grant.properties["principalId"] == me:
            plant(there, grant.id, condition=CONDITION.replace("<principal>", me), conditionVersion="2.0")
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == AT_ROOT)
    there.sandbox.faults.on("DELETE", AT_ROOT, "reply_lost")

    outcome = await applied(there, ACTION, change)

    assert outcome.status == "done"
    assert [hit[0] for hit in there.sandbox.faults.hits] == ["reply_lost"]
    assert AT_ROOT not in there.sandbox.world


async def test_the_break_glass_account_keeps_what_it_has(there: Attacked) -> None:
    for change in (await planned(there, ACTION)).changes:
        assert (await applied(there, ACTION, change)).status == "done"
    assert HONEST in there.sandbox.world


async def test_the_last_owner_above_is_kept(there: Attacked) -> None:
    world = there.sandbox.world
    owners = [
        a.id
        for a in world.list("Microsoft.Authorization/roleAssignments")
        if a.properties["roleDefinitionId"].endswith("8e3af657-a8ff-443c-a75c-2fe8c4bcb635") and a.id != AT_CORP
    ]
    for one in owners:
        world.delete(one)

    plan = await survival.withhold(there.case, await planned(there, ACTION), there.azure)

    assert [c.resource for c in plan.changes] == [AT_ROOT]
    assert "no other Owner" in plan.by_hand[0]
