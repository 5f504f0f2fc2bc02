"""Automation, with azure-mgmt-automation as Microsoft ships it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.automation.aio import AutomationClient

from sandbox.azure import Sandbox, World
from tests.sandbox.estate import ACCOUNT, MALLORY, NOW, OPS, READER, Rest, automation, browser, estate

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm" / "automation"
AT = ("app", "ops")
SCRIPT = b"# sandbox: runs forever\nGet-AzVM | Stop-AzVM\n"
LINK, JOB = "0fa462ba-3aa2-4138-83ca-9ebc3bc55cdc", "5b8a3960-e8ab-45f6-bec6-567df8467d1a"


@asynccontextmanager
async def opened(who: str = OPS, **options: Any) -> AsyncIterator[tuple[Sandbox, AutomationClient]]:
    async with estate(**options) as azure, automation(azure, who) as client:
        yield azure, client


async def plant(client: AutomationClient, name: str = "Nightly", script: bytes = SCRIPT) -> None:
    body = {"location": "westeurope", "properties": {"runbookType": "PowerShell", "description": "d", "draft": {}}}
    await client.runbook.create_or_update(*AT, name, body)
    await (await client.runbook_draft.begin_replace_content(*AT, name, script)).result()
    await (await client.runbook.begin_publish(*AT, name)).result()


async def text(chunks: Any) -> str:
    return "".join([str(c) for c in chunks])


def timer(start: timedelta = timedelta(hours=1)) -> dict[str, Any]:
    begins = (NOW + start).isoformat()
    return {"name": "daily", "properties": {"startTime": begins, "interval": 1, "frequency": "Day", "timeZone": "UTC"}}


def link() -> dict[str, Any]:
    return {"properties": {"runbook": {"name": "Nightly"}, "schedule": {"name": "daily"}}}


async def hook(client: AutomationClient, name: str = "door") -> str:
    uri = str(json.loads(await client.webhook.generate_uri(*AT)))  # the SDK hands on the JSON as text
    properties = {"isEnabled": True, "uri": uri, "expiryTime": (NOW + timedelta(days=30)).isoformat()}
    body = {"name": name, "properties": {**properties, "runbook": {"name": "Nightly"}}}
    await client.webhook.create_or_update(*AT, name, body)
    return uri


async def test_a_runbook_is_drafted_published_and_edited():
    async with opened() as (_, client):
        body = {"location": "westeurope", "properties": {"runbookType": "PowerShell", "draft": {}}}
        made = await client.runbook.create_or_update(*AT, "Nightly", body)
        assert (made.properties.state, made.properties.last_modified_by) == ("New", OPS)
        with pytest.raises(ResourceNotFoundError):
            await client.runbook.get_content(*AT, "Nightly")
        await (await client.runbook_draft.begin_replace_content(*AT, "Nightly", b"one")).result()
        assert (await client.runbook_draft.get(*AT, "Nightly")).in_edit is True
        await (await client.runbook.begin_publish(*AT, "Nightly")).result()
        assert (await client.runbook.get(*AT, "Nightly")).properties.state == "Published"
        assert await text(await client.runbook.get_content(*AT, "Nightly")) == "one"
        with pytest.raises(ResourceNotFoundError):
            await client.runbook_draft.get_content(*AT, "Nightly")
        await (await client.runbook_draft.begin_replace_content(*AT, "Nightly", b"two")).result()
        assert (await client.runbook.get(*AT, "Nightly")).properties.state == "Edit"
        assert await text(await client.runbook_draft.get_content(*AT, "Nightly")) == "two"
        assert await text(await client.runbook.get_content(*AT, "Nightly")) == "one"
        assert (await client.runbook_draft.undo_edit(*AT, "Nightly")).status_code == "OK"
        assert (await client.runbook.get(*AT, "Nightly")).properties.state == "Published"
        with pytest.raises(HttpResponseError, match="no draft"):
            await client.runbook.begin_publish(*AT, "Nightly")


async def test_a_runbook_can_come_published_from_a_link():
    async with opened() as (_, client):
        properties = {"runbookType": "Python3", "publishContentLink": {"uri": "https://example.org/x.py"}}
        made = await client.runbook.create_or_update(
            *AT, "Linked", {"location": "westeurope", "properties": properties}
        )
        assert made.properties.state == "Published"
        assert "https://example.org/x.py" in await text(await client.runbook.get_content(*AT, "Linked"))
        with pytest.raises(HttpResponseError, match="draft or the publishContentLink"):
            await client.runbook.create_or_update(*AT, "Bare", {"properties": {"runbookType": "Python3"}})


async def test_lists_show_less_than_reads():
    async with opened() as (_, client):
        await plant(client)
        listed = [r async for r in client.runbook.list_by_automation_account(*AT)]
        assert [
            (r.name, r.properties.state, r.properties.last_modified_by, r.properties.description) for r in listed
        ] == [("Nightly", "Published", None, None)]
        read = await client.runbook.get(*AT, "Nightly")
        assert (read.properties.description, read.properties.job_count) == ("d", 0)
        assert read.etag


async def test_changing_a_runbook_stamps_who_did_it_and_when():
    async with opened() as (azure, client):
        await plant(client)
        azure.clock.advance(timedelta(minutes=5))
        async with automation(azure, MALLORY) as other:
            await other.runbook.update(*AT, "nightly", {"properties": {"description": "mine"}})
        read = await client.runbook.get(*AT, "Nightly")
        assert (read.name, read.properties.description, read.properties.last_modified_by) == (
            "Nightly",
            "mine",
            MALLORY,
        )
        assert (read.properties.creation_time, read.properties.last_modified_time) == (NOW, NOW + timedelta(minutes=5))


async def test_deleting_a_runbook_takes_what_would_start_it_and_repeats_as_204():
    async with opened() as (azure, client):
        before = azure.world.snapshot()
        await plant(client)
        await client.schedule.create_or_update(*AT, "daily", timer())
        await client.job_schedule.create(*AT, LINK, link())
        await hook(client)
        await client.runbook.delete(*AT, "Nightly")
        await client.runbook.delete(*AT, "Nightly")
        assert [j async for j in client.job_schedule.list_by_automation_account(*AT)] == []
        assert [w async for w in client.webhook.list_by_automation_account(*AT)] == []
        deleted = [r async for r in client.automation_account.list_deleted_runbooks(*AT)]
        assert [d.name for d in deleted] == ["Nightly"]
        await client.schedule.delete(*AT, "daily")
        assert azure.world.snapshot() == before


async def test_a_runbook_put_back_is_the_same_world():
    async with opened() as (azure, client):
        await plant(client)
        await client.schedule.create_or_update(*AT, "daily", timer())
        await client.job_schedule.create(*AT, LINK, link())
        await hook(client)
        before = azure.world.snapshot()
        await client.runbook.delete(*AT, "Nightly")
        assert azure.world.snapshot() != before
        await plant(client, script=b"another script")
        await client.job_schedule.create(*AT, LINK, link())
        await hook(client)
        assert azure.world.snapshot() != before
        await (await client.runbook_draft.begin_replace_content(*AT, "Nightly", SCRIPT)).result()
        await (await client.runbook.begin_publish(*AT, "Nightly")).result()
        assert azure.world.snapshot() == before


async def test_a_job_moves_with_the_clock():
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


async def test_a_running_job_is_stopped_and_its_script_stays_as_evidence():
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


async def test_a_job_is_suspended_and_resumed():
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


async def test_a_test_run_is_in_no_list():
    async with opened() as (azure, client):
        body = {"location": "westeurope", "properties": {"runbookType": "PowerShell", "draft": {}}}
        await client.runbook.create_or_update(*AT, "Nightly", body)
        await client.test_job.create(*AT, "Nightly", {})
        azure.clock.advance(timedelta(seconds=10))
        assert (await client.test_job.get(*AT, "Nightly")).status == "Running"
        assert [j async for j in client.job.list_by_automation_account(*AT)] == []
        await client.test_job.stop(*AT, "Nightly")
        assert (await client.test_job.get(*AT, "Nightly")).status == "Stopped"


async def test_a_schedule_is_made_disabled_and_deleted():
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
async def test_a_schedule_must_begin_five_minutes_from_now(start: timedelta):
    async with opened() as (_, client):
        with pytest.raises(HttpResponseError, match="at least 5 minutes"):
            await client.schedule.create_or_update(*AT, "daily", timer(start))


async def test_schedules_come_a_hundred_a_page():
    async with opened() as (azure, client):
        for i in range(150):
            azure.world.put(f"{ACCOUNT}/schedules/s{i}", {"properties": {**timer()["properties"], "isEnabled": False}})
        assert len([s async for s in client.schedule.list_by_automation_account(*AT)]) == 150
        assert sum(r.path.endswith("/schedules") for r in azure.requests) == 2


async def test_a_job_schedule_links_what_is_there_and_is_never_changed():
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


async def test_a_webhook_starts_jobs_for_whoever_knows_its_uri():
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


async def test_secrets_of_assets_are_never_shown():
    async with opened() as (azure, client):
        body: dict[str, Any] = {"name": "admin", "properties": {"userName": "root", "password": "hush"}}
        made = await client.credential.create_or_update(*AT, "admin", body)
        assert made.properties.user_name == "root"
        body = {"name": "key", "properties": {"value": '"hush"', "isEncrypted": True}}
        await client.variable.create_or_update(*AT, "key", body)
        listed = [c.as_dict() async for c in client.credential.list_by_automation_account(*AT)]
        listed += [v.as_dict() async for v in client.variable.list_by_automation_account(*AT)]
        assert len(listed) == 2
        assert "hush" not in json.dumps(listed)
        await client.credential.delete(*AT, "admin")
        with pytest.raises(ResourceNotFoundError):
            await client.credential.delete(*AT, "admin")
        async with browser(azure) as session:
            arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
            _, inventory = await arm("GET", f"{ACCOUNT}/variables/key?api-version=2024-10-23")
        assert "hush" not in json.dumps(inventory)


async def test_an_account_gets_and_loses_an_identity():
    async with opened() as (azure, client):
        body = {
            "location": "westeurope",
            "identity": {"type": "SystemAssigned"},
            "properties": {"sku": {"name": "Basic"}},
        }
        made = await client.automation_account.create_or_update("app", "second", body)
        assert made.identity
        principal = azure.world.directory.find(made.identity.principal_id or "")
        assert principal
        assert principal["servicePrincipalType"] == "ManagedIdentity"
        assert made.state == "Ok"
        names = {a.name async for a in client.automation_account.list()}
        assert names == {"ops", "second"}
        off = await client.automation_account.update("app", "second", {"identity": {"type": "None"}})
        assert off.identity is None or off.identity.type == "None"
        await client.automation_account.delete("app", "second")
        await client.automation_account.delete("app", "second")


async def test_rights_are_asked_for_by_the_action():
    async with opened() as (azure, client):
        await plant(client)
        async with automation(azure, READER) as reader:
            assert (await reader.runbook.get(*AT, "Nightly")).name == "Nightly"
            assert await text(await reader.runbook.get_content(*AT, "Nightly")) == SCRIPT.decode()
            refused = (
                lambda: reader.runbook.delete(*AT, "Nightly"),
                lambda: reader.runbook.begin_publish(*AT, "Nightly"),
                lambda: reader.job.create(*AT, JOB, {"properties": {"runbook": {"name": "Nightly"}}}),
                lambda: reader.webhook.generate_uri(*AT),
            )
            for call in refused:
                with pytest.raises(HttpResponseError, match="AuthorizationFailed") as caught:
                    await call()
                assert caught.value.status_code == 403


async def test_a_lock_keeps_a_runbook():
    async with opened() as (azure, client), browser(azure) as session:
        await plant(client)
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        path = f"{ACCOUNT}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01"
        assert (await arm("PUT", path, {"properties": {"level": "CanNotDelete"}}))[0] == 201
        with pytest.raises(ResourceExistsError, match="ScopeLocked"):
            await client.runbook.delete(*AT, "Nightly")
        assert (await client.runbook.get(*AT, "Nightly")).name == "Nightly"


async def test_what_lies_in_a_missing_account_is_404():
    async with opened() as (_, client):
        with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
            await client.runbook.get("app", "elsewhere", "Nightly")
        with pytest.raises(ResourceNotFoundError):
            _ = [r async for r in client.runbook.list_by_automation_account("app", "elsewhere")]
        with pytest.raises(ResourceNotFoundError, match="was not found"):
            await client.runbook.get(*AT, "Nothing")


async def test_every_write_is_in_the_activity_log():
    async with opened(MALLORY) as (azure, client):
        await plant(client)
        await client.runbook.delete(*AT, "Nightly")
        dumped = json.dumps(azure.world.activity.dump()).lower()
        for operation in (
            "runbooks/write",
            "runbooks/draft/content/write",
            "runbooks/publish/action",
            "runbooks/delete",
        ):
            assert f"microsoft.automation/automationaccounts/{operation}" in dumped


async def test_it_all_outlives_a_restart(tmp_path: Path):
    async with opened() as (azure, client):
        await plant(client)
        uri = await hook(client)
        before = azure.world.snapshot()
        azure.world.save(tmp_path / "world.json")
    world = World.open(tmp_path / "world.json")
    async with Sandbox(world, clock=azure.clock) as again, browser(again) as session:
        assert world.snapshot() == before
        async with session.post(again.endpoints.arm + "/webhooks?" + uri.partition("?")[2]) as answer:
            assert answer.status == 202


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official examples are not here")
async def test_answers_have_the_properties_of_the_official_examples():
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
