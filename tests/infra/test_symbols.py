"""Names and types in infra/: what a compiler would refuse first."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.infra.bicep import FILES, GRAPH, code, name
from tests.infra.symbols import circles, declarations, misplaced, mistyped, properties, unknown

# The one that not every parser reads.
each_file = pytest.mark.parametrize("file", [f for f in FILES if f != GRAPH], ids=name)
# Looked up in the models of Azure's own SDKs. A typo is none of them, and Azure passes over some in silence.
KNOWN = set(Path(__file__).with_name("properties.txt").read_text("utf-8").split())
_SCOPED = re.compile(r"^module (\w+) '([^']+)' = (?:if [^\n]*)?\{\n((?:  .*\n)*?)\}", re.MULTILINE)


@each_file
def test_every_name_stands_for_something(file: Path) -> None:
    assert unknown(file) == []


@each_file
def test_no_name_is_given_twice(file: Path) -> None:
    assert [n for n, count in Counter(n for n, _ in declarations(file)).items() if count > 1] == []


@each_file
def test_what_is_given_is_of_the_type_that_is_taken(file: Path) -> None:
    assert mistyped(file) == []


@each_file
def test_decorators_stand_before_what_they_are_for(file: Path) -> None:
    assert misplaced(file) == []


@each_file
def test_nothing_waits_for_itself(file: Path) -> None:
    assert circles(file) == []


@each_file
def test_only_known_properties_are_given(file: Path) -> None:
    settings = {name for name in properties(file) if re.match(r"[A-Z]\w*_\w|AzureWebJobs", name)}
    assert sorted(properties(file) - settings - KNOWN) == []


def test_every_known_property_is_given() -> None:
    assert set.union(*(properties(file) for file in FILES if file != GRAPH)) >= KNOWN


@each_file
def test_children_lie_in_what_can_hold_them(file: Path) -> None:
    kinds = dict(re.findall(r"^resource (\w+) '([^@']+)@", code(file), re.MULTILINE))
    bodies = re.findall(r"^resource (\w+) '[^\n]*\n((?:  .*\n)*)", code(file), re.MULTILINE)
    parents = [(kinds[n], kinds[p]) for n, body in bodies for p in re.findall(r"^  parent: (\w+)", body, re.MULTILINE)]
    assert [pair for pair in parents if pair[0].rpartition("/")[0] != pair[1]] == []


@each_file
def test_modules_go_where_their_resources_can_be(file: Path) -> None:
    """All modules are of a resource group: from a file that is not, each has to name one."""
    above = "targetScope = " in code(file)
    groups = set(re.findall(r"^resource (\w+) 'Microsoft\.Resources/resourceGroups@", code(file), re.MULTILINE))
    modules = _SCOPED.findall(code(file))
    assert len(modules) == len(re.findall(r"^module ", code(file), re.MULTILINE))
    for module, path, body in modules:
        assert "targetScope" not in code(file.parent / path), path
        [*scopes] = re.findall(r"^  scope: (\w+)", body, re.MULTILINE)
        assert len(scopes) == above, module
        assert set(scopes) <= {*groups, "resourceGroup"}, module


@each_file
def test_assignments_of_roles_have_names_that_stay_and_say_what_they_are_given_to(file: Path) -> None:
    kind = "Microsoft.Authorization/roleAssignments"
    bodies = re.findall(rf"^resource \w+ '{kind}@[^']+' = ((?:.*\n)*?)\}}\]?$", code(file), re.MULTILINE)
    assert len(bodies) == code(file).count(f"'{kind}@")
    for body in bodies:
        # Three parts: where, to whom, what. With fewer, one assignment takes another's place.
        assert re.search(r"^  name: guid\([^,\n]+, [^,\n]+, [^,\n]+\)$", body, re.MULTILINE), body
        assert re.search(r"^    principalType: 'ServicePrincipal'$", body, re.MULTILINE), body
