"""Whatever arrives, parse gives values or says Permanent, and says why."""

import contextlib
import copy
import json
import random
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from responders.alerts import Reference, parse
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Alert, Ignored
from tests.responders.alert_fixtures import FOLDER, ID, LINK, NAME, SUBSCRIPTION, VM, alert, document, rest


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


JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, [], {}, [[]], [None], {"": ""}, {"value": "x"}, {"$ref": "1"}, {"$id": "1"}),
    *("", "x", "2", "null", "NaN", "\u0000", "[", "{", '{"a":', "[[[[", "é" * 300, "\U0001f600", "A" * 5000),
    *("/", "//", "/subscriptions/", "https://", "https://[::1", "::1", "SIMULATED_", "ARM_x", "VM_x"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999+14:00", ID, VM, LINK),
)


def mutated(node: Any, chance: random.Random) -> Any:
    """The same document with a few values, keys and types changed."""
    if chance.random() < 0.02:
        return copy.deepcopy(chance.choice(JUNK))
    if isinstance(node, dict):
        items = [(key, mutated(value, chance)) for key, value in node.items() if chance.random() > 0.02]
        if items and chance.random() < 0.1:
            key, value = chance.choice(items)
            items.append(
                (chance.choice([key.upper(), key.lower(), "$ref", "$id", "kind", "type", "id", "data"]), value)
            )
        return dict(items)
    if isinstance(node, list):
        return [mutated(value, chance) for value in node if chance.random() > 0.02] * chance.choice([1, 1, 1, 2])
    return node


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_mutated_payloads_give_values_or_permanent(path: Any) -> None:
    original = json.loads(path.read_bytes())
    chance = random.Random(path.stem)  # noqa: S311
    for _ in range(150):
        body = mutated(original, chance)
        text = json.dumps(body)
        at = chance.randrange(len(text) + 1)
        for candidate in (body, text, text[:at], text[:at] + chance.choice('"{}[],:\\0') + text[at:]):
            try:
                found = parse(candidate)
            except Permanent:
                continue
            assert found
            for arrival in found:
                well_formed(arrival)


def well_formed(arrival: object) -> None:
    """What is emitted is strict, whatever came in."""
    assert isinstance(arrival, Alert | Reference | Ignored)
    if isinstance(arrival, Ignored):
        assert arrival.reason
        return
    if arrival.id:
        assert ResourceId.parse(arrival.id).is_type("Microsoft.Security/locations/alerts")
    if isinstance(arrival, Alert):
        assert arrival.name
        assert arrival.start <= arrival.end
        assert arrival.link.startswith("https://") or not arrival.link
        assert all(ResourceId.parse(resource) for resource in arrival.resources)
        assert all(actor.id or actor.upn or actor.name for actor in arrival.actors)
        assert all(isinstance(text, str) for text in arrival.details.values())


def steps(body: object) -> int:
    """How many functions are called for a body: it is the same on any machine, however busy."""
    count = 0

    def tick(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(tick)
    try:
        with contextlib.suppress(Permanent):
            parse(body)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "body",
    [
        lambda n: rest(entities=[{"$id": str(k), "$ref": str(k + 1)} for k in range(n)]),
        lambda n: rest(
            entities=[{"type": "account", "aadUserId": f"{k:08x}-0000-4000-8000-000000000000"} for k in range(n)]
        ),
        lambda n: rest(entities=[{"type": "account", "name": f"user {k}"} for k in range(n)]),
        lambda n: {"value": [{"$ref": "1"}] * n},
        lambda n: [[]] * n,
        lambda n: {str(k): "[" for k in range(n)},
    ],
    ids=["chain of references", "accounts", "names", "dangling references", "empty lists", "broken JSON"],
)
def test_work_stays_in_proportion_to_size(body: Callable[[int], object]) -> None:
    assert steps(body(4_000)) < 5 * steps(body(1_000))


@pytest.mark.parametrize(
    "body",
    [
        rest(extendedProperties={"A" * 200_000: "x", "a" * 200_000: " " * 200_000}),
        rest(alertDisplayName=" " * 400_000 + "x", alertUri="https://portal.azure.com/" + "/" * 400_000),
        {"a": '"' * 500_000},
    ],
    ids=["keys", "blanks and slashes", "quotes"],
)
def test_long_texts_take_few_steps(body: object) -> None:
    assert steps(body) < 10_000
