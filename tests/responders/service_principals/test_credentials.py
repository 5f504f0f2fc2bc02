"""Which credentials of an application go: what a suspect added, whatever it claims to be; all when one leaked."""

from typing import Any

from responders.action import Action
from responders.model import Case, Plan, Principal, Subject
from responders.service_principals.enable import Enable
from responders.service_principals.remove_certificates import RemoveCertificates
from responders.service_principals.remove_federated_credentials import RemoveFederatedCredentials
from responders.service_principals.remove_secrets import RemoveSecrets
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, DEPLOYER, MALLORY, NOW, OPS

SECRETS, CERTIFICATES, TRUSTS = RemoveSecrets(), RemoveCertificates(), RemoveFederatedCredentials()
RIGHTS = SECRETS.permissions
KEY = "3b1f0a52-7c84-4e19-9d3a-5f2e8c6b7a01"
TRUST = {"name": "ci", "issuer": "https://issuer.example", "subject": "me", "audiences": ["api://AzureADTokenExchange"]}


def _application(its: Tenant) -> Any:
    return its.sandbox.world.directory.application(DEPLOYER)


def _case(its: Tenant, *, because: str = "") -> Case:
    """The deployer is a suspect: as the alert has it, or for what somebody did to it."""
    mallory = Principal(id=its.graph.id(MALLORY), kind="user", upn=MALLORY)
    deployer = Principal(id=its.graph.id(DEPLOYER), kind="service_principal", name="deployer", because=because)
    return its.case.having(suspects=(mallory, deployer))


async def _plan(its: Tenant, action: Action, *, because: str = "mallory put a credential of his on it") -> Plan:
    subject = Subject(kind="service_principal", id=its.graph.id(DEPLOYER), name="deployer")
    its.forget()
    return await action.plan(_case(its, because=because), subject, its.azure)


async def _adds_secret(its: Tenant, by: str, name: str = "new") -> str:
    its.later(minutes=1)
    body = {"passwordCredential": {"displayName": name}}
    answer = await its.does(by, "POST", f"/applications/{_application(its)['id']}/addPassword", body)
    return str(answer["keyId"])


async def _adds_certificates(its: Tenant, by: str, *keys: str) -> None:
    its.later(minutes=1)
    body = {"keyCredentials": [{"keyId": key, "key": "MIIC", "displayName": "CN=x"} for key in keys]}
    await its.does(by, "PATCH", f"/applications/{_application(its)['id']}", body)


def _old(its: Tenant) -> None:
    """The deployer's own secret as one of long ago."""
    app = _application(its)
    app["passwordCredentials"][0]["startDateTime"] = "2024-01-01T00:00:00Z"


async def test_what_a_suspect_added_goes_and_what_was_there_stays() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        key = await _adds_secret(its, MALLORY)

        plan = await _plan(its, SECRETS)

        assert [(c.before["keyId"], c.familiarity) for c in plan.changes] == [(key, "unfamiliar")]
        assert MALLORY in plan.changes[0].reasons[0]
        assert len(plan.kept) == 1
        assert "nobody added it in the window" in plan.kept[0]


async def test_a_secret_that_claims_to_be_old_is_judged_by_the_log() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        key = await _adds_secret(its, MALLORY)
        _application(its)["passwordCredentials"][1]["startDateTime"] = "2020-01-01T00:00:00Z"

        plan = await _plan(its, SECRETS)

        assert [c.before["keyId"] for c in plan.changes] == [key]


async def test_a_name_that_looks_like_the_log_convicts_nobody_else() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        old = _application(its)["passwordCredentials"][0]["keyId"]
        key = await _adds_secret(its, MALLORY, f"x],[KeyIdentifier={old},KeyType=Password")

        plan = await _plan(its, SECRETS)

        assert [c.before["keyId"] for c in plan.changes] == [key]


async def test_a_name_that_looks_like_the_log_hides_no_certificate() -> None:
    async with tenant(*RIGHTS) as its:
        await _adds_secret(its, MALLORY, f"[KeyIdentifier={KEY},KeyType=AsymmetricX509Cert")
        await _adds_certificates(its, MALLORY, KEY)

        plan = await _plan(its, CERTIFICATES)

        assert [(c.before["keyId"], c.familiarity) for c in plan.changes] == [(KEY, "unfamiliar")]


async def test_what_somebody_else_added_in_the_window_is_offered_by_name() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        await _adds_secret(its, CHIEF)

        assert [c.familiarity for c in (await _plan(its, SECRETS)).changes] == ["unknown"]


async def test_what_begins_in_the_window_and_is_in_no_log_is_offered_by_name() -> None:
    async with tenant(*RIGHTS) as its:
        plan = await _plan(its, SECRETS)  # the deployer's own begins at NOW

        assert [c.familiarity for c in plan.changes] == ["unknown"]
        assert "has nobody adding it" in plan.changes[0].reasons[0]


async def test_when_the_application_itself_is_the_actor_all_it_has_goes_and_its_owner_is_named() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        its.later(minutes=1)
        await its.does(CHIEF, "POST", f"/applications/{_application(its)['id']}/federatedIdentityCredentials", TRUST)

        secrets, trusts = await _plan(its, SECRETS, because=""), await _plan(its, TRUSTS, because="")

        assert [c.familiarity for c in (*secrets.changes, *trusts.changes)] == ["unfamiliar"] * 2
        assert f"{MALLORY} must give it a new credential" in secrets.changes[0].reasons[-1]
        assert MALLORY in secrets.changes[0].lasting


