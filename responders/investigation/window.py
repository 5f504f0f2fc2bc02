"""The window of an incident, as the log streams by: what is kept of it, and what comes of that in the end.

What was done before the window goes into the baseline. Of the window all that the suspects did is kept, and of others
what a rule names or a chain or burst may be made of; both bounded. The order of the log doesn't matter.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from responders.investigation.activity import Activity
from responders.investigation.baseline import ENOUGH, ENOUGH_DAYS, Baseline, kind, network
from responders.investigation.bursts import bursts
from responders.investigation.chains import Chains
from responders.investigation.join import UNDATED
from responders.investigation.makers import Makers
from responders.investigation.rules import Rules
from responders.investigation.scoring import Score, relevant, score, weight
from responders.investigation.signals import Signal, signals
from responders.investigation.trace import Trace, trace
from responders.model import Principal
from responders.utc import utc

# Kept of one window: at some 2 KB each, under 30 MB. What weighs least goes first.
MOST_OF_SUSPECTS, MOST_OF_OTHERS = 5_000, 5_000


class Window:
    """Takes the activities of the baseline and of the window, in any order, and then tells what they come to."""

    def __init__(
        self, rules: Rules, suspects: Sequence[Principal], baseline: datetime, since: datetime, us: str = ""
    ) -> None:
        """The baseline goes from `baseline` to `since`, the window from there on. `us`: our own object id."""
        self._rules, self._since, self._us = rules, since, us.lower()
        self._suspects = {
            name.lower(): suspect.since
            for suspect in suspects
            for name in (suspect.id, suspect.upn, suspect.app_id)
            if name
        }
        self.baseline = Baseline(baseline, since, frozenset(self._suspects))
        self._of_suspects, self._of_others = _Kept(MOST_OF_SUSPECTS), _Kept(MOST_OF_OTHERS)
        self.makers = Makers()
        self.count = 0  # activities of the window

    def take(self, activity: Activity) -> None:
        """See one activity."""
        if activity.at < self._since and activity.at != UNDATED:  # one without a time may well be of the window
            self.baseline.add(activity)
            return
        self.count += 1
        if self._us and activity.oid == self._us:
            return  # what this responder does is in its own journal
        suspect = self._is_suspect(activity)
        matches = self._rules.match(activity)
        if suspect:
            self._of_suspects.add(trace(activity, relevant(activity, matches), suspect=True))
            return
        self.makers.see(activity)
        if matches or kind(activity.operation):
            self._of_others.add(trace(activity, relevant(activity, matches), suspect=False))

    def scored(self) -> Iterator[tuple[Trace, Score]]:
        """All that was kept, oldest first, with its score."""
        traces = sorted([*self._of_suspects.traces, *self._of_others.traces], key=_order)
        chains = Chains()
        for one in traces:
            chains.see(one)
        bursts(traces, self.baseline)
        grave: dict[tuple[str, str], Activity] = {}  # the first suspicious one of a caller from a network new for him
        scores = []
        for one in traces:
            for signal in signals(one.activity, one.matches, self.baseline, suspect=one.suspect):
                one.found(signal)
            its = score(one.activity, one.matches, one.signals.values())
            scores.append(its)
            if its.level == "suspicious" and "new_network" in one.signals:
                grave.setdefault(_session(one), one.activity)
        for one, its in zip(traces, scores, strict=True):
            before = grave.get(_session(one)) if "new_network" in one.signals else None
            if before is None or its.level == "suspicious":
                yield one, its
                continue
            said = f"the caller did something suspicious from that network at {utc(before.at)}"
            one.found(Signal("session", said, before.events))
            yield one, score(one.activity, one.matches, one.signals.values())

    @property
    def dropped(self) -> int:
        """How many activities of the suspects were not kept."""
        return self._of_suspects.dropped

    def notes(self) -> Iterator[str]:
        """What the report has to say about how this was found."""
        known = self.baseline
        if not known.covers and not known.full:
            yield (
                f"The log before the window holds {known.count} activities of {known.span} days: too little to tell "
                f"what is new ({ENOUGH} activities and {ENOUGH_DAYS} days are needed). Nothing was held to be new."
            )
        if known.full:
            yield (
                "The log before the window holds more callers and operations than are kept: some of what is new is "
                "not seen as new."
            )
        seen: set[str] = set()
        for one in self._of_suspects.traces:
            history = known.of(one.activity)
            if one.who in seen or history is None or known.enough(history):
                continue
            seen.add(one.who)
            yield (
                f"Of {one.activity.caller or one.who} the log before the window holds {history.count} activities of "
                f"{known.span_of(history)} days: too little to tell what is new for him."
            )
        for kept, whose in ((self._of_suspects, "the suspects"), (self._of_others, "others")):
            if kept.dropped:
                yield (
                    f"In the window there are more activities of {whose} than are kept: {kept.dropped} that weigh "
                    "least by their rules are left out."
                )

    def _is_suspect(self, activity: Activity) -> bool:
        for name in (activity.oid, activity.caller.lower()):
            if name in self._suspects:
                since = self._suspects[name]
                return since is None or activity.at >= since
        return False


class _Kept:
    """Traces up to a number; when there are twice as many, those that weigh least go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.traces: list[Trace] = []
        self.dropped = 0

    def add(self, one: Trace) -> None:
        self.traces.append(one)
        if len(self.traces) >= 2 * self._most:
            self.traces.sort(key=lambda t: -weight(t.matches))
            self.dropped += len(self.traces) - self._most
            del self.traces[self._most :]


def _session(one: Trace) -> tuple[str, str]:
    return one.who, network(one.activity.address)


def _order(one: Trace) -> tuple[datetime, datetime]:
    return one.activity.at, one.activity.until
