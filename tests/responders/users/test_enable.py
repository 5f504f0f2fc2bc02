"""An account goes back when the old password is dead, and only if it was the responder that disabled it."""

from responders.model import Case, Change, Plan
from responders.users.disable import Disable
from responders.users.enable import Enable
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, MALLORY

ACTION = Enable()
RIGHTS = {*ACTION.permissions, *Disable.permissions}


def _enabled(its: Tenant) -> bool:
    return bool(its.sandbox.world.directory.objects[its.graph.id(MALLORY)]["accountEnabled"])


async def _contained(its: Tenant) -> Case:
    """The responder disables the account. Returns the case as it was before."""
    its.later(minutes=1)
    case = its.case
    its.later(minutes=1)
    await its.apply(Disable(), *(await Disable().plan(case, its.subject(), its.azure)).changes)
    its.later(minutes=1)
    return case


async def _renewed(its: Tenant) -> None:
    await its.does(ADMIN, "PATCH", f"/users/{MALLORY}", {"passwordProfile": {"password": "Another-one-1"}})
    its.later(minutes=1)


async def _plan(its: Tenant, case: Case) -> Plan:
    return await ACTION.plan(case, its.subject(), its.azure)


async def test_it_goes_back_with_a_new_password_and_undo_takes_it_again() -> None:
    async with tenant(*RIGHTS) as its:
        case = await _contained(its)
        await _renewed(its)
        (change,) = (await _plan(its, case)).changes
        assert await its.apply(ACTION, change) == ["done"]
        assert _enabled(its)
        assert await its.apply(ACTION, change) == ["already_so"]
        assert await its.undo(ACTION, change) == ["done"]
        assert not _enabled(its)
        assert await its.undo(ACTION, change) == ["already_so"]


async def test_with_the_old_password_it_stays_disabled_and_a_person_is_told() -> None:
    async with tenant(*RIGHTS) as its:
        plan = await _plan(its, await _contained(its))
        assert not plan.changes
        assert "stays disabled until its password is changed. Then enable" in plan.by_hand[0]


async def test_with_a_phone_of_the_intruder_it_stays_disabled_and_a_person_is_told() -> None:
    async with tenant(*RIGHTS) as its:
        its.later(minutes=1)
        phone = {"phoneNumber": "+49 30 5550199", "phoneType": "mobile"}
        await its.does(MALLORY, "POST", f"/users/{MALLORY}/authentication/phoneMethods", phone)
        case = await _contained(its)
        await _renewed(its)
        plan = await _plan(its, case)
        assert not plan.changes
        assert "+49 30 5550199" in plan.by_hand[0]


async def test_one_that_somebody_else_disabled_is_his_to_enable() -> None:
    async with tenant(*RIGHTS) as its:
        its.later(minutes=1)
        case = its.case
        await its.does(ADMIN, "PATCH", f"/users/{MALLORY}", {"accountEnabled": False})
        await _renewed(its)
        plan = await _plan(its, case)
        assert not plan.changes
        assert f"{ADMIN} disabled it" in plan.reason
        assert not plan.by_hand


async def test_one_that_a_suspect_had_enabled_stays_disabled() -> None:
    async with tenant(*RIGHTS) as its:
        directory = its.sandbox.world.directory
        directory.put({**directory.objects[its.graph.id(MALLORY)], "accountEnabled": False})
        its.suspects = [MALLORY, ADMIN]
        its.later(minutes=1)
        await its.does(ADMIN, "PATCH", f"/users/{MALLORY}", {"accountEnabled": True})
        case = await _contained(its)
        await _renewed(its)
        plan = await _plan(its, case)
        assert not plan.changes
        assert f"until the suspect {ADMIN} enabled it" in plan.reason


async def test_one_of_which_neither_incident_nor_log_says_anything_is_for_a_person() -> None:
    async with tenant(*RIGHTS) as its:
        case = await _contained(its)
        await _renewed(its)
        its.sandbox.world.directory.audits.clear()
        plan = await _plan(its, case)
        assert not plan.changes
        assert plan.by_hand[0].startswith("Neither this incident nor")


async def test_one_that_the_incident_disabled_is_given_back_while_the_log_lags() -> None:
    async with tenant(*RIGHTS) as its:
        case = await _contained(its)
        await _renewed(its)
        its.sandbox.world.directory.audits.clear()
        disabled = Change(action="users.disable", resource=f"/users/{its.subject().id}", summary="block sign-in")
        plan = await _plan(its, case.having(done=(disabled,)))
        assert len(plan.changes) == 1


async def test_one_whose_password_changed_since_the_plan_stays_disabled() -> None:
    async with tenant(*RIGHTS) as its:
        case = await _contained(its)
        await _renewed(its)
        plan = await _plan(its, case)
        await _renewed(its)
        assert await its.apply(ACTION, *plan.changes) == ["drifted"]
        assert not _enabled(its)


async def test_one_that_is_enabled_needs_nothing() -> None:
    async with tenant(*RIGHTS) as its:
        assert "is enabled" in (await its.plan(ACTION)).reason


async def test_with_a_password_that_a_suspect_set_after_the_alert_it_stays_disabled() -> None:
    async with tenant(*RIGHTS) as its:
        case = its.case
        its.later(minutes=1)
        old = its.sandbox.world.directory.private[its.graph.id(MALLORY)]["password"]
        own = {"currentPassword": old, "newPassword": "Mine-for-ever-1"}
        await its.does(MALLORY, "POST", f"/users/{its.graph.id(MALLORY)}/changePassword", own)
        its.later(minutes=2)
        await its.apply(Disable(), *(await Disable().plan(case, its.subject(), its.azure)).changes)
        its.later(minutes=1)

        assert "by somebody who is no suspect" in (await _plan(its, case)).by_hand[0]

        its.forget()
        await _renewed(its)
        assert len((await _plan(its, case)).changes) == 1
