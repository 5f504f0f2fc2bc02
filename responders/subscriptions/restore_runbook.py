"""Put a removed runbook back from what was recorded before: the undo of `subscriptions.remove_runbooks`."""

from typing import TYPE_CHECKING

from responders.model import Change, Json, Outcome
from responders.subscriptions.automation import Account, scheduled

if TYPE_CHECKING:
    from responders.azure import Azure

_ACCOUNT = "Microsoft.Automation/automationAccounts"
_VERSION = "2024-10-23"
PERMISSIONS = (
    f"{_ACCOUNT}/runbooks/write",
    f"{_ACCOUNT}/runbooks/draft/write",
    f"{_ACCOUNT}/runbooks/draft/content/write",
    f"{_ACCOUNT}/runbooks/publish/action",
    f"{_ACCOUNT}/schedules/write",
    f"{_ACCOUNT}/jobSchedules/write",
    f"{_ACCOUNT}/webhooks/write",
    f"{_ACCOUNT}/webhooks/action",
)


async def restore(azure: "Azure", change: Change) -> Outcome:
    """Put back what is missing; what is there is left as it is."""
    account, before = Account.of(azure, change.resource), change.before
    name = before["runbook"]["name"]
    there = await account.runbook(name)
    done = []
    # A runbook that was left half-restored has no state yet that it should have: go on with it.
    if there is None or there["properties"].get("state") != before["runbook"]["properties"].get("state"):
        await _runbook(azure, account, change)
        done.append("runbook")
    timers = {s["name"].lower() for s in await account.schedules()}
    for schedule in before["schedules"]:
        if schedule["name"].lower() not in timers:
            await _put(azure, schedule["id"], _schedule(schedule))
            done.append("schedule")
    links = {link["name"].lower() if link.get("name") else _guid(link) for link in await account.job_schedules()}
    for link in before["jobSchedules"]:
        if _guid(link) not in links:
            await _put(azure, link["id"], _link(link))
            done.append("job schedule")
    hooks = {hook["name"].lower() for hook in await account.webhooks()}
    for hook in before["webhooks"]:
        if hook["name"].lower() not in hooks:
            uri = await account.client.webhook.generate_uri(account.group, account.name)
            await _put(azure, hook["id"], _webhook(hook, uri))
            done.append("webhook, under a new URL")
    if not done:
        return Outcome(status="already_so", reason="All of it is there already.")
    return Outcome(status="done", reason=f"Put back: {', '.join(done)}. {change.lasting}")


async def _runbook(azure: "Azure", account: Account, change: Change) -> None:
    runbook, content, draft = (change.before[part] for part in ("runbook", "content", "draft"))
    kept = ("runbookType", "logVerbose", "logProgress", "logActivityTrace", "description")
    properties = {k: runbook["properties"][k] for k in kept if runbook["properties"].get(k) is not None}
    body = {"name": runbook["name"], "location": runbook.get("location"), "tags": runbook.get("tags") or {}}
    await _put(azure, runbook["id"], {**body, "properties": {**properties, "draft": {}}})
    name = runbook["name"]
    if content is not None:
        await _write(account, name, content)
        await _end(await account.client.runbook.begin_publish(account.group, account.name, name))
    if draft is not None:
        await _write(account, name, draft)


async def _write(account: Account, runbook: str, script: str) -> None:
    draft = account.client.runbook_draft
    await _end(await draft.begin_replace_content(account.group, account.name, runbook, script.encode()))


async def _end(poller: "object") -> None:
    # Seconds in Azure; publishing must not begin before the draft is in.
    await poller.result()  # type: ignore[attr-defined]


async def _put(azure: "Azure", resource: str, body: Json) -> None:
    await azure.arm("PUT", resource, _VERSION, body=body)


def _guid(link: Json) -> str:
    return str(link["properties"]["jobScheduleId"]).lower()


def _schedule(schedule: Json) -> Json:
    kept = ("description", "startTime", "expiryTime", "interval", "frequency", "timeZone", "advancedSchedule")
    properties = {k: schedule["properties"][k] for k in kept if schedule["properties"].get(k) is not None}
    return {"name": schedule["name"], "properties": properties}


def _link(link: Json) -> Json:
    properties = {k: link["properties"][k] for k in ("parameters", "runOn") if link["properties"].get(k)}
    runbook = {"name": link["properties"]["runbook"]["name"]}
    return {"properties": {**properties, "runbook": runbook, "schedule": {"name": scheduled(link)}}}


def _webhook(hook: Json, uri: str) -> Json:
    kept = ("isEnabled", "expiryTime", "parameters", "runOn")
    properties = {k: hook["properties"][k] for k in kept if hook["properties"].get(k) is not None}
    runbook = {"name": hook["properties"]["runbook"]["name"]}
    return {"name": hook["name"], "properties": {**properties, "uri": uri, "runbook": runbook}}
