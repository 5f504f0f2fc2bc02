"""A planted role goes, a widened one is as before; what it was is told by evidence, or by nobody."""

from collections.abc import AsyncIterator

import pytest

from responders.errors import Temporary
from responders.subscriptions.remove_role_definitions import RemoveRoleDefinitions
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import AUTHORIZATION, PROD, applied, planned, plant

ACTION = RemoveRoleDefinitions()
EXERCISE = EXERCISES / "custom-role-widened.yaml"
WEB, HELPER = (f"{AUTHORIZATION}/roleDefinitions/5e8b1c74-2d90-4f3a-b6c7-0a9d8e1f2b0{n}" for n in (1, 2))
BOB = "0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d06"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISE, ACTION.permissions) as there:
        yield there


def forget(there: Attacked, *, bodies: bool = False) -> None:
    """The log has no write of the older role by its owner any more, or only what he asked for is lost."""
    log = there.sandbox.world.activity.events
    for subscription, events in log.items():
        log[subscription] = kept = []
        for event in events:
            theirs = event["resourceId"].endswith(WEB) and event["caller"] == "owner@contoso.example"
            if theirs and bodies:
                event["properties"].pop("requestbody", None)
            if bodies or not theirs:
                kept.append(event)


async def test_a_widened_role_gets_back_what_its_newest_honest_write_says_and_the_source_is_named(
    there: Attacked,
) -> None:
    change = next(c for c in (await planned(there, ACTION)).proposed if c.resource.endswith(WEB))

    assert change.summary == "give back what it was to the custom role Web Operator"
    said = "; ".join(change.reasons)
    assert "changed" in change.reasons[0]
    assert "by the suspect iam@contoso.example" in change.reasons[0]
    assert "actions it did not have before: *" in said
    assert "notActions it had before: Microsoft.Compute/virtualMachines/delete" in said
    assert "by owner@contoso.example (Activity Log)" in said
    assert change.before["former"]["description"] == "Starts and restarts web machines"


@pytest.mark.parametrize("bodies", [False, True])
async def test_where_the_log_does_not_tell_a_person_is_told_what_it_allows_now(
    there: Attacked,
    bodies: bool,  # noqa: FBT001
) -> None:
    forget(there, bodies=bodies)

    plan = await planned(there, ACTION)

    assert not any(c.resource.endswith(WEB) for c in plan.changes)
    [said] = plan.by_hand
    assert "It now allows *, Microsoft.KeyVault/vaults/secrets/*" in said
    assert "az role definition update" in said


async def test_one_that_somebody_else_changed_after_him_is_for_a_person_to_judge(there: Attacked) -> None:
    plant(there, WEB, updatedBy=BOB)

    change = next(c for c in (await planned(there, ACTION)).changes if c.resource.endswith(WEB))

    assert change.familiarity == "unknown"
    assert f"by {BOB}, who is no suspect" in change.reasons[0]


async def test_one_that_is_as_before_again_is_kept(there: Attacked) -> None:
    [change] = [c for c in (await planned(there, ACTION)).changes if c.resource.endswith(WEB)]
    plant(there, WEB, **change.before["former"])

    plan = await planned(there, ACTION)

    assert not any(c.resource.endswith(WEB) for c in plan.changes)
    assert any("now as it was before" in kept for kept in plan.kept)


async def test_one_that_is_still_held_waits_and_says_how_to_find_who_holds_it(there: Attacked) -> None:
    [change] = [c for c in (await planned(there, ACTION)).changes if c.resource.endswith(HELPER)]

    with pytest.raises(Temporary, match="az role assignment list --all --role 5e8b1c74"):
        await applied(there, ACTION, change)

    assert HELPER in there.sandbox.world


async def test_one_that_is_rewritten_after_the_plan_is_put_back_by_no_guess_and_deleted_all_the_same(
    there: Attacked,
) -> None:
    changes = (await planned(there, ACTION)).changes
    for id_ in (WEB, HELPER):
        plant(there, id_, description="other")

    for change in changes:
        for held in list(there.sandbox.world.list("Microsoft.Authorization/roleAssignments")):
            if held.properties["roleDefinitionId"].lower() == change.resource.lower():
                there.sandbox.world.delete(held.id)
        outcome = await applied(there, ACTION, change)
        assert outcome.status == ("drifted" if change.before["former"] else "done")


async def test_an_older_role_that_nobody_touched_is_no_ones_business(there: Attacked) -> None:
    other = f"{AUTHORIZATION}/roleDefinitions/{'7' * 8}-0000-4000-8000-000000000000"
    role = there.sandbox.world.get(HELPER)
    assert role
    stamps = dict.fromkeys(("createdOn", "updatedOn"), "2020-01-01T00:00:00Z")
    plant(there, other, **{**role.properties, **stamps, "roleName": "Older", "assignableScopes": [PROD]})

    plan = await planned(there, ACTION)

    assert not any(c.resource.endswith(other) for c in plan.changes)
    assert not any("Older" in text for text in (*plan.kept, *plan.by_hand))


async def test_what_he_had_written_before_himself_is_not_what_it_was(there: Attacked) -> None:
    there.case = there.case.having(findings=())  # his first write is not known: only who wrote it last

    change = next(c for c in (await planned(there, ACTION)).changes if c.resource.endswith(WEB))

    assert change.before["former"]["permissions"][0]["actions"] != ["*"]
