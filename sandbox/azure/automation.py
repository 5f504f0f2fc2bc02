"""Automation: accounts, runbooks and their drafts.

Jobs are in automation_jobs, what starts runbooks in automation_assets, what else an account holds in automation_items.
"""

from typing import Any

from sandbox.azure import automation_assets, automation_items, automation_jobs, operations
from sandbox.azure.automation_assets import unlink
from sandbox.azure.automation_store import (
    ACCOUNT,
    KIND,
    PAGE,
    RUNBOOK,
    absent,
    account_of,
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
from sandbox.azure.clock import Clock, ticks
from sandbox.azure.lists import page
from sandbox.azure.resources import merged, need, with_identity
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

__all__ = ["automation_assets", "automation_items", "automation_jobs", "room"]

Json = dict[str, Any]

_RUNBOOKS = f"{KIND}/runbooks"
_DEFAULTS: Json = {
    "description": None,
    "logVerbose": False,
    "logProgress": False,
    "logActivityTrace": 0,
    "runbookType": "PowerShell",
    "parameters": {},
    "outputTypes": [],
    "provisioningState": "Succeeded",
}
_SETTABLE = ("description", "logVerbose", "logProgress", "logActivityTrace", "runbookType", "runtimeEnvironment")
# A list shows less than a GET: neither who changed it last nor the description.
_UNLISTED = frozenset(
    {
        "description",
        "parameters",
        "outputTypes",
        "lastModifiedBy",
        "jobCount",
        "provisioningState",
        "runtimeEnvironment",
    }
)


# -- accounts ----------------------------------------------------------------------------------------------------------


@room.on("PUT", ACCOUNT, f"{KIND}/write")
async def put_account(call: Call) -> Reply:
    """Create an account, or replace it; its children stay."""
    old, given = call.world.get(call.path), call.body
    body = {**given, "properties": {**(old.properties if old else {}), **(given.get("properties") or {})}}
    return Reply(200 if old else 201, shown(_save_account(call, body, old)))


@room.on("PATCH", ACCOUNT, f"{KIND}/write")
async def patch_account(call: Call) -> Reply:
    """Change what the body names, such as the identity."""
    old = need(call)
    return Reply(200, shown(_save_account(call, merged(old.body, call.body), old)))


@room.on("POST", ACCOUNT + "/listDeletedRunbooks", f"{KIND}/listDeletedRunbooks/action")
async def deleted_runbooks(call: Call) -> Reply:
    """List runbooks that were deleted."""
    account = need_account(call)
    return Reply(200, {"value": list(state(call.world)["deleted"].get(account.key, []))})


def _save_account(call: Call, body: Json, old: Resource | None) -> Resource:
    body = with_identity(call, body, old)
    defaults = {"sku": {"name": "Basic", "family": None, "capacity": None}, "state": "Ok", "disableLocalAuth": False}
    now = iso(call.clock.now())
    properties = {"creationTime": now, **defaults, **body["properties"], "lastModifiedTime": now}
    properties["lastModifiedBy"] = call.author.name
    head = {"tags": {}, **body, "type": "Microsoft.Automation/AutomationAccounts", "properties": properties}
    return call.world.put(call.path, head, call.author, call.version)


# -- runbooks ----------------------------------------------------------------------------------------------------------


@room.on("GET", ACCOUNT + "/runbooks", f"{_RUNBOOKS}/read")
async def runbooks(call: Call) -> Reply:
    """List runbooks."""
    return page(call, [shown(r, _UNLISTED) for r in children(call, "runbooks")], PAGE)


@room.on("GET", RUNBOOK, f"{_RUNBOOKS}/read")
async def runbook(call: Call) -> Reply:
    """Read one."""
    return Reply(200, _shown(call, _runbook(call)))


@room.on("PUT", RUNBOOK, f"{_RUNBOOKS}/write")
async def put_runbook(call: Call) -> Reply:
    """Create one with an empty draft, or published from a link; or change it.

    The sandbox follows no link: the script it publishes then says where it would have come from.
    """
    need_account(call)
    given, old = properties_of(call), call.world.get(call.path)
    link, draft = given.get("publishContentLink"), given.get("draft")
    if old is None and not link and draft is None:
        raise bad("Either the draft or the publishContentLink of the runbook has to be specified.")
    if old and given.get("runbookType", old.properties["runbookType"]) != old.properties["runbookType"]:
        raise bad("The type of a runbook cannot be changed.")
    if "runbookType" not in given and old is None:
        raise bad("The runbookType of the runbook has to be specified.")
    scripts = old.hidden if old else {"content": None, "draft": None}
    if link:
        scripts = {**scripts, "content": f"# published from {link.get('uri', '')}", "draft": None}
    elif draft is not None and scripts.get("draft") is None:
        scripts = {**scripts, "draft": ""}
    properties = {**(old.properties if old else _DEFAULTS), **{k: given[k] for k in _SETTABLE if k in given}}
    body = {k: v for k, v in call.body.items() if k in {"location", "tags"}}
    head = {"location": need_account(call).body.get("location"), "tags": {}, **(old.body if old else {}), **body}
    stored = _save(call, call.path, {**head, "properties": properties}, scripts)
    return Reply(200 if old else 201, _shown(call, stored))


@room.on("PATCH", RUNBOOK, f"{_RUNBOOKS}/write")
async def patch_runbook(call: Call) -> Reply:
    """Change its description, tags or logging."""
    old = _runbook(call)
    given = {k: v for k, v in (call.body.get("properties") or {}).items() if k in _SETTABLE and k != "runbookType"}
    tags = {"tags": call.body["tags"]} if "tags" in call.body else {}
    stored = _save(call, old.id, {**old.body, **tags, "properties": {**old.properties, **given}}, old.hidden)
    return Reply(200, _shown(call, stored))


@room.on("DELETE", RUNBOOK, f"{_RUNBOOKS}/delete")
async def delete_runbook(call: Call) -> Reply:
    """Delete it, and with it what would start it: its job schedules and webhooks. Its jobs run on.

    That webhooks and job schedules go too is known from use, not from the reference.
    """
    old = call.world.get(call.path)
    if old is None:
        return Reply(204)
    for collection in ("jobSchedules", "webhooks"):
        for link in children(call, collection):
            if runbook_name(link) == old.name.lower():
                unlink(call.world, link)
    gone = {"runbookId": call.world.new_id("runbook", old.id), "runbookType": old.properties["runbookType"]}
    gone |= {"creationTime": old.properties["creationTime"], "deletionTime": iso(call.clock.now())}
    entry = {"id": old.id, "name": old.name, "location": old.body.get("location"), "properties": gone}
    state(call.world)["deleted"].setdefault(account_of(old.key), []).append(entry)
    call.world.delete(old.id)
    return Reply(200)


@room.on("GET", RUNBOOK + "/content", f"{_RUNBOOKS}/content/read")
async def content(call: Call) -> Reply:
    """Read the published script."""
    script = _runbook(call).hidden.get("content")
    if script is None:
        raise absent(call, "content of runbook", call.params["runbook"])
    return _script(script)


@room.on("POST", RUNBOOK + "/publish", f"{_RUNBOOKS}/publish/action")
async def publish(call: Call) -> Reply:
    """Make the draft what runs."""
    found = _runbook(call)
    if found.hidden.get("draft") is None:
        raise bad(f"The runbook '{found.name}' has no draft to publish.")
    return operations.accept(call, "automation.publish", _args(call, found), at=f"{found.id}/operationResults")


@operations.effect("automation.publish")
def _published(world: World, clock: Clock, args: Json) -> None:
    if found := world.get(args["id"]):
        scripts = found.hidden
        _stamped(world, clock, found, {**scripts, "content": scripts.get("draft"), "draft": None}, args["by"])


# -- drafts ------------------------------------------------------------------------------------------------------------


@room.on("GET", RUNBOOK + "/draft", f"{_RUNBOOKS}/draft/read")
async def draft(call: Call) -> Reply:
    """Read about the draft."""
    found = _runbook(call)
    times = {k: found.properties[k] for k in ("creationTime", "lastModifiedTime")}
    editing = found.hidden.get("draft") is not None
    return Reply(200, {"inEdit": editing, "draftContentLink": None, "parameters": {}, "outputTypes": [], **times})


@room.on("GET", RUNBOOK + "/draft/content", f"{_RUNBOOKS}/draft/content/read")
async def draft_content(call: Call) -> Reply:
    """Read the draft's script. It may run in the test pane without ever being published."""
    script = _runbook(call).hidden.get("draft")
    if script is None:
        raise absent(call, "draft of runbook", call.params["runbook"])
    return _script(script)


@room.on("PUT", RUNBOOK + "/draft/content", f"{_RUNBOOKS}/draft/content/write")
async def replace_draft(call: Call) -> Reply:
    """Replace the draft's script; makes a draft where there is none."""
    found = _runbook(call)
    args = {**_args(call, found), "text": call.text}
    return operations.accept(call, "automation.draft", args, at=f"{found.id}/operationResults")


@operations.effect("automation.draft")
def _replaced(world: World, clock: Clock, args: Json) -> None:
    if found := world.get(args["id"]):
        _stamped(world, clock, found, {**found.hidden, "draft": args["text"]}, args["by"])


@room.on("POST", RUNBOOK + "/draft/undoEdit", f"{_RUNBOOKS}/draft/undoEdit/action")
async def undo_edit(call: Call) -> Reply:
    """Go back to what is published."""
    found = _runbook(call)
    if found.hidden.get("content") is None:
        raise bad(f"The runbook '{found.name}' was never published: there is nothing to go back to.")
    _save(call, found.id, found.body, {**found.hidden, "draft": None})
    return Reply(200, {"statusCode": "OK", "requestId": call.request})


def _runbook(call: Call) -> Resource:
    return child(call, "runbooks", call.params["runbook"])


def _shown(call: Call, resource: Resource) -> Json:
    jobs = sum(runbook_name(j) == resource.name.lower() for j in children(call, "jobs"))
    return shown(resource, jobCount=jobs)


def _save(call: Call, id_: str, body: Json, scripts: Json) -> Resource:
    return save(call, id_, _body(body, scripts))


def _stamped(world: World, clock: Clock, found: Resource, scripts: Json, by: str) -> None:
    body = _body(found.body, scripts)
    body["properties"] |= {"lastModifiedTime": iso(clock.now()), "lastModifiedBy": by}
    world.put(found.id, {**body, "etag": f'"{ticks(clock.now())}"'})


def _body(body: Json, scripts: Json) -> Json:
    edited = "New" if scripts.get("content") is None else "Edit"
    state_now = "Published" if scripts.get("draft") is None else edited
    return {**body, "properties": {**body["properties"], "state": state_now}, "sandbox": scripts}


def _args(call: Call, found: Resource) -> Json:
    return {"id": found.id, "by": call.author.name}


def _script(text: str) -> Reply:
    return Reply(200, text, {"Content-Type": "text/powershell"})
