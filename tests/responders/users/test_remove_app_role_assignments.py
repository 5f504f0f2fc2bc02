"""App roles that a user was given in the window are taken back; what he has by way of a group is the group's."""

from responders.users.remove_app_role_assignments import RemoveAppRoleAssignments
from sandbox.azure.well_known import made_up_id
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, MALLORY, NOW

ACTION = RemoveAppRoleAssignments()
APPROVER = made_up_id("app role", "Approver")


def _countersign(its: Tenant) -> str:
    return its.graph.id(made_up_id("app", "Countersign"))


async def _gives(its: Tenant, by: str, role: str = APPROVER) -> None:
    user = its.graph.id(MALLORY)
    body = {"principalId": user, "resourceId": _countersign(its), "appRoleId": role}
    await its.does(by, "POST", f"/users/{user}/appRoleAssignments", body)


async def test_who_made_himself_an_approver_is_none_any_more() -> None:
    async with tenant(*ACTION.permissions) as its:
        before = its.state()
        its.suspects = [MALLORY, CHIEF]
        await _gives(its, CHIEF)
        planted = its.state()

        plan = await its.plan(ACTION)
        assert [c.familiarity for c in plan.changes] == ["unfamiliar"]
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert its.state() == before
        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["done"]
        assert its.state() == planted
        assert await its.undo(ACTION, *plan.changes) == ["already_so"]


async def test_one_that_another_gave_is_unknown_and_an_old_one_is_kept() -> None:
    async with tenant(*ACTION.permissions) as its:
        long_ago = NOW.replace(year=2025)
        its.sandbox.world.directory.assign_app_role(
            its.graph.id(MALLORY), _countersign(its), made_up_id("app role", "Reader"), long_ago
        )
        await _gives(its, CHIEF)

        plan = await its.plan(ACTION)

        assert [(APPROVER in c.summary, c.familiarity) for c in plan.changes] == [(True, "unknown")]
        assert ["before the window" in line for line in plan.kept] == [True]


async def test_one_of_which_the_log_says_nothing_is_unknown() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.assign_app_role(its.graph.id(MALLORY), _countersign(its), APPROVER, NOW)

        (change,) = (await its.plan(ACTION)).changes

        assert change.familiarity == "unknown"
        assert change.reasons == ("Azure does not say who made it, or when",)


async def test_one_that_was_given_anew_after_the_plan_goes_too() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _gives(its, CHIEF)
        (change,) = (await its.plan(ACTION)).changes
        roles = its.sandbox.world.directory.app_roles
        roles["another"] = {**roles.pop(change.before["id"]), "id": "another"}

        assert await its.apply(ACTION, change) == ["done"]
        assert "another" not in roles


async def test_who_has_none_needs_nothing() -> None:
    async with tenant(*ACTION.permissions) as its:
        assert (await its.plan(ACTION)).reason == "The user has no app roles of his own."
