"""Exercise files: what is accepted, and how each mistake is named."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from sandbox import fields
from sandbox.__main__ import main
from sandbox.exercise import Exercise, schema
from sandbox.reading import BadFile
from sandbox.scene import EXERCISES, Scene, load
from sandbox.stage import build

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
NEW = f"{PROD}/resourceGroups/rg-new?api-version=2021-04-01"
AKS = "Microsoft.ContainerService/managedClusters"
# In the shape of the design, with literal ids and flow style, as other people write them.
GOOD = f"""\
id: literal
title: A literal file
techniques: [T1078.004]
world: contoso
extend:
  users: [{{upn: mallory@contoso.example, id: 11111111-2222-4333-8444-555555555555}}]
history:
  - {{at: -P20D, as: ops@contoso.example, ip: 203.0.113.10, put: "{NEW}", body: {{location: westeurope}}}}
attack:
  - {{at: -PT40M, as: mallory@contoso.example, ip: 198.51.100.7, agent: curl/8, delete: "{NEW}", status: 403}}
alert: {{type: ARM_Azurite, at: -PT35M, via: eventgrid, entities: {{account: mallory@contoso.example}}}}
answers: {{owner: unexpected, approvals: {{users.disable: reject}}}}
expect:
  evicted: [/users/11111111-2222-4333-8444-555555555555]
  kept: [{PROD}/resourceGroups/rg-ops]
  alert: resolved
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> "Write":
    def written(text: str) -> Path:
        path = tmp_path / "it.yaml"
        path.write_text(text)
        return path

    return written


def mistakes(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        load(path, NOW)
    return str(caught.value).replace(str(path), "it.yaml")


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_exercise_of_the_project_is_good_and_named_after_its_file(path: Path) -> None:
    assert load(path).exercise.id == path.stem


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_schema_accepts_what_the_reader_accepts(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), schema())


def test_the_stored_schema_is_current() -> None:
    stored = json.loads(fields.SCHEMA.read_text())
    assert stored == schema(), "python -m sandbox schema --write"


def test_the_schema_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


def test_the_table_of_fields_in_the_docs_is_current() -> None:
    assert fields.PAGE.read_text() == fields.page(), "python -m sandbox schema --write"


def test_every_field_of_an_exercise_is_documented() -> None:
    ours = {name: part for name, part in schema()["$defs"].items() if not name.endswith("Entry")}
    bare = [
        f"{name}.{f}"
        for name, part in ours.items()
        for f, body in part["properties"].items()
        if "description" not in body
    ]
    assert bare == []


