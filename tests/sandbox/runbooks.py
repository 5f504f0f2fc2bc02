"""The account "ops" and the runbook "Nightly", for the tests of Automation."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sandbox.azure import Sandbox
from tests.sandbox.estate import NOW, OPS, automation, estate

AT = ("app", "ops")
SCRIPT = b"# sandbox: runs forever\nGet-AzVM | Stop-AzVM\n"
LINK, JOB = "0fa462ba-3aa2-4138-83ca-9ebc3bc55cdc", "5b8a3960-e8ab-45f6-bec6-567df8467d1a"


@asynccontextmanager
async def opened(who: str = OPS, **options: Any) -> AsyncIterator[tuple[Sandbox, Any]]:
    async with estate(**options) as azure, automation(azure, who) as client:
        yield azure, client


async def plant(client: Any, name: str = "Nightly", script: bytes = SCRIPT) -> None:
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


async def hook(client: Any, name: str = "door") -> str:
    uri = str(json.loads(await client.webhook.generate_uri(*AT)))  # the SDK hands on the JSON as text
    properties = {"isEnabled": True, "uri": uri, "expiryTime": (NOW + timedelta(days=30)).isoformat()}
    body = {"name": name, "properties": {**properties, "runbook": {"name": "Nightly"}}}
    await client.webhook.create_or_update(*AT, name, body)
    return uri
