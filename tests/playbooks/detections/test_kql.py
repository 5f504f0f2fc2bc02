"""The queries that are made from the rules."""

import json
import re
import shutil
import subprocess
from contextlib import suppress
from typing import Any

import pytest

from playbooks.detections import kql, sigma
from playbooks.detections.compiling import FOLDER, book
from responders.errors import Permanent
from responders.investigation.rules import Rule
from tests import npm
from tests.playbooks.detections import foreign

VERSION = "12.4.1"
OWN = {rule.name: kql.query(rule) for rule in book(FOLDER).rules}
# Kusto takes a quoted name for a constant text, and the comparison for one that is never true.
QUOTED_NAME = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(?:[=!]~|[=!]=|[<>]=?|!?in~?\b|!?has|!?contains|!?startswith|!?endswith|matches)"""
)
HOSTILE = (
    'x" or 1 == 1 //',
    "y' | union SecurityAlert | where 'a' == 'a",
    "back\\slash\\\\",
    'line\nbreak\r\n| take 1 // "',
    "\x00\x1b[31m\u2028\u202e\ufeff",
    "😀 grinning",
    "```multi```",
)


def rule(detection: dict[str, Any], **more: Any) -> Rule:
    return sigma.rule("it", {"title": "It", "logsource": foreign.LOGSOURCE, "detection": detection, **more})


def escaped(value: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", value)


def parsed(queries: dict[str, str]) -> dict[str, dict[str, list[str]]]:
    """What Kusto's own parser makes of queries. Skips where it can't be had."""
    try:
        package = npm.installed("@kusto/language-service-next", VERSION)
    except npm.Unavailable as why:
        pytest.skip(str(why))
    command = [shutil.which("node") or "node", "tests/kusto.js", str(package)]
    done = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return found


def test_no_query_compares_a_quoted_name() -> None:
    assert QUOTED_NAME.search("AzureActivity | where 'claims.appid' =~ \"x\"")
    assert {name: found[0] for name, query in OWN.items() if (found := QUOTED_NAME.search(query))} == {}


def test_kusto_understands_every_query() -> None:
    found = parsed({**OWN, "wrong": "AzureActivity | where Nobody =~ 1 | frobnicate"})

    assert len(found.pop("wrong")["errors"]) == 2
    assert {name: its["errors"] for name, its in found.items() if its["errors"]} == {}


def test_kusto_understands_queries_of_every_kind_of_rule() -> None:
    queries = {}
    for raw in [*foreign.rules(), *foreign.published()]:
        with suppress(Permanent):  # keywords, and what only joined events have
            queries[raw["title"]] = kql.query(sigma.rule("it", raw))
    assert len(queries) > 30

    found = parsed(queries)

    assert {name: its["errors"] for name, its in found.items() if its["errors"]} == {}


def test_hostile_values_are_texts_and_nothing_else() -> None:
    fields = ["caller", "request.properties.note", "request.properties.list[].note"]
    rules = {
        f"{name} {modifier} {n}": rule(
            {"sel": {f"{name}{modifier}": escaped(value), "operationName": "a/b"}, "condition": "sel"}
        )
        for name in fields
        for modifier in ("", "|contains")
        for n, value in enumerate(HOSTILE)
    }
    harmless = rule({"sel": {"caller": "harmless", "operationName": "a/b"}, "condition": "sel"})

    found = parsed({"harmless": kql.query(harmless), **{name: kql.query(one) for name, one in rules.items()}})

    expected = [text for text in found.pop("harmless")["strings"] if text != "harmless"]
    for name, its in found.items():
        assert its["errors"] == [], name
        if name.startswith("caller"):
            value = HOSTILE[int(name.split()[-1])].lower()
            assert sorted(its["strings"]) == sorted([*expected, value]), name


def test_hostile_paths_titles_and_descriptions_are_inert() -> None:
    evil = 'x"] | take 1 //\n| take 2\r| take 3\u2028| take 4'
    path = evil.replace("|", ";")
    its = rule({"sel": {f"request.{path}": "v"}, "condition": "sel"}, title=evil, description=evil, id=evil)
    query = kql.query(its)

    assert [line.split()[1] for line in query.splitlines() if "|" in line[:1]] == [
        "extend",
        "summarize",
        "extend",
        "where",
    ]
    assert parsed({"it": query})["it"]["errors"] == []


@pytest.mark.parametrize(
    ("detection", "word"),
    [
        ({"words": ["x"], "condition": "words"}, "keywords"),
        ({"sel": {"amr": "pwd"}, "condition": "sel"}, "amr"),
        ({"sel": {"status": "Failed"}, "condition": "sel"}, "status"),
        ({"sel": {"request.a[].b|re": "x"}, "condition": "sel"}, "list"),
    ],
)
def test_what_a_query_can_not_say_is_refused(detection: dict[str, Any], word: str) -> None:
    with pytest.raises(Permanent, match=word):
        kql.query(rule(detection))
