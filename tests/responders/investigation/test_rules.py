"""The matcher by itself: what it says of a hit, and what it looks at."""

from typing import Any

import msgspec
import pytest

from playbooks.detections import sigma
from responders.investigation import rules as module
from responders.investigation.activity import Activity
from responders.investigation.conditions import Answer, Check, Node, check, possible
from responders.investigation.rules import Book, Rule, Rules
from tests.responders.investigation.activities import activity


def rule(detection: dict[str, Any], **more: Any) -> Rule:
    source = {"product": "azure", "service": "activitylogs"}
    return sigma.rule("it", {"title": "It", "logsource": source, "detection": detection, **more})


def reasons(detection: dict[str, Any], operation: str = "a/b/write", **fields: Any) -> list[str] | None:
    """What the one rule says of the activity; None when it doesn't match."""
    found = Rules((rule(detection),)).match(activity(operation, **fields))
    return [str(reason) for reason in found[0].why] if found else None


def test_a_match_carries_what_a_finding_needs() -> None:
    its = rule({"sel": {"operationName": "A/B/write"}, "condition": "sel"}, id="1", level="high", tags=["attack.t1"])

    (match,) = Rules((its,)).match(activity("a/b/WRITE"))

    assert (match.rule, match.name, match.title, match.level, match.tags) == ("1", "it", "It", "high", ("attack.t1",))


def test_a_match_says_which_selection_hit_and_on_what() -> None:
    detection = {
        "sel": {"operationName|endswith": "/write"},
        "who": [{"caller": "nobody"}, {"caller|startswith": "MALLORY"}],
        "filter": {"idtyp": "app"},
        "condition": "sel and who and not filter",
    }

    assert reasons(detection) == [
        "sel: operationName is 'a/b/write'",
        "who: caller is 'mallory@contoso.example'",
    ]


def test_of_all_values_each_is_shown_and_of_keywords_the_word() -> None:
    detection = {
        "sel": {"caller|contains|all": ["mallory", "@"]},
        "words": ["listkeys", "RG-SHOP"],
        "condition": "all of them",
    }

    assert reasons(detection) == ["sel: caller is 'mallory@contoso.example'", "words: any field is 'rg-shop'"]


def test_of_a_list_the_element_that_hit_is_shown() -> None:
    request = {"properties": {"rules": [{"port": 80}, {"port": 22}]}}

    detection = {"sel": {"request.properties.rules[].port": 22}, "condition": "sel"}

    assert reasons(detection, request=request) == ["sel: request.properties.rules[].port is '22'"]


def test_a_long_value_is_cut() -> None:
    (shown,) = reasons({"sel": {"caller|startswith": "x"}, "condition": "sel"}, caller="x" * 5000) or []

    assert len(shown) < 300


