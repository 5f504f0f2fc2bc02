"""What an investigation costs: events a second and memory, by stage and by size of the log.

    python -m sandbox.bench.investigation EVENTS SHARE    measure one log, and print its figures as JSON

A log is made up as it is read, page by page, newest first, as Azure's REST API gives it: 50 people and 10 applications,
40 operations of two or three events each, about 4 KB an event. SHARE is how much of it lies in the window.
"""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from rich.table import Table

from responders.investigation.activity import Activity
from responders.investigation.events import Notes, page
from responders.investigation.findings import told
from responders.investigation.join import Join
from responders.investigation.rules import Rules
from responders.investigation.window import Window
from responders.model import Principal
from sandbox.bench import detections

Json = dict[str, Any]
SIZES = (10_000, 100_000, 1_000_000)  # events
USUAL, ALL = 1 / 22, 1.0  # a day of the window after 21 of the baseline; and nothing but the window
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAYS = timedelta(days=22)
PAGE = 200
PEERS = 40_000  # events, of which a peer gets the activities

_SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
_OPERATIONS = (
    *("Microsoft.Compute/virtualMachines/" + what for what in ("write", "start/action", "deallocate/action")),
    *("Microsoft.Compute/virtualMachines/" + what for what in ("restart/action", "runCommand/action", "delete")),
    *("Microsoft.Compute/" + what for what in ("disks/write", "disks/delete", "snapshots/write", "images/write")),
    *("Microsoft.Storage/storageAccounts/" + what for what in ("write", "listKeys/action", "delete")),
    *("Microsoft.Network/" + what for what in ("networkSecurityGroups/write", "virtualNetworks/write")),
    *("Microsoft.Network/" + what for what in ("publicIPAddresses/write", "networkInterfaces/write")),
    *("Microsoft.Web/sites/" + what for what in ("write", "config/write", "restart/action", "publishxml/action")),
    *("Microsoft.Authorization/" + what for what in ("roleAssignments/write", "locks/write", "locks/delete")),
    *("Microsoft.Automation/automationAccounts/" + what for what in ("runbooks/write", "jobs/write")),
    *("Microsoft.KeyVault/vaults/" + what for what in ("write", "accessPolicies/write")),
    *("Microsoft.Resources/" + what for what in ("deployments/write", "tags/write", "deployments/validate/action")),
    *("Microsoft.Resources/subscriptions/resourceGroups/" + what for what in ("write", "delete")),
    *("Microsoft.Sql/servers/" + what for what in ("write", "databases/write", "firewallRules/write")),
    *("Microsoft.Insights/" + what for what in ("diagnosticSettings/write", "metricAlerts/write")),
    *("Microsoft.ContainerRegistry/registries/" + what for what in ("write", "listCredentials/action")),
)


class Figures(NamedTuple):
    """Of one log: seconds (of the processor) for each stage, and the most memory that the process took."""

    events: int
    parse: float
    join: float
    match: float  # with learning the baseline
    score: float
    activities: int
    findings: int
    megabytes: float

    @property
    def seconds(self) -> float:
        return self.parse + self.join + self.match + self.score


def measure(events: int, share: float) -> Figures:
    """Read a made-up log once, as an investigation does."""
    began = NOW - DAYS
    since = NOW - share * DAYS
    suspect = Principal(id=_guid(7), kind="user", upn="user7@contoso.example")
    window = Window(Rules.load(), (suspect,), began, since)
    notes = Notes()
    joined = Join(notes)
    parse = joining = match = 0.0
    activities = 0
    for content in log(events):
        t0 = time.process_time()
        raw = page(content, notes)
        t1 = time.process_time()
        some = joined.take(raw.value, "azure_monitor")
        t2 = time.process_time()
        for one in some:
            window.take(one)
        parse, joining, match = parse + t1 - t0, joining + t2 - t1, match + time.process_time() - t2
        activities += len(some)
    t0 = time.process_time()
    for one in joined.rest():
        window.take(one)
        activities += 1
    found = told(window)
    score = time.process_time() - t0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(events, parse, joining, match, score, activities, len(found.findings), most)


def log(events: int) -> Iterator[bytes]:
    """Pages of a made-up log; the same each time."""
    dice = random.Random(1)  # noqa: S311
    made, step = 0, DAYS / events
    rows: list[str] = []
    while made < events:
        template, statuses = _operation(dice)
        template = template.replace("@correlation", f"{dice.getrandbits(32):08x}-0000-4000-8000-{made:012x}")
        for status in statuses:
            at = f"{NOW - made * step:%Y-%m-%dT%H:%M:%S.%f}0Z"
            rows.append(template.replace("@status", status).replace("@at", at).replace("@event", f"{made:032x}"))
            made += 1
        if len(rows) >= PAGE or made >= events:
            yield f'{{"value":[{",".join(rows)}]}}'.encode()
            rows = []


