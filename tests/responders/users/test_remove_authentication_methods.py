"""Ways to sign in that were registered in the window go; the owner's own stay, and what nobody can tell is offered."""

from typing import Any

import pytest

from responders.azure import explained
from responders.errors import Temporary
from responders.users.remove_authentication_methods import RemoveAuthenticationMethods
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, GUEST, MALLORY, PASSWORD

ACTION = RemoveAuthenticationMethods()
MOBILE = {"phoneNumber": "+31 700000000", "phoneType": "mobile"}
OLD, NEW = "2026-01-02T08:00:00Z", "2026-03-02T09:00:00Z"
Json = dict[str, Any]


def _has(its: Tenant, kind: str, name: str, made: str | None, **more: Any) -> Json:
    body = {"@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod", "id": name, "displayName": name}
    methods = its.sandbox.world.directory.methods.setdefault(its.graph.id(MALLORY), [])
    methods.append({**body, "createdDateTime": made, **more})
    return methods[-1]


def _left(its: Tenant) -> list[str]:
    return [m["id"] for m in its.sandbox.world.directory.methods.get(its.graph.id(MALLORY), [])]


async def _registers_a_phone(its: Tenant, by: str = MALLORY) -> None:
    its.later(minutes=1)
    await its.does(by, "POST", f"/users/{MALLORY}/authentication/phoneMethods", MOBILE)
    its.later(minutes=1)


async def test_those_of_the_window_go_and_the_older_stay() -> None:
    async with tenant(*ACTION.permissions) as its:
        _has(its, "fido2", "old key", OLD)
        _has(its, "softwareOath", "new code", NEW)
        plan = await its.plan(ACTION)
        assert [c.summary for c in plan.changes] == [f"remove the software oath new code of {MALLORY}"]
        assert "fido2 old key: registered 2026-01-02 08:00 UTC, before the window" in plan.kept
        assert await its.apply(ACTION, *plan.changes) == ["done"]
        assert _left(its) == ["old key"]
        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["failed"]


async def test_without_a_date_it_is_unknown_if_the_log_tells_of_another() -> None:
    async with tenant(*ACTION.permissions) as its:
        _has(its, "softwareOath", "code", None)
        await _registers_a_phone(its)
        assert [c.familiarity for c in (await its.plan(ACTION)).changes] == ["unknown"]


async def test_without_a_date_it_is_kept_if_the_log_tells_of_none() -> None:
    async with tenant(*ACTION.permissions) as its:
        _has(its, "softwareOath", "code", None)
        plan = await its.plan(ACTION)
        assert not plan.changes
        assert "code" in plan.kept[0]


async def test_the_default_one_goes_when_the_others_are_gone() -> None:
    async with tenant(*ACTION.permissions) as its:
        _has(its, "microsoftAuthenticator", "first", "2026-03-02T08:58:00Z")
        _has(its, "softwareOath", "second", NEW)
        plan = await its.plan(ACTION)
        default, other = sorted(plan.changes, key=lambda c: str(c.before["id"]))
        assert plan.changes == (other, default)
        with pytest.raises(Temporary, match="default"), explained("removing"):
            await its.apply(ACTION, default)
        assert await its.apply(ACTION, other, default) == ["done", "done"]
        assert _left(its) == []


async def test_a_password_is_no_method_to_remove_and_a_guest_has_none_here() -> None:
    async with tenant(*ACTION.permissions) as its:
        assert not (await its.plan(ACTION)).changes
        assert "another tenant" in (await its.plan(ACTION, GUEST)).reason


async def test_an_account_that_a_suspect_made_goes_with_all_of_them() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, ADMIN]
        its.later(minutes=1)
        body = {"accountEnabled": True, "displayName": "x", "mailNickname": "x"}
        body |= {"userPrincipalName": "x@contoso.example", "passwordProfile": {"password": PASSWORD}}
        await its.does(ADMIN, "POST", "/users", body)
        its.later(minutes=1)
        assert "is to be deleted" in (await its.plan(ACTION, "x@contoso.example")).reason
