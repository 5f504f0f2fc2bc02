"""The Bicep files of infra/, read by a parser; there is no compiler on PyPI."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
# It has the keyword `extension`, which of the parsers only one knows.
GRAPH = INFRA / "graph.bicep"
PARTS = ("parameters", "variables", "resources", "modules", "outputs")


def name(file: Path) -> str:
    """For the ids of tests."""
    return str(file.relative_to(INFRA))


@cache
def read(file: Path) -> Json:
    """The PARTS of a file, each by name."""
    tree = dict(BicepParser().parse(file_path=file))
    return {part: tree.get(part) or {} for part in PARTS}


@cache
def code(file: Path) -> str:
    """A file's text without comments and descriptions."""
    text = file.read_text("utf-8")
    text = re.sub(r"^@description\('(?:[^'\\]|\\.)*'\)\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)


def description(entry: Json) -> str:
    """What a parameter or an output is said to be."""
    found = [d["argument"] for d in entry["decorators"] if d["type"] == "description"]
    return str(found[0]).replace("\\'", "'") if found else ""


def passed(module: Json) -> set[str]:
    """The names of the parameters that a module is given."""
    config = module["config"]
    while "params" not in config and isinstance(config.get("config"), dict):
        config = config["config"]
    return set(config.get("params") or ())


def required(file: Path) -> set[str]:
    """The parameters that have no default."""
    body = code(file)
    return {p for p in read(file)["parameters"] if not re.search(rf"^param {p} \w+ =", body, re.MULTILINE)}
