import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest

from responders.alerts import Reference, from_arm, parse
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Alert, Ignored
from tests.responders.alerts.fixtures import (
    EVE,
    FOLDER,
    ID,
    LINK,
    MALLORY,
    NAME,
    SUBSCRIPTION,
    TENANT,
    VM,
    alert,
    document,
    one,
    payload,
    rest,
)

CHANNELS = (
    "rest",
    "rest-2019",
    "logic-app",
    "logic-app-pascal",
    "event-hub",
    "log-analytics-row",
    "event-grid",
    "cloud-event",
    "cloud-event-base64",
    "sentinel-alert",
)


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_gives_the_same_alert(channel: str) -> None:
    found, expected = alert(payload(channel)), alert(payload("rest"))
    assert (found.name, found.id, found.subscription) == (NAME, ID, SUBSCRIPTION)
    assert found.type == "ARM_AnomalousRBACRoleAssignment"
    assert found.concerns == ("user", "service_principal", "subscription")
    assert (found.severity, found.status, found.sample) == ("High", "Active", False)
    assert found.start == datetime(2026, 3, 4, 10, 9, 57, 212290, tzinfo=UTC)
    assert found.actors == expected.actors
    assert [actor.id for actor in found.actors] == [MALLORY, EVE], "who assigned comes before who was assigned"
    assert {r.lower() for r in found.resources} == {f"/subscriptions/{SUBSCRIPTION}"}
    assert found.addresses == ("198.51.100.7",)
    assert expected.details.items() <= found.details.items()
    assert found.description == expected.description


def test_rest_gives_all_there_is() -> None:
    found = alert(payload("rest"))
    assert found.end == datetime(2026, 3, 4, 10, 12, 30, 500000, tzinfo=UTC)
    assert (found.tenant, found.link) == (TENANT, LINK)
    assert found.title == "Suspicious Azure role assignment detected (Preview)"
    assert found.actors[0].upn == "mallory@contoso.example"
    assert found.actors[0].tenant == TENANT
    assert found.details["assigner principal ID"] == MALLORY


def test_rest_list_holds_ours_and_others() -> None:
    role, vm, other = parse(payload("rest-list"))
    assert isinstance(role, Alert)
    assert role.id == ID
    assert isinstance(vm, Alert)
    assert (vm.type, vm.concerns) == ("ARM_MicroBurst.AzVMBulkCMD", ("user", "service_principal", "vm"))
    assert vm.resources == (VM,)
    assert [actor.id for actor in vm.actors] == [MALLORY]
    assert isinstance(other, Ignored)
    assert "VM_SuspectedWebShell" in other.reason


def test_tables_of_log_analytics_are_read_by_column() -> None:
    found, other = parse(payload("log-analytics-tables"))
    assert isinstance(found, Alert)
    assert (found.name, found.id) == (NAME, ID), "Defender's id, not Sentinel's"
    assert found.tenant == "", "a workspace's TenantId is no directory"
    assert isinstance(other, Ignored)


def test_sentinel_incident_gives_its_alerts_with_its_entities() -> None:
    found, other = parse(payload("sentinel-incident"))
    assert isinstance(found, Alert)
    assert (found.name, found.id, found.subscription) == (NAME, ID, SUBSCRIPTION)
    assert found.actors[0].upn == "mallory@contoso.example"
    assert found.actors[0].name == "Mallory M."
    assert found.addresses == ("198.51.100.7",)
    assert isinstance(other, Ignored)


def test_graph_says_who_is_who_and_its_title_says_which_type() -> None:
    found = alert(payload("graph-alert"))
    assert (found.name, found.id) == (NAME, "")
    assert found.type == "ARM_AnomalousRBACRoleAssignment"
    assert [actor.name for actor in found.actors] == ["Mallory M.", "deployer", "Eve E."], "attacker, unsaid, attacked"
    assert found.actors[1].id == "44d9f1c0-8f3e-4e0b-a7d5-0c62b9e81a37"
    assert (found.subscription, found.tenant, found.severity) == (SUBSCRIPTION, TENANT, "High")


@pytest.mark.parametrize("source", ["unknownFutureValue", "microsoftDefenderForCloud"])
def test_graph_without_its_header_is_known_by_title(source: str) -> None:
    body = document("graph-alert") | {"detectionSource": source}
    assert alert(body).type == "ARM_AnomalousRBACRoleAssignment"


