"""What is done about a managed identity, and what is left for a person."""

from responders.managed_identities.remove_federated_credentials import RemoveFederatedCredentials
from responders.model import Case, Maker, Plan, Principal, Subject
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ACCOUNT, GROUP, MALLORY, NOW, SUBSCRIPTION

ACTION = RemoveFederatedCredentials()
RIGHTS = [right for right in ACTION.permissions if "/" not in right]
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-deploy"
TRUST = f"{IDENTITY}/federatedIdentityCredentials/ci"


def _load(its: Tenant, resource: str = IDENTITY) -> None:
    body = {"properties": {"issuer": "https://issuer.example", "subject": "me", "audiences": ["x"]}}
    role = {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Reader", "principal": its.sandbox.world.tenant}
    responder = next(o for o in its.sandbox.world.directory.objects.values() if o.get("displayName") == "responder")
    role["principal"] = responder["id"]
    what = {
        "service_principals": [{"name": "id-deploy", "kind": "managed_identity", "resource": resource}],
        "resources": [{"id": IDENTITY, "location": "westeurope", "properties": {}}, {"id": TRUST, **body}],
        "role_assignments": [role],
    }
    its.sandbox.world.load(what, its.sandbox.clock.now())


async def _plan(its: Tenant, *, because: str = "", **facts: object) -> Plan:
    entry = next(o for o in its.sandbox.world.directory.objects.values() if o.get("displayName") == "id-deploy")
    mallory = Principal(id=its.graph.id(MALLORY), kind="user", upn=MALLORY)
    suspect = Principal(id=entry["id"], kind="managed_identity", name="id-deploy", because=because)
    case: Case = its.case.having(suspects=(mallory, suspect), **facts)
    subject = Subject(kind="managed_identity", id=entry["id"], name="id-deploy")
    return await ACTION.plan(case, subject, its.azure)


async def test_the_resource_of_an_identity_that_acted_is_named_to_a_person() -> None:
    async with tenant(*RIGHTS) as its:
        _load(its, ACCOUNT)

        plan = await _plan(its)

        assert plan.changes == ()
        assert ACCOUNT in plan.by_hand[0]


async def test_an_identity_that_was_only_taken_over_leaves_nothing_to_a_person() -> None:
    async with tenant(*RIGHTS) as its:
        _load(its)

        assert (await _plan(its, because="mallory put a federated credential on it")).by_hand == ()


async def test_what_no_log_tells_of_is_offered_by_name() -> None:
    async with tenant(*RIGHTS) as its:
        _load(its)

        assert [c.familiarity for c in (await _plan(its, because="x")).changes] == ["unknown"]


async def test_one_without_a_subject_does_not_keep_the_others_from_being_looked_at() -> None:
    async with tenant(*RIGHTS) as its:
        _load(its)
        trust = its.sandbox.world.get(TRUST)
        assert trust
        trust.properties.pop("subject")

        (change,) = (await _plan(its, because="x")).changes

        assert "for no one subject" in change.summary


async def test_what_nobody_wrote_in_the_window_stays() -> None:
    async with tenant(*RIGHTS) as its:
        _load(its)
        trust = its.sandbox.world.get(TRUST)
        assert trust
        trust.stamps.clear()  # not every resource has systemData

        plan = await _plan(its, because="x", makers={"/some/other": Maker(id="somebody", at=NOW)})

        assert plan.changes == ()
        assert "nobody wrote it in the window" in plan.kept[0]


async def test_an_identity_in_a_subscription_that_is_not_guarded_is_told_to_a_person() -> None:
    async with tenant(*RIGHTS) as its:
        _load(its, IDENTITY.replace(SUBSCRIPTION, "00000000-0000-4000-8000-000000000001"))

        plan = await _plan(its, because="x")

        assert plan.changes == ()
        assert "outside of the incident's subscriptions" in plan.by_hand[0]
