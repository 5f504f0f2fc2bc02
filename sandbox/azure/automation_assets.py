"""What starts runbooks in an Automation account: schedules, job schedules and webhooks.

Deleting any of them answers 200; for one that isn't there it is 404 (the SDK takes a 204 for an error).
"""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.azure.automation_store import (
    ACCOUNT,
    KIND,
    PAGE,
    bad,
    child,
    children,
    iso,
    need_account,
    properties_of,
    room,
    runbook_name,
    save,
    shown,
    state,
)
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Handler, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_SCHEDULE, _LINK, _HOOK = (f"{ACCOUNT}/{c}/{{name}}" for c in ("schedules", "jobSchedules", "webhooks"))
EARLIEST = timedelta(minutes=5)
_FREQUENCIES = frozenset({"OneTime", "Day", "Hour", "Week", "Month", "Minute"})
_NEVER = "9999-12-31T23:59:59.999+00:00"


# -- schedules ---------------------------------------------------------------------------------------------------------


@room.on("PUT", _SCHEDULE, f"{KIND}/schedules/write")
async def put_schedule(call: Call) -> Reply:
    """Create or change a schedule. It must begin at least five minutes from now."""
    need_account(call)
    given, old = properties_of(call), call.world.get(call.path)
    begins = _moment(given.get("startTime"), "startTime")
    if given.get("frequency") not in _FREQUENCIES:
        raise bad(f"The frequency of a schedule must be one of {', '.join(sorted(_FREQUENCIES))}.")
    same = old and _moment(old.properties["startTime"], "startTime") == begins
    if not same and begins < call.clock.now() + EARLIEST:
        raise bad(
            "Argument requestScheduleData with value Orchestrator.Schedules.DataAccess.Models.ScheduleAllData is not "
            "valid. Error message: The start time of the schedule must be at least 5 minutes after the time you create "
            "the schedule."
        )
    ends = iso(_moment(given["expiryTime"], "expiryTime")) if given.get("expiryTime") else _NEVER
    properties = {
        "description": given.get("description"),
        "startTime": iso(begins),
        "startTimeOffsetMinutes": 0.0,
        "expiryTime": ends,
        "expiryTimeOffsetMinutes": 0.0,
        "isEnabled": old.properties["isEnabled"] if old else True,
        "interval": given.get("interval"),
        "frequency": given["frequency"],
        "timeZone": given.get("timeZone") or "UTC",
        "advancedSchedule": given.get("advancedSchedule"),
    }
    stored = save(call, call.path, {"properties": properties})
    return Reply(200 if old else 201, _schedule(call, stored))


@room.on("GET", ACCOUNT + "/schedules", f"{KIND}/schedules/read")
async def schedules(call: Call) -> Reply:
    """List schedules."""
    return page(call, [_schedule(call, s) for s in children(call, "schedules")], PAGE)


@room.on("GET", _SCHEDULE, f"{KIND}/schedules/read")
async def schedule(call: Call) -> Reply:
    """Read one."""
    return Reply(200, _schedule(call, child(call, "schedules", call.params["name"])))


@room.on("PATCH", _SCHEDULE, f"{KIND}/schedules/write")
async def patch_schedule(call: Call) -> Reply:
    """Disable or enable it, or describe it."""
    old = child(call, "schedules", call.params["name"])
    given = {k: v for k, v in properties_of(call).items() if k in {"isEnabled", "description"}}
    stored = save(call, old.id, {**old.body, "properties": {**old.properties, **given}})
    return Reply(200, _schedule(call, stored))


@room.on("DELETE", _SCHEDULE, f"{KIND}/schedules/delete")
async def delete_schedule(call: Call) -> Reply:
    """Delete it with its links to runbooks."""
    old = child(call, "schedules", call.params["name"])
    for link in children(call, "jobSchedules"):
        if str(link.properties["schedule"]["name"]).lower() == old.name.lower():
            unlink(call.world, link)
    call.world.delete(old.id)
    return Reply(200)


def _schedule(call: Call, resource: Resource) -> Json:
    p, now = resource.properties, call.clock.now()
    due = _next(p, now) if p["isEnabled"] else None
    return shown(resource, nextRun=iso(due) if due else None, nextRunOffsetMinutes=0.0)