def test_a_file_with_literal_ids_is_good(write: Write) -> None:
    scene = load(write(GOOD), NOW)
    assert scene.exercise.attack[0].at == timedelta(minutes=-40)
    assert scene.exercise.attack[0].method == "delete"
    assert scene.who("Mallory@contoso.example") == "11111111-2222-4333-8444-555555555555"
    assert "mallory@contoso.example" in {user.upn for user in scene.world.users}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("id: literal", "id: literal\nidd: x"), "it.yaml:2: idd: unknown field"),
        (("agent:", "agnet:"), "it.yaml:10: attack[0].agnet: unknown field"),
        (("kept:", "keep:"), "it.yaml:15: expect.keep: unknown field"),
        (("upn: mallory", "upm: mallory"), "it.yaml:6: extend.users[0].upm: unknown field"),
        (("account:", "acount:"), "it.yaml:11: alert.entities.acount: unknown field"),
        (("title: A literal file\n", ""), "it.yaml:1: object missing required field `title`"),
        (("id: literal", "id: Not An Id"), "it.yaml:1: id: expected `str` matching regex"),
        (("at: -PT40M", "at: -40M"), "it.yaml:10: attack[0].at: Invalid ISO8601 duration"),
        (("at: -PT40M", "at: PT40M"), "it.yaml:10: attack[0]: `at` lies in the future"),
        (("at: -PT35M", "at: PT35M"), "it.yaml:11: alert: `at` lies in the future"),
        (("ip: 198.51.100.7", "get: /x, ip: 198.51.100.7"), "it.yaml:10: attack[0]: a call has exactly one of"),
        (("as: mallory@contoso.example", "as: eve@contoso.example"), "it.yaml:10: attack[0].as: nobody is called"),
        (('delete: "/', 'delete: "http://example.net/'), "it.yaml:10: attack[0].delete: is neither a path"),
        (
            ('rg-new?api-version=2021-04-01", status', 'rg-new", status'),
            "it.yaml:10: attack[0].delete: Resource Manager wants",
        ),
        (("status: 403", "status: never"), "it.yaml:10: attack[0].status: expected `int`, got `str`"),
        (("via: eventgrid", "via: pigeon"), "it.yaml:11: alert.via: Invalid enum value 'pigeon'"),
        (("owner: unexpected", "owner: maybe"), "it.yaml:12: answers.owner: Invalid enum value 'maybe'"),
        (
            ("users.disable: reject", "users.disable: perhaps"),
            "it.yaml:12: answers.approvals: Invalid enum value 'perhaps'",
        ),
        (("world: contoso", "world: fabrikam"), "it.yaml:4: world: no world 'fabrikam'; there are contoso"),
        (("[/users/11111111", "[users/11111111"), "it.yaml:14: expect.evicted[0]: Not a resource id"),
        (
            (f"kept: [{PROD}/", f"kept: [/users/11111111-2222-4333-8444-555555555555, {PROD}/"),
            "it.yaml:15: expect.kept[0]: is also in",
        ),
        (("title: A literal file", "title: ${nothing}"), "it.yaml:2: title: ${nothing} stands for nothing"),
        (("alert: resolved", "alert: resolved\n  alert: dismissed"), "it.yaml:17: expect.alert: given twice"),
        (("techniques: [T1078.004]", "techniques: [T1078.004"), "it.yaml:4: not YAML"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mistake_is_named_by_file_line_and_field(write: Write, change: tuple[str, str], expected: str) -> None:
    assert change[0] in GOOD
    assert mistakes(write(GOOD.replace(*change, 1))).startswith(expected)


def test_a_placeholder_may_be_in_a_key_too(write: Write) -> None:
    text = GOOD.replace("body: {location: westeurope}", 'body: {identity: {userAssignedIdentities: {"${prod}/x": {}}}}')
    call = load(write(text)).exercise.history[0]
    assert call.body == {"identity": {"userAssignedIdentities": {f"{PROD}/x": {}}}}


def test_all_mistakes_of_meaning_are_named_at_once(write: Write) -> None:
    text = GOOD.replace("as: mallory", "as: eve").replace("as: ops", "as: adam")
    assert re.findall(r"\w+\[0\]\.as", mistakes(write(text))) == ["history[0].as", "attack[0].as"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it.yaml:1: the file is empty"),
        ("- a\n", "it.yaml:1: expected `object`, got `array`"),
        ("a: &x\n  b: *x\n", "it.yaml:1: nested too deep"),
        ("[" * 10_000, "it.yaml:1: n"),
        ("1: {[a]: b}\n", "it.yaml:1: 1: names of fields are plain words"),
        ("a: \0", "it.yaml:1: not YAML"),
        ("a: !!python/name:os.system x", "it.yaml:1: not YAML"),
    ],
)
def test_what_is_no_exercise_at_all_is_refused_with_its_line(write: Write, text: str, expected: str) -> None:
    assert mistakes(write(text)).startswith(expected)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"absent\.yaml: can't be read"):
        load(tmp_path / "absent.yaml")


