"""The rules by which activities are found suspicious: compiled at build time from Sigma, matched here.

Nothing here knows YAML or Sigma: `playbooks.detections` turned them into conditions, and refused what can't be one.
"""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import Struct

from responders.investigation.activity import Activity
from responders.investigation.conditions import Check, Node, Reason, check, possible

Level = Literal["informational", "low", "medium", "high", "critical"]
COMPILED = "rules.json"
OWN = Path(__file__).with_name(COMPILED)
# Far more operations than Azure has: a log that is full of made-up ones can't fill the memory.
_MOST_OPERATIONS = 20_000


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule."""

    id: str
    name: str  # of its file, without the ending
    title: str
    level: Level
    tags: tuple[str, ...] = ()  # "attack.persistence", "attack.t1098.003": ATT&CK v19
    description: str = ""
    falsepositives: tuple[str, ...] = ()
    condition: Node


class Book(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of compiled rules."""

    rules: tuple[Rule, ...]
    refused: tuple[str, ...] = ()  # "mine.yml: uses the modifier |base64, which …"
    sources: dict[str, str] = {}  # file: SHA-256 of its text when it was compiled


class Match(Struct, frozen=True, kw_only=True):
    """A rule that an activity meets."""

    rule: str  # id
    name: str
    title: str
    level: Level
    tags: tuple[str, ...]
    why: tuple[Reason, ...]


class Rules:
    """Rules, ready to be matched. `refused` says in sentences what of a folder's can't be used, and why."""

    def __init__(self, rules: tuple[Rule, ...], refused: tuple[str, ...] = ()) -> None:
        self.rules = rules
        self.refused = refused
        self._checks = [(rule, check(rule.condition), possible(rule.condition)) for rule in rules]
        self._by_operation: dict[str, list[tuple[Rule, Check]]] = {}

    @classmethod
    def load(cls, folder: str = "") -> Self:
        """Load our own rules, and those of a folder that `python -m playbooks.detections` has compiled.

        Nothing about the folder stops an investigation: what can't be used of it is in `refused`.
        """
        own = msgspec.json.decode(OWN.read_bytes(), type=Book)
        if not folder:
            return cls(own.rules)
        book, refused = _foreign(Path(folder))
        ids = {rule.id for rule in own.rules}
        taken = [f"{rule.name}: has the id of another rule, {rule.id}" for rule in book.rules if rule.id in ids]
        new = tuple(rule for rule in book.rules if rule.id not in ids)
        return cls(own.rules + new, (*book.refused, *refused, *taken))

    def match(self, activity: Activity) -> tuple[Match, ...]:
        """The rules that an activity meets. Those that its operation rules out are not evaluated."""
        candidates = self._by_operation.get(activity.operation)
        if candidates is None:
            candidates = self._candidates(activity.operation)
        return tuple(
            Match(rule=rule.id, name=rule.name, title=rule.title, level=rule.level, tags=rule.tags, why=why)
            for rule, its in candidates
            if (why := its(activity)) is not None
        )

    def _candidates(self, operation: str) -> list[tuple[Rule, Check]]:
        if len(self._by_operation) >= _MOST_OPERATIONS:
            self._by_operation.clear()
        probe = _bare(operation)
        found = [(rule, its) for rule, its, may in self._checks if may(probe) is not False]
        self._by_operation[operation] = found
        return found


def _bare(operation: str) -> Activity:
    never = datetime.min.replace(tzinfo=UTC)
    return Activity(
        at=never, until=never, operation=operation, outcome="started", resource="", subscription="", caller=""
    )


def _foreign(folder: Path) -> tuple[Book, list[str]]:
    """A folder's compiled rules, and what is wrong with them."""
    compile_ = f"compile it with: python -m playbooks.detections {folder}"
    try:
        book = msgspec.json.decode((folder / COMPILED).read_bytes(), type=Book)
        for rule in book.rules:
            check(rule.condition)
    except OSError as error:
        return Book(rules=()), [f"{folder}: its {COMPILED} can't be read ({error.strerror}); {compile_}"]
    except (msgspec.MsgspecError, re.error, LookupError, ValueError) as error:
        return Book(rules=()), [f"{folder}: its {COMPILED} is not one of this version ({error}); {compile_}"]
    notes = []
    for name, digest in digests(folder).items():
        known = book.sources.get(name)
        if known != digest:
            state = "has changed since it was compiled; its old text is matched" if known else "is not matched"
            notes.append(f"{name}: {state}; {compile_}")
    return book, notes


def digests(folder: Path) -> dict[str, str]:
    """The Sigma files under a folder, and the SHA-256 of each."""
    files = sorted(path for path in folder.rglob("*.y*ml") if path.suffix in {".yml", ".yaml"})
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
