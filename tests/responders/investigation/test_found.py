"""Of labeled events, what is bad is found, each with its reasons, and next to nothing of what is good is suspicious."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from responders.investigation.events import Notes, decoded
from responders.investigation.findings import Found, told
from responders.investigation.join import join
from responders.investigation.rules import Rules
from responders.investigation.window import Window
from responders.model import Principal
from sandbox.bench.detections import SAMPLES, Label, labels
from tests.responders.investigation.logged import APP, AT, MS, SUBSCRIPTION, TENANT, pair, rest, sdk, stream

Json = dict[str, Any]
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/lab"
MALLORY, ADMIN = "mallory@contoso.example", "admin@contoso.example"
BACKUP = "262044b1-e2ce-469f-a196-69ab7ada62d3"


def did(number: int, operation: str, resource: str, status: str = "Succeeded", **more: Any) -> Json:
    """An event as REST has it, of an operation of its own: one of several, as a search of the log shows it."""
    body = {key: more.pop(key) for key in ("requestbody", "responseBody") if key in more}
    said = {"properties": {key: json.dumps(value) for key, value in body.items()}}
    event = rest(status, number, operationName=pair(operation), resourceId=GROUP + resource, **said)
    authorization = {"action": operation, "scope": (GROUP + resource).upper()}
    return event | {"authorization": authorization, "correlationId": f"c{number}"} | more


def selected(number: int, operation: str, resource: str, caller: str) -> Json:
    """The same of a query with $select: few fields, and no claims."""
    event = did(number, operation, resource, caller=caller)
    wanted = ("caller", "correlationId", "eventDataId", "eventTimestamp", "operationName", "resourceId", "status")
    return {name: event[name] for name in wanted}


def of_application(app: str) -> Json:
    claims = {"appid": app, "idtyp": "app", MS + "identity/claims/tenantid": TENANT}
    return {"caller": app, "claims": {**claims, MS + "identity/claims/objectidentifier": app}}


# The steps of an attack, each by one event out of two or three: of most the request is missing.
BAD = (
    rest("Started"),  # gives a role
    did(1, "Microsoft.Resources/subscriptions/resourcegroups/write", ""),
    did(2, "Microsoft.Web/sites/config/write", "/providers/Microsoft.Web/sites/shop/config/appsettings"),
    did(
        3,
        "Microsoft.Compute/disks/write",
        "/providers/Microsoft.Compute/disks/copy",
        "Accepted",
        responseBody={"properties": {"creationData": {"createOption": "Copy", "sourceResourceId": "/x/snapshots/s"}}},
    ),
    did(
        4,
        "Microsoft.Compute/virtualMachines/extensions/delete",
        "/providers/Microsoft.Compute/virtualMachines/VM/Extensions/MicrosoftMonitoringAgent",
        operationId="another-one",
    ),
    did(
        5,
        "Microsoft.Automation/automationAccounts/runbooks/write",
        "/providers/Microsoft.Automation/automationAccounts/aa/runbooks/Sync",
    ),
    stream("Succeeded", 6, operationName="MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION", correlationId="c6"),
)
# An ordinary day: administrators, a service of Azure's own, and what policies and health say.
GOOD = (
    did(11, "Microsoft.Insights/extendedDiagnosticSettings/write", "/x", "Started", **of_application(BACKUP)),
    *(selected(n, "Microsoft.Compute/virtualMachines/start/action", "/vm", ADMIN) for n in range(12, 30)),
    *(selected(n, "Microsoft.Resources/deployments/write", f"/d{n}", ADMIN) for n in range(30, 50)),
    *(selected(n, "Microsoft.Authorization/policies/audit/action", f"/p{n}", ADMIN) for n in range(50, 70)),
    did(70, "Microsoft.ResourceHealth/healthevent/Activated/action", "/vm", category=pair("ResourceHealth")),
    stream("Succeeded", 71, operationName="Microsoft.Web/sites/start/action", identity={}, correlationId="c71"),
    sdk("Succeeded", 72)
    | {"operation_name": pair("Microsoft.Compute/disks/delete"), "caller": APP, "correlation_id": "c72"},
    sdk("Succeeded", 73)
    | {"operation_name": pair("Microsoft.Compute/virtualMachines/delete"), "caller": ADMIN, "correlation_id": "c73"},
)


def investigated(events: Iterable[Json], *suspects: str) -> Found:
    """What an incident's report would tell of them."""
    began = AT - timedelta(hours=1)
    who = [Principal(id=name, kind="user", upn=name) for name in suspects]
    window = Window(Rules.load(), who, began, began)
    read = [event for one in events if (event := decoded(json.dumps(one).encode(), Notes()))]
    for activity in join(read, Notes()):
        window.take(activity)
    return told(window)


def test_all_of_an_attack_is_found_each_with_a_rule_and_why() -> None:
    found = investigated(BAD, MALLORY, "1f2e3d4c-5b6a-4789-8c0d-e1f2a3b4c5d6").findings
    assert len(found) == len(BAD)
    for one in found:
        assert one.rule != "other"
        assert one.reason
        assert one.points[0].reason.startswith(f"rule {one.rule}")
        assert one.points[0].events == one.events
    by_rule = {one.rule: one.level for one in found}
    assert by_rule["vm-command-run"] == by_rule["vm-extension-deleted"] == "suspicious"


def test_nothing_of_an_ordinary_day_is_suspicious_whoever_is_suspected() -> None:
    assert investigated(GOOD).findings == ()
    callers = {ADMIN, APP, BACKUP, "1f2e3d4c-5b6a-4789-8c0d-e1f2a3b4c5d6"}
    found = investigated(GOOD, *callers).findings
    assert len(found) == 41  # the site was started by nobody knows whom
    assert {one.level for one in found} == {"none"}


@pytest.fixture(scope="module")
def labeled() -> list[Label]:
    if not SAMPLES.is_dir():
        pytest.skip("the labeled samples of real logs are not part of this repository")
    return list(labels())


def test_every_malicious_event_of_the_lab_is_found_each_with_a_rule_and_why(labeled: list[Label]) -> None:
    lab = [one for one in labeled if one.file == "real_rest_attack_lab.jsonl" and one.label == "malicious"]
    assert lab
    assert [one.why for one in lab if not one.matches] == []
    assert all(one.suspects and one.suspects.points[0].reason.startswith("rule ") for one in lab)


def test_of_real_benign_events_at_most_two_are_suspicious_each_with_why(labeled: list[Label]) -> None:
    benign = [one for one in labeled if one.file.startswith("real") and one.label == "benign"]
    assert benign
    for its in ([one.score for one in benign], [one.suspects for one in benign]):
        suspicious = [score for score in its if score and score.level == "suspicious"]
        assert len(suspicious) <= 2
        assert all(score.points for score in suspicious)
