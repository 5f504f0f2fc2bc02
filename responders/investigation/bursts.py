"""Many things of a kind within an hour: more than anyone needs, and more than this caller ever did in a day."""

from collections import Counter, deque
from collections.abc import Iterable
from datetime import timedelta

from responders.investigation.baseline import Baseline, kind
from responders.investigation.signals import Signal
from responders.investigation.trace import Trace

HOUR = timedelta(hours=1)
# Different resources within an hour. Elastic takes 3 snapshots or restore points and 5 storage accounts in 9 minutes,
# Bert-JanP 25 machines started in an hour, Sentinel 25 deletions in a day; the others are ours.
MANY = {
    "deletions": 10,
    "copies of disks": 3,
    "readings of keys": 5,
    "commands on machines": 3,
    "role assignments": 5,
    "machines made": 10,
    "machines started": 25,
}


def bursts(traces: Iterable[Trace], baseline: Baseline) -> None:
    """Put a signal on every trace that is of a burst. They come in order of time."""
    rows: dict[tuple[str, str], list[Trace]] = {}
    for one in traces:
        found = kind(one.activity.operation)
        if found and one.activity.outcome != "failed":
            rows.setdefault((one.who, found), []).append(one)
    for (_, name), row in rows.items():
        if len(row) < MANY[name]:
            continue
        history = baseline.of(row[0].activity)
        known = history if history and baseline.enough(history) else None
        most = known.busiest(name) if known else 0
        trend = f"; on his busiest day before it were {most}" if known else ""
        _mark(row, name, max(MANY[name], most + 1), trend)


def _mark(row: list[Trace], name: str, many: int, trend: str) -> None:
    """Mark those of a caller's row that lie in an hour with so many different resources."""
    near: deque[Trace] = deque()
    counts: Counter[str] = Counter()
    for one in row:
        near.append(one)
        counts[one.activity.resource.lower()] += 1
        while one.activity.at - near[0].activity.at > HOUR:
            gone = near.popleft().activity.resource.lower()
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
        if len(counts) >= many:
            signal = Signal("burst", f"{len(counts)} {name} of different resources within an hour{trend}")
            for other in reversed(near):
                if "burst" in other.signals and other is not one:
                    break  # and so are all before it
                other.found(signal)
