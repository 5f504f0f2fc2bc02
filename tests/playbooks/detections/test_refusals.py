"""What can't be matched as it is meant is refused, by name and reason, and stops nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from playbooks.detections import __main__ as command
from playbooks.detections import sigma
from playbooks.detections.compiling import book
from responders.errors import Permanent
from responders.investigation.rules import OWN, Rules
from tests.playbooks.detections import foreign
from tests.responders.investigation.activities import activity

GOOD = {
    "title": "A disk was deleted",
    "id": "5f0c6a52-6a52-4c3c-9a52-000000000001",
    "logsource": foreign.LOGSOURCE,
    "detection": {"sel": {"operationName": "Microsoft.Compute/disks/delete"}, "condition": "sel"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "good.yml", GOOD)
    write(tmp_path, "bad.yml", {**GOOD, "id": "other", "detection": {"s": {"caller|windash": "-x"}, "condition": "s"}})
    return tmp_path


def write(folder: Path, name: str, *rules: dict[str, Any]) -> None:
    (folder / name).write_text(yaml.safe_dump_all(rules))


def tampered(test: str) -> str:
    rule = '"id":"x","name":"x","title":"x","level":"low"'
    return f'{{"rules": [{{{rule},"condition":{{"type":"test",{test}}}}}]}}'


@pytest.mark.parametrize(("raw", "word"), foreign.refused(), ids=lambda its: its if isinstance(its, str) else "")
def test_what_is_not_implemented_is_refused_by_name(raw: dict[str, Any], word: str) -> None:
    with pytest.raises(Permanent) as caught:
        sigma.rule("it", raw)

    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"logsource": {"product": "windows"}}, "not for product azure"),
        ({"logsource": {**foreign.LOGSOURCE, "service": "signinlogs"}}, "not for product azure"),
        ({"correlation": {"type": "event_count"}}, "correlation"),
        ({"filter": {"rules": "any"}}, "filter"),
        ({"action": "global"}, "a set"),
        ({"level": "dire"}, "level 'dire'"),
        ({"detection": None}, "no detection"),
    ],
)
def test_what_is_no_such_rule_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Permanent, match=word):
        sigma.rule("it", {**GOOD, **change})


def test_a_folder_gives_what_it_can_and_names_the_rest(folder: Path) -> None:
    write(folder, "broken.yml", GOOD)
    (folder / "broken.yml").write_text("title: [")
    write(folder, "same.yaml", GOOD)

    made = book(folder)

    assert [rule.name for rule in made.rules] == ["good"]
    assert [line.split(":")[0] for line in made.refused] == ["bad.yml", "broken.yml", "same.yaml"]
    assert "|windash" in made.refused[0]
    assert "no YAML" in made.refused[1]
    assert "id of good" in made.refused[2]


def test_a_compiled_folder_is_matched_beside_our_own_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(folder)]) == 1
    assert "bad.yml" in capsys.readouterr().err

    rules = Rules.load(str(folder))

    names = [match.name for match in rules.match(activity("Microsoft.Compute/disks/delete"))]
    assert names == ["workload-deleted", "good"]
    assert [line.split(":")[0] for line in rules.refused] == ["bad.yml"]


def test_a_rule_that_is_new_or_changed_since_is_named(folder: Path) -> None:
    command.main([str(folder)])
    write(folder, "good.yml", {**GOOD, "title": "changed"})
    (folder / "deep").mkdir()
    write(folder / "deep", "new.yml", GOOD)

    refused = Rules.load(str(folder)).refused

    assert [line.split(";")[0] for line in refused[1:]] == [
        "deep/new.yml: is not matched",
        "good.yml: has changed since it was compiled",
    ]
    assert all(f"python -m playbooks.detections {folder}" in line for line in refused[1:])


def test_a_folder_of_compiled_rules_alone_is_enough(folder: Path) -> None:
    command.main([str(folder)])
    for path in folder.glob("*.yml"):
        path.unlink()

    assert "good" in [rule.name for rule in Rules.load(str(folder)).rules]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "{",
        "[]",
        '{"rules": [{"id": "x"}]}',
        tampered('"field":"no","op":"is","values":["x"]'),
        tampered('"field":"caller","op":"re","values":["("]'),
        tampered('"field":"caller","op":"exists","values":[]'),
        tampered('"field":"caller","op":"gt","values":["many"]'),
    ],
)
def test_a_folder_that_is_not_compiled_is_named_and_stops_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "rules.json").write_text(content)

    rules = Rules.load(str(tmp_path))

    assert len(rules.refused) == 1
    assert "python -m playbooks.detections" in rules.refused[0]
    assert len(rules.rules) == len(json.loads(OWN.read_text())["rules"])


def test_a_rule_with_the_id_of_one_of_ours_is_not_taken(tmp_path: Path) -> None:
    own = Rules.load().rules[0].id
    write(tmp_path, "mine.yml", {**GOOD, "id": own})
    command.main([str(tmp_path)])

    rules = Rules.load(str(tmp_path))

    assert "mine" not in [rule.name for rule in rules.rules]
    assert own in rules.refused[0]


def test_matching_needs_neither_yaml_nor_sigma() -> None:
    code = (
        "import sys; from responders.investigation.rules import Rules; Rules.load();"
        "print([name for name in ('yaml', 'sigma', 'playbooks') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout.strip() == "[]"
