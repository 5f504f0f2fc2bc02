"""Guards that a suspect deleted, changed or opened are put back as the log has them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from responders.model import Known
from responders.subscriptions.restore_guards import RestoreGuards
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, of, planned, plant

ACTION = RestoreGuards()
BLINDED, OPENED = EXERCISES / "diagnostics-off-and-suppressed.yaml", EXERCISES / "nsg-and-storage-opened.yaml"
AUTHORIZATION = "providers/Microsoft.Authorization"
KEEP = f"{PROD}/resourceGroups/rg-data/{AUTHORIZATION}/locks/keep"
MINE = f"{PROD}/resourceGroups/rg-ops/{AUTHORIZATION}/locks/mine"
NOISE = f"{PROD}/providers/Microsoft.Security/alertsSuppressionRules/noise"
PLAN = f"{PROD}/providers/Microsoft.Security/pricings/Arm"
COPY = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/stcontosoprod/providers/Microsoft.Insights/diagnosticSettings/copy"  # noqa: E501
AGENTS = f"{PROD}/{AUTHORIZATION}/policyAssignments/agents"
RULES = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.Network/networkSecurityGroups/nsg-web/securityRules"


@pytest.fixture
async def blinded() -> AsyncIterator[Attacked]:
    async with attacked(BLINDED, ACTION.permissions) as there:
        yield there


@pytest.fixture
async def opened() -> AsyncIterator[Attacked]:
    async with attacked(OPENED, ACTION.permissions) as there:
        yield there


def forget(there: Attacked, resource: str, before: str) -> None:
    """The log keeps nothing of a resource from before a time."""
    for events in there.sandbox.world.activity.events.values():
        events[:] = [e for e in events if e["resourceId"].lower() != resource.lower() or e["eventTimestamp"] >= before]


def stand(there: Attacked, resource: str) -> Any:
    found = there.sandbox.world.get(resource)
    return found and found.properties


async def test_what_was_deleted_changed_and_added_is_told_apart_with_before_and_after(blinded: Attacked) -> None:
    plan = await planned(blinded, ACTION)

    assert of(plan, KEEP).summary == "make anew: the lock keep of rg-data"
    assert of(plan, NOISE).summary == "delete: the suppression rule noise of 3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
    arm = of(plan, PLAN)
    assert arm.summary.startswith("put back as it was: the Defender plan Arm")
    assert any('pricingTier was "Standard", is "Free"' in reason for reason in arm.reasons)
    assert any("owner@contoso.example wrote it" in reason for reason in arm.reasons)


async def test_locks_of_the_intruder_go_first_and_those_that_come_back_come_last(blinded: Attacked) -> None:
    plan = await planned(blinded, ACTION)

    assert (plan.changes[0].resource, plan.changes[-1].resource) == (MINE, KEEP)


async def test_a_guard_of_which_the_log_has_nothing_from_before_is_for_a_person(blinded: Attacked) -> None:
    forget(blinded, KEEP, f"{blinded.case.since:%Y-%m-%dT%H:%M}")

    plan = await planned(blinded, ACTION)

    assert not [c for c in plan.changes if c.resource == KEEP]
    [told] = plan.by_hand
    assert KEEP in told
    assert "sam@contoso.example" in told


async def test_what_the_suspect_perhaps_only_changed_is_deleted_where_an_approver_names_it(blinded: Attacked) -> None:
    change = of(await planned(blinded, ACTION), COPY)
    was = stand(blinded, COPY)

    await applied(blinded, ACTION, change)
    gone = stand(blinded, COPY)
    await ACTION.undo(change, blinded.azure)

    assert (change.summary, change.familiarity) == ("delete: the diagnostic setting copy of stcontosoprod", "unknown")
    assert "no write of it is in the 89 days before that the log keeps" in " ".join(change.reasons)
    assert gone is None
    assert stand(blinded, COPY) == was


async def test_a_suppression_goes_unless_somebody_objects_though_it_may_be_older(blinded: Attacked) -> None:
    change = of(await planned(blinded, ACTION), NOISE)

    assert change.familiarity == "unfamiliar"
    assert "it may be older; nothing watches less without it" in " ".join(change.reasons)


async def test_an_answer_201_is_no_proof_that_the_suspect_made_what_azure_says_is_older(blinded: Attacked) -> None:
    agents = blinded.sandbox.world.get(AGENTS)
    assert agents is not None
    agents.stamps["createdAt"] = "2020-01-01T00:00:00Z"

    plan = await planned(blinded, ACTION)

    assert AGENTS not in {c.resource for c in plan.changes}
    assert [line for line in plan.by_hand if AGENTS in line]


async def test_what_went_with_a_resource_that_was_deleted_is_nobodys_business(blinded: Attacked) -> None:
    swept = of(await planned(blinded, ACTION), COPY)
    store = COPY.partition("/providers/Microsoft.Insights")[0]
    blinded.sandbox.world.delete(COPY)
    change = replace(swept, action="subscriptions.delete_resources", before={"parts": [{"id": store}]})

    plan = await planned(blinded, ACTION, done=(change,))
    alone = await planned(blinded, ACTION, done=())

    assert not [line for line in (*plan.by_hand, *plan.kept) if COPY in line]
    assert [line for line in alone.by_hand if COPY in line]


async def test_what_azure_gives_no_time_and_the_log_no_other_write_is_perhaps_older(blinded: Attacked) -> None:
    agents = blinded.sandbox.world.get(AGENTS)
    assert agents is not None
    agents.stamps.clear()

    change = of(await planned(blinded, ACTION), AGENTS)

    assert change.familiarity == "unknown"


async def test_a_guard_that_somebody_else_wrote_after_the_suspect_is_left_and_shown(blinded: Attacked) -> None:
    events = blinded.sandbox.world.activity.events[PROD.rpartition("/")[2]]
    theirs = next(e for e in events if e["resourceId"] == PLAN and e["caller"] == "owner@contoso.example")
    blinded.sandbox.world.activity.add(
        {**theirs, "eventDataId": "later", "correlationId": "later", "operationId": "later"}
        | {"eventTimestamp": events[-1]["eventTimestamp"], "submissionTimestamp": events[-1]["submissionTimestamp"]}
    )

    plan = await planned(blinded, ACTION)

    assert not [c for c in plan.changes if c.resource == PLAN]
    assert any("Arm" in line and "owner@contoso.example" in line for line in plan.kept)


async def test_a_guard_that_changed_since_the_plan_is_left_as_it_is(blinded: Attacked) -> None:
    change = of(await planned(blinded, ACTION), NOISE)
    plant(blinded, NOISE, comment="another one")

    outcome = await applied(blinded, ACTION, change)

    assert outcome.status == "drifted"
    assert stand(blinded, NOISE)["comment"] == "another one"


async def test_an_owners_word_keeps_what_the_suspect_wrote(blinded: Attacked) -> None:
    said = Known(id=NOISE, because="said so by owner@contoso.example", by="somebody")

    plan = await planned(blinded, ACTION, known=(said,))

    assert NOISE not in {c.resource for c in plan.changes}
    assert any("noise" in line and "said so" in line for line in plan.kept)


async def test_what_the_settings_call_familiar_is_guarded_all_the_same(opened: Attacked) -> None:
    declared = Known(id=f"{PROD}/resourceGroups/rg-web", because="declared in COUNTERSIGN_FAMILIAR")

    plan = await planned(opened, ACTION, known=(declared,))

    assert of(plan, f"{RULES}/ssh").familiarity == "unfamiliar"


async def test_a_rule_goes_through_the_lock_of_its_group_which_is_there_again(opened: Attacked) -> None:
    lock = f"{PROD}/resourceGroups/rg-web/{AUTHORIZATION}/locks/prod"
    plant(opened, lock, level="CanNotDelete")
    change = of(await planned(opened, ACTION), f"{RULES}/ssh")
    assert "the lock prod (CanNotDelete) of rg-web: taken off for that, and put back" in change.summary

    outcome = await applied(opened, ACTION, change)

    assert outcome.status == "done"
    assert stand(opened, f"{RULES}/ssh") is None
    assert stand(opened, lock) == {"level": "CanNotDelete"}


async def test_a_rule_that_was_narrow_before_is_narrow_again(opened: Attacked) -> None:
    change = of(await planned(opened, ACTION), f"{RULES}/bastion")

    await applied(opened, ACTION, change)

    assert stand(opened, f"{RULES}/bastion")["sourceAddressPrefix"] == "10.20.9.0/24"


async def test_one_guard_with_a_name_that_we_do_not_handle_does_not_keep_the_others_down(blinded: Attacked) -> None:
    odd = f"{PROD}/providers/Microsoft.Insights/activityLogAlerts/owners [prod]"
    deed = next(f for f in blinded.case.findings if f.suspect and f.resource.lower() == KEEP.lower())
    wrote = replace(deed, operation="microsoft.insights/activitylogalerts/delete", resource=odd)

    plan = await planned(blinded, ACTION, findings=(*blinded.case.findings, wrote))

    assert KEEP in [change.resource for change in plan.changes]
    assert sum(odd in line for line in plan.by_hand) == 1
