"""What a thief gave himself while Entra's audit log lags is taken once the log tells; nobody is asked twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from playbooks.activities import steps
from responders.model import Plan, plain
from responders.services import Services
from responders.users.remove_group_memberships import RemoveGroupMemberships
from responders.users.revoke_oauth_grants import RevokeOauthGrants
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, MALLORY

Json = dict[str, Any]
RIGHTS = (*RemoveGroupMemberships.permissions, *RevokeOauthGrants.permissions, "User.Read.All")


class _Incident:
    """Its step users.remove_group_memberships, first and once the log has told."""

    def __init__(self, its: Tenant, services: Services) -> None:
        self.its, self.services = its, services

    async def plan(self, step: str, action: str = RemoveGroupMemberships.id, **more: Any) -> tuple[Plan, Json]:
        order: Json = {
            "incident": "i",
            "run": "r",
            "step": step,
            "case": "c",
            "action": action,
            "by": "",
        }
        order |= {"subject": plain(self.its.subject()), "at": self.its.sandbox.clock.now().isoformat(), **more}
        self.its.forget()
        self.services.azure = self.its.azure
        answer = await steps.plan(order, self.services)
        return await self.services.incident("i").plan(answer["plan"]), answer

    async def later(self, answer: Json) -> tuple[Plan, Json]:
        self.its.sandbox.clock.set(datetime.fromisoformat(answer["settles"]))
        return await self.plan("s-late", late=True)


@asynccontextmanager
async def _lagging() -> AsyncIterator[_Incident]:
    async with tenant(*RIGHTS) as its:
        directory = its.sandbox.world.directory
        directory.audits_lag = 300
        for group in ("operators", "on call"):
            directory.owners[its.group(group)] = [its.graph.id(MALLORY)]
        services = Services(replace(its.azure.settings, approvers=()))
        await services.incident("i").save_case("c", its.case)
        yield _Incident(its, services)


async def test_what_he_gave_himself_right_before_the_plan_is_taken_once_the_log_tells() -> None:
    async with _lagging() as incident:
        await incident.its.joins(MALLORY, MALLORY, "operators")
        first, answer = await incident.plan("s")
        assert first.changes == ()
        assert all("looked at again" in why for why in first.kept)

        late, answer = await incident.later(answer)

        (change,) = late.changes
        assert (change.before["group"], change.familiarity) == (incident.its.group("operators"), "unfamiliar")
        assert late.kept == (f"{MALLORY} in the group on call: nobody added it in the window, by Entra's audit log",)
        assert answer["settles"] == ""


async def test_what_he_gives_himself_between_the_two_plans_is_offered() -> None:
    async with _lagging() as incident:
        _, answer = await incident.plan("s")
        incident.its.later(minutes=14)
        await incident.its.joins(MALLORY, MALLORY, "operators")

        late, _ = await incident.later(answer)

        (change,) = late.changes
        assert (change.before["group"], change.familiarity) == (incident.its.group("operators"), "unknown")
        assert "does not say yet who added it" in change.reasons[0]


async def test_who_was_asked_already_is_not_asked_the_same_again() -> None:
    async with _lagging() as incident:
        await incident.its.joins(ADMIN, MALLORY, "operators")  # by who is no suspect
        incident.its.later(minutes=10)
        first, answer = await incident.plan("s")
        assert [change.familiarity for change in first.changes] == ["unknown"]

        late, answer = await incident.later(answer)

        assert (late.changes, answer["changes"]) == ((), 0)
        assert late.reason == "Entra's audit log has told nothing more since it was planned first."


async def test_what_was_seen_long_enough_ago_needs_no_second_look() -> None:
    async with _lagging() as incident:
        await incident.plan("s")
        incident.its.sandbox.clock.advance(timedelta(minutes=20))

        again, answer = await incident.plan("s-1")

        assert answer["settles"] == ""
        assert again.kept == (f"{MALLORY} in the group on call: nobody added it in the window, by Entra's audit log",)


async def test_a_step_that_sees_only_what_the_log_has_is_planned_again_too() -> None:
    async with _lagging() as incident:
        _, answer = await incident.plan("s", RevokeOauthGrants.id)

        assert answer["settles"] != ""


async def test_without_a_license_for_the_log_what_he_has_is_offered() -> None:
    async with _lagging() as incident:
        incident.its.sandbox.world.directory.audits_refused = True

        made, answer = await incident.plan("s")

        assert {change.familiarity for change in made.changes} == {"unknown"}
        assert "for want of a license" in made.changes[0].reasons[0]
        assert answer["settles"] == ""
