"""Folders of Sigma rules, compiled."""

import importlib
from pathlib import Path
from typing import Any

import msgspec

from playbooks.detections import kql, sigma
from responders.errors import Permanent
from responders.investigation.rules import OWN, Book, Rule, digests

FOLDER = Path(__file__).parent


def book(folder: Path) -> Book:
    """All rules under a folder; those that can't be matched as they are meant are in `refused`, with the reason."""
    rules: dict[str, Rule] = {}
    refused = []
    sources = digests(folder)
    for name in sources:
        try:
            for raw in _documents(folder / name):
                one = sigma.rule(Path(name).stem, raw)
                if one.id in rules:
                    raise Permanent(f"has the id of {rules[one.id].name}")
                rules[one.id] = one
        except Permanent as error:
            refused.append(f"{name}: {error}")
    return Book(rules=tuple(rules.values()), refused=tuple(refused), sources=sources)


def encoded(its: Book) -> str:
    """A book as it is kept: one rule a line, so that a change of one is a change of a line."""
    lines = ",\n".join(msgspec.json.encode(rule).decode() for rule in its.rules)
    rest = msgspec.json.encode(msgspec.structs.replace(its, rules=())).decode()
    return rest.replace('"rules":[]', f'"rules":[\n{lines}\n]', 1) + "\n"


def files() -> dict[Path, str | None]:
    """What is made from our own rules, by path; None is what must not be there. Raises Permanent for a bad rule."""
    own = book(FOLDER)
    if own.refused:
        raise Permanent("\n".join(own.refused))
    made: dict[Path, str | None] = dict.fromkeys((FOLDER / "kql").glob("*.kql"))
    made[OWN] = encoded(msgspec.structs.replace(own, sources={}))
    for rule in own.rules:
        try:
            made[FOLDER / "kql" / f"{rule.name}.kql"] = kql.query(rule)
        except Permanent as error:
            raise Permanent(f"{rule.name}: {error}") from error
    return made


def markdown() -> str:
    """Our own rules as a table."""
    rows = ["| rule | level | ATT&CK | what it sees |", "|---|---|---|---|"]
    for rule in sorted(book(FOLDER).rules, key=lambda rule: rule.name):
        techniques = [tag.removeprefix("attack.").upper() for tag in rule.tags if tag.startswith("attack.t")]
        where = f"[{rule.name}](../playbooks/detections/{rule.name}.yml)"
        rows.append(f"| {where} | {rule.level} | {', '.join(techniques)} | {rule.title} |")
    return "\n".join(rows)


def _documents(path: Path) -> list[Any]:
    yaml = importlib.import_module("yaml")  # only here: the responder loads what is compiled
    try:
        return [raw for raw in yaml.safe_load_all(path.read_bytes()) if raw is not None]
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise Permanent(f"is no YAML: {' '.join(str(error).split())[:200]}") from error