def _next(p: Json, now: datetime) -> datetime | None:
    begins = datetime.fromisoformat(p["startTime"])
    steps = {
        "Minute": timedelta(minutes=1),
        "Hour": timedelta(hours=1),
        "Day": timedelta(days=1),
        "Week": timedelta(days=7),
    }
    # Months are as long as their mean here: nothing in the sandbox starts by a schedule.
    step = steps.get(p["frequency"], timedelta(days=30)) * int(p.get("interval") or 1)
    if now > begins:
        begins = begins + step * -((begins - now) // step) if p["frequency"] != "OneTime" else begins
    ended = begins > datetime.fromisoformat(p["expiryTime"]) or begins < now
    return None if ended else begins


# -- job schedules -----------------------------------------------------------------------------------------------------


@room.on("PUT", _LINK, f"{KIND}/jobSchedules/write")
async def put_link(call: Call) -> Reply:
    """Link a runbook to a schedule. A link is never changed: another PUT is a conflict."""
    need_account(call)
    given = properties_of(call)
    if call.path in call.world:
        raise ApiError(409, "Conflict", "A job schedule with the same id exists already.")
    names = {part: str((given.get(part) or {}).get("name", "")) for part in ("runbook", "schedule")}
    runbook, timer = (child(call, f"{part}s", names[part]) for part in ("runbook", "schedule"))
    for link in children(call, "jobSchedules"):
        if (runbook_name(link), link.properties["schedule"]["name"]) == (runbook.name.lower(), timer.name):
            raise ApiError(409, "Conflict", "The runbook and the schedule are linked already.")
    properties = {
        "jobScheduleId": call.params["name"],
        "runbook": {"name": runbook.name},
        "schedule": {"name": timer.name},
        "runOn": given.get("runOn"),
        "parameters": given.get("parameters"),
    }
    stored = call.world.put(call.path, {"properties": properties}, call.author, call.version)
    return Reply(201, _link(stored))


@room.on("GET", ACCOUNT + "/jobSchedules", f"{KIND}/jobSchedules/read")
async def links(call: Call) -> Reply:
    """List links between runbooks and schedules."""
    return page(call, [_link(r) for r in children(call, "jobSchedules")], PAGE)


@room.on("GET", _LINK, f"{KIND}/jobSchedules/read")
async def link(call: Call) -> Reply:
    """Read one."""
    return Reply(200, _link(child(call, "jobSchedules", call.params["name"])))


def _link(resource: Resource) -> Json:
    return {k: v for k, v in resource.body.items() if k in {"id", "properties"}}


# -- webhooks ----------------------------------------------------------------------------------------------------------


@room.on("POST", ACCOUNT + "/webhooks/generateUri", f"{KIND}/webhooks/action")
async def generate_uri(call: Call) -> Reply:
    """Make a URI for a webhook to come. Whoever knows it later needs nothing else."""
    need_account(call)
    secret = call.world.new_id("webhook", call.path).replace("-", "")
    uri = f"{call.endpoints.arm}/webhooks?token={secret}%3d"
    return Reply(200, json.dumps(uri), {"Content-Type": "application/json; charset=utf-8"})


@room.on("PUT", _HOOK, f"{KIND}/webhooks/write")
async def put_webhook(call: Call) -> Reply:
    """Create a webhook, or change one; its URI is shown by neither."""
    need_account(call)
    given, old = properties_of(call), call.world.get(call.path)
    if old is None:
        uri = urlsplit(str(given.get("uri") or ""))
        token = parse_qs(uri.query).get("token", [""])[0]
        # generateUri answers a JSON string, and the SDK hands on its text, quotes and all: that is no URI.
        if uri.scheme != "https" or not token:
            raise bad("The uri of the webhook is missing or was not made by generateUri.")
        name = str((given.get("runbook") or {}).get("name", ""))
        runbook = child(call, "runbooks", name)
        _forget_uri(call.world, call.path)  # of one by this name that went with its account or group
        state(call.world)["webhooks"][token] = call.path
        base: Json = {"isEnabled": True, "runbook": {"name": runbook.name}, "runOn": None, "parameters": None}
        base["expiryTime"] = iso(call.clock.now() + timedelta(days=365))
    else:
        base = old.properties
    settable = ("isEnabled", "runOn", "parameters", "description", *(("expiryTime",) if old is None else ()))
    properties = {**base, **{k: given[k] for k in settable if k in given}}
    properties["expiryTime"] = iso(_moment(properties["expiryTime"], "expiryTime"))
    stored = save(call, call.path, {"properties": properties})
    return Reply(200 if old else 201, _webhook(call, stored, uri=""))


@room.on("GET", ACCOUNT + "/webhooks", f"{KIND}/webhooks/read")
async def webhooks(call: Call) -> Reply:
    """List webhooks."""
    return page(call, [_webhook(call, r) for r in children(call, "webhooks")], PAGE)


@room.on("GET", _HOOK, f"{KIND}/webhooks/read")
async def webhook(call: Call) -> Reply:
    """Read one."""
    return Reply(200, _webhook(call, child(call, "webhooks", call.params["name"])))


@room.on("PATCH", _HOOK, f"{KIND}/webhooks/write")
async def patch_webhook(call: Call) -> Reply:
    """Disable or enable it."""
    old = child(call, "webhooks", call.params["name"])
    given = {k: v for k, v in properties_of(call).items() if k in {"isEnabled", "runOn", "parameters", "description"}}
    return Reply(200, _webhook(call, save(call, old.id, {**old.body, "properties": {**old.properties, **given}})))


def _webhook(call: Call, resource: Resource, uri: str | None = None) -> Json:
    return shown(resource, uri=uri, lastInvokedTime=state(call.world)["invoked"].get(resource.key))


# -- what all have in common -------------------------------------------------------------------------------------------


def unlink(world: World, resource: Resource) -> None:
    """Delete a job schedule or a webhook, with the URI that led to it."""
    _forget_uri(world, resource.key)
    world.delete(resource.id)


def _forget_uri(world: World, webhook: str) -> None:
    kept = state(world)
    kept["webhooks"] = {token: path for token, path in kept["webhooks"].items() if path.lower() != webhook.lower()}
    kept["invoked"].pop(webhook.lower(), None)


def deleter(collection: str) -> Handler:
    """Handle the deletion of a collection's members: 200, and 404 for one that isn't there."""

    async def delete(call: Call) -> Reply:
        unlink(call.world, child(call, collection, call.params["name"]))
        return Reply(200)

    return delete


for _collection in ("jobSchedules", "webhooks"):
    room.on("DELETE", f"{ACCOUNT}/{_collection}/{{name}}", f"{KIND}/{_collection}/delete")(deleter(_collection))


def _moment(text: object, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise bad(f"The {name} '{text}' is not a time.") from error
    if at.tzinfo is None:
        raise bad(f"The {name} '{text}' has no offset from UTC.")
    return at
