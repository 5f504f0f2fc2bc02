"""Automation accounts, runbooks and assets, with azure-mgmt-automation as Microsoft ships it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox.azure import Sandbox, World
from tests.sandbox.estate import ACCOUNT, MALLORY, NOW, OPS, READER, Rest, automation, browser
from tests.sandbox.runbooks import AT, JOB, LINK, SCRIPT, hook, link, opened, plant, text, timer


async def test_a_runbook_is_drafted_published_and_edited() -> None:
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


async def test_a_runbook_can_come_published_from_a_link() -> None:
    async with opened() as (_, client):
        properties = {"runbookType": "Python3", "publishContentLink": {"uri": "https://example.org/x.py"}}
        made = await client.runbook.create_or_update(
            *AT, "Linked", {"location": "westeurope", "properties": properties}
        )
        assert made.properties.state == "Published"
        assert "https://example.org/x.py" in await text(await client.runbook.get_content(*AT, "Linked"))
        with pytest.raises(HttpResponseError, match="draft or the publishContentLink"):
            await client.runbook.create_or_update(*AT, "Bare", {"properties": {"runbookType": "Python3"}})


async def test_lists_show_less_than_reads() -> None:
    async with opened() as (_, client):
        await plant(client)
        listed = [r async for r in client.runbook.list_by_automation_account(*AT)]
        assert [
            (r.name, r.properties.state, r.properties.last_modified_by, r.properties.description) for r in listed
        ] == [("Nightly", "Published", None, None)]
        read = await client.runbook.get(*AT, "Nightly")
        assert (read.properties.description, read.properties.job_count) == ("d", 0)
        assert read.etag


async def test_changing_a_runbook_stamps_who_did_it_and_when() -> None:
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


async def test_deleting_a_runbook_takes_what_would_start_it_and_repeats_as_204() -> None:
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


async def test_a_runbook_put_back_is_the_same_world() -> None:
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


async def test_secrets_of_assets_are_never_shown() -> None:
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


async def test_an_account_gets_and_loses_an_identity() -> None:
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
        assert azure.world.directory.find(made.identity.principal_id) is None
        await client.automation_account.delete("app", "second")
        await client.automation_account.delete("app", "second")


async def test_rights_are_asked_for_by_the_action() -> None:
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
            call: Any
            for call in refused:
                with pytest.raises(HttpResponseError, match="AuthorizationFailed") as caught:
                    await call()
                assert caught.value.status_code == 403


async def test_a_lock_keeps_a_runbook() -> None:
    async with opened() as (azure, client), browser(azure) as session:
        await plant(client)
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        path = f"{ACCOUNT}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01"
        assert (await arm("PUT", path, {"properties": {"level": "CanNotDelete"}}))[0] == 201
        with pytest.raises(ResourceExistsError, match="ScopeLocked"):
            await client.runbook.delete(*AT, "Nightly")
        assert (await client.runbook.get(*AT, "Nightly")).name == "Nightly"


async def test_what_lies_in_a_missing_account_is_404() -> None:
    async with opened() as (_, client):
        with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
            await client.runbook.get("app", "elsewhere", "Nightly")
        with pytest.raises(ResourceNotFoundError):
            _ = [r async for r in client.runbook.list_by_automation_account("app", "elsewhere")]
        with pytest.raises(ResourceNotFoundError, match="was not found"):
            await client.runbook.get(*AT, "Nothing")


async def test_every_write_is_in_the_activity_log() -> None:
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


async def test_it_all_outlives_a_restart(tmp_path: Path) -> None:
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
