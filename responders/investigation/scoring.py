"""How suspicious an activity is: what it is and asked for, by its rules, and how new it is for its caller.

A score is the sum of points, and every point has its reason, so that nobody has to believe a number.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from responders.investigation.activity import Activity
from responders.investigation.rules import Level, Match
from responders.investigation.signals import RANDOM_NAME, Signal, is_drawn
from responders.model import Point, Suspicion

# From here on an activity is called suspicious, or notable. A high rule alone is notable; it takes something new about
# the caller, or a second thing, to call it suspicious; that he is a suspect is one where nothing is known of him. So
# does a medium rule with two of them.
SUSPICIOUS, NOTABLE = 8.0, 5.0
_LEVELS: Mapping[Level, float] = {"informational": 0, "low": 1, "medium": 3, "high": 6, "critical": 9}
_POINTS: Mapping[str, float] = {
    "dormant": 4,
    "burst": 4,
    "chain": 4,
    "tool": 3,
    "new_operation": 3,
    "new_network": 3,
    "content": 3,
    "session": 3,
    "new_app": 2,
    "token_elsewhere": 2,
    "failed_before": 2,
    "no_mfa": 2,
    "suspect": 2,
    "other_tenant": 1,
    "off_hours": 1,
}
_QUIET, _ROUTINE = 4, 3
# Without one of these, and without a rule, an activity is at most notable: new is not yet bad.
_GRAVE = frozenset({"burst", "chain", "tool"})


class Score(Struct, frozen=True):
    """The sum of the points, and what it is called."""

    value: float
    level: Suspicion
    points: tuple[Point, ...]


def score(activity: Activity, matches: tuple[Match, ...], found: Iterable[Signal]) -> Score:
    """Add up what speaks for and against an activity. Its matches are those that are `relevant`."""
    points: list[Point] = []
    if matches:
        best = matches[0]
        why = "; ".join(str(reason) for reason in best.why if not reason.field.startswith("operation"))
        said = f"rule {best.name} ({best.level}): {best.title}" + (f" ({why})" if why else "")
        points.append(Point(signal="rule", points=_LEVELS[best.level], reason=said, events=activity.events))
    signals = {signal.name: signal for signal in found}  # each kind counts once
    weighed = [(signal, _POINTS[name]) for name, signal in signals.items() if name in _POINTS and name != "off_hours"]
    points += [_point(activity, signal, value) for signal, value in weighed]
    if points and (late := signals.get("off_hours")):  # never alone
        points.append(_point(activity, late, _POINTS["off_hours"]))
    for name, most in (("quiet", _QUIET), ("routine", _ROUTINE)):
        if (signal := signals.get(name)) and (off := min(most, _sum(points))):
            points.append(_point(activity, signal, -off))
    if activity.outcome == "failed" and (half := _sum(points) / 2):
        points.append(Point(signal="failed", points=-half, reason="it failed", events=activity.events))
    named = any(_LEVELS[match.level] for match in matches)
    if not named and _GRAVE.isdisjoint(signals) and (over := _sum(points) - (SUSPICIOUS - 1)) > 0:
        reason = "no rule knows the operation, and being new alone is not suspicious"
        points.append(Point(signal="unnamed", points=-over, reason=reason, events=activity.events))
    total = _sum(points)
    level: Suspicion = "suspicious" if total >= SUSPICIOUS else "notable" if total >= NOTABLE else "none"
    return Score(total, level, tuple(points))


def relevant(activity: Activity, matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """The matches that mean what they say, the gravest first."""
    # A rule's language can't ask whether letters repeat. Where they do, it is an ordinary name.
    kept = [m for m in matches if m.name != RANDOM_NAME or is_drawn(activity.resource)]
    return tuple(sorted(kept, key=lambda match: -_LEVELS[match.level]))


def weight(matches: tuple[Match, ...]) -> float:
    """The points of the gravest rule."""
    return max((_LEVELS[match.level] for match in matches), default=0)


def _sum(points: list[Point]) -> float:
    return sum(point.points for point in points)


def _point(activity: Activity, signal: Signal, value: float) -> Point:
    events = tuple(dict.fromkeys((*activity.events, *signal.events)))
    return Point(signal=signal.name, points=value, reason=signal.reason, events=events)
