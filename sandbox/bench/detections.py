"""How well the rules and the score tell bad from good on labeled samples, and how fast the rules are beside a peer."""

import importlib
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
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
SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "activity"
_BAD, _GOOD = "malicious", "benign"


class Label(NamedTuple):
    """One labeled event, and what comes of it by itself: there is no baseline, and nothing is new.

    Of a suspect all is told in an incident, whatever it scores: there `found` is what a rule names and explains.
    """

    file: str
    label: str  # malicious, benign, neutral; of events made for somebody's rule "matches" or "does not match"
    why: str
    matches: tuple[Match, ...]
    score: Score | None  # as somebody's; None for what is no activity of anybody: policies, health, other logs
    suspects: Score | None  # as a suspect's

    @property
    def level(self) -> str:
        return self.score.level if self.score else "none"

    @property
    def suspects_level(self) -> str:
        return self.suspects.level if self.suspects else "none"


_CALLED: tuple[tuple[str, Callable[[Label], bool]], ...] = (
    ("found: named by a rule", lambda one: bool(one.matches)),
    ("notable or more, of a suspect", lambda one: one.suspects_level != "none"),
    ("suspicious, of a suspect", lambda one: one.suspects_level == "suspicious"),
    ("notable or more, of anybody", lambda one: one.level != "none"),
    ("suspicious, of anybody", lambda one: one.level == "suspicious"),
)


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
                yield Label(file.name, label, sample["why"], (), None, None)
                continue
            matches = relevant(activity, rules.match(activity))
            none = Baseline(activity.at, activity.at)
            its, suspects = (
                score(activity, matches, signals(activity, matches, none, suspect=suspect)) for suspect in (False, True)
            )
            yield Label(file.name, label, sample["why"], matches, its, suspects)


def tables(activities: Sequence[Activity]) -> Iterator[Table]:
    """All figures: of the samples, where they are, and of the rules beside pySigma's, on these activities."""
    if SAMPLES.is_dir():
        found = list(labels())
        yield _by_file(found)
        yield _as_a_whole(found)
        yield _by_rule(found)
    yield _beside(activities)


def _by_file(found: Sequence[Label]) -> Table:
    """How many of each file are called what."""
    table = Table("file", "label", "events", *(name for name, _ in _CALLED), title="Labeled samples, no baseline")
    for file, label in dict.fromkeys((one.file, one.label) for one in found):
        some = [one for one in found if (one.file, one.label) == (file, label)]
        table.add_row(file, label, str(len(some)), *(str(sum(map(called, some))) for _, called in _CALLED))
    return table


def _as_a_whole(found: Sequence[Label]) -> Table:
    """Precision and recall of what is called so."""
    table = Table("called", "of malicious", "of benign", "precision", "recall", title="Precision and recall")
    bad, good = _labeled(found)
    for name, called in _CALLED:
        right, wrong = sum(map(called, bad)), sum(map(called, good))
        table.add_row(
            name, f"{right}/{len(bad)}", f"{wrong}/{len(good)}", _ratio(right, right + wrong), _ratio(right, len(bad))
        )
    return table


def _by_rule(found: Sequence[Label]) -> Table:
    """The same of each rule's part in it: precision, and recall of all that is malicious."""
    title = "By rule, of malicious and of benign samples: how many, precision, recall"
    table = Table("rule", *(name for name, _ in _CALLED), title=title)
    bad, good = _labeled(found)
    for rule in sorted({match.name for one in (*bad, *good) for match in one.matches}):
        cells = []
        for _, called in _CALLED:
            right, wrong = (
                sum(called(one) and any(match.name == rule for match in one.matches) for one in some)
                for some in (bad, good)
            )
            precision, recall = _ratio(right, right + wrong), _ratio(right, len(bad))
            cells.append(f"{right}, {wrong}; {precision}; {recall}" if right + wrong else "")
        table.add_row(rule, *cells)
    return table


def _labeled(found: Sequence[Label]) -> tuple[list[Label], list[Label]]:
    """What is malicious, and what is benign."""
    return [one for one in found if one.label == _BAD], [one for one in found if one.label == _GOOD]


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "none"


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
