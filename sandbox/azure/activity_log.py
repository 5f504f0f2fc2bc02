"""The Activity Log: what was done, by whom, made by doing it. Events in the shape of Insights REST 2015-04-01."""

import json
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from sandbox.azure import ids
from sandbox.azure.clock import stamp, ticks

if TYPE_CHECKING:
    from sandbox.azure.router import Call

Json = dict[str, Any]
Status = Literal["Started", "Accepted", "Succeeded", "Failed", "Active"]

_SOAP, _MS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/", "http://schemas.microsoft.com/"
CLAIM_NAMES = {
    "oid": _MS + "identity/claims/objectidentifier",
    "tid": _MS + "identity/claims/tenantid",
    "scp": _MS + "identity/claims/scope",
    "idp": _MS + "identity/claims/identityprovider",
    "amr": _MS + "claims/authnmethodsreferences",
    "acr": _MS + "claims/authnclassreference",
    "upn": _SOAP + "upn",
    "unique_name": _SOAP + "name",
    "sub": _SOAP + "nameidentifier",
    "family_name": _SOAP + "surname",
    "given_name": _SOAP + "givenname",
    "email": _SOAP + "emailaddress",
}
# Azure's words for some operations; it shows the operation's own name for many others, as is done here.
TITLES = {
    "microsoft.authorization/roleassignments/write": "Create role assignment",
    "microsoft.authorization/roleassignments/delete": "Delete role assignment",
    "microsoft.authorization/roledefinitions/write": "Create or update custom role definition",
    "microsoft.authorization/roledefinitions/delete": "Delete custom role definition",
    "microsoft.authorization/locks/write": "Add management locks",
    "microsoft.authorization/locks/delete": "Delete management locks",
    "microsoft.authorization/elevateaccess/action": "Assigns the caller to User Access Administrator role",
    "microsoft.resources/subscriptions/resourcegroups/write": "Update resource group",
    "microsoft.resources/subscriptions/resourcegroups/delete": "Delete resource group",
    "microsoft.automation/automationaccounts/runbooks/write": "Create or Update an Azure Automation Runbook",
    "microsoft.automation/automationaccounts/runbooks/delete": "Delete an Azure Automation Runbook",
    "microsoft.automation/automationaccounts/webhooks/write": "Create or Update an Azure Automation webhook",
    "microsoft.compute/virtualmachines/write": "Create or Update Virtual Machine",
    "microsoft.compute/virtualmachines/delete": "Delete Virtual Machine",
    "microsoft.compute/virtualmachines/start/action": "Start Virtual Machine",
    "microsoft.compute/virtualmachines/deallocate/action": "Deallocate Virtual Machine",
    "microsoft.compute/virtualmachines/poweroff/action": "Power Off Virtual Machine",
    "microsoft.compute/virtualmachines/runcommand/action": "Run Command on Virtual Machine",
    "microsoft.compute/virtualmachines/extensions/write": "Create or Update Virtual Machine Extension",
    "microsoft.compute/virtualmachines/extensions/delete": "Delete Virtual Machine Extension",
    "microsoft.compute/disks/write": "Create or Update Disk",
}
# What lies under these keys of a request never reaches the log.
_SECRET = re.compile(r".*(password|secret|accesskey)|protectedsettings|protectedparameters", re.IGNORECASE)
_SIGNED = re.compile(r"\b(token|sig)=[^&\s]+", re.IGNORECASE)  # in a URI: it opens the door by itself


class ActivityLog:
    """Events by subscription ("" holds the tenant's), each list in order of time."""

    def __init__(self) -> None:
        self.events: dict[str, list[Json]] = {}
        self.delay = timedelta()  # until an event can be queried
        self.streams: dict[str, list[Json]] = {}  # what was streamed to a workspace, by the workspace's id, lower case
        self.sinks: Callable[[str], Iterable[str]] = lambda _: ()  # a subscription -> the workspaces it streams to now

    def add(self, event: Json) -> None:
        """Keep an event. Cheap at the end; in the middle when an exercise plays an earlier time."""
        subscription = str(event.get("subscriptionId", "")).lower()
        insort(self.events.setdefault(subscription, []), event, key=_time)
        for workspace in self.sinks(subscription):
            insort(self.streams.setdefault(workspace.lower(), []), event, key=_time)

    def between(self, subscription: str, start: datetime, end: datetime, now: datetime) -> Iterator[Json]:
        """Events of [start, end] that can be queried by now, newest first."""
        events = self.events.get(subscription.lower(), [])
        low, high = bisect_left(events, stamp(start), key=_time), bisect_right(events, stamp(end), key=_time)
        known = stamp(now)
        return (events[i] for i in range(high - 1, low - 1, -1) if events[i]["submissionTimestamp"] <= known)

    def dump(self) -> Json:
        """All state as plain JSON."""
        streams = {workspace: [event["eventDataId"] for event in held] for workspace, held in self.streams.items()}
        return {"events": self.events, "delay": self.delay.total_seconds(), "streams": streams}

    @classmethod
    def restore(cls, state: Json) -> "ActivityLog":
        """The inverse of `dump`."""
        log = cls()
        log.events, log.delay = state["events"], timedelta(seconds=state["delay"])
        known = {event["eventDataId"]: event for held in log.events.values() for event in held}
        log.streams = {workspace: [known[id_] for id_ in held] for workspace, held in state.get("streams", {}).items()}
        return log


