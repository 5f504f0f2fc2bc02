"""A familiar runbook gets back what it ran before the suspect: by the job that ran it, or by a person."""

from collections.abc import AsyncIterator
from hashlib import sha256

import msgspec
import pytest

from responders.model import Known
from responders.subscriptions.restore_runbooks import RestoreRunbooks
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

ACTION = RestoreRunbooks()
RUNBOOKS = "Microsoft.Automation/automationAccounts/runbooks"
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Automation/automationAccounts/aa-ops"
NIGHTLY, COSTS = f"{ACCOUNT}/runbooks/Restart-WebNightly", f"{ACCOUNT}/runbooks/Report-Costs"
HONEST_JOB = f"{ACCOUNT}/jobs/4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5a01"
SCRIPT = "Connect-AzAccount -Identity\nGet-AzVM -ResourceGroupName rg-web | Restart-AzVM\n"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "changed-familiar-runbook.yaml", ACTION.permissions) as there:
        yield there


def scripts(there: Attacked, runbook: str) -> dict[str, str | None]:
    found = there.sandbox.world.get(runbook)
    assert found
    return dict(found.body["sandbox"])


async def test_the_reasons_say_where_the_familiar_script_is_from_and_its_hash(there: Attacked) -> None:
    costs, nightly = (await planned(there, ACTION)).changes
    assert nightly.summary == "publish the last familiar script again of the runbook Restart-WebNightly of aa-ops"
    said = " ".join(nightly.reasons)
    assert sha256(SCRIPT.encode()).hexdigest() in said
    assert "job 4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5a01 ran it" in said
    assert "by the suspect ops@contoso.example" in said
    assert costs.summary == "discard the draft of the runbook Report-Costs of aa-ops"


async def test_both_ways_bring_back_what_was_published(there: Attacked) -> None:
    for change in (await planned(there, ACTION)).changes:
        await there.until_settled(ACTION.apply, change)
        await there.until_settled(ACTION.verify, change)
    assert scripts(there, NIGHTLY) == {"content": SCRIPT, "draft": None}
    assert scripts(there, COSTS) == {"content": "Get-AzConsumptionUsageDetail | Export-Csv costs.csv", "draft": None}


async def test_without_a_job_from_before_a_person_is_told_what_is_there_now(there: Attacked) -> None:
    there.sandbox.world.delete(HONEST_JOB)
    now = scripts(there, NIGHTLY)["content"] or ""
    plan = await planned(there, ACTION)
    assert [change.resource for change in plan.changes] == [COSTS]
    [said] = plan.by_hand
    assert "Restart-WebNightly" in said
    assert sha256(now.encode()).hexdigest() in said


async def test_what_a_job_ran_after_the_first_change_is_not_familiar(there: Attacked) -> None:
    job = there.sandbox.world.get(HONEST_JOB)
    assert job
    later = {**job.properties, "creationTime": there.case.until.isoformat()}
    there.sandbox.world.put(job.id, {**job.body, "properties": later})
    assert "no job from before" in (await planned(there, ACTION)).by_hand[0]


async def test_a_script_that_was_changed_after_the_plan_is_left_alone(there: Attacked) -> None:
    change = (await planned(there, ACTION)).changes[1]
    runbook = there.sandbox.world.get(NIGHTLY)
    assert runbook
    there.sandbox.world.put(NIGHTLY, {**runbook.body, "sandbox": {"content": SCRIPT + "# mended", "draft": None}})
    first = len(there.sandbox.requests)
    assert (await applied(there, ACTION, change)).status == "drifted"
    assert there.writes(first) == []


async def test_the_owners_word_on_a_runbook_keeps_what_the_suspect_wrote(there: Attacked) -> None:
    word = Known(id=NIGHTLY, because="said so by owner@contoso.example", by="0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d01")
    plan = await planned(there, ACTION, known=(word,))
    assert [change.resource for change in plan.changes] == [COSTS]
    assert any("said so by owner@contoso.example" in line for line in plan.kept)


async def test_what_was_done_from_a_network_that_he_used_before_is_offered_by_name(there: Attacked) -> None:
    usual = tuple(msgspec.structs.replace(f, usual=True, address="203.0.113.10") for f in there.case.findings)
    plan = await planned(there, ACTION, findings=usual)
    assert plan.proposed == ()
    assert {change.familiarity for change in plan.changes} == {"unknown"}


async def test_a_deleted_one_is_for_a_person(there: Attacked) -> None:
    deed = there.case.findings[0]
    gone = msgspec.structs.replace(
        deed,
        operation="Microsoft.Automation/automationAccounts/runbooks/delete",
        resource=f"{ACCOUNT}/runbooks/Backup",
        suspect=True,
    )
    plan = await planned(there, ACTION, findings=(*there.case.findings, gone))
    assert any("deleted the runbook Backup" in line for line in plan.by_hand)


async def test_one_that_he_changed_before_he_deleted_it_is_told_all_the_same(there: Attacked) -> None:
    deeds = [
        msgspec.structs.replace(there.case.findings[0], suspect=True, operation=f"{RUNBOOKS}/{verb}", resource=COSTS)
        for verb in ("write", "delete")
    ]

    plan = await planned(there, ACTION, findings=tuple(deeds))

    [line] = [line for line in plan.by_hand if "deleted the runbook Report-Costs" in line]
    assert "which was there before" in line


async def test_one_that_he_made_himself_before_he_deleted_it_is_no_loss() -> None:
    async with attacked(EXERCISES / "planted-automation-assets.yaml", ACTION.permissions) as there:
        plan = await planned(there, ACTION)

        assert [f for f in there.case.findings if f.resource.endswith("/runbooks/Try")]
        assert plan.by_hand == ()


async def test_of_one_that_nobody_knows_the_beginning_of_it_is_said_so() -> None:
    async with attacked(EXERCISES / "planted-automation-assets.yaml", ACTION.permissions) as there:
        for event in (one for held in there.sandbox.world.activity.events.values() for one in held):
            if str(event["resourceId"]).endswith("/runbooks/Try"):
                event["subStatus"] = {"value": "OK"}

        [line] = (await planned(there, ACTION)).by_hand

        assert "deleted the runbook Try" in line
        assert "of which the log of the 89 days before that has nothing" in line