@pytest.mark.parametrize(
    "change",
    [
        {"detectionSource": "microsoftDefenderForEndpoint"},
        {"detectionSource": "unknownFutureValue", "title": "Malware was detected"},
        {"detectionSource": "unknownFutureValue", "serviceSource": "microsoftDefenderForIdentity"},
    ],
)
def test_graph_alerts_of_others_are_ignored(change: dict[str, str]) -> None:
    assert isinstance(one(document("graph-alert") | change), Ignored)


@pytest.mark.parametrize("channel", ["activity-log", "action-group", "activity-log-records"])
def test_activity_log_refers_to_the_alert(channel: str) -> None:
    found = parse(payload(channel))[0]
    assert isinstance(found, Reference)
    assert found.id.lower() == ID.lower()


def test_activity_log_record_as_a_text_in_a_message() -> None:
    assert one({"input": {"message": json.dumps(document("activity-log"))}}) == Reference(id=ID)


def test_activity_log_id_is_taken_from_the_event_when_the_resource_has_none() -> None:
    assert one(document("activity-log") | {"resourceId": ""}) == Reference(id=ID)


@pytest.mark.parametrize(
    "change",
    [
        {"operationName": {"value": "Microsoft.Security/locations/alerts/dismiss/action"}},
        {"operationName": "Microsoft.Authorization/roleAssignments/write"},
        {"resourceId": "/subscriptions/SUBSCRIPTION_ID/providers/x", "id": "/subscriptions/<subscription ID>/events/1"},
    ],
)
def test_other_activity_is_ignored(change: dict[str, object]) -> None:
    assert isinstance(one(document("activity-log") | change), Ignored)


@pytest.mark.parametrize(
    "body",
    [
        {"id": ID},
        {"ID": ID + "/"},
        {"alertId": f" {ID}\n"},
        {"id": ID, "name": NAME, "type": "Microsoft.Security/Locations/alerts"},
        {"alertUri": LINK},
        json.dumps(ID),
        json.dumps({"id": ID}),
        ID,
        LINK,
        f"\ufeff{ID}\n".encode(),
        [ID],
        [{"id": "1", "topic": "t", "eventType": "Contoso.Alert", "data": {"id": ID}}],
        {"specversion": "1.0", "id": "1", "type": "Contoso.Alert", "source": "/x", "data": ID},
    ],
)
def test_an_id_or_a_link_is_a_reference(body: object) -> None:
    assert one(body) == Reference(id=ID)


def test_link_keeps_the_resource_group() -> None:
    found = one(LINK.replace("/referencedFrom", "/resourceGroup/rg-shop/referencedFrom"))
    assert isinstance(found, Reference)
    assert ResourceId.parse(found.id).group == "rg-shop"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("event-grid-validation", "SubscriptionValidationEvent"),
        ("sentinel-incident-without-alerts", "holds no alerts"),
    ],
)
def test_what_is_no_alert_is_ignored(name: str, words: str) -> None:
    found = one(payload(name))
    assert isinstance(found, Ignored)
    assert words in found.reason


def test_assessments_and_scores_of_the_hub_are_ignored() -> None:
    found, assessment, score = parse(payload("event-hub-batch"))
    assert isinstance(found, Alert)
    assert isinstance(assessment, Ignored)
    assert "Microsoft.Security/assessments" in assessment.reason
    assert isinstance(score, Ignored)
    assert "Microsoft.Security/secureScores" in score.reason


@pytest.mark.parametrize("body", [[], {"value": []}, {"records": []}, {"tables": []}, {"columns": [], "rows": []}])
def test_nothing_at_all_is_ignored(body: object) -> None:
    assert isinstance(one(body), Ignored)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda body: {"body": body},
        lambda body: {"body": json.dumps(body)},
        lambda body: {"statusCode": 200, "body": {"value": [body], "nextLink": "https://x.example/"}},
        lambda body: {"$content-type": "text/plain", "$content": b64encode(json.dumps(body).encode()).decode()},
        lambda body: {"ContentData": b64encode(json.dumps(body).encode()).decode(), "Properties": {}},
        lambda body: [[body], {"records": [body]}],
        lambda body: json.dumps(json.dumps(body)),
        lambda body: {"id": "/workflows/7f3a/runs/1", "body": body},
        lambda body: [{"id": "1", "topic": "t", "eventType": "E", "data": json.dumps(body)}],
        lambda body: bytearray(json.dumps(body).encode()),
        lambda body: b"\xef\xbb\xbf  " + json.dumps(body).encode("utf-8"),
    ],
)
def test_whatever_is_around_an_alert_it_is_found_once(wrap: object) -> None:
    assert callable(wrap)
    assert alert(wrap(document("rest"))) == alert(payload("rest"))