def _time(event: Json) -> str:
    return str(event["eventTimestamp"])


_TAKEN = frozenset({"microsoft.authorization/roleassignments/delete"})


def template(call: "Call") -> Json:
    """What all events of one operation share."""
    parts = ids.parse(call.scope)
    tenant = call.world.tenant
    return {
        "authorization": {"action": call.action, "role": call.role, "scope": call.scope},
        "caller": call.caller.name,
        "channels": "Operation",
        "claims": claims(call.caller.claims),
        "correlationId": call.correlation,
        "description": "",
        "category": pair("Administrative"),
        "httpRequest": {
            "clientRequestId": call.headers.get("x-ms-client-request-id", call.request),
            "clientIpAddress": call.caller.ip,
            "method": call.method,
        },
        "operationId": call.correlation,
        "operationName": pair(call.action, TITLES.get(call.action.lower(), call.action)),
        "resourceGroupName": parts.group,
        "resourceProviderName": pair(call.action.partition("/")[0]),
        "resourceType": pair(_type(call.action)),
        "resourceId": call.scope,
        "subscriptionId": parts.subscription.lower(),
        "tenantId": tenant,
        "properties": {
            "eventCategory": "Administrative",
            "entity": call.scope,
            "message": call.action,
            "hierarchy": f"{tenant}/{parts.subscription.lower()}" if parts.subscription else tenant,
        },
        "relatedEvents": [],
    }


def started(call: "Call") -> Json:
    """The first event of an operation; it holds the request's body."""
    event = template(call)
    if call.raw.strip() and call.raw.lstrip()[:1] in b"{[":
        event["properties"]["requestbody"] = json.dumps(_masked(call.body), separators=(",", ":"))
    return event


def record(
    call: "Call", event: Json, status: Status, http: int = 0, error: object = None, *, answer: object = None
) -> None:
    """Add one event of an operation: its template, the status of the answer (0 on Started), the error body, the answer.

    Of what it answers the log has what a deletion took, of the types of which Azure says that.
    """
    world = call.world
    if answer and call.action.lower() in _TAKEN:
        body = json.dumps(answer, separators=(",", ":"))
        event = {**event, "properties": {**event["properties"], "responseBody": body}}
    add(world.activity, event, status, call.clock.now(), world.new_id("event"), _outcome(http, error, call.request))


def add(
    log: ActivityLog, event: Json, status: Status, now: datetime, id_: str, more: Json | None = None, name: str = ""
) -> None:
    """Complete a template and keep it. `more` are properties, `name` an event name other than Begin and End."""
    code = str((more or {}).get("statusCode", ""))
    request = pair("BeginRequest", "Begin request") if status == "Started" else pair("EndRequest", "End request")
    log.add(
        {
            **event,
            "eventDataId": id_,
            "eventName": pair(name) if name else request,
            "eventTimestamp": stamp(now),
            "id": f"{event['resourceId']}/events/{id_}/ticks/{ticks(now)}",
            "level": "Error" if status == "Failed" else "Informational",
            "status": pair(status),
            "subStatus": pair(code, f"{code} (HTTP Status Code: {_CODES[code]})" if code else ""),
            "submissionTimestamp": stamp(now + log.delay),
            "properties": {**(more or {}), **event["properties"]},
        }
    )


def claims(short: Json) -> Json:
    """A token's claims as the log shows them: long names, plain strings, nothing of the sandbox's own."""
    return {CLAIM_NAMES.get(k, k): _flat(v) for k, v in short.items() if not k.startswith("x_")}


def pair(value: str, localized: str = "") -> Json:
    """A value with its label."""
    return {"value": value, "localizedValue": localized or value}


def _outcome(http: int, error: object, request: str) -> Json:
    if not http:
        return {}
    outcome = {"statusCode": _words(HTTPStatus(http)), "serviceRequestId": request}
    return {**outcome, "statusMessage": json.dumps(error, separators=(",", ":"))} if error else outcome


def _words(status: HTTPStatus) -> str:
    """A status code as .NET names it: NotFound, OK."""
    return "OK" if status is HTTPStatus.OK else status.name.title().replace("_", "")


_CODES = {_words(status): status.value for status in HTTPStatus}


def _type(action: str) -> str:
    """The resource type an action is about."""
    parts = action.split("/")
    return "/".join(parts[:-2] if parts[-1].lower() == "action" and len(parts) > 3 else parts[:-1])  # noqa: PLR2004


def _flat(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _masked(value: Any, key: str = "") -> Any:
    """A copy without secrets; the values of tags are masked by Azure too."""
    if _SECRET.fullmatch(key):
        return "******"
    if isinstance(value, dict):
        return {k: "******" if key == "tags" else _masked(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(v, key) for v in value]
    return _SIGNED.sub(r"\1=******", value) if isinstance(value, str) else value
