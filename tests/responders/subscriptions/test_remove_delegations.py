"""How somebody of another tenant is locked out: by ending what lets him in, and never by this directory."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from playbooks.dispatch import by_hand, subjects
from responders.model import Finding, Known, Plan
from responders.subscriptions.remove_delegations import RemoveDelegations
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked

PARTNER, PLANTED = EXERCISES / "delegated-partner.yaml", EXERCISES / "planted-delegation.yaml"
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
HONEST = f"{PROD}/providers/Microsoft.ManagedServices/registrationAssignments/5d0c8e7a-1f2b-4a3c-9d4e-6f7a8b9c0d02"
TENANT = "e2f81d90-4c7a-4b35-9d06-8a1b2c3d4e50"
ACTION = RemoveDelegations()


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(PARTNER, ACTION.permissions) as there:
        yield there


async def planned(there: Attacked, **fields: Any) -> Plan:
    there.case = there.case.having(**fields)
    [subject] = [s for s in subjects(there.case) if s.kind == "subscription"]
    return await ACTION.plan(there.case, subject, there.azure)


async def test_nobody_of_another_tenant_is_disabled_here(there: Attacked) -> None:
    [suspect] = there.case.suspects
    assert (suspect.kind, suspect.tenant) == ("foreign", TENANT)
    assert [s.kind for s in subjects(there.case)] == ["subscription"]
    assert by_hand(there.case) == ()


async def test_a_partners_delegation_is_offered_by_name_with_whom_it_locks_out(there: Attacked) -> None:
    plan = await planned(there)
    [change] = plan.changes
    assert (change.resource, change.familiarity, plan.proposed) == (HONEST, "unknown", ())
    assert change.summary == f"end the delegation Fabrikam Managed Services to tenant {TENANT} at {PROD}"
    said = " ".join(change.reasons)
    assert "before the window" in said
    assert f"it names pat@fabrikam.example, and ending it locks out all of tenant {TENANT}" in said
    assert "Fabrikam operations becomes Contributor" in said
    assert not change.before["both"]
    assert plan.by_hand == ()


async def test_one_that_names_only_groups_of_his_tenant_is_offered_too(there: Attacked) -> None:
    [suspect] = there.case.suspects
    other = msgspec.structs.replace(suspect, id="0" * 8 + suspect.id[8:])
    [change] = (await planned(there, suspects=(other,))).changes
    assert "perhaps by a group" in " ".join(change.reasons)


async def test_one_that_is_known_to_be_good_is_kept_and_what_is_left_is_said(there: Attacked) -> None:
    plan = await planned(there, known=(Known(id=HONEST, because="declared in COUNTERSIGN_FAMILIAR"),))
    assert plan.changes == ()
    assert "declared in COUNTERSIGN_FAMILIAR" in plan.kept[0]
    assert "have that tenant block the account" in plan.by_hand[0]


async def test_where_no_delegation_lets_him_in_the_partners_way_is_said(there: Attacked) -> None:
    there.sandbox.world.delete(HONEST)
    plan = await planned(there)
    assert plan.changes == ()
    [said] = plan.by_hand
    assert all(word in said for word in ("pat@fabrikam.example", TENANT, "GDAP", "Partner Center"))


async def test_a_delegation_that_was_changed_since_is_left_alone(there: Attacked) -> None:
    [change] = (await planned(there)).changes
    contract = there.sandbox.world.get(change.before["definition"]["id"])
    assert contract
    more = {**contract.properties, "managedByTenantId": "b6d4c2a0-9e8f-4a1b-8c7d-5e6f7a8b9c01"}
    there.sandbox.world.put(contract.id, {**contract.body, "properties": more})
    assert (await there.until_settled(ACTION.apply, change)).status == "drifted"
    assert HONEST in there.sandbox.world


async def test_of_two_only_that_which_the_suspect_made_is_proposed_with_its_definition() -> None:
    async with attacked(PLANTED, ACTION.permissions) as there:
        plan = await planned(there)
        [change] = plan.proposed
        assert plan.changes == (change,)
        assert change.before["both"]
        assert change.resource != HONEST
        assert "by the suspect iam@contoso.example" in change.reasons[0]


async def test_a_definition_that_another_delegation_needs_stays() -> None:
    async with attacked(PLANTED, ACTION.permissions) as there:
        [change] = (await planned(there)).proposed
        made = there.sandbox.world.get(change.resource)
        assert made
        group = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.ManagedServices/registrationAssignments/{'1' * 8}"
        there.sandbox.world.put(group, made.body)
        changes = (await planned(there)).changes
        assert [c.before["both"] for c in changes] == [False] * len(changes)


@pytest.mark.parametrize("what", ["registrationAssignments", "registrationDefinitions"])
async def test_an_older_one_that_a_suspect_wrote_again_is_offered_and_not_taken_for_his(
    there: Attacked, what: str
) -> None:
    item = there.sandbox.world.get(HONEST)
    assert item is not None
    resource = HONEST if what == "registrationAssignments" else item.properties["registrationDefinitionId"]
    [stranger] = there.case.suspects
    iam = msgspec.structs.replace(stranger, id="0" * 8 + stranger.id[8:], kind="user", tenant="", upn="", name="iam")
    wrote = Finding(
        rule="other",
        reason="",
        at=there.case.until,
        operation=f"Microsoft.ManagedServices/{what}/write",
        resource=resource,
        caller=iam.id,
    )

    [change] = (await planned(there, suspects=(iam,), findings=(wrote,))).changes

    assert (change.resource, change.familiarity) == (HONEST, "unknown")
    assert "wrote it again" in " ".join(change.reasons)
