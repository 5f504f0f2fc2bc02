"""Automation jobs, schedules and webhooks, with azure-mgmt-automation as Microsoft ships it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.estate import ACCOUNT, NOW, OPS, READER, Rest, browser
from tests.sandbox.runbooks import AT, JOB, LINK, SCRIPT, hook, link, opened, plant, text, timer

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "automation"


async def test_a_job_moves_with_the_clock() -> None:
    async with opened() as (azure, client):
        await plant(client, script=b"Write-Output 1")
        made = await client.job.create(
            *AT, JOB, {"properties": {"runbook": {"name": "Nightly"}, "parameters": {"a": "1"}}}
        )
        assert (made.properties.status, made.properties.provisioning_state, made.properties.started_by) == (
            "New",
            "Processing",
            OPS,
        )
        azure.clock.advance(timedelta(seconds=6))
        listed = [j async for j in client.job.list_by_automation_account(*AT)]
        assert [(j.name, j.properties.status, j.properties.get("startedBy")) for j in listed] == [
            (JOB, "Running", None)
        ]
        azure.clock.advance(timedelta(minutes=2))
        done = await client.job.get(*AT, JOB)
        assert (done.properties.status, done.properties.provisioning_state) == ("Completed", "Succeeded")
        assert done.properties.end_time == NOW + timedelta(seconds=65)
        with pytest.raises(HttpResponseError, match="Completed"):
            await client.job.stop(*AT, JOB)
        with pytest.raises(ResourceExistsError):
            await client.job.create(*AT, JOB, {"properties": {"runbook": {"name": "Nightly"}}})


async def test_a_running_job_is_stopped_and_its_script_stays_as_evidence() -> None:
    async with opened() as (azure, client):
        await plant(client)
        before = azure.world.snapshot()
        await client.job.create(*AT, JOB, {"properties": {"runbook": {"name": "Nightly"}}})
        azure.clock.advance(timedelta(days=2))
        assert (await client.job.get(*AT, JOB)).properties.status == "Running"
        await client.job.stop(*AT, JOB)
        stopped = azure.world.get(f"{ACCOUNT}/jobs/{JOB}")
        assert stopped
        assert stopped.properties["status"] == "Stopping"
        assert (await client.job.get(*AT, JOB)).properties.status == "Stopped"
        assert azure.world.snapshot() == before  # runs are records, no part of how the world is
        await client.runbook.delete(*AT, "Nightly")
        assert await text(await client.job.get_runbook_content(*AT, JOB)) == SCRIPT.decode()
        assert await text(await client.job.get_output(*AT, JOB)) == ""
        assert [s async for s in client.job_stream.list_by_job(*AT, JOB)] == []


async def test_a_job_is_suspended_and_resumed() -> None:
    async with opened() as (azure, client):
        await plant(client)
        await client.job.create(*AT, JOB, {"properties": {"runbook": {"name": "Nightly"}}})
        azure.clock.advance(timedelta(minutes=1))
        await client.job.suspend(*AT, JOB)
        assert (await client.job.get(*AT, JOB)).properties.status == "Suspended"
        await client.job.resume(*AT, JOB)
        assert (await client.job.get(*AT, JOB)).properties.status == "Running"
        running = [j async for j in client.job.list_by_automation_account(*AT, filter="properties/status eq 'Running'")]
        stopped = [j async for j in client.job.list_by_automation_account(*AT, filter="properties/status eq 'Stopped'")]
        assert (len(running), len(stopped)) == (1, 0)


async def test_a_test_run_is_in_no_list() -> None:
    async with opened() as (azure, client):
        body = {"location": "westeurope", "properties": {"runbookType": "PowerShell", "draft": {}}}
        await client.runbook.create_or_update(*AT, "Nightly", body)
        await client.test_job.create(*AT, "Nightly", {})
        azure.clock.advance(timedelta(seconds=10))
        assert (await client.test_job.get(*AT, "Nightly")).status == "Running"
        assert [j async for j in client.job.list_by_automation_account(*AT)] == []
        await client.test_job.stop(*AT, "Nightly")
        assert (await client.test_job.get(*AT, "Nightly")).status == "Stopped"


async def test_a_schedule_is_made_disabled_and_deleted() -> None:
    async with opened() as (azure, client):
        made = await client.schedule.create_or_update(*AT, "daily", timer())
        assert (made.properties.is_enabled, made.properties.next_run) == (True, NOW + timedelta(hours=1))
        azure.clock.advance(timedelta(days=3))
        read = await client.schedule.get(*AT, "daily")
        assert read.properties.next_run == NOW + timedelta(days=3, hours=1)
        off = await client.schedule.update(*AT, "daily", {"name": "daily", "properties": {"isEnabled": False}})
        assert (off.properties.is_enabled, off.properties.next_run) == (False, None)
        await client.schedule.delete(*AT, "daily")
        with pytest.raises(ResourceNotFoundError):
            await client.schedule.delete(*AT, "daily")


@pytest.mark.parametrize("start", [timedelta(days=-1), timedelta(minutes=4)])
async def test_a_schedule_must_begin_five_minutes_from_now(start: timedelta) -> None:
    async with opened() as (_, client):
        with pytest.raises(HttpResponseError, match="at least 5 minutes"):
            await client.schedule.create_or_update(*AT, "daily", timer(start))


async def test_schedules_come_a_hundred_a_page() -> None:
    async with opened() as (azure, client):
        for i in range(150):
            azure.world.put(f"{ACCOUNT}/schedules/s{i}", {"properties": {**timer()["properties"], "isEnabled": False}})
        assert len([s async for s in client.schedule.list_by_automation_account(*AT)]) == 150
        assert sum(r.path.endswith("/schedules") for r in azure.requests) == 2


async def test_a_job_schedule_links_what_is_there_and_is_never_changed() -> None:
    async with opened() as (_, client):
        await plant(client)
        with pytest.raises(ResourceNotFoundError):
            await client.job_schedule.create(*AT, LINK, link())
        await client.schedule.create_or_update(*AT, "daily", timer())
        made = await client.job_schedule.create(*AT, LINK, link())
        assert made.properties.job_schedule_id == LINK
        with pytest.raises(ResourceExistsError):
            await client.job_schedule.create(*AT, LINK, link())
        await client.job_schedule.delete(*AT, LINK)
        with pytest.raises(ResourceNotFoundError):
            await client.job_schedule.delete(*AT, LINK)
        await client.job_schedule.create(*AT, LINK, link())
        await client.schedule.delete(*AT, "daily")
        assert [j async for j in client.job_schedule.list_by_automation_account(*AT)] == []


async def test_a_webhook_starts_jobs_for_whoever_knows_its_uri() -> None:
    async with opened() as (azure, client), browser(azure) as session:
        await plant(client)
        uri = await hook(client)
        shown = json.dumps([w.as_dict() async for w in client.webhook.list_by_automation_account(*AT)])
        shown += json.dumps((await client.webhook.get(*AT, "door")).as_dict()) + json.dumps(azure.world.snapshot())
        assert uri.partition("token=")[2].removesuffix("%3d") not in shown
        async with session.post(uri, data="go") as answer:
            assert answer.status == 202
            job = (await answer.json())["JobIds"][0]
        assert (await client.job.get(*AT, job)).properties.runbook.name == "Nightly"
        assert (await client.webhook.get(*AT, "door")).properties.last_invoked_time == NOW
        await client.webhook.update(*AT, "door", {"name": "door", "properties": {"isEnabled": False}})
        async with session.post(uri) as answer:
            assert answer.status == 400
        await client.webhook.update(*AT, "door", {"name": "door", "properties": {"isEnabled": True}})
        azure.clock.advance(timedelta(days=31))
        async with session.post(uri) as answer:
            assert answer.status == 400
        await client.webhook.delete(*AT, "door")
        async with session.post(uri) as answer:
            assert answer.status == 404
        with pytest.raises(ResourceNotFoundError):
            await client.webhook.delete(*AT, "door")


async def test_a_webhook_needs_a_uri_that_is_one() -> None:
    async with opened() as (_, client):
        await plant(client)
        quoted = await client.webhook.generate_uri(*AT)
        for uri in (quoted, "", "http://elsewhere.example/"):
            properties = {"isEnabled": True, "uri": uri, "runbook": {"name": "Nightly"}}
            with pytest.raises(HttpResponseError, match="generateUri"):
                await client.webhook.create_or_update(*AT, "door", {"name": "door", "properties": properties})


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official examples are not here")
async def test_answers_have_the_properties_of_the_official_examples() -> None:
    def properties(name: str) -> set[str]:
        body = json.loads((SAMPLES / f"{name}.json").read_text())["responses"]
        answer = next(iter(body.values()))["body"]
        return set((answer["value"][0] if "value" in answer else answer)["properties"])

    async with opened() as (azure, client), browser(azure) as session:
        await plant(client)
        await client.schedule.create_or_update(*AT, "daily", timer())
        await client.job_schedule.create(*AT, LINK, link())
        await client.job.create(*AT, JOB, {"properties": {"runbook": {"name": "Nightly"}}})
        await hook(client)
        arm = Rest(session, azure.endpoints.arm, azure.token(READER, "arm"))

        async def answered(path: str) -> set[str]:
            status, body = await arm("GET", f"{ACCOUNT}/{path}?api-version=2024-10-23")
            assert status == 200
            return set((body["value"][0] if "value" in body else body)["properties"])

        assert await answered("runbooks/Nightly") == properties("Runbook_Get")
        assert await answered("runbooks") == properties("Runbook_ListByAutomationAccount")
        assert await answered(f"jobs/{JOB}") == properties("Job_Get") | {"startedBy"}
        assert await answered("jobs") == properties("Job_ListByAutomationAccount")
        assert await answered("jobSchedules") == properties("JobSchedule_ListByAutomationAccount")
        assert await answered("webhooks") == properties("Webhook_ListByAutomationAccount")
        expected = properties("Schedule_ListByAutomationAccount_First100")
        assert await answered("schedules") - {"advancedSchedule", "lastModifiedBy"} == expected
