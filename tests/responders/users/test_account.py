"""What is known of an account decides whether it is given back or deleted, and who alone may touch it."""

import pytest

from responders.model import Json
from responders.users import account
from responders.users.disable import Disable
from responders.users.revoke_sessions import RevokeSessions
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, CHIEF, GUEST, MALLORY, OPS, PASSWORD, READER

RIGHTS = ("Directory.Read.All", "AuditLog.Read.All")
NEW = "new@contoso.example"
BODY: Json = {"accountEnabled": True, "displayName": "New", "mailNickname": "new", "userPrincipalName": NEW}


async def _made(its: Tenant, by: str = ADMIN) -> None:
    its.later(minutes=1)
    await its.does(by, "POST", "/users", {**BODY, "passwordProfile": {"password": PASSWORD}})
    its.later(minutes=1)


async def _judged(its: Tenant, who: str) -> tuple[str, str]:
    user = await account.read(its.azure, its.graph.id(who))
    assert user
    verdict = await account.judge(its.azure, its.case, user)
    return verdict.familiarity, "; ".join(verdict.reasons)


async def test_one_from_before_the_window_is_familiar() -> None:
    async with tenant(*RIGHTS) as its:
        directory = its.sandbox.world.directory
        directory.put({**directory.objects[its.graph.id(MALLORY)], "createdDateTime": "2024-05-01T08:00:00Z"})
        familiarity, why = await _judged(its, MALLORY)
        assert familiarity == "familiar"
        assert "2024-05-01 08:00 UTC, before the window" in why


async def test_one_that_a_suspect_made_in_the_window_is_unfamiliar() -> None:
    async with tenant(*RIGHTS) as its:
        its.suspects = [MALLORY, ADMIN]
        await _made(its)
        familiarity, why = await _judged(its, NEW)
        assert familiarity == "unfamiliar"
        assert f"by the suspect {ADMIN}" in why


async def test_a_guest_whom_a_suspect_invited_is_unfamiliar() -> None:
    async with tenant(*RIGHTS) as its:
        its.later(minutes=1)
        body = {"invitedUserEmailAddress": "x@fabrikam.example", "inviteRedirectUrl": "https://portal.azure.com"}
        await its.does(MALLORY, "POST", "/invitations", body)
        its.later(minutes=1)
        assert (await _judged(its, "x_fabrikam.example#EXT#@contoso.example"))[0] == "unfamiliar"


async def test_one_that_somebody_else_made_in_the_window_is_unknown() -> None:
    async with tenant(*RIGHTS) as its:
        await _made(its)
        assert (await _judged(its, NEW))[0] == "unknown"


async def test_one_of_which_the_log_says_nothing_is_unknown() -> None:
    async with tenant(*RIGHTS) as its:
        its.suspects = [MALLORY, ADMIN]
        await _made(its)
        its.sandbox.world.directory.audits.clear()
        familiarity, why = await _judged(its, NEW)
        assert familiarity == "unknown"
        assert "does not say by whom" in why


async def test_one_without_a_date_is_unknown() -> None:
    async with tenant(*RIGHTS) as its:
        directory = its.sandbox.world.directory
        directory.put({**directory.objects[its.graph.id(MALLORY)], "createdDateTime": None})
        assert (await _judged(its, MALLORY))[0] == "unknown"


@pytest.mark.parametrize(
    ("who", "why"),
    [(CHIEF, "holds the directory role Global Administrator"), (READER, "is in the group admins")],
)
async def test_who_is_out_of_an_applications_reach_is_for_a_person_to_disable(who: str, why: str) -> None:
    async with tenant(*Disable.permissions) as its:
        plan = await its.plan(Disable(), who)
        assert not plan.changes
        (todo,) = plan.by_hand
        assert why in todo
        assert "block its sign-in (a Privileged Authentication Administrator or a Global Administrator" in todo


async def test_who_renames_his_account_after_the_plan_is_blocked_all_the_same() -> None:
    async with tenant(*Disable.permissions) as its:
        plan = await its.plan(Disable())
        id_ = its.graph.id(MALLORY)
        await its.does(CHIEF, "PATCH", f"/users/{id_}", {"userPrincipalName": "other@contoso.example"})

        assert await its.apply(Disable(), *plan.changes) == ["done"]

        assert its.sandbox.world.directory.objects[id_]["accountEnabled"] is False


async def test_a_restricted_unit_is_named_with_who_can() -> None:
    async with tenant(*Disable.permissions) as its:
        unit = {"name": "Board", "restricted": True, "members": [MALLORY]}
        its.sandbox.world.load({"administrative_units": [unit]}, its.sandbox.clock.now())
        (todo,) = (await its.plan(Disable())).by_hand
        assert "unit Board: block its sign-in (an administrator whose role is assigned over that unit)" in todo


async def test_a_unit_that_hides_its_members_shows_by_its_refusal() -> None:
    async with tenant(*Disable.permissions) as its:
        unit = {"name": "Board", "restricted": True, "hidden": True, "members": [MALLORY]}
        its.sandbox.world.load({"administrative_units": [unit]}, its.sandbox.clock.now())
        (change,) = (await its.plan(Disable())).changes
        with pytest.raises(Exception, match=r"Insufficient privileges|denied|restricted"):
            await its.apply(Disable(), change)
        assert its.sandbox.world.directory.objects[its.graph.id(MALLORY)]["accountEnabled"]


async def test_a_guests_sessions_are_his_homes_and_a_members_are_ours() -> None:
    async with tenant(*RevokeSessions.permissions) as its:
        its.suspects = [OPS]
        assert not (await its.plan(RevokeSessions(), GUEST)).changes
        assert len((await its.plan(RevokeSessions(), OPS)).changes) == 1
