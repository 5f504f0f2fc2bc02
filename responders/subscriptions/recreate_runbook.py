"""Make a removed runbook anew, and what started it, from what was recorded before.

The undo of `subscriptions.remove_runbooks`, and of `subscriptions.remove_webhooks`.
"""

import calendar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from responders.model import Change, Json, Outcome
from responders.subscriptions import runbook_content
from responders.subscriptions.automation import ACCOUNT, VERSION, Account, scheduled

if TYPE_CHECKING:
    from responders.azure import Azure

_EVERY = {
    "Minute": timedelta(minutes=1),
    "Hour": timedelta(hours=1),
    "Day": timedelta(days=1),
    "Week": timedelta(days=7),
}
TRIGGER_PERMISSIONS = (
    f"{ACCOUNT}/schedules/write",
    f"{ACCOUNT}/jobSchedules/write",
    f"{ACCOUNT}/webhooks/write",
    f"{ACCOUNT}/webhooks/action",
)
PERMISSIONS = (f"{ACCOUNT}/runbooks/write", *runbook_content.PERMISSIONS, *TRIGGER_PERMISSIONS)


async def recreate(azure: "Azure", change: Change) -> Outcome:
    """Put back what is missing, and leave what is there.

    Raises Temporary while Azure takes in a script: the next call goes on from there, by what it then reads.
    """
    account, before = Account.of(azure, change.resource), change.before
    runbook = before.get("runbook")
    done = ["runbook"] if runbook and await _runbook(azure, account, before) else []
    over: list[str] = []
    # Each is asked for by itself: a list may still show what was deleted a moment ago.
    for schedule in before["schedules"]:
        match await _recreate_schedule(azure, account, schedule):
            case True:
                done.append("schedule")
            case None:
                over.append(schedule["name"])
    for link in before["jobSchedules"]:
        if scheduled(link) not in over and not await account.job_schedule(link["properties"]["jobScheduleId"]):
            await _put(azure, link["id"], _link(link))
            done.append("job schedule")
    for hook in before["webhooks"]:
        if not await account.webhook(hook["name"]):
            uri = await account.client.webhook.generate_uri(account.group, account.name)
            # A JSON string, which the SDK hands on as text with its quotes.
            await _put(azure, hook["id"], _webhook(hook, uri.strip('"')))
            done.append("webhook, under a new URL")
    if not done:
        return Outcome(status="already_so", reason="All of it is there.")
    left = f" Not put back, since their time is over: {', '.join(over)}." if over else ""
    return Outcome(status="done", reason=f"Put back: {', '.join(done)}.{left} {change.lasting}")


async def _recreate_schedule(azure: "Azure", account: Account, schedule: Json) -> bool | None:
    """Whether it was made, or None for one that would never run again."""
    there = await account.schedule(schedule["name"])
    enabled = schedule["properties"].get("isEnabled", True)
    if there and there["properties"].get("isEnabled", True) == enabled:
        return False
    if there is None:
        body = _schedule(schedule, datetime.now(UTC))
        if body is None:
            return None
        await _put(azure, schedule["id"], body)
    if not enabled:  # a new one always is
        await azure.arm("PATCH", schedule["id"], VERSION, body={"properties": {"isEnabled": False}})
    return True


async def _runbook(azure: "Azure", account: Account, before: Json) -> bool:
    """The runbook, its published script and its draft, as they were. False when it is so already."""
    runbook = before["runbook"]
    missing = await account.runbook(runbook["name"]) is None
    if missing:
        await _put(azure, runbook["id"], _definition(runbook))
    return await runbook_content.put(account, runbook["name"], before["content"], before["draft"]) or missing


def _definition(runbook: Json) -> Json:
    kept = ("runbookType", "runtimeEnvironment", "logVerbose", "logProgress", "logActivityTrace", "description")
    properties = {k: runbook["properties"][k] for k in kept if runbook["properties"].get(k) is not None}
    body = {"name": runbook["name"], "location": runbook.get("location"), "tags": runbook.get("tags") or {}}
    return {**body, "properties": {**properties, "draft": {}}}


async def _put(azure: "Azure", resource: str, body: Json) -> None:
    await azure.arm("PUT", resource, VERSION, body=body)


def _schedule(schedule: Json, now: datetime) -> Json | None:
    """The schedule as it can be made again, or None for one that would never run."""
    kept = ("description", "expiryTime", "interval", "frequency", "timeZone", "advancedSchedule")
    properties = {k: schedule["properties"][k] for k in kept if schedule["properties"].get(k) is not None}
    start = _next(schedule["properties"], now + timedelta(minutes=6))  # Azure takes none within five minutes
    return {"name": schedule["name"], "properties": {**properties, "startTime": start.isoformat()}} if start else None


def _next(properties: Json, after: datetime) -> datetime | None:
    """The first of a schedule's times that is not before `after`: starting there it is the same schedule."""
    start = at = datetime.fromisoformat(properties["startTime"])
    frequency, interval = properties.get("frequency"), int(properties.get("interval") or 1)
    if start >= after:
        return start
    if step := _EVERY.get(str(frequency)):
        return start + interval * step * -(-(after - start) // (interval * step))
    if frequency != "Month":
        return None  # it ran once
    months = 0
    while at < after:
        months += interval
        years, month = divmod(start.month - 1 + months, 12)
        last = calendar.monthrange(start.year + years, month + 1)[1]
        at = start.replace(year=start.year + years, month=month + 1, day=min(start.day, last))
    return at


def _link(link: Json) -> Json:
    properties = {k: link["properties"][k] for k in ("parameters", "runOn") if link["properties"].get(k)}
    runbook = {"name": link["properties"]["runbook"]["name"]}
    return {"properties": {**properties, "runbook": runbook, "schedule": {"name": scheduled(link)}}}


def _webhook(hook: Json, uri: str) -> Json:
    kept = ("isEnabled", "expiryTime", "parameters", "runOn")
    properties = {k: hook["properties"][k] for k in kept if hook["properties"].get(k) is not None}
    runbook = {"name": hook["properties"]["runbook"]["name"]}
    return {"name": hook["name"], "properties": {**properties, "uri": uri, "runbook": runbook}}