def test_case_counts_in_bodies_only() -> None:
    request = {"properties": {"note": "Abc"}}

    assert reasons({"sel": {"request.properties.note|re": "abc"}, "condition": "sel"}, request=request) is None
    assert reasons({"sel": {"request.properties.note|re|i": "abc"}, "condition": "sel"}, request=request)
    assert reasons({"sel": {"operationName|re": "^A/B/"}, "condition": "sel"})
    assert reasons({"sel": {"request.PROPERTIES.Note": "aBC"}, "condition": "sel"}, request=request)


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("ActivityStatusValue", "Success", {}),
        ("status", "Succeeded", {}),
        ("resultType", "Failure", {"outcome": "failed"}),
        ("resourceGroup", "RG-SHOP", {}),
        ("identity.claims.appid", "04b0", {"appid": "04b0"}),
        ("claims.http://schemas.microsoft.com/identity/claims/objectidentifier", "0a", {"oid": "0a"}),
        ("Claims_d.ipaddr", "::1", {"token_address": "::1"}),
        ("identity.authorization.evidence.role", "Owner", {"role": "Owner"}),
        ("amr", "mfa", {"amr": ("pwd", "mfa")}),
        ("properties.requestbody|contains", '"a":1', {"request": {"a": 1}}),
        ("properties.responseBody.a", "1", {"response": {"A": 1}}),
        ("request.a", "true", {"request": {"a": True}}),
        ("request.a", 1, {"request": {"a": "1"}}),
        ("request.a", 1, {"request": {"a": 1.0}}),
        ("request.a|exists", True, {"request": {"a": {"b": 1}}}),
        ("request.a|exists", False, {"request": {"a": None}}),
        ("request.a|gt", 4, {"request": {"a": "5"}}),
        ("callerIpAddress|cidr", "203.0.113.0/24", {"address": "::ffff:203.0.113.9"}),
    ],
)
def test_a_field_has_the_names_and_values_of_every_channel(name: str, value: Any, fields: dict[str, Any]) -> None:
    assert reasons({"sel": {name: value}, "condition": "sel"}, **fields)


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("request.a|gt", 4, {"request": {"a": "many"}}),
        ("request.a|gte", 1, {"request": {"a": True}}),
        ("callerIpAddress|cidr", "0.0.0.0/0", {"address": "unknown"}),
        ("callerIpAddress|cidr", "0.0.0.0/0", {"address": "::1"}),
        ("oid|fieldref", "request.a", {"request": {"a": ""}}),
        ("oid", "", {}),
    ],
)
def test_what_is_missing_or_no_number_matches_nothing(name: str, value: Any, fields: dict[str, Any]) -> None:
    assert reasons({"sel": {name: value}, "condition": "sel"}, **fields) is None


def test_wildcards_take_linear_time_on_hostile_text() -> None:
    detection = {"sel": {"caller": "*a*a*a*a*a*a*a*a*a*b"}, "condition": "sel"}

    assert reasons(detection, caller="a" * 200_000) is None  # backtracking, this would take ages


def test_a_body_nested_without_end_stops_nothing() -> None:
    nested: Any = {"a": 1}
    for _ in range(5000):
        nested = {"x": [nested]}

    assert reasons(
        {"words": ["a"], "sel": {"request.x|contains": "a"}, "condition": "not sel and words"}, request=nested
    )


def test_an_operation_rules_out_what_it_can_not_match() -> None:
    detection = {"sel": {"operationName|endswith": "/delete"}, "other": {"caller": "x"}, "condition": "sel or other"}
    only = rule({**detection, "condition": "sel and other"}).condition
    either = rule(detection).condition
    neither = rule({**detection, "condition": "not sel"}).condition

    assert [possible(it)(activity("a/write")) for it in (only, either, neither)] == [False, None, True]
    assert [possible(it)(activity("a/delete")) for it in (only, either, neither)] == [None, True, False]


def test_a_rule_is_not_evaluated_for_an_operation_that_it_can_not_match(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(node: Node, selection: str = "") -> Check:
        its = check(node, selection)

        def answer(one: Activity) -> Answer:
            asked.append(one.operation)
            return its(one)

        return answer

    monkeypatch.setattr(module, "check", counted)
    rules = Rules(Rules.load().rules)
    asked.clear()

    for _ in range(3):
        rules.match(activity("Microsoft.Compute/virtualMachines/start/action"))
        rules.match(activity("Microsoft.Authorization/locks/delete"))

    assert asked == ["microsoft.authorization/locks/delete"] * 3
    assert len(rules._by_operation) == 2  # and what they can't match is found out once


def test_made_up_operations_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_OPERATIONS", 10)
    rules = Rules(())

    for n in range(100):
        rules.match(activity(f"made/up/{n}"))

    assert len(rules._by_operation) <= 10


def test_compiled_rules_read_back_as_they_were() -> None:
    its = Book(rules=(rule({"sel": {"request.a": [1, 1.5, True, "x", None]}, "condition": "not sel"}),))

    assert msgspec.json.decode(msgspec.json.encode(its), type=Book) == its