async def test_what_an_application_gave_itself_explains_nothing() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        its.graph.azure.world.directory.grant_graph(its.graph.id(DEPLOYER), "Application.ReadWrite.All", NOW)
        await _adds_secret(its, DEPLOYER)

        assert len((await _plan(its, SECRETS, because="")).changes) == 2


async def test_a_secret_that_another_suspect_added_before_explains_what_the_application_did() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        key = await _adds_secret(its, MALLORY)
        its.later(minutes=5)

        plan = await _plan(its, SECRETS, because="")

        assert [c.before["keyId"] for c in plan.changes] == [key]


async def test_certificates_of_one_list_go_one_by_one_and_come_back() -> None:
    async with tenant(*RIGHTS) as its:
        other = KEY.replace("01", "02")
        await _adds_certificates(its, MALLORY, KEY, other)
        planted = its.state()

        plan = await _plan(its, CERTIFICATES)
        assert await its.apply(CERTIFICATES, *plan.changes[:1]) == ["done"]
        assert [c["keyId"] for c in _application(its)["keyCredentials"]] == [other]
        assert await its.apply(CERTIFICATES, *plan.changes[1:]) == ["done"]
        assert await its.undo(CERTIFICATES, *reversed(plan.changes)) == ["done", "done"]

        assert its.state() == planted


async def test_another_certificate_under_the_key_id_of_a_back_door_goes_with_it() -> None:
    async with tenant(*RIGHTS) as its:
        await _adds_certificates(its, MALLORY, KEY)
        plan = await _plan(its, CERTIFICATES)
        _application(its)["keyCredentials"][0]["key"] = "MIID"

        outcome = await CERTIFICATES.apply(plan.changes[0], its.azure)

        assert (outcome.status, outcome.after["key"]) == ("done", "MIID")
        assert _application(its)["keyCredentials"] == []


async def test_a_trust_that_is_turned_to_somebody_else_after_the_plan_goes_too() -> None:
    async with tenant(*RIGHTS) as its:
        its.later(minutes=1)
        app, directory = _application(its)["id"], its.sandbox.world.directory
        await its.does(MALLORY, "POST", f"/applications/{app}/federatedIdentityCredentials", TRUST)
        (change,) = (await _plan(its, TRUSTS)).changes
        directory.federated[app][0]["subject"] = "another"

        outcome = await TRUSTS.apply(change, its.azure)

        assert (outcome.status, outcome.after["subject"]) == ("done", "another")
        assert directory.federated[app] == []


async def test_an_application_stays_disabled_while_a_back_door_is_left() -> None:
    async with tenant(*RIGHTS) as its:
        await its.does(MALLORY, "PATCH", f"/servicePrincipals/{its.graph.id(DEPLOYER)}", {"tags": []})
        await _adds_secret(its, MALLORY)
        its.sandbox.world.directory.objects[its.graph.id(DEPLOYER)]["accountEnabled"] = False

        plan = await _plan(its, Enable())

        assert plan.changes == ()
        assert "still has secret new" in plan.kept[0]


async def test_an_application_that_somebody_else_disabled_is_left_so() -> None:
    async with tenant(*RIGHTS) as its:
        its.later(minutes=1)
        await its.does(CHIEF, "PATCH", f"/servicePrincipals/{its.graph.id(DEPLOYER)}", {"accountEnabled": False})

        plan = await _plan(its, Enable())

        assert plan.changes == ()
        assert CHIEF in plan.kept[0]


async def test_that_nobody_knows_who_disabled_it_is_said() -> None:
    async with tenant(*RIGHTS) as its:
        its.sandbox.world.directory.objects[its.graph.id(DEPLOYER)]["accountEnabled"] = False

        assert [c.familiarity for c in (await _plan(its, Enable())).changes] == ["unknown"]


async def test_an_application_that_is_not_there_has_nothing_to_remove() -> None:
    async with tenant(*RIGHTS) as its:
        gone = Subject(kind="service_principal", id=its.graph.id(OPS))

        plan = await SECRETS.plan(_case(its), gone, its.azure)

        assert "has no service principal" in plan.reason


async def test_a_trust_by_an_expression_that_the_log_does_not_name_is_offered_and_hides_nothing() -> None:
    async with tenant(*RIGHTS) as its:
        _old(its)
        its.later(minutes=1)
        app, directory = _application(its)["id"], its.sandbox.world.directory
        await its.does(MALLORY, "POST", f"/applications/{app}/federatedIdentityCredentials", TRUST)
        directory.federated[app][0]["subject"] = None
        for change in directory.audits[-1]["targetResources"][0]["modifiedProperties"]:
            change["newValue"] = change["newValue"].replace("me", "x", 1)[:-9]  # cut off

        plan, secrets = await _plan(its, TRUSTS), await _plan(its, SECRETS)

        assert [c.familiarity for c in plan.changes] == ["unknown"]
        assert secrets.changes == ()
