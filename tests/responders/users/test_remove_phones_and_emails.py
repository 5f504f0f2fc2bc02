"""Phones and mail addresses that were registered in the window go, and come back with an undo."""

from typing import Any

import msgspec

from responders.model import Finding
from responders.users.remove_authentication_methods import RemoveAuthenticationMethods
from responders.users.remove_phones_and_emails import RemovePhonesAndEmails
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, MALLORY, NOW

ACTION = RemovePhonesAndEmails()
OTHERS = RemoveAuthenticationMethods()
MOBILE = {"phoneNumber": "+31 700000000", "phoneType": "mobile"}
ALTERNATE = {"phoneNumber": "+31 700000001", "phoneType": "alternateMobile"}
METHODS = f"/users/{MALLORY}/authentication"
Json = dict[str, Any]


def _held(its: Tenant) -> list[Json]:
    return its.sandbox.world.directory.methods.setdefault(its.graph.id(MALLORY), [])


async def _registers_a_phone(its: Tenant, by: str = MALLORY, phone: Json = MOBILE) -> None:
    its.later(minutes=1)
    await its.does(by, "POST", f"{METHODS}/phoneMethods", phone)
    its.later(minutes=1)


def _registers_an_authenticator(its: Tenant) -> None:
    """It was there at the hour that the tenant's clock shows."""
    made = its.sandbox.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod", "id": "app"}
    _held(its).append({**body, "displayName": "app", "createdDateTime": made})
    its.later(minutes=1)


async def test_all_that_was_registered_goes_and_comes_back() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        await _registers_a_phone(its, phone=ALTERNATE)
        await its.does(MALLORY, "POST", f"{METHODS}/emailMethods", {"emailAddress": "m@mail.example"})
        its.later(minutes=1)
        before = its.state()
        plan = await its.plan(ACTION)
        assert len(plan.changes) == 3
        assert await its.apply(ACTION, *plan.changes) == ["done"] * 3
        assert _held(its) == []
        assert await its.undo(ACTION, *reversed(plan.changes)) == ["done"] * 3
        assert its.state() == before
        assert await its.undo(ACTION, *plan.changes) == ["already_so"] * 3


async def test_another_phone_in_its_place_stays_at_an_undo() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        plan = await its.plan(ACTION)
        await its.apply(ACTION, *plan.changes)
        await _registers_a_phone(its, phone={**MOBILE, "phoneNumber": "+31 722222222"})
        assert await its.undo(ACTION, *plan.changes) == ["failed"]
        assert [m["phoneNumber"] for m in _held(its)] == ["+31 722222222"]


async def test_what_graph_refuses_to_register_is_said_at_an_undo() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        await _registers_a_phone(its, phone=ALTERNATE)
        alternate, mobile = (await its.plan(ACTION)).changes
        await its.apply(ACTION, alternate, mobile)
        outcome = await ACTION.undo(alternate, its.azure)
        assert outcome.status == "failed"
        assert "without a mobile phone number" in outcome.reason


async def test_of_an_account_that_is_gone_nothing_comes_back() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        plan = await its.plan(ACTION)
        await its.apply(ACTION, *plan.changes)
        await its.does(CHIEF, "DELETE", f"/users/{MALLORY}")
        assert "restore it first" in (await ACTION.undo(plan.changes[0], its.azure)).reason


async def test_authenticators_are_the_other_actions() -> None:
    async with tenant(*ACTION.permissions) as its:
        _registers_an_authenticator(its)
        await _registers_a_phone(its)
        assert [c.before["phoneType"] for c in (await its.plan(ACTION)).changes] == ["mobile"]
        assert [c.before["id"] for c in (await its.plan(OTHERS)).changes] == ["app"]


async def test_a_phone_that_is_the_default_waits_for_the_authenticator() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        _registers_an_authenticator(its)
        first = await its.plan(ACTION)
        assert not first.changes
        assert "remove first the microsoft authenticator app" in first.by_hand[0]
        assert await its.apply(OTHERS, *(await its.plan(OTHERS)).changes) == ["done"]
        again = await its.plan(ACTION)
        assert not again.by_hand
        assert await its.apply(ACTION, *again.changes) == ["done"]
        assert _held(its) == []


async def test_a_wrong_guess_at_the_default_is_told_by_the_refusal_and_put_right() -> None:
    async with tenant(*ACTION.permissions) as its:
        _registers_an_authenticator(its)
        await _registers_a_phone(its)
        app, phone = its.sandbox.world.directory.methods[its.graph.id(MALLORY)][-2:]
        app["createdDateTime"] = its.sandbox.clock.now().isoformat()  # registered last, and made the default
        assert "remove first" in (await its.plan(ACTION)).by_hand[0]
        (refused,) = (await its.plan(OTHERS)).changes
        outcome = await OTHERS.apply(refused, its.azure)
        assert outcome.status == "failed"
        assert phone["phoneNumber"] in outcome.reason

        again = await ACTION.plan(its.case.having(failed=(refused,)), its.subject(), its.azure)
        assert await its.apply(ACTION, *again.changes) == ["done"]
        assert await its.apply(OTHERS, *(await its.plan(OTHERS)).changes) == ["done"]
        assert _held(its) == []


async def test_an_authenticator_that_is_only_offered_is_not_waited_for() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        its.later(minutes=10)
        await its.does(CHIEF, "POST", f"{METHODS}/emailMethods", {"emailAddress": "m@mail.example"})
        _registers_an_authenticator(its)
        assert [c.familiarity for c in (await its.plan(OTHERS)).changes] == ["unknown"]
        plan = await its.plan(ACTION)
        assert not plan.by_hand
        assert [c.familiarity for c in plan.changes] == ["unknown", "unfamiliar"]


async def test_a_phone_has_no_date_and_the_log_tells_of_it() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        (change,) = (await its.plan(ACTION)).changes
        assert change.familiarity == "unfamiliar"
        assert "+31 700000000" in change.summary


async def test_one_that_an_administrator_registered_is_unknown() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its, by=CHIEF)
        assert [c.familiarity for c in (await its.plan(ACTION)).changes] == ["unknown"]


async def test_one_from_the_owners_usual_network_is_unknown() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        address = its.sandbox.world.directory.audits[-1]["initiatedBy"]["user"]["ipAddress"]
        usual = Finding(
            rule="other",
            reason="",
            at=NOW,
            operation="o",
            resource="r",
            caller=its.graph.id(MALLORY),
            address=address,
            usual=True,
        )
        alert = msgspec.structs.replace(its.case.alert, addresses=("198.51.100.7",))
        case = its.case.having(alert=alert, findings=(usual,))
        plan = await ACTION.plan(case, its.subject(), its.azure)
        assert [c.familiarity for c in plan.changes] == ["unknown"]


async def test_a_number_that_changed_since_the_plan_is_left() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _registers_a_phone(its)
        plan = await its.plan(ACTION)
        its.sandbox.world.directory.methods[its.graph.id(MALLORY)][0]["phoneNumber"] = "+31 711111111"
        assert await its.apply(ACTION, *plan.changes) == ["drifted"]
        assert len(_held(its)) == 1