def test_simulated_alerts_are_samples_of_the_plain_type() -> None:
    found = alert(payload("sample-alert"))
    assert found.sample
    assert found.type == "ARM_PrivilegedRoleDefinitionCreation"
    assert [(actor.id, actor.upn, actor.name) for actor in found.actors] == [("", "", "Sample user")]
    assert (found.addresses, found.tenant) == ((), ""), "zeros are nobody's"


@pytest.mark.parametrize(
    "change",
    [
        {"alertType": "simulated_arm_azurite"},
        {"alertDisplayName": "[SAMPLE ALERT] Something"},
        {"description": "THIS IS A SAMPLE ALERT: something"},
    ],
)
def test_any_mark_of_the_simulator_makes_a_sample(change: dict[str, str]) -> None:
    assert alert(rest(**change)).sample


def test_a_sample_mark_in_the_middle_of_a_text_is_an_intruders() -> None:
    assert not alert(rest(description="run by THIS IS A SAMPLE ALERT: bot")).sample


def test_a_type_is_given_as_microsoft_spells_it() -> None:
    assert alert(rest(alertType="arm_suspicious_VAULT_recovering")).type == "Arm_Suspicious_Vault_Recovering"


def test_unknown_types_of_ours_are_alerts_that_concern_nothing_yet() -> None:
    found = alert(rest(alertType="ARM_BrandNew.Thing"))
    assert (found.type, found.concerns) == ("ARM_BrandNew.Thing", ())


@pytest.mark.parametrize(
    ("channel_status", "status"),
    [
        ("New", "Active"),
        ("inProgress", "InProgress"),
        ("RESOLVED", "Resolved"),
        ("Dismissed", "Dismissed"),
        ("?", "Active"),
    ],
)
def test_status_has_one_spelling(channel_status: str, status: str) -> None:
    assert alert(rest(status=channel_status)).status == status


@pytest.mark.parametrize(
    ("start", "end", "lasts"),
    [
        ("2026-03-04T10:00:00Z", "2026-03-04T10:05:00.1234567Z", timedelta(minutes=5, microseconds=123456)),
        ("2026-03-04 10:00:00.5+00:00", None, timedelta()),
        ("2026-03-04T10:00:00Z", "0001-01-01T00:00:00", timedelta()),
        ("2026-03-04T10:00:00Z", "2026-03-04T09:00:00Z", timedelta()),
        (None, "2026-03-04T11:00:00+01:00", timedelta()),
        ("", "None", timedelta()),
    ],
)
def test_times(start: str | None, end: str | None, lasts: timedelta) -> None:
    found = alert(rest(startTimeUtc=start, endTimeUtc=end))
    assert found.end - found.start == lasts
    assert found.start.utcoffset() == timedelta()
    assert found.start.hour == 10


def test_objects_that_are_no_json_yet_are_taken() -> None:
    at = datetime(2026, 3, 4, 11, tzinfo=timezone(timedelta(hours=1)))
    assert alert(rest(startTimeUtc=at)).start == at


def test_from_arm_reads_what_defender_returns() -> None:
    assert from_arm(document("rest")) == alert(payload("rest"))
    assert from_arm(document("rest-2019")).type == "ARM_AnomalousRBACRoleAssignment"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": VM, "properties": {"alertType": "ARM_Azurite"}},
        {"id": ID},
        document("rest-list")["value"][2],
        document("event-hub"),
    ],
)
def test_from_arm_takes_alerts_of_resource_manager_only(body: dict[str, object]) -> None:
    with pytest.raises(Permanent):
        from_arm(body)


def test_the_id_of_an_alert_is_its_own_or_made_from_its_link() -> None:
    assert alert(payload("rest")).id == ID
    assert alert(payload("event-hub")).id == ID
    assert alert(payload("graph-alert")).id == ""


def test_every_fixture_is_read() -> None:
    assert all(parse(path.read_bytes()) for path in FOLDER.glob("*.json"))
