"""Consents that were given in the window are revoked: a user's own, and those that he gave for everyone."""

from responders.users.revoke_oauth_grants import RevokeOauthGrants
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, DEPLOYER, MALLORY, NOW, OPS

ACTION = RevokeOauthGrants()
GRAPH = "00000003-0000-0000-c000-000000000000"


async def _consents(its: Tenant, by: str, scope: str, *, everyone: bool = False) -> str:
    body = {"clientId": its.graph.id(DEPLOYER), "resourceId": its.graph.id(GRAPH), "scope": scope}
    body |= (
        {"consentType": "AllPrincipals"} if everyone else {"consentType": "Principal", "principalId": its.graph.id(by)}
    )
    return str((await its.does(by, "POST", "/oauth2PermissionGrants", body))["id"])


def _old(its: Tenant, who: str, scope: str) -> str:
    """A consent of long ago, of which the log says nothing any more."""
    ends = {"clientId": its.graph.id(DEPLOYER), "resourceId": its.graph.id(GRAPH), "principalId": its.graph.id(who)}
    entry = {"id": f"old-{who}", "consentType": "Principal", "scope": scope, **ends}
    its.sandbox.world.directory.consents[entry["id"]] = entry
    return entry["id"]


async def test_his_own_consent_goes_and_comes_back() -> None:
    async with tenant(*ACTION.permissions) as its:
        _old(its, OPS, "User.Read")
        await _consents(its, MALLORY, "Mail.Read")
        planted = its.state()

        plan = await its.plan(ACTION)
        assert [c.familiarity for c in plan.changes] == ["unfamiliar"]
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        left = [key for key in its.state() if key.startswith("/oauth2PermissionGrants/")]
        assert [its.graph.id(OPS) in key for key in left] == [True]
        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["done"]
        assert its.state() == planted
        assert await its.undo(ACTION, *plan.changes) == ["already_so"]


async def test_what_a_suspect_consented_to_for_everyone_goes() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, CHIEF]
        await _consents(its, CHIEF, "Mail.Read", everyone=True)

        assert (await its.plan(ACTION, MALLORY)).changes == ()
        plan = await its.plan(ACTION, CHIEF)
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert its.sandbox.world.directory.consents == {}


async def test_what_an_administrator_who_is_no_suspect_consented_to_for_everyone_is_not_looked_at() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _consents(its, CHIEF, "Mail.Read", everyone=True)

        assert (await its.plan(ACTION)).changes == ()


async def test_a_consent_that_was_widened_is_taken_back_to_what_it_was() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.suspects = [MALLORY, CHIEF]
        old = _old(its, MALLORY, "User.Read")
        honest = its.state()
        await its.does(CHIEF, "PATCH", f"/oauth2PermissionGrants/{old}", {"scope": "User.Read Mail.ReadWrite"})
        its.later(minutes=1)
        await its.does(
            CHIEF, "PATCH", f"/oauth2PermissionGrants/{old}", {"scope": "User.Read Mail.ReadWrite Files.Read"}
        )
        planted = its.state()

        plan = await its.plan(ACTION)
        assert await its.apply(ACTION, *plan.changes) == ["done"]

        assert its.state() == honest
        assert await its.undo(ACTION, *plan.changes) == ["done"]
        assert its.state() == planted


async def test_a_consent_whose_scopes_change_after_the_plan_is_revoked_all_the_same() -> None:
    async with tenant(*ACTION.permissions) as its:
        made = await _consents(its, MALLORY, "Mail.Read")
        plan = await its.plan(ACTION)
        await its.does(CHIEF, "PATCH", f"/oauth2PermissionGrants/{made}", {"scope": "User.Read"})

        outcome = await ACTION.apply(plan.changes[0], its.azure)

        assert outcome.status == "done"
        assert "User.Read" in outcome.reason
        assert made not in its.sandbox.world.directory.consents


async def test_another_consent_in_its_place_is_not_overwritten_by_an_undo() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _consents(its, MALLORY, "Mail.Read")
        plan = await its.plan(ACTION)
        await its.apply(ACTION, *plan.changes)
        made = await _consents(its, MALLORY, "User.Read")

        assert await its.undo(ACTION, *plan.changes) == ["failed"]
        assert its.sandbox.world.directory.consents[made]["scope"] == "User.Read"


async def test_a_consent_to_what_is_gone_by_now_is_no_change() -> None:
    async with tenant(*ACTION.permissions) as its:
        await _consents(its, MALLORY, "Mail.Read")
        plan = await its.plan(ACTION)
        its.sandbox.world.directory.delete(its.graph.id(DEPLOYER), NOW)

        assert (await its.plan(ACTION)).changes == ()
        assert await its.apply(ACTION, *plan.changes) == ["already_so"]
        assert await its.undo(ACTION, *plan.changes) == ["failed"]
