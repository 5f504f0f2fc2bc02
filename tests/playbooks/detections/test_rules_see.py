"""Each rule of ours, on activities that it must see and that it must not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from playbooks.detections.compiling import FOLDER, book
from responders.investigation.rules import Rules
from tests.responders.investigation.activities import activity

EXAMPLES: dict[str, dict[str, list[dict[str, Any]]]] = yaml.safe_load(
    (Path(__file__).parent / "examples.yaml").read_text()
)
BOOK = book(FOLDER)
RULES = Rules.load()


def hits(example: dict[str, Any]) -> set[str]:
    fields = {key: value for key, value in example.items() if key != "op"}
    return {match.name for match in RULES.match(activity(example["op"], **fields))}


def test_every_rule_can_be_compiled() -> None:
    assert BOOK.refused == ()


def test_every_rule_has_examples_of_both_kinds() -> None:
    assert {rule.name for rule in BOOK.rules} == {n for n, its in EXAMPLES.items() if its["sees"] and its["ignores"]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_sees_what_it_is_for(name: str) -> None:
    assert [example for example in EXAMPLES[name]["sees"] if name not in hits(example)] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_ignores_what_it_is_not_for(name: str) -> None:
    assert [example for example in EXAMPLES[name]["ignores"] if name in hits(example)] == []


def test_nothing_is_seen_in_an_everyday_operation() -> None:
    assert hits({"op": "Microsoft.Compute/virtualMachines/start/action"}) == set()


def test_a_rule_is_written_as_the_others() -> None:
    keys = ["title", "id", "status", "description", "references", "author", "date", "tags", "logsource", "detection"]
    keys += ["falsepositives", "level"]
    for path in FOLDER.glob("*.yml"):
        raw = yaml.safe_load(path.read_text())
        assert list(raw) == keys, path
        assert all(tag.startswith("attack.") for tag in raw["tags"]), path
        assert not {"attack.defense-evasion", "attack.t1562", "attack.t1562.001"} & set(raw["tags"]), path
