"""Automation's jobs: runs of published runbooks, test runs of drafts, and the webhooks that start jobs.

A job's status moves by the clock: New, after STARTING Running, after its duration Completed. That is a minute, or
what the script says in a line "# sandbox: runs 3600 seconds" or "# sandbox: runs forever". Stopping one takes what the
world's pace gives to long-running operations. Schedules start nothing by themselves.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from sandbox.azure import operations
from sandbox.azure.automation_store import (
    ACCOUNT,
    JOB,
    KIND,
    PAGE,
    RUNBOOK,
    absent,
    bad,
    child,
    children,
    iso,
    need_account,
    properties_of,
    room,
    state,
)
from sandbox.azure.clock import Clock
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

_JOBS = f"{KIND}/jobs"
_TEST = RUNBOOK + "/draft/testJob"
_TESTS = f"{KIND}/runbooks/draft/testJob"
STARTING, RUNNING = timedelta(seconds=5), timedelta(seconds=60)
FOREVER = timedelta(days=3650)
_DURATION = re.compile(r"#\s*sandbox:\s*runs\s+(?:(\d+)\s+seconds|forever)", re.IGNORECASE)
_FINAL = frozenset({"Completed", "Failed", "Stopped"})
_LISTED = (
    "jobId",
    "runbook",
    "provisioningState",
    "status",
    "creationTime",
    "startTime",
    "lastModifiedTime",
    "endTime",
)
_CHANGES = {"stop": ("Stopping", "Stopped"), "suspend": ("Suspending", "Suspended"), "resume": ("Resuming", "Running")}


@room.on("GET", ACCOUNT + "/jobs", f"{_JOBS}/read")
async def jobs(call: Call) -> Reply:
    """List jobs, the newest first, without who started them."""
    found = [_shown(call, job) for job in reversed(children(call, "jobs"))]
    if match := re.fullmatch(r"properties/status eq '(\w+)'", call.query.get("$filter", "")):
        found = [job for job in found if job["properties"]["status"] == match[1]]
    elif call.query.get("$filter"):
        raise bad(f"The sandbox does not know the filter {call.query['$filter']!r} on jobs.")
    for job in found:
        job["properties"] = {k: job["properties"][k] for k in _LISTED}
    return page(call, found, PAGE)


@room.on("GET", JOB, f"{_JOBS}/read")
async def job(call: Call) -> Reply:
    """Read one, with who started it."""
    return Reply(200, _shown(call, _job(call)))


@room.on("PUT", JOB, f"{_JOBS}/write")
async def create(call: Call) -> Reply:
    """Start a published runbook."""
    need_account(call)
    given = properties_of(call)
    if call.path in call.world:
        raise ApiError(409, "Conflict", f"The job '{call.params['job']}' exists already.")
    name = str((given.get("runbook") or {}).get("name", ""))
    started = start(call, child(call, "runbooks", name), call.path, given, by=call.author.name)
    return Reply(201, _shown(call, started))


@room.on("POST", JOB + "/stop", f"{_JOBS}/stop/action")
async def stop(call: Call) -> Reply:
    """Stop it: Stopping now, Stopped a little later."""
    return _change(call, "stop")


@room.on("POST", JOB + "/suspend", f"{_JOBS}/suspend/action")
async def suspend(call: Call) -> Reply:
    """Suspend it."""
    return _change(call, "suspend")


@room.on("POST", JOB + "/resume", f"{_JOBS}/resume/action")
async def resume(call: Call) -> Reply:
    """Let a suspended one go on."""
    return _change(call, "resume")


@room.on("GET", JOB + "/output", f"{_JOBS}/output/read")
async def output(call: Call) -> Reply:
    """Read what it wrote: nothing, since the sandbox runs no script."""
    _job(call)
    return Reply(200, "")


@room.on("GET", JOB + "/runbookContent", f"{_JOBS}/runbookContent/action")
async def runbook_content(call: Call) -> Reply:
    """Read the script as it ran: it survives edits of the runbook, and its deletion."""
    return Reply(200, _job(call).hidden["content"], {"Content-Type": "text/powershell"})


@room.on("GET", JOB + "/streams", f"{_JOBS}/streams/read")
async def streams(call: Call) -> Reply:
    """List what it streamed: nothing."""
    _job(call)
    return page(call, [], PAGE)


@room.on("PUT", _TEST, f"{_TESTS}/write")
async def create_test(call: Call) -> Reply:
    """Run the draft in the test pane: there is no job of it in any list."""
    found = child(call, "runbooks", call.params["runbook"])
    script = found.hidden.get("draft")
    if script is None:
        raise bad(f"The runbook '{found.name}' has no draft to test.")
    given = call.body if isinstance(call.body, dict) else {}
    test = {**_new(call.clock.now()), "runOn": given.get("runOn"), "parameters": given.get("parameters") or {}}
    state(call.world)["tests"][found.key] = {**test, "content": script}
    return Reply(201, _test(call))


@room.on("GET", _TEST, f"{_TESTS}/read")
async def read_test(call: Call) -> Reply:
    """Read about the last test run."""
    return Reply(200, _test(call))


@room.on("POST", _TEST + "/stop", f"{_TESTS}/stop/action")
async def stop_test(call: Call) -> Reply:
    """Stop the test run."""
    _test(call)
    key = child(call, "runbooks", call.params["runbook"]).key
    state(call.world)["tests"][key] |= {"status": "Stopped", "endTime": iso(call.clock.now())}
    return Reply(200)


async def invoke(call: Call) -> Reply:
    """Start the job of the webhook whose URI this is: POST /webhooks?token=…, by anybody who knows it.

    202 with the job's id; 404 for a token that is no webhook's; 400 for one that is disabled or has expired.
    """
    known = state(call.world)["webhooks"].get(call.query.get("token", ""))
    hook = call.world.get(known) if known else None
    if hook is None:
        raise ApiError(404, "NotFound", "The webhook was not found.")
    p = hook.properties
    if not p["isEnabled"] or datetime.fromisoformat(p["expiryTime"]) <= call.clock.now():
        raise bad("This webhook has expired or is disabled.")
    account = hook.id.rpartition("/webhooks/")[0]
    found = call.world.get(f"{account}/runbooks/{p['runbook']['name']}")
    if found is None:
        raise ApiError(404, "NotFound", "The runbook of the webhook was not found.")
    id_ = call.world.new_id("job", hook.id)
    given = {"runbook": p["runbook"], "parameters": {**(p.get("parameters") or {}), "WEBHOOKDATA": _data(call, hook)}}
    start(call, found, f"{account}/jobs/{id_}", {**given, "runOn": p.get("runOn")}, by="")
    state(call.world)["invoked"][hook.key] = iso(call.clock.now())
    return Reply(202, {"JobIds": [id_]})


def start(call: Call, runbook: Resource, id_: str, given: Json, *, by: str) -> Resource:
    """Make the job. Raises ApiError 400 for a runbook that was never published."""
    script = runbook.hidden.get("content")
    if script is None:
        raise bad(f"The runbook '{runbook.name}' has never been published.")
    properties = {
        "jobId": call.world.new_id("job id"),
        "runbook": {"name": runbook.name},
        "provisioningState": "Processing",
        "startedBy": by,
        "parameters": given.get("parameters") or {},
        "runOn": given.get("runOn") or "",
        "exception": None,
        **_new(call.clock.now()),
    }
    body = {"type": "Microsoft.Automation/AutomationAccounts/Jobs", "properties": properties}
    return call.world.put(id_, {**body, "sandbox": {"content": script}}, call.author, call.version)


def _new(now: datetime) -> Json:
    moment = iso(now)
    times = {"creationTime": moment, "startTime": None, "endTime": None, "lastModifiedTime": moment}
    return {"status": "New", "statusDetails": "None", **times, "lastStatusModifiedTime": moment}


def _data(call: Call, hook: Resource) -> str:
    headers = {k: v for k, v in call.headers.items() if k.lower() != "authorization"}
    return json.dumps({"WebhookName": hook.name, "RequestBody": call.text, "RequestHeader": headers})


def _job(call: Call) -> Resource:
    return child(call, "jobs", call.params["job"])


def _shown(call: Call, job: Resource) -> Json:
    return {**job.visible, "properties": _moved(job.properties, job.hidden["content"], call.clock.now())}


def _moved(properties: Json, script: str, now: datetime) -> Json:
    """Where the clock has brought a job to."""
    if properties["status"] != "New":
        return properties
    made = datetime.fromisoformat(properties["creationTime"])
    started, ended = made + STARTING, made + STARTING + _duration(script)
    if now < started:
        return properties
    moved = {**properties, "status": "Running", "startTime": iso(started), "lastModifiedTime": iso(started)}
    if now >= ended:
        moved |= {"status": "Completed", "endTime": iso(ended), "lastModifiedTime": iso(ended)}
    if "provisioningState" in properties:
        moved["provisioningState"] = "Succeeded" if moved["status"] == "Completed" else "Processing"
    return {**moved, "lastStatusModifiedTime": moved["lastModifiedTime"]}


def _duration(script: str) -> timedelta:
    match = _DURATION.search(script)
    if not match:
        return RUNNING
    return timedelta(seconds=int(match[1])) if match[1] else FOREVER


def _test(call: Call) -> Json:
    found = child(call, "runbooks", call.params["runbook"])
    test = state(call.world)["tests"].get(found.key)
    if test is None:
        raise absent(call, "test job of runbook", found.name)
    moved = _moved(test, test["content"], call.clock.now())
    return {k: v for k, v in moved.items() if k != "content"}


def _change(call: Call, verb: str) -> Reply:
    job = _job(call)
    now = _shown(call, job)["properties"]
    on_the_way, end = _CHANGES[verb]
    if now["status"] in {on_the_way, *({"Stopping"} if verb != "stop" else ())} or now["status"] in _FINAL:
        raise bad(f"The job '{job.name}' cannot be changed to '{end}': its status is {now['status']}.")
    moment = iso(call.clock.now())
    times = {"lastModifiedTime": moment, "lastStatusModifiedTime": moment}
    call.world.put(job.id, {**job.body, "properties": {**now, "status": on_the_way, **times}})
    # Azure answers at once, and comes to it later: an operation that nobody polls.
    operations.accept(call, "automation.job", {"id": job.id, "status": end}, at=f"{job.id}/operationResults")
    return Reply(200)


@operations.effect("automation.job")
def _changed(world: World, clock: Clock, args: Json) -> None:
    if job := world.get(args["id"]):
        moment = iso(clock.now())
        times = {"lastModifiedTime": moment, "lastStatusModifiedTime": moment}
        if args["status"] == "Stopped":
            times |= {"endTime": moment}
        world.put(job.id, {**job.body, "properties": {**job.properties, "status": args["status"], **times}})
