"""Our matcher against pySigma's, by way of its SQLite backend: the same rules, the same activities, the same hits."""

import importlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.rule import SigmaRule

from playbooks.detections import sigma
from playbooks.detections.compiling import FOLDER
from responders.investigation.activity import Activity
from responders.investigation.events import Notes, event
from responders.investigation.fields import field, text
from responders.investigation.join import join
from responders.investigation.rules import Rules
from tests.playbooks.detections import foreign

SAMPLES = Path(__file__).parents[4] / "shared/samples/activity"
EXAMPLES = yaml.safe_load((Path(__file__).parent / "examples.yaml").read_text())
SQLITE: Any = importlib.import_module("sigma.backends.sqlite")  # it says nothing of its types
OWN = [yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))]


@pytest.fixture(scope="module")
def activities() -> list[Activity]:
    examples = [one for its in EXAMPLES.values() for one in (*its["sees"], *its["ignores"])]
    return [*foreign.activities(examples, 4000), *samples()]


def samples() -> Iterator[Activity]:
    """Those of the samples beside the repository, where they are."""
    for path in sorted(SAMPLES.glob("*.jsonl")):
        yield from join((event(json.loads(line)["event"]) for line in path.read_text().splitlines()), Notes())


def columns(raw: list[dict[str, Any]]) -> list[str]:
    """The names of fields that rules use, with those that they compare with."""
    names = {key.split("|")[0]: None for its in raw for key in _keys(its["detection"])}
    names |= {value: None for its in raw for key, value in _items(its["detection"]) if key.endswith("|fieldref")}
    return [name for name in names if name]


def _items(its: Any) -> Iterator[tuple[str, Any]]:
    for name, selection in its.items():
        for one in selection if isinstance(selection, list) else [selection]:
            if name != "condition" and isinstance(one, dict):
                yield from one.items()


def _keys(its: Any) -> Iterator[str]:
    return (key for key, _ in _items(its))


def hits_of_sqlite(raw: list[dict[str, Any]], activities: list[Activity]) -> set[tuple[str, int]]:
    names = columns(raw)
    with sqlite3.connect(":memory:") as database:
        database.create_function("REGEXP", 2, lambda p, v: v is not None and re.search(p, str(v)) is not None)
        described = ", ".join(f'"{name}" NUMERIC COLLATE NOCASE' for name in names)
        database.execute(f"CREATE TABLE logs (n INTEGER, everything TEXT, {described})")
        rows = [[n, field("").read(a)[0], *(_cell(name, a) for name in names)] for n, a in enumerate(activities)]
        database.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * (len(names) + 2))})", rows)  # noqa: S608
        backend = SQLITE.sqliteBackend(fulltext_field="everything")
        return {
            (one["title"], row[0])
            for one in raw
            for query in backend.convert_rule(SigmaRule.from_dict(one))
            for row in database.execute(query)
        }


def _cell(name: str, activity: Activity) -> Any:
    """One value, as SQLite keeps it."""
    values = field(name).read(activity)
    if not values:
        return None
    value = values[0]
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else text(value)


def single(raw: list[dict[str, Any]], activities: list[Activity]) -> list[Activity]:
    """Those in which no field has several values: a column holds one."""
    fields = [field(name) for name in columns(raw) if field(name).name != "status"]
    return [a for a in activities if all(len(f.read(a)) < 2 for f in fields)]


def hits_of_ours(raw: list[dict[str, Any]], activities: list[Activity]) -> set[tuple[str, int]]:
    rules = Rules(tuple(sigma.rule(one["title"], one) for one in raw))
    return {(match.title, n) for n, activity in enumerate(activities) for match in rules.match(activity)}


@pytest.mark.parametrize("kind", ["own", "foreign", "published"])
def test_the_hits_are_the_same(kind: str, activities: list[Activity]) -> None:
    raw = {"own": lambda: OWN, "foreign": foreign.rules, "published": foreign.published}[kind]()
    if not raw:
        pytest.skip("SigmaHQ's rules are not beside this repository.")
    some = single(raw, activities)

    ours = hits_of_ours(raw, some)

    assert ours == hits_of_sqlite(raw, some)
    assert len(some) > 0.9 * len(activities)
    if kind != "published":
        assert {title for title, _ in ours} == {one["title"] for one in raw}  # each was put to the test