def test_a_bad_file_ends_the_command_with_status_2_and_performs_nothing(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exercise", str(write("id: x\n")), "--json"]) == 2
    shown = capsys.readouterr()
    assert "it.yaml:1:" in shown.err
    assert shown.out == ""


def test_a_world_that_can_not_be_made_is_a_bad_file_and_nothing_is_performed(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = f"  resources: [{{id: {PROD}/resourceGroups/rg-nowhere/providers/Microsoft.Compute/disks/d}}]\nhistory:"
    assert main(["exercise", str(write(GOOD.replace("history:", lost, 1))), "--json"]) == 2
    shown = capsys.readouterr()
    assert "it.yaml: the world can't be made: The world has no" in shown.err
    assert shown.out == ""


def test_a_resource_may_lie_in_a_region(write: Write) -> None:
    policy = (
        f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/x"
    )
    text = GOOD.replace("history:", f"  resources: [{{id: {policy}, properties: {{}}}}]\nhistory:", 1)
    assert policy in build(load(write(text), NOW))


def test_the_group_of_a_clusters_nodes_is_the_clusters(write: Write) -> None:
    cluster, nodes = f"{PROD}/resourceGroups/rg-ops/providers/{AKS}/aks", f"{PROD}/resourceGroups/MC_nodes"
    more = f"""\
  resource_groups: [{{id: {nodes}, location: westeurope}}]
  resources: [{{id: {cluster}, location: westeurope, properties: {{nodeResourceGroup: mc_nodes}}}}]
history:"""
    group = build(load(write(GOOD.replace("history:", more, 1)), NOW)).get(nodes)
    assert group
    assert group.body["managedBy"] == cluster


def filled(write: Write, title: str, names: str = "") -> Scene:
    text = GOOD.replace("A literal file", f"'{title}'").replace("extend:", f"extend:\n  names: {{{names}}}")
    return load(write(text), NOW)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("${prod}/x", f"{PROD}/x"),
        ("${mallory@contoso.example}", "11111111-2222-4333-8444-555555555555"),
        ("${Alice Approver}", "0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d05"),
        ("${own}", f"{PROD}/mine"),
        ("${-P1DT2H} ${PT30M}", "2026-11-23T10:00:00Z 2026-11-24T12:30:00Z"),
        ("$${prod} and $prod stay", "${prod} and $prod stay"),
    ],
)
def test_a_placeholder_is_a_name_an_identity_or_a_moment(write: Write, title: str, expected: str) -> None:
    assert filled(write, title, names='own: "${prod}/mine"').exercise.title == expected


def test_a_name_that_two_identities_share_stands_for_neither(write: Write) -> None:
    text = GOOD.replace("users: [", "users: [{upn: eve@contoso.example, name: Alice Approver}, ")
    shown = mistakes(write(text.replace("title: A", "title: ${Alice Approver} A")))
    assert "stands for more than one identity" in shown


def test_an_identity_that_the_attack_makes_may_act(write: Write) -> None:
    call = '{at: -PT50M, as: ops@contoso.example, post: "graph:/users", body: {userPrincipalName: eve@contoso.example}}'
    text = GOOD.replace("attack:", f"attack:\n  - {call}").replace("as: mallory@", "as: eve@")
    assert load(write(text), NOW).who("eve@contoso.example") == "eve@contoso.example"


def test_an_addition_replaces_what_has_its_name(write: Write) -> None:
    text = GOOD.replace("users: [", "users: [{upn: ops@contoso.example, type: Guest}, ")
    assert [u.type for u in load(write(text), NOW).world.users if u.upn == "ops@contoso.example"] == ["Guest"]


def test_times_without_quotes_stay_text(write: Write) -> None:
    text = GOOD.replace("{location: westeurope}", "{location: westeurope, at: 2026-01-02T03:04:05Z}")
    assert load(write(text), NOW).exercise.history[0].body["at"] == "2026-01-02T03:04:05Z"


def test_entities_may_be_written_as_defender_writes_them(write: Write) -> None:
    entity = "[{type: account, aadUserId: 11111111-2222-4333-8444-555555555555}]"
    scene = load(write(GOOD.replace("{account: mallory@contoso.example}", entity)), NOW)
    assert isinstance(scene.exercise.alert.entities, tuple)
    assert scene.exercise.alert.entities[0]["type"] == "account"


@pytest.mark.parametrize(
    ("change", "field"),
    [(("via: eventgrid", "via: logicapp"), "alert.via"), (("owner: unexpected", "owner: expected"), "answers.owner")],
)
def test_an_exercise_that_nobody_can_answer_is_refused(tmp_path: Path, change: tuple[str, str], field: str) -> None:
    world = (EXERCISES.parent / "worlds" / "contoso.yaml").read_text()
    (tmp_path / "mute.yaml").write_text(re.sub(r"app_roles: \[\w+\]", "app_roles: []", world))
    path = tmp_path / "it.yaml"
    path.write_text(GOOD.replace("world: contoso", "world: mute.yaml").replace(*change))
    assert f": {field}: nobody in this world has the app role" in mistakes(path)


def test_the_format_is_the_struct() -> None:
    assert set(Exercise.__struct_fields__) == {
        *("id", "title", "techniques", "world", "extend", "guards", "scopes"),
        *("history", "attack", "alert", "answers", "expect"),
    }
