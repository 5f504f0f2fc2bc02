"""Events of any spelling become the same activities; hostile ones hide nothing and stop nothing."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from responders.errors import Temporary
from responders.investigation.activity import Activity
from responders.investigation.events import Notes, decoded, event, page
from responders.investigation.join import join
from tests.responders.investigation.logged import (
    APP,
    ASKED,
    AT,
    CORRELATION,
    OID,
    OPERATION,
    RESOURCE,
    SUBSCRIPTION,
    TENANT,
    event_id,
    joined,
    one,
    rest,
    row,
    sdk,
    stream,
)

Json = dict[str, Any]
Spelling = Callable[[str, int], Json]

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "activity"


def paged(*events: Any, more: str | None = None) -> bytes:
    return json.dumps({"value": events, "nextLink": more}).encode()


def read(content: bytes) -> tuple[list[Activity], Notes]:
    notes = Notes()
    return list(join(page(content, notes).value, notes)), notes


WHOLE = Activity(
    at=AT,
    until=AT + timedelta(seconds=2),
    operation=OPERATION.lower(),
    outcome="succeeded",
    resource=RESOURCE,
    subscription=SUBSCRIPTION,
    caller="mallory@contoso.example",
    oid=OID,
    tid=TENANT,
    home=TENANT,
    appid=APP,
    appidacr="0",
    idtyp="user",
    amr=("pwd", "mfa"),
    wids=("62e90394-69f5-4237-9190-012177145e10", "b79fbf4d-3ef9-4689-8143-76b194e85509"),
    uti="aBcDeFgHiJkLmNoPqRsTuV",
    address="198.51.100.7",
    token_address="203.0.113.9",
    role="Owner",
    principal_type="User",
    status="Created",
    correlation=CORRELATION,
    category="Administrative",
    request=ASKED,
    response={"id": "r1"},
    events=(event_id(0), event_id(1), event_id(2)),
)


@pytest.mark.parametrize("spelling", [rest, stream, row, sdk])
@pytest.mark.parametrize("newest_first", [True, False])
def test_the_events_of_an_operation_are_one_activity_in_every_spelling(
    spelling: Spelling,
    newest_first: bool,  # noqa: FBT001
) -> None:
    events = [spelling(status, n) for n, status in enumerate(("Started", "Accepted", "Succeeded"))]
    found = one(*(reversed(events) if newest_first else events))

    if spelling is stream:  # it has no ids of events, and capitals everywhere
        assert len(set(found.events)) == 3
        assert found.resource == RESOURCE.upper()
        found = msgspec.structs.replace(found, events=WHOLE.events, resource=RESOURCE)
    assert found == WHOLE


def test_a_page_of_rest_is_the_same_read_at_once_and_one_by_one() -> None:
    events = [rest("Succeeded", 2), rest("Started", 0)]
    notes = Notes()

    at_once = page(paged(*events), notes).value

    assert at_once == [decoded(json.dumps(e).encode(), notes) for e in events]
    assert list(notes) == []


def test_categories_that_show_nobodys_doing_are_dropped() -> None:
    for category in ("Policy", "policy", "ResourceHealth", "ServiceHealth", "Autoscale", "Alert", "Recommendation"):
        assert (
            joined([rest(category={"value": category}), stream(category=category), row(CategoryValue=category)]) == []
        )
    for category in ("Administrative", "Security", "Write", ""):
        assert len(joined([rest(category={"value": category})])) == 1


def test_what_a_select_left_of_a_policys_event_is_dropped_too() -> None:
    operation = "Microsoft.Authorization/policies/audit/action"
    assert joined([{"eventTimestamp": "2026-03-01T12:00:00Z", "operationName": {"value": operation}, "id": "/x"}]) == []


@pytest.mark.parametrize(
    ("body", "read_as"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        (json.dumps('{"a": 1}'), {"a": 1}),  # a string in a string
        ("[1, 2]", {"value": [1, 2]}),
        ("<xml/>", {"text": "<xml/>"}),
        ('{"cut": "of', {"text": '{"cut": "of'}),
        ('{"tags": {"owner": "******"}}', {"tags": {"owner": "******"}}),
        ('{"a": "\\ud800"}', {"a": "?"}),  # half of a character would stop a strict reader
        ("[" * 100_000, {"text": "[" * 100_000}),
        ("", {}),
        (None, {}),
    ],
)
def test_bodies_are_read_whatever_they_are(body: Any, read_as: Json) -> None:
    for name in ("requestbody", "requestBody"):
        assert one(rest(properties={name: body})).request == read_as
    for name in ("responseBody", "responsebody", "statusMessage"):
        assert one(rest("Failed", properties={name: body})).response == read_as


def test_both_kinds_of_columns_of_log_analytics_are_read() -> None:
    dynamic, plain = row(), row()
    for name in ("Authorization", "Claims", "Properties"):
        plain[name], plain[f"{name}_d"] = dynamic[f"{name}_d"], None

    assert one(plain) == one(dynamic)


def test_a_row_without_claims_says_at_least_who_called() -> None:
    found = one(row(Claims="", Claims_d=None, ResourceId=""))

    assert (found.caller, found.oid, found.appid) == ("mallory@contoso.example", "", "")
    assert found.resource == RESOURCE.lower()
    assert found.home == TENANT  # never the TenantId of a row, which is the workspace


def test_a_hierarchy_that_names_only_the_subscription_tells_no_tenant() -> None:
    assert one(rest(tenantId=None, properties={"hierarchy": SUBSCRIPTION})).home == ""


def test_an_application_is_the_caller_by_its_object_id_and_no_human() -> None:
    claims = {"appid": APP, "idtyp": "app", "oid": OID}
    found = one(stream(identity={"claims": claims}))

    assert (found.caller, found.oid, found.human) == (OID, OID, False)
    assert one(rest()).human


HOSTILE = [
    {"claims": [1]},
    {"claims": "text"},
    {"claims": {"wids": ["a", "b"], "uti": 5}},
    {"status": 3},
    {"status": {"value": {"a": 1}}},
    {"subStatus": {"value": None}},
    {"authorization": "text"},
    {"authorization": {"evidence": "text"}},
    {"httpRequest": []},
    {"httpRequest": {"clientIpAddress": {}}},
    {"properties": "text"},
    {"properties": {"statusCode": 201, "entity": 1}},
    {"eventTimestamp": "yesterday"},
    {"eventTimestamp": 12},
    {"eventTimestamp": None},
    {"eventTimestamp": "2026-03-01T12:00:00"},
    {"correlationId": 7, "eventDataId": 8.5},
    {"caller": "\ud800"},
    {"resourceId": ["x"], "id": {}},
    {"caller": "'); DROP TABLE x; <script>\x00"},
]


@pytest.mark.parametrize("odd", HOSTILE, ids=str)
def test_an_event_of_odd_values_is_read_all_the_same_and_hides_no_other(odd: Json) -> None:
    odd_one = rest(eventDataId="odd", correlationId="odd") | odd

    found, notes = read(paged(odd_one, rest("Succeeded", 1), rest()))

    assert notes.unreadable == 0
    assert len(found) == 2
    assert all(activity.operation == OPERATION.lower() for activity in found)
    (whole,) = (activity for activity in found if activity.correlation == CORRELATION)
    assert whole.outcome == "succeeded"


def test_bytes_that_are_no_text_hide_nothing() -> None:
    content = paged(rest()).replace(b"mallory@", b"m\xffllory@")
    found, notes = read(content)

    assert found[0].caller == "m\ufffdllory@contoso.example"
    assert found[0].request == ASKED
    assert list(notes) == []


@pytest.mark.parametrize("nothing", [5, None, "text", [], {}, {"operationName": {"value": None}, "caller": "x"}])
def test_what_is_no_event_is_counted_and_said(nothing: Any) -> None:
    found, notes = read(paged(nothing, rest()))

    assert len(found) == 1
    assert list(notes) == ["1 events of the log could not be read and are left out."]


def test_the_next_page_is_known_of_a_page_with_an_odd_event() -> None:
    assert page(paged({"claims": [1]}, more="https://next/"), Notes()).next_link == "https://next/"
    assert not page(paged(rest()), Notes()).next_link


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"value": 1}'])
def test_an_answer_that_is_no_list_of_events_is_tried_again(content: bytes) -> None:
    with pytest.raises(Temporary, match="no list of events"):
        page(content, Notes())


def test_every_collected_sample_is_read() -> None:
    if not SAMPLES.exists():
        pytest.skip("the collected samples are not here")
    notes = Notes()
    lines = [json.loads(line) for path in SAMPLES.glob("*.jsonl") for line in path.read_text().splitlines()]
    for line in lines:
        found = decoded(json.dumps(line["event"]).encode(), notes)
        assert found
        assert found.operation
        activities = list(join([found], notes))
        assert len(activities) == (0 if found.says_nothing else 1)
        assert not (found.says_nothing and line["label"] == "malicious")
    reply = json.loads((SAMPLES / "real_log_analytics_reply.json").read_text())["tables"][0]
    names = [column["name"] for column in reply["columns"]]
    (sample,) = (event(dict(zip(names, one_row, strict=True))) for one_row in reply["rows"])
    (activity,) = join([sample], notes, "log_analytics")
    assert activity.request["Properties"]["PrincipalType"] == "User"
    assert len(page((SAMPLES / "rest_api_getactivitylogsfiltered.json").read_bytes(), notes).value) == 1
    assert len(lines) == 182
    assert list(notes) == []
