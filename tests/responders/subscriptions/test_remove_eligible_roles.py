"""What Privileged Identity Management gave in a suspect's name goes; what is older stays."""

from collections.abc import AsyncIterator

import pytest

from responders import survival
from responders.azure import explained
from responders.errors import Permanent, Temporary
from responders.subscriptions.cancel_role_requests import CancelRoleRequests
from responders.subscriptions.remove_eligible_roles import RemoveEligibleRoles
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import AUTHORIZATION, PROD, applied, planned, plant

ACTION, CANCEL = RemoveEligibleRoles(), CancelRoleRequests()
EXERCISE = EXERCISES / "pim-eligible-owner.yaml"
NAME = "4b9e2d71-6a53-4c08-9f1e-8d7a0c3b5e0"
DATA, WEB = f"{PROD}/resourceGroups/rg-data{AUTHORIZATION}", f"{PROD}/resourceGroups/rg-web{AUTHORIZATION}"
OLD, ACTIVATED = f"{DATA}/roleEligibilitySchedules/{NAME}1", f"{DATA}/roleAssignmentSchedules/{NAME}2"
ELIGIBLE, GIVEN = f"{PROD}{AUTHORIZATION}/roleEligibilitySchedules/{NAME}3", f"{WEB}/roleAssignmentSchedules/{NAME}4"
WAITING = f"{DATA}/roleEligibilityScheduleRequests/{NAME}5"
BOB = "0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d06"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISE, ACTION.permissions) as there:
        yield there


async def test_who_may_activate_goes_first_and_what_is_older_is_kept(there: Attacked) -> None:
    plan = await planned(there, ACTION)

    assert [c.resource for c in plan.proposed] == [ELIGIBLE, ACTIVATED, GIVEN]
    assert plan.changes[0].summary == (
        f"take the right to activate Owner on {PROD} from helpdesk_fabrikam.example#EXT#@contoso.example"
    )
    assert all("by the suspect iam@contoso.example" in c.reasons[0] for c in plan.changes)
    assert len(plan.kept) == 1
    assert "before the window" in plan.kept[0]
    assert plan.by_hand == ()


async def test_what_was_put_back_is_still_the_suspects(there: Attacked) -> None:
    changes = (await planned(there, ACTION)).changes
    for change in changes:
        await applied(there, ACTION, change)
        await ACTION.undo(change, there.azure)

    again = (await planned(there, ACTION)).proposed

    assert [c.summary for c in again] == [c.summary for c in changes]
    assert all("by the suspect iam@contoso.example" in c.reasons[0] for c in again)


async def test_what_somebody_else_asked_for_in_the_window_is_unknown(there: Attacked) -> None:
    plant(there, f"{PROD}{AUTHORIZATION}/roleEligibilityScheduleRequests/{NAME}3", requestorId=BOB)
    there.case = there.case.having(findings=())

    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == ELIGIBLE)

    assert change.familiarity == "unknown"


async def test_what_was_only_just_activated_is_asked_again(there: Attacked) -> None:
    plant(there, ACTIVATED, startDateTime=there.sandbox.clock.now().isoformat())
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == ACTIVATED)

    with pytest.raises(Temporary, match="ActiveDurationTooShort"):
        await applied(there, ACTION, change)


async def test_what_is_given_for_longer_after_the_plan_goes_too(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == GIVEN)
    plant(there, GIVEN, endDateTime=None)

    assert (await applied(there, ACTION, change)).status == "done"
    assert GIVEN not in there.sandbox.world


async def test_a_lock_that_comes_after_the_plan_stops_it_and_says_so(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == GIVEN)
    plant(there, f"{WEB}/locks/late", level="CanNotDelete")

    with pytest.raises(Permanent, match="A lock came in the way"):
        await applied(there, ACTION, change)


async def test_an_older_one_that_a_suspect_made_last_longer_is_told_to_a_person(there: Attacked) -> None:
    plant(there, WAITING, status="Provisioned")

    plan = await planned(there, ACTION)

    assert OLD not in [c.resource for c in plan.changes]
    [said] = plan.by_hand
    assert "the suspect iam@contoso.example asked" in said
    assert "to have it last longer" in said


async def test_the_last_owner_keeps_what_he_has_activated(there: Attacked) -> None:
    world = there.sandbox.world
    owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    for grant in list(world.list("Microsoft.Authorization/roleAssignments")):
        if grant.properties["roleDefinitionId"].endswith(owner):
            world.delete(grant.id)
    active = f"{PROD}{AUTHORIZATION}/roleAssignmentSchedules/{NAME}3"
    eligible, given = world.get(ELIGIBLE), world.get(GIVEN)
    assert eligible
    assert given
    plant(
        there, active, **{**given.properties, **eligible.properties, "endDateTime": None, "assignmentType": "Assigned"}
    )
    plant(
        there, active, roleAssignmentScheduleRequestId=f"{PROD}{AUTHORIZATION}/roleAssignmentScheduleRequests/{NAME}3"
    )
    plant(there, f"{PROD}{AUTHORIZATION}/roleAssignments/{NAME}3", **eligible.properties)

    plan = await planned(there, ACTION)
    left = await survival.withhold(there.case, plan, there.azure)

    assert active in [c.resource for c in plan.changes]
    assert active not in [c.resource for c in left.changes]
    assert ELIGIBLE in [c.resource for c in left.changes]


async def test_a_request_that_waits_is_canceled_and_the_old_right_stays() -> None:
    async with attacked(EXERCISE, CANCEL.permissions) as there:
        plan = await planned(there, CANCEL)
        [change] = plan.proposed
        assert change.resource == WAITING
        assert "which waits (PendingAdminDecision)" in change.summary

        assert (await applied(there, CANCEL, change)).status == "done"

        canceled = there.sandbox.world.get(WAITING)
        assert canceled
        assert canceled.properties["status"] == "Canceled"
        assert OLD in there.sandbox.world
        assert (await CANCEL.undo(change, there.azure)).status == "failed"


async def test_a_request_of_which_azure_says_little_does_not_keep_the_others_from_being_looked_at() -> None:
    async with attacked(EXERCISE, CANCEL.permissions + ACTION.permissions) as there:
        world = there.sandbox.world
        wanted = [c.resource for c in (await planned(there, ACTION)).proposed]
        for kind in ("roleEligibilityScheduleRequests", "roleAssignmentScheduleRequests"):
            for request in list(world.list(f"Microsoft.Authorization/{kind}")):
                bare = {k: v for k, v in request.properties.items() if k not in {"createdOn", "requestorId"}}
                world.put(request.id, {**request.body, "properties": bare})

        (change,) = (await planned(there, CANCEL)).changes
        assert (change.resource, change.familiarity) == (WAITING, "unknown")
        assert set(wanted) <= {c.resource for c in (await planned(there, ACTION)).changes}


async def test_one_that_was_decided_since_is_no_request_any_more() -> None:
    async with attacked(EXERCISE, CANCEL.permissions) as there:
        [change] = (await planned(there, CANCEL)).proposed
        plant(there, WAITING, status="Denied")

        outcome = await applied(there, CANCEL, change)

        assert (outcome.status, outcome.reason) == ("already_so", "The request does not wait any more: it is Denied.")


async def test_what_others_wait_for_is_not_touched() -> None:
    async with attacked(EXERCISE, CANCEL.permissions) as there:
        plant(there, WAITING, requestorId=BOB, principalId=BOB)
        with explained("planning"):
            assert (await planned(there, CANCEL)).changes == ()
