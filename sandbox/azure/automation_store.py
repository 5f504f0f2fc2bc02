"""Automation's resources as they are kept and shown.

What Azure keeps but never shows lies in a resource's body under "sandbox", which every answer leaves out and every
snapshot holds: {"content": the published script or null, "draft": the script being edited or null} of a runbook. A
world file writes the same: `sandbox: {content: "..."}`.
"""

from datetime import datetime
from typing import Any

from sandbox.azure import ids
from sandbox.azure.clock import ticks
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Room
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

VERSIONS = (
    *("2024-10-23", "2023-11-01", "2023-05-15-preview", "2022-08-08", "2021-06-22", "2020-01-13-preview"),
    *("2019-06-01", "2018-06-30", "2018-01-15", "2017-05-15-preview", "2015-10-31"),
)
room = Room("Microsoft.Automation", {"automationAccounts": VERSIONS})

KIND = "Microsoft.Automation/automationAccounts"
ACCOUNT = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Automation/automationAccounts/{account}"
)
RUNBOOK = ACCOUNT + "/runbooks/{runbook}"
JOB = ACCOUNT + "/jobs/{job}"
PAGE = 100
_STAMPS = ("creationTime", "lastModifiedBy", "lastModifiedTime")


def iso(at: datetime) -> str:
    """A moment as Automation writes it: "2026-01-31T09:30:00.250+00:00"."""
    return at.isoformat(timespec="milliseconds")


def account_of(path: str) -> str:
    """The id of the account that a path lies in."""
    return "/".join(path.split("/")[:9])


def bad(message: str) -> ApiError:
    """400, the way Automation says it."""
    return ApiError(400, "BadRequest", message)


def absent(call: Call, kind: str, name: str) -> ApiError:
    """404, the way Automation says it for something inside an account."""
    return ApiError(404, "NotFound", f"The {kind} '{name}' was not found in the account '{call.params['account']}'.")


def properties_of(call: Call) -> Json:
    """The request's "properties". Raises ApiError 400 when there are none."""
    body = call.body
    if not isinstance(body, dict) or not isinstance(body.get("properties"), dict):
        raise bad("The request body is invalid: 'properties' is required.")
    return dict(body["properties"])


def need_account(call: Call) -> Resource:
    """The account of the call. Raises ApiError 404."""
    return need(call, account_of(call.path))


def child(call: Call, collection: str, name: str) -> Resource:
    """Something in the call's account, by collection and name. Raises ApiError 404."""
    found = call.world.get(f"{account_of(call.path)}/{collection}/{name}")
    if found is None:
        need_account(call)
        raise absent(call, collection.removesuffix("s"), name)
    return found


def children(call: Call, collection: str) -> list[Resource]:
    """Everything of a collection in the call's account, in order of creation."""
    account = need_account(call)
    return call.world.list(f"{KIND}/{collection}", account.id)


def save(call: Call, id_: str, body: Json) -> Resource:
    """Write a resource, with the stamps of whoever calls in its properties."""
    old, now = call.world.get(id_), iso(call.clock.now())
    made = old.properties.get("creationTime", now) if old else now
    stamps = dict(zip(_STAMPS, (made, call.author.name, now), strict=True))
    kind = KIND.replace("automationA", "AutomationA") + "/" + _title(ids.parse(id_).type)
    body = {
        **body,
        "type": kind,
        "etag": f'"{ticks(call.clock.now())}"',
        "properties": {**body["properties"], **stamps},
    }
    return call.world.put(id_, body, call.author, call.version)


def shown(resource: Resource, leave: frozenset[str] = frozenset(), **more: object) -> Json:
    """What an answer holds: the body without what is never shown; `more` are computed properties."""
    properties = {k: v for k, v in {**resource.properties, **more}.items() if k not in leave}
    return {**resource.visible, "properties": properties}


def runbook_name(resource: Resource) -> str:
    """The runbook, in lower case, that a job, job schedule or webhook is of."""
    return str((resource.properties.get("runbook") or {}).get("name", "")).lower()


def state(world: World) -> Json:
    """What has no id of its own: webhook tokens, test jobs, deleted runbooks."""
    return world.state.setdefault("automation", {"webhooks": {}, "invoked": {}, "tests": {}, "deleted": {}})


def _title(kind: str) -> str:
    last = kind.rpartition("/")[2]
    return last[:1].upper() + last[1:]
