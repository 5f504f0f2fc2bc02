"""Bodies are taken back by Resource Graph's records, and only where these fit."""

from typing import Any

import pytest

from responders.subscriptions import bodies

RULES = (("properties", "rules"),)


def said(old: Any, new: Any, **more: str) -> dict[str, Any]:
    return {"previousValue": old, "newValue": new, **more}


def test_texts_of_the_record_become_the_types_of_the_body() -> None:
    now = {"properties": {"rules": {"open": True, "count": 3, "name": "a"}}}
    changes = {
        "properties.rules.open": said("False", "True"),
        "properties.rules.count": said("2", "3"),
        "properties.rules.name": said("null", "a"),
    }
    assert bodies.before(now, changes, RULES) == {"properties": {"rules": {"open": False, "count": 2}}}


def test_items_that_were_added_to_a_list_go_from_the_end() -> None:
    now = {"properties": {"rules": ["a", "b", "c", "d"]}}
    changes = {f"properties.rules[{n}]": said(None, "abcd"[n]) for n in (1, 2, 3)}
    assert bodies.before(now, changes, RULES) == {"properties": {"rules": ["a"]}}


def test_items_that_were_taken_out_of_a_list_come_back_from_the_beginning() -> None:
    changes = {f"properties.rules[{n}]": said("abc"[n], None) for n in (0, 1, 2)}
    assert bodies.before({"properties": {"rules": []}}, changes, RULES) == {"properties": {"rules": ["a", "b", "c"]}}


def test_more_than_ten_items_keep_their_order() -> None:
    now = {"properties": {"rules": list(range(12))}}
    changes = {f"properties.rules[{n}]": said(n + 100, n) for n in range(12)}
    assert bodies.before(now, changes, RULES) == {"properties": {"rules": [n + 100 for n in range(12)]}}


def test_an_item_beyond_the_end_of_a_list_does_not_fit() -> None:
    with pytest.raises(bodies.Unlike):
        bodies.before({"properties": {"rules": []}}, {"properties.rules[3]": said(1, None)}, RULES)


def test_what_is_not_watched_is_not_taken_back() -> None:
    now = {"tags": {"a": "new"}, "properties": {"rules": 1}}
    assert bodies.before(now, {"tags.a": said("old", "other")}, RULES) == now


@pytest.mark.parametrize("record", [said(1, 9), said(1, 2, isTruncated="true")])
def test_a_record_that_does_not_fit_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(bodies.Unlike):
        bodies.before({"properties": {"rules": 2}}, {"properties.rules": record}, RULES)


def test_what_azure_adds_does_not_make_a_difference_and_a_missing_item_does() -> None:
    assert bodies.covers({"a": [1, 2], "id": "x", "b": "Tcp"}, {"a": [1, 2], "b": "TCP"})
    assert not bodies.covers({"a": [1, 2]}, {"a": [1]})
    assert not bodies.covers({"a": 1}, {"a": 1, "b": 2})
