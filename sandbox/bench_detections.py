"""How well the rules and the score tell bad from good on labeled samples, and how fast the rules are beside a peer."""

import importlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rich.table import Table

from playbooks.detections import sigma
from playbooks.detections.compiling import FOLDER
from responders.investigation.activity import Activity
from responders.investigation.baseline import Baseline
from responders.investigation.events import Notes, decoded
from responders.investigation.fields import field, text
from responders.investigation.join import join
from responders.investigation.rules import Match, Rules
from responders.investigation.scoring import Score, relevant, score
from responders.investigation.signals import signals

# Labeled events of real logs and of rules' authors. They may not be copied here: who has them puts them beside.
SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "activity"
_BAD, _GOOD = "malicious", "benign"


class Label(NamedTuple):
    """One labeled event, and what came of it by itself: there is no baseline, and nothing is new."""

    file: str
    label: str  # malicious, benign, neutral; of events made for somebody's rule "matches" or "does not match"
    why: str
    matches: tuple[Match, ...]
    score: Score | None  # None for what is no activity of anybody: policies, health, other logs

    @property
    def level(self) -> str:
        return self.score.level if self.score else "none"


def labels(folder: Path = SAMPLES) -> Iterator[Label]:
    """The labeled events of a folder of samples."""
    rules = Rules.load()
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            sample = json.loads(line)
            label = re.sub(" Azure.*", "", sample["label"])
            event = decoded(json.dumps(sample["event"]).encode(), Notes())
            activity = next(join([event], Notes()), None) if event else None
            if activity is None:
                yield Label(file.name, label, sample["why"], (), None)
                continue
            matches = relevant(activity, rules.match(activity))
            found = signals(activity, matches, Baseline(activity.at, activity.at))
            yield Label(file.name, label, sample["why"], matches, score(activity, matches, found))


def tables(activities: Sequence[Activity]) -> Iterator[Table]:
    """All figures: of the samples, where they are, and of the rules beside pySigma's, on these activities."""
    if SAMPLES.is_dir():
        found = list(labels())
        yield _by_file(found)
        yield _as_a_whole(found)
        yield _by_rule(found)
    yield _beside(activities)


def _by_file(found: Sequence[Label]) -> Table:
    table = Table(
        "file", "label", "events", "named by a rule", "notable", "suspicious", title="Labeled samples, no baseline"
    )
    for file, label in dict.fromkeys((one.file, one.label) for one in found):
        some = [one for one in found if (one.file, one.label) == (file, label)]
        levels = [one.level for one in some]
        counts = (
            len(some),
            sum(bool(one.matches) for one in some),
            levels.count("notable"),
            levels.count("suspicious"),
        )
        table.add_row(file, label, *map(str, counts))
    return table


def _as_a_whole(found: Sequence[Label]) -> Table:
    """Precision and recall of what is called suspicious, of what is at least notable, and of what a rule names."""
    table = Table("called", "of malicious", "of benign", "precision", "recall", title="Precision and recall")
    bad, good = ([one for one in found if one.label == label] for label in (_BAD, _GOOD))
    for name, called in (
        ("suspicious", lambda one: one.level == "suspicious"),
        ("notable or suspicious", lambda one: one.level != "none"),
        ("named by a rule", lambda one: bool(one.matches)),
    ):
        right, wrong = sum(map(called, bad)), sum(map(called, good))
        precision = f"{right / (right + wrong):.2f}" if right + wrong else ""
        table.add_row(name, f"{right}/{len(bad)}", f"{wrong}/{len(good)}", precision, f"{right / len(bad):.2f}")
    return table


def _by_rule(found: Sequence[Label]) -> Table:
    heads = ("rule", "malicious", "of them suspicious", "benign", "of them suspicious", "precision")
    table = Table(*heads, title="By rule: malicious and benign samples that it names")
    for name in sorted({match.name for one in found for match in one.matches if one.label in {_BAD, _GOOD}}):
        its = [one for one in found if any(match.name == name for match in one.matches)]
        bad, good = ([one.level for one in its if one.label == label] for label in (_BAD, _GOOD))
        counts = (len(bad), bad.count("suspicious"), len(good), good.count("suspicious"))
        table.add_row(name, *map(str, counts), f"{len(bad) / (len(bad) + len(good)):.2f}")
    return table


def _beside(activities: Sequence[Activity]) -> Table:
    """Our matcher, and pySigma's SQLite backend: the same rules and activities, which are read already."""
    raw = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yml"))]
    began = time.process_time()
    ours = Rules(tuple(sigma.rule(one["title"], one) for one in raw))
    hits = sum(len(ours.match(activity)) for activity in activities)
    mine = time.process_time() - began
    table = Table("matcher", "rules", "activities", "hits", "seconds", "ratio", title="Matching, one core")
    table.add_row("ours", str(len(raw)), str(len(activities)), str(hits), f"{mine:.2f}", "1.00")
    began = time.process_time()
    hits = _hits_of_sqlite(raw, activities)
    theirs = time.process_time() - began
    table.add_row(
        "pySigma, SQLite", str(len(raw)), str(len(activities)), str(hits), f"{theirs:.2f}", f"{theirs / mine:.2f}"
    )
    return table


def _hits_of_sqlite(raw: Sequence[dict[str, Any]], activities: Sequence[Activity]) -> int:
    """What pySigma's queries find in a table in memory."""
    backend: Any = importlib.import_module("sigma.backends.sqlite")  # they say nothing of their types
    rules: Any = importlib.import_module("sigma.rule")
    names = sorted({name for one in raw for name in _fields(one["detection"])})
    with sqlite3.connect(":memory:") as database:
        database.create_function("REGEXP", 2, lambda p, v: v is not None and re.search(p, str(v)) is not None)
        columns = ", ".join(f'"{name}" NUMERIC COLLATE NOCASE' for name in names)
        database.execute(f"CREATE TABLE logs (everything TEXT, {columns})")
        rows = ((field("").read(a)[0], *(_cell(name, a) for name in names)) for a in activities)
        database.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * (len(names) + 1))})", rows)  # noqa: S608
        writer = backend.sqliteBackend(fulltext_field="everything")
        queries = [query for one in raw for query in writer.convert_rule(rules.SigmaRule.from_dict(one))]
        return sum(1 for query in queries for _ in database.execute(query))


def _fields(detection: dict[str, Any]) -> Iterator[str]:
    """The fields that a rule looks at, and those that it compares with."""
    for name, selection in detection.items():
        for one in selection if isinstance(selection, list) else [selection]:
            for key, value in one.items() if name != "condition" and isinstance(one, dict) else ():
                yield key.partition("|")[0]
                if key.endswith("|fieldref"):
                    yield value


def _cell(name: str, activity: Activity) -> Any:
    value = next(iter(field(name).read(activity)), None)
    return (
        value if value is None or (isinstance(value, str | int | float) and value not in {True, False}) else text(value)
    )
