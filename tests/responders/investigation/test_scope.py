"""How far the suspects reached: whom they let in or took over, and where else they worked."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from playbooks.dispatch import subjects
from responders.actions import permissions
from responders.ids import ResourceId
from responders.investigation import reach
from responders.investigation import scope as module
from responders.investigation.scope import placed, widen
from responders.model import Case, Known, Principal
from sandbox.people import People
from sandbox.scene import EXERCISES
from sandbox.world_file import Call
from tests.laws.stage import Attacked, attacked

PLANTED, GUEST, TWO = (
    EXERCISES / f"{name}.yaml" for name in ("planted-delegation", "identities-of-his-own", "two-subscriptions")
)
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
DEV = "a91d4e07-62cf-4f3b-8e28-c7b05d13f986"
IDENTITY = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-web"


async def does(there: Attacked, by: str, method: str, target: str, body: object) -> None:
    async with People(there.sandbox, there.scene) as people:
        call = {"at": "PT0S", "as": by, method: target, "body": body}
        await people.make(msgspec.convert(call, Call), "the test")


async def widened(there: Attacked, **fields: Any) -> tuple[Case, tuple[str, ...]]:
    named = tuple(s for s in there.case.suspects if not s.because)  # by the alert
    case = there.case.having(until=there.sandbox.clock.now(), suspects=named, others=(), notes=())
    return await widen(there.azure, case.having(**fields))


def suspects(case: Case) -> dict[str, Principal]:
    return {s.upn or s.name: s for s in case.suspects}


async def test_whom_a_suspect_delegated_to_is_a_suspect_of_another_tenant() -> None:
    async with attacked(PLANTED, permissions()) as there:
        case, unknown = await widened(there)
        stranger = suspects(case)["Support"]
        assert (stranger.kind, stranger.id) == ("foreign", there.scene.who("mallory@tailspin.example"))
        assert stranger.because.startswith("iam@contoso.example delegated subscription 3f6c2b1a")
        assert "Fabrikam operations" not in suspects(case)
        assert unknown == ()


@pytest.mark.parametrize("young", [True, False])
async def test_a_user_whom_a_suspect_gave_rights_is_one_if_he_did_not_exist_before(young: bool) -> None:  # noqa: FBT001
    async with attacked(PLANTED, permissions()) as there:
        id_, at = "0b5d8a51-6c1e-4f0a-8d5e-bbbbbbbbbbbb", there.case.since + timedelta(hours=1 if young else -1)
        new = {"upn": "new@contoso.example", "id": id_, "created": at.isoformat()}
        there.sandbox.world.load({"users": [new]}, there.sandbox.clock.now())
        reader = f"{PROD}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
        body = {"properties": {"roleDefinitionId": reader, "principalId": id_, "principalType": "User"}}
        grant = f"{PROD}/providers/Microsoft.Authorization/roleAssignments/{id_}?api-version=2022-04-01"
        await does(there, "iam@contoso.example", "put", grant, body)

        case, _ = await widened(there)

        assert ("new@contoso.example" in suspects(case)) == young


async def test_what_an_owner_knows_is_no_suspect_unless_it_was_taken_over() -> None:
    async with attacked(GUEST, permissions()) as there:
        case, _ = await widened(there)
        guest = next(s for s in case.suspects if s.kind == "guest")
        backup = suspects(case)["legacy-backup"]
        said = [Known(id=one.id, because="said so by olivia", by="o") for one in (guest, backup)]
        case, _ = await widened(there, known=tuple(said))
        assert guest.upn not in suspects(case)
        assert "legacy-backup" in suspects(case)
        assert case.notes == (f"{guest.upn} is held to be no suspect: said so by olivia.",)


@pytest.mark.parametrize(
    ("target", "verb"),
    [("/federatedIdentityCredentials/hub", "put a federated credential on it"), ("", "made it")],
)
async def test_a_managed_identity_that_a_suspect_took_over_or_made_is_a_suspect(target: str, verb: str) -> None:
    async with attacked(PLANTED, permissions()) as there:
        who = "iam@contoso.example" if not target else "ops@contoso.example"
        await does(there, who, "put", f"{IDENTITY}?api-version=2023-01-31", {"location": "westeurope"})
        if target:
            body = {"properties": {"issuer": "https://x.example", "subject": "s", "audiences": ["a"]}}
            await does(there, "iam@contoso.example", "put", f"{IDENTITY}{target}?api-version=2023-01-31", body)
        case, _ = await widened(there)
        [taken] = [s for s in case.suspects if s.kind == "managed_identity"]
        assert verb in taken.because


async def test_a_managed_identity_that_somebody_else_made_is_none() -> None:
    async with attacked(PLANTED, permissions()) as there:
        await does(
            there, "ops@contoso.example", "put", f"{IDENTITY}?api-version=2023-01-31", {"location": "westeurope"}
        )
        case, _ = await widened(there)
        assert not any(s.kind == "managed_identity" for s in case.suspects)


async def test_another_subscription_in_which_a_suspect_worked_is_a_subject_with_its_reason() -> None:
    async with attacked(TWO, permissions()) as there:
        case, unknown = await widened(there)
        [other] = case.others
        assert (other.kind, other.id, unknown) == ("subscription", DEV, ())
        assert other.reason.startswith("ops@contoso.example worked there too: Microsoft.")
        assert {s.id for s in subjects(case) if s.kind == "subscription"} == {PROD.rpartition("/")[2], DEV}


async def test_the_findings_of_both_are_one_and_machines_of_both_are_subjects() -> None:
    async with attacked(TWO, permissions()) as there:
        assert {ResourceId.parse(f.resource).subscription for f in there.case.findings if f.suspect} == {
            PROD.rpartition("/")[2],
            DEV,
        }
        assert [s.name for s in subjects(there.case) if s.kind == "vm"] == ["vm-try-1"]
        assert list(there.case.findings) == sorted(there.case.findings, key=lambda f: (f.at, f.operation, f.resource))


async def test_one_in_which_nobody_of_them_worked_is_none() -> None:
    async with attacked(TWO, permissions()) as there:
        nobody = Principal(id="9" * 8, kind="unknown", name="nobody")
        case, _ = await widened(there, suspects=(nobody,))
        assert case.others == ()


async def test_a_subscription_that_may_not_be_read_is_left_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    async with attacked(PLANTED, permissions()) as there:
        covered = (*there.azure.settings.subscriptions, DEV)
        monkeypatch.setattr(
            there.azure, "settings", msgspec.structs.replace(there.azure.settings, subscriptions=covered)
        )
        case, unknown = await widened(there)
        assert case.others == ()
        [said] = unknown
        assert f"Whether the suspects worked in subscription {DEV} is unknown." in said


async def test_a_subscription_that_only_the_alert_names_is_left_to_a_person() -> None:
    async with attacked(PLANTED, permissions()) as there:
        alert = msgspec.structs.replace(there.case.alert, resources=(PROD, f"/subscriptions/{DEV}", "no id"))
        _, unknown = await widened(there, alert=alert)
        [said] = unknown
        assert f"subscription {DEV}, which is not in COUNTERSIGN_SUBSCRIPTIONS" in said


async def test_of_more_subscriptions_than_are_looked_at_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBSCRIPTIONS", 0)
    async with attacked(PLANTED, permissions()) as there:
        covered = (*there.azure.settings.subscriptions, DEV)
        monkeypatch.setattr(
            there.azure, "settings", msgspec.structs.replace(there.azure.settings, subscriptions=covered)
        )
        _, unknown = await widened(there)
        assert DEV in unknown[0]


async def test_a_log_too_long_to_be_looked_through_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "MOST", 1)
    async with attacked(PLANTED, permissions()) as there:
        with pytest.raises(Exception, match="more than 1 events"):
            await reach.Reach(there.azure, there.case, there.case.subscription).worked([])


def test_whom_nobody_knows_is_placed_by_his_tokens_in_the_log() -> None:
    from tests.responders.test_familiarity import case, deed

    stranger = Principal(id="9" * 8, kind="unknown")
    seen = case(suspects=(stranger,)).having(findings=(deed("/x", caller="9" * 8, tenant="T2"),))
    assert placed(seen).suspects == (msgspec.structs.replace(stranger, kind="foreign", tenant="T2"),)
    own = seen.having(findings=(deed("/x", caller="9" * 8, tenant="t"),))
    assert placed(own).suspects == (stranger,)
