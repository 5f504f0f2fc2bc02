"""Whatever arrives, parse gives values or says Permanent, and says why."""

import json
import re

import pytest

from responders.alerts import parse
from responders.errors import Permanent
from responders.model import Alert, Ignored
from tests.responders.alerts.fixtures import ID, LINK, NAME, SUBSCRIPTION, VM, alert, document, rest


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Not JSON"),
        (b"{", "Not JSON"),
        (b"hello", "Not JSON"),
        (b"\xff\xfe", "Not JSON"),
        (b'{"alertType": NaN}', "Not JSON"),
        (b'{"a": "\\ud800"}', "Not JSON"),
        ("\ud800", "Not JSON"),
        (b'{"a": "\xed\xa0\x80"}', "Not JSON"),
        (object(), "Not JSON"),
        (b"null", "null"),
        (b"42", "int"),
        (b'"hello"', "str"),
        (b"{}", "nothing"),
        ([1, None, "x"], "int"),
        ({"hello": "world"}, "'hello'"),
        ({"body": {"hello": ["world"]}}, "'body'"),
        ({"properties": {"alertType": None}}, "'properties'"),
        ({"$content": "@@"}, "Not base64"),
        ([{"id": "1", "topic": "t", "eventType": "E", "data": '{"broken'}], "Not JSON"),
        ("https://portal.azure.com/#blade/x", "not the portal's link"),
        (LINK.replace("portal.azure.com", "portal.azure.com.evil.example"), "not the portal's link"),
        (b"x" * 1_048_577, "1048576"),
        (json.dumps({"a": "x" * 1_048_577}), "1048576"),
        ({"a": "x" * 1_048_577}, "1048576"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_reason(body: object, words: str) -> None:
    with pytest.raises(Permanent) as refused:
        parse(body)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("depth", [65, 2_000, 500_000])
@pytest.mark.parametrize("unit", [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_refused(depth: int, unit: tuple[str, str]) -> None:
    opening, closing = unit
    body = (
        opening * min(depth, 1_000_000 // len(opening + closing))
        + "1"
        + closing * min(depth, 1_000_000 // len(opening + closing))
    )
    with pytest.raises(Permanent, match="64 levels"):
        parse(body)


def test_64_levels_are_not_too_many() -> None:
    body = rest(supportingEvidence=json.loads("[" * 62 + "]" * 62))
    assert alert(body).name == NAME
    with pytest.raises(Permanent, match="64 levels"):
        parse(rest(supportingEvidence=json.loads("[" * 63 + "]" * 63)))


def test_nesting_counts_through_texts_of_json() -> None:
    text = '{"a":' * 40 + "1" + "}" * 40
    with pytest.raises(Permanent, match="64 levels"):
        parse('{"a":' * 40 + json.dumps(text) + "}" * 40)


def test_an_object_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(Permanent, match="64 levels"):
        parse(loop)


HOSTILE = (
    "x' or 1 eq 1",
    'x"',
    "x|union SecurityAlert",
    "<script>alert(1)</script>",
    "../../x",
    "..",
    "x/y",
    "x%2F..%2Fy",
    "x?api-version=1",
    "$(reboot)",
    "=1+1",
    "x y",
    "x#y",
    "x\ny",
    "x\u0000",
    "x" * 500,
    "\u202ex",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_id_of_its_own_refuses_an_alert(text: str) -> None:
    for change in ({"id": ID.replace(NAME, text)}, {"id": f"{text}/alerts"}):
        with pytest.raises(Permanent):
            parse(rest() | change)
    with pytest.raises(Permanent):
        parse({"id": ID.replace("westeurope", text)})
    for key in ("SystemAlertId", "VendorOriginalId", "ProviderAlertId"):
        with pytest.raises(Permanent):
            parse(document("event-hub") | {"AlertUri": None, "SystemAlertId": None, key: text})


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_link_is_dropped_whole(text: str) -> None:
    found = alert(document("event-hub") | {"AlertUri": LINK.replace(NAME, text)})
    assert (found.name, found.id, found.link) == (NAME, "", "")
    found = alert(document("event-hub") | {"AlertUri": LINK.replace("westeurope", text)})
    assert found.id in ("", ID.replace("westeurope", "x")), "a slash only makes the location shorter"


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        LINK.replace("https", "http"),
        LINK.replace("portal.azure.com", "evil.cloudapp.azure.com"),
        LINK.replace("portal.azure.com", "portal.azure.com@evil.example"),
        LINK.replace("portal.azure.com", "evilportal.azure.com"),
        LINK.replace("portal.azure.com", "portal.azure.com:80:80"),
        "https://[",
        LINK + '"onclick="x',
        LINK.replace("referencedFrom", "x" * 3000),
        5,
    ],
)
def test_links_to_elsewhere_are_dropped(link: object) -> None:
    found = alert(document("event-hub") | {"AlertUri": link})
    assert (found.id, found.link) == ("", "")


@pytest.mark.parametrize(("channel", "key"), [("log-analytics-row", "AlertLink"), ("event-hub", "AlertUri")])
def test_a_link_to_another_alert_does_not_say_where_to_read_this_one(channel: str, key: str) -> None:
    found = alert(document(channel) | {key: LINK.replace(NAME, "another")})
    assert (found.name, found.id, found.link) == (NAME, "", "")


@pytest.mark.parametrize(
    "id_",
    [
        VM,
        f"{VM}/providers/Microsoft.Security/locations/westeurope/alerts/{NAME}",
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/alerts/{NAME}",
        f"/subscriptions/nothing/providers/Microsoft.Security/locations/westeurope/alerts/{NAME}",
    ],
)
def test_an_alert_under_the_id_of_something_else_is_refused(id_: str) -> None:
    with pytest.raises(Permanent):
        parse(rest() | {"id": id_})


@pytest.mark.parametrize("value", [5, 1.5, True, ["x"], {"x": "y"}])
def test_a_type_that_is_no_text_is_refused_by_name(value: object) -> None:
    with pytest.raises(Permanent, match="alertType"):
        parse(rest(alertType=value))


@pytest.mark.parametrize("value", [0, 3, 2.5, True, None, "", "3", "Critical", ["High"], {"level": "Low"}])
def test_a_severity_that_is_none_is_taken_for_grave(value: object) -> None:
    assert alert(rest(severity=value)).severity == "High"


@pytest.mark.parametrize(
    "key",
    [
        *("entities", "resourceIdentifiers", "extendedProperties", "alertUri", "compromisedEntity"),
        *("alertDisplayName", "description", "severity", "status", "startTimeUtc", "endTimeUtc"),
    ],
)
@pytest.mark.parametrize("value", [5, 1.5, True, "text", "[{cut", "", [5], [[]], {"x": 5}])
def test_an_alert_can_do_without_the_rest(key: str, value: object) -> None:
    assert alert(rest(**{key: value})).name == NAME


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-30",
        "1999-12-31T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "10/03/2026 10:00",
        "NaN",
    ],
)
def test_a_time_that_is_none_is_left_out_and_refused_where_there_is_no_other(text: str) -> None:
    whole = alert(rest())
    found = alert(rest(startTimeUtc=text))
    assert (found.start, found.end) == (whole.end, whole.end)
    with pytest.raises(Permanent, match=re.escape(f"{text!r} for startTimeUtc")):
        parse(rest(startTimeUtc=text, endTimeUtc=text, timeGeneratedUtc=text))


def test_an_alert_without_any_time_or_id_is_refused() -> None:
    with pytest.raises(Permanent, match="time"):
        parse(rest(startTimeUtc=None, endTimeUtc=None, timeGeneratedUtc=None))
    with pytest.raises(Permanent, match="no id"):
        parse({"alertType": "ARM_Azurite", "startTimeUtc": "2026-03-04T10:00:00Z"})


def test_of_keys_that_differ_by_case_the_exact_one_counts_then_the_first() -> None:
    body = rest()
    body["properties"] = {"ALERTDISPLAYNAME": "first", "AlertDisplayName": "second"} | body["properties"]
    assert alert(body).title == alert(rest()).title
    del body["properties"]["alertDisplayName"]
    assert alert(body).title == "second"
    first = '{"ALERTTYPE": "ARM_Azurite", "alerttype": "ARM_OperationFromSuspiciousIP",'
    text = json.dumps(document("event-hub")).replace('{"VendorName"', first + '"VendorName"', 1)
    assert alert(text).type == "ARM_AnomalousRBACRoleAssignment"
    assert alert(text.replace('"AlertType"', '"Other"')).type == "ARM_Azurite"


def test_one_bad_alert_does_not_hold_up_the_others() -> None:
    bad = rest() | {"id": ID.replace(NAME, "x'")}
    found = parse([bad, rest(), {"hello": 1}])
    assert [type(arrival) for arrival in found] == [Alert, Ignored, Ignored]
    assert all(arrival.reason.startswith("Refused: ") for arrival in found if isinstance(arrival, Ignored))
    incident = document("sentinel-incident")
    incident["object"]["properties"]["alerts"].insert(0, {"properties": {"alertType": "ARM_x"}})
    assert [type(arrival) for arrival in parse(incident)] == [Alert, Ignored, Ignored]
