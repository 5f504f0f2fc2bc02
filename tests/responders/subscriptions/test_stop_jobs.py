"""Jobs that a suspect is behind are stopped; those of honest people on the same runbooks run on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from responders.subscriptions.stop_jobs import StopJobs
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

ACTION = StopJobs()
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Automation/automationAccounts/aa-ops"
STARTED = f"{ACCOUNT}/jobs/4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5a04"
OTHER = f"{ACCOUNT}/jobs/4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5aff"
COSTS = f"{ACCOUNT}/runbooks/Report-Costs"
SCRIPT = "Connect-AzAccount -Identity\nGet-AzVM -ResourceGroupName rg-web | Restart-AzVM\n"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "changed-familiar-runbook.yaml", ACTION.permissions) as there:
        yield there


def job(there: Attacked, script: str, minutes: int = 50, **properties: Any) -> None:
    """A job that runs, started by nobody of whom the log knows."""
    first = there.sandbox.world.get(STARTED)
    assert first
    made = there.sandbox.clock.now() - timedelta(minutes=minutes)
    running = {**first.properties, "status": "Running", "creationTime": made.isoformat(), "parameters": {}}
    body = {"type": first.type, "properties": {**running, **properties}, "sandbox": {"content": script}}
    there.sandbox.world.put(OTHER, body)


async def test_his_job_and_his_test_run_are_stopped(there: Attacked) -> None:
    changes = (await planned(there, ACTION)).changes
    assert {change.resource for change in changes} == {STARTED, f"{COSTS}/draft/testJob"}
    for change in changes:
        await there.until_settled(ACTION.apply, change)
        await there.until_settled(ACTION.verify, change)
    stopped = there.sandbox.world.get(STARTED)
    assert stopped
    assert stopped.properties["status"] == "Stopped"
    assert (await planned(there, ACTION)).changes == ()


async def test_one_that_runs_his_script_is_stopped_whoever_started_it(there: Attacked) -> None:
    job(there, SCRIPT + "Send-Elsewhere")
    [change] = [c for c in (await planned(there, ACTION)).changes if c.resource == OTHER]
    assert "the suspect wrote what it runs" in change.reasons[0]
    assert change.familiarity == "unfamiliar"


async def test_one_that_runs_the_familiar_script_runs_on(there: Attacked) -> None:
    job(there, SCRIPT)
    assert OTHER not in {change.resource for change in (await planned(there, ACTION)).changes}


async def test_one_of_a_runbook_of_which_he_changed_the_draft_alone_runs_on(there: Attacked) -> None:
    job(there, "Get-AzConsumptionUsageDetail", runbook={"name": "Report-Costs"})
    assert OTHER not in {change.resource for change in (await planned(there, ACTION)).changes}


@pytest.mark.parametrize(("hook", "stopped"), [("from-backup", True), ("from-monitoring", False)])
async def test_one_that_a_webhook_started_is_judged_by_who_made_the_webhook(
    there: Attacked, hook: str, *, stopped: bool
) -> None:
    data = f'{{"WebhookName": "{hook}", "RequestBody": "{{}}"}}'
    job(there, "Get-AzVM", runbook={"name": "Report-Costs"}, parameters={"WEBHOOKDATA": data})
    assert (OTHER in {change.resource for change in (await planned(there, ACTION)).changes}) == stopped


async def test_its_parameters_are_no_evidence_since_they_may_be_secret(there: Attacked) -> None:
    job(there, "Send-Elsewhere", parameters={"Password": "a-secret-of-somebody"})
    assert "a-secret-of-somebody" not in str(msgspec.to_builtins((await planned(there, ACTION)).changes))


async def test_one_that_ended_meanwhile_is_stopped_already(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == STARTED)
    ended = there.sandbox.world.get(STARTED)
    assert ended
    there.sandbox.world.put(STARTED, {**ended.body, "properties": {**ended.properties, "status": "Completed"}})
    assert (await applied(there, ACTION, change)).status == "already_so"