def _operation(dice: random.Random) -> tuple[str, tuple[str, ...]]:
    """An event of somebody, without what differs from event to event, and the operation's statuses, last first."""
    who, what, where = dice.randrange(60), min(dice.randrange(40), dice.randrange(40)), dice.randrange(20)
    operation, person = _OPERATIONS[what], who < 50  # noqa: PLR2004
    provider, kind = operation.split("/")[:2]
    scope = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/rg-{where % 5}/providers"
    said = {
        "@operation": operation,
        "@provider": provider,
        "@resource": f"{scope}/{provider}/{kind}/it-{where}",
        "@caller": f"user{who}@contoso.example" if person else _guid(who),
        "@oid": _guid(who),
        "@address": f"203.0.{who}.10",
    }
    template = _PERSON if person else _APPLICATION
    for name, value in said.items():
        template = template.replace(name, value)
    end = "Failed" if dice.random() < 0.05 else "Succeeded"  # noqa: PLR2004
    return template, (end, "Accepted", "Started") if what % 3 == 0 else (end, "Started")


def _event(*, person: bool) -> str:
    soap, ms = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/", "http://schemas.microsoft.com/"
    claims = {
        "aud": "https://management.core.windows.net/",
        "iss": f"https://sts.windows.net/{_guid(900)}/",
        **dict.fromkeys(("iat", "nbf", "exp"), "1780000000"),
        ms + "claims/authnclassreference": "1",
        ms + "claims/authnmethodsreferences": "pwd,mfa",
        "aio": "A" * 120,
        "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46" if person else "@oid",
        "appidacr": "0" if person else "1",
        "groups": ",".join(_guid(700 + n) for n in range(6)),
        "ipaddr": "@address",
        "idtyp": "user" if person else "app",
        "name": "@caller",
        ms + "identity/claims/objectidentifier": "@oid",
        "puid": "10032001FC4BF75D",
        "rh": "0." + "B" * 60,
        ms + "identity/claims/scope": "user_impersonation",
        soap + "nameidentifier": "v" * 43,
        ms + "identity/claims/tenantid": _guid(900),
        soap + "name": "@caller",
        soap + "upn": "@caller",
        "uti": "uti-@oid",
        "ver": "1.0",
        "wids": "62e90394-69f5-4237-9190-012177145e10,b79fbf4d-3ef9-4689-8143-76b194e85509",
        "xms_tcdt": "1648126498",
    }
    body = {"location": "westeurope", "properties": {"principalId": _guid(1), "text": "x" * 300}}

    def pair(value: str) -> Json:
        return {"value": value, "localizedValue": value}

    event = {
        "authorization": {"action": "@operation", "scope": "@resource"},
        "caller": "@caller",
        "channels": "Operation",
        "claims": claims,
        "correlationId": "@correlation",
        "description": "",
        "eventDataId": "@event",
        "eventName": pair("EndRequest"),
        "category": pair("Administrative"),
        "httpRequest": {"clientRequestId": _guid(1), "clientIpAddress": "@address", "method": "PUT"},
        "eventTimestamp": "@at",
        "id": "@resource/events/@event/ticks/639000000000000000",
        "level": "Informational",
        "operationId": "@correlation",
        "operationName": pair("@operation"),
        "resourceGroupName": "rg",
        "resourceProviderName": pair("@provider"),
        "resourceType": pair("@operation"),
        "resourceId": "@resource",
        "status": pair("@status"),
        "subStatus": pair(""),
        "submissionTimestamp": "@at",
        "subscriptionId": _SUBSCRIPTION,
        "tenantId": _guid(900),
        "properties": {
            "requestbody": json.dumps(body),
            "eventCategory": "Administrative",
            "entity": "@resource",
            "message": "@operation",
            "hierarchy": f"{_guid(900)}/{_SUBSCRIPTION}",
        },
        "relatedEvents": [],
    }
    return json.dumps(event, separators=(",", ":"))


def _guid(n: int) -> str:
    return f"{n:08x}-1111-4222-8333-444444444444"


_PERSON, _APPLICATION = _event(person=True), _event(person=False)


def measured(events: int, share: float) -> Figures:
    """The same in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "sandbox.bench.investigation", str(events), str(share)]
    return Figures(*json.loads(subprocess.run(command, check=True, capture_output=True).stdout))  # noqa: S603


def speed() -> Table:
    """Logs of three sizes, and what each costs."""
    heads = ("events", "in the window", "events/s", "parse", "join", "match", "score", "peak", "a event, to the first")
    table = Table(*heads, title="An investigation: one core, seconds by stage")
    for share in (USUAL, ALL):
        first = 0.0
        for size in SIZES:
            its = measured(size, share)
            each = its.seconds / its.events
            first = first or each
            stages = (f"{part / its.seconds:.0%}" for part in (its.parse, its.join, its.match, its.score))
            rate = f"{its.events / its.seconds:,.0f}"
            table.add_row(f"{size:,}", f"{share:.0%}", rate, *stages, f"{its.megabytes:.0f} MB", f"{each / first:.2f}")
    return table


def tables() -> Iterator[Table]:
    """All figures about investigations."""
    yield speed()
    yield from detections.tables(activities(PEERS))


def activities(events: int) -> list[Activity]:
    """The activities of a made-up log."""
    notes, joined = Notes(), Join(Notes())
    found = [one for content in log(events) for one in joined.take(page(content, notes).value, "azure_monitor")]
    return [*found, *joined.rest()]


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), float(sys.argv[2]))))
