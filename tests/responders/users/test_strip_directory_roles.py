"""Directory roles that were given in the window are taken back, in tenants with and without PIM."""

from typing import Any

import pytest

from responders.azure import explained
from responders.errors import Temporary
from responders.users.strip_directory_roles import StripDirectoryRoles
from sandbox.azure.directory_new import new_eligibility
from sandbox.azure.well_known import DIRECTORY_ROLES
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, MALLORY, NOW

ACTION = StripDirectoryRoles()
GROUPS, USERS = DIRECTORY_ROLES["Groups Administrator"], DIRECTORY_ROLES["User Administrator"]
ROLES = "/roleManagement/directory"
Json = dict[str, Any]


async def _gives(its: Tenant, role: str, **more: Any) -> None:
    body = {"principalId": its.graph.id(MALLORY), "roleDefinitionId": role, "directoryScopeId": "/"}
    await its.does(CHIEF, "POST", f"{ROLES}/roleAssignments", body | more)


async def _asks(its: Tenant, by: str, kind: str, action: str, role: str) -> None:
    body: Json = {"principalId": its.graph.id(MALLORY), "roleDefinitionId": role, "directoryScopeId": "/"}
    body |= {"action": action}
    body |= {"justification": "work", "scheduleInfo": {"expiration": {"type": "afterDuration", "duration": "PT4H"}}}
    await its.does(by, "POST", f"{ROLES}/{kind}ScheduleRequests", body)


@pytest.mark.parametrize("licenses", [[], ["P2"]])
async def test_a_role_that_a_suspect_gave_goes_and_comes_back(licenses: list[str]) -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.licenses = licenses
        its.suspects = [MALLORY, CHIEF]
        before = its.state()
        await _gives(its, GROUPS)
        planted = its.state()

        plan = await its.plan(ACTION)
        assert [c.familiarity for c in plan.changes] == ["unfamiliar"]
        assert plan.changes[0].summary == f"take the directory role Groups Administrator from {MALLORY}"
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert its.state() == before
        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["done"]
        assert its.state() == planted
        assert await its.undo(ACTION, *plan.changes) == ["already_so"]


async def test_what_he_may_activate_goes_and_comes_back() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.licenses = ["P2"]
        its.suspects = [MALLORY, CHIEF]
        before = its.state()
        await _asks(its, CHIEF, "roleEligibility", "adminAssign", GROUPS)
        planted = its.state()

        plan = await its.plan(ACTION)
        assert [c.familiarity for c in plan.changes] == ["unfamiliar"]
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert its.state() == before
        assert await its.undo(ACTION, *plan.changes) == ["done"]
        assert its.state() == planted


async def test_what_the_intruder_activated_ends_and_the_owner_may_activate_it_again() -> None:
    async with tenant(*ACTION.permissions) as its:
        directory = its.sandbox.world.directory
        directory.licenses = ["P2"]
        new_eligibility(directory, its.graph.id(MALLORY), GROUPS, "/", NOW.replace(year=2025))
        before = its.state()
        await _asks(its, MALLORY, "roleAssignment", "selfActivate", GROUPS)

        plan = await its.plan(ACTION)
        assert [c.resource.split("/")[3] for c in plan.changes] == ["roleAssignments"]
        assert ["before the window" in line for line in plan.kept] == [True]
        with pytest.raises(Temporary, match="ActiveDurationTooShort"), explained("apply"):  # younger than five minutes
            await its.apply(ACTION, *plan.changes)
        its.later(minutes=6)
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert its.state() == before


async def test_what_another_gave_is_unknown_and_what_he_had_is_kept() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.assign_role(its.graph.id(MALLORY), USERS)
        await _gives(its, GROUPS)

        plan = await its.plan(ACTION)

        assert [("Groups" in c.summary, c.familiarity) for c in plan.changes] == [(True, "unknown")]
        assert ["User Administrator" in line for line in plan.kept] == [True]


async def test_a_role_that_was_given_anew_after_the_plan_goes_too() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _gives(its, GROUPS)
        (change,) = (await its.plan(ACTION)).changes
        held = its.sandbox.world.directory.role_assignments
        held["another"] = {**held.pop(change.before["id"]), "id": "another"}

        assert await its.apply(ACTION, change) == ["done"]
        assert "another" not in held


async def test_nothing_comes_back_to_a_user_who_is_gone() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _gives(its, GROUPS)
        plan = await its.plan(ACTION)
        its.sandbox.world.directory.delete(its.graph.id(MALLORY), NOW)

        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["failed"]
