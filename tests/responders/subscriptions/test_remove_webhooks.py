"""What starts familiar runbooks: a suspect's goes, an honest one stays, and a changed one is for a person."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from responders.model import Finding, Known
from responders.subscriptions.remove_webhooks import RemoveWebhooks
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

ACTION = RemoveWebhooks()
KIND = "Microsoft.Automation/automationAccounts"
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/{KIND}/aa-ops"
HONEST, PLANTED = f"{ACCOUNT}/webhooks/from-monitoring", f"{ACCOUNT}/webhooks/from-backup"
QUARTERLY, ON_HONEST = f"{ACCOUNT}/schedules/quarterly", f"{ACCOUNT}/jobSchedules/4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5a03"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "changed-familiar-runbook.yaml", ACTION.permissions) as there:
        yield there


def deed(there: Attacked, operation: str, resource: str) -> Finding:
    [finding, *_] = [f for f in there.case.findings if f.suspect]
    return msgspec.structs.replace(finding, operation=f"{KIND}/{operation}", resource=resource, outcome="succeeded")


async def test_each_is_named_with_what_it_starts(there: Attacked) -> None:
    changes = (await planned(there, ACTION)).changes
    assert {change.resource: change.summary for change in changes} == {
        PLANTED: "delete the webhook from-backup of aa-ops, which starts Restart-WebNightly",
        QUARTERLY: "delete the schedule quarterly of aa-ops, which starts Restart-WebNightly",
        ON_HONEST: f"delete the job schedule {ON_HONEST.rpartition('/')[2]} of aa-ops, which starts Report-Costs",
    }
    assert all("secret URL" in change.lasting for change in changes if change.resource == PLANTED)


async def test_what_goes_with_a_planted_runbook_is_left_to_that() -> None:
    async with attacked(EXERCISES / "stolen-operator-runbook.yaml", ACTION.permissions) as there:
        assert (await planned(there, ACTION)).changes == ()


async def test_an_honest_one_that_he_changed_is_for_a_person_unless_its_owner_knows_it(there: Attacked) -> None:
    findings = (*there.case.findings, deed(there, "webhooks/write", HONEST))
    plan = await planned(there, ACTION, findings=findings)
    assert HONEST not in {change.resource for change in plan.changes}
    [said] = plan.by_hand
    assert "changed the webhook from-monitoring of aa-ops" in said

    plan = await planned(there, ACTION, known=(Known(id=HONEST, because="declared in COUNTERSIGN_FAMILIAR"),))
    assert plan.by_hand == ()
    assert "declared in COUNTERSIGN_FAMILIAR" in plan.kept[0]


async def test_one_that_he_deleted_is_for_a_person(there: Attacked) -> None:
    gone = deed(there, "schedules/delete", f"{ACCOUNT}/schedules/monthly")
    [said] = (await planned(there, ACTION, findings=(*there.case.findings, gone))).by_hand
    assert "deleted the schedule monthly of aa-ops" in said


async def test_what_has_no_date_is_old_unless_the_log_may_lack_who_wrote_it(there: Attacked) -> None:
    link = there.sandbox.world.get(ON_HONEST)
    assert link
    other = f"{ACCOUNT}/jobSchedules/4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5afe"
    properties = {**link.properties, "jobScheduleId": other.rpartition("/")[2]}
    there.sandbox.world.put(other, {**link.body, "id": other, "properties": properties})

    assert other not in {change.resource for change in (await planned(there, ACTION)).changes}

    gaps = {there.case.subscription: "the log may lack some"}
    changes = {change.resource: change for change in (await planned(there, ACTION, gaps=gaps)).changes}
    assert changes[other].familiarity == "unknown"
    assert "the log may lack some" in changes[other].reasons[0]
    assert changes[ON_HONEST].familiarity == "unfamiliar"


async def test_one_with_a_name_that_is_not_handled_keeps_no_other_from_going(there: Attacked) -> None:
    gone = deed(there, "schedules/delete", f"{ACCOUNT}/schedules/it's <b>")
    hook = there.sandbox.world.get(PLANTED)
    assert hook
    odd = f"{ACCOUNT}/webhooks/it's"
    there.sandbox.world.put(odd, {**hook.body, "id": odd, "name": "it's"})

    plan = await planned(there, ACTION, findings=(*there.case.findings, gone))

    changes = {change.resource: change for change in plan.changes}
    assert PLANTED in changes
    assert (await applied(there, ACTION, changes[odd])).status == "done"
    assert odd not in there.sandbox.world
    assert any("deleted the schedule it's <b> of aa-ops" in line for line in plan.by_hand)


async def test_a_schedule_of_his_goes_with_the_links_that_it_gets_after_the_plan(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == QUARTERLY)
    world, more = there.sandbox.world, f"{ACCOUNT}/jobSchedules/4b1e7c90-5d2a-4f83-9a6c-1e0d7b3f5aff"
    link = world.get(ON_HONEST)
    assert link
    properties = {**link.properties, "schedule": {"name": "quarterly"}, "jobScheduleId": more.rpartition("/")[2]}
    world.put(more, {**link.body, "id": more, "properties": properties})
    outcome = await applied(there, ACTION, change)
    assert (outcome.status, [item["id"] for item in outcome.after["items"]]) == ("done", [more])
    assert QUARTERLY not in world
    assert more not in world
