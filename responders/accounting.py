"""Every activity accounted for: undone by the response, failed, known to the owner, or unexplained.

An incident closes by itself only when nothing is unexplained; else a person signs for what is left.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache

from msgspec import Struct

from responders import remedies
from responders.model import SIGN_OFF, Case, Change, Finding, Plan, Subject, Undoes
from responders.utc import utc

MOST = 500  # that are listed one by one
# What leaves nothing behind by itself: an address leads nowhere until a webhook is made with it.
_NOTHING = frozenset({"microsoft.automation/automationaccounts/webhooks/action"})


class Made(Struct, frozen=True, kw_only=True):
    """A change that was made, or was so already; what it undoes; and what was known when it was planned."""

    change: Change
    undoes: Undoes
    seen: frozenset[str]  # ids of the events of the case that it was planned on
    until: datetime  # the end of that case's window


def account(case: Case, made: Iterable[Made]) -> tuple[Finding, ...]:
    """The activities of a case that nothing explains."""
    whole = _Account(case, made)
    return tuple(finding for finding in case.findings if not whole.explains(finding))


class _Account:
    def __init__(self, case: Case, made: Iterable[Made]) -> None:
        self._known = {k.id.lower() for k in case.known if k.by}
        self._events = set[str]()
        self._by_thing = defaultdict[str, list[Made]](list)
        for one in made:
            self._events.update(one.change.before[one.undoes.events] if one.undoes.events else ())
            if one.undoes.gone or one.undoes.operations:
                for thing in _things(one):
                    self._by_thing[thing.lower()].append(one)
        self._lost: dict[str, datetime] = {}  # when somebody else than us last deleted a thing
        for finding in sorted(case.findings, key=lambda f: f.at):
            if finding.outcome != "failed" and finding.operation.lower().endswith("/delete"):
                self._lost[finding.resource.lower()] = finding.at

    def explains(self, finding: Finding) -> bool:
        resource, operation = finding.resource.lower(), finding.operation.lower()
        if finding.outcome == "failed" or operation in _NOTHING or resource in self._known:
            return True
        if self._events.intersection(_named(finding)):
            return True
        return any(
            self._ended(one, thing, finding) if one.undoes.gone else _undone(one, finding)
            for thing in _up(resource)
            for one in self._by_thing.get(thing, ())
        )

    def _ended(self, one: Made, thing: str, finding: Finding) -> bool:
        """Whether what a deed did ended with the thing that we deleted. What somebody deleted before we did not."""
        lost = any(self._lost[above] >= finding.at for above in _up(thing) if above in self._lost)
        # What was read out of a thing stays known. Only of what he planted himself an intruder learns nothing by that.
        over = one.change.familiarity == "unfamiliar" or not finding.operation.lower().endswith("/action")
        return over and not lost and finding.at < one.until


def to_sign(case: Case, unexplained: Iterable[Finding]) -> Plan:
    """What a person signs for: one line for each thing that somebody did to one resource."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in unexplained:
        groups.setdefault((one.caller, one.operation, one.resource), []).append(one)
    lines = sorted(groups.values(), key=lambda group: (-max(f.score for f in group), group[0].at))
    more = len(lines) - MOST
    return Plan(
        action=SIGN_OFF,
        subject=Subject(kind="subscription", id=case.subscription, reason="the incident is to be closed"),
        changes=tuple(_line(group) for group in lines[:MOST]),
        reason="" if lines else "Every activity in the window is accounted for.",
        kept=(f"{more} more activities, of less weight, are in the report's data",) if more > 0 else (),
    )


def _line(group: list[Finding]) -> Change:
    first = min(group, key=lambda f: f.at)
    times = f", {len(group)} times" if len(group) > 1 else ""
    return Change(
        action=SIGN_OFF,
        resource=first.resource,
        summary=f"{first.reason}, {utc(first.at)}{times}: nothing that was done here undoes it",
        reasons=(
            f"to do: {remedies.of(first)}",
            *(tuple(point.reason for point in first.points) or ("a suspect did it in the window",)),
        ),
        before={"events": [event for one in group for event in one.events][:50]},
    )


def _undone(one: Made, finding: Finding) -> bool:
    """Whether it is a deed of a kind that the change undoes, and was known when that was planned."""
    kind = finding.operation.lower() in _lower(one.undoes.operations)
    return kind and not one.seen.isdisjoint(_named(finding))


def _named(finding: Finding) -> tuple[str, ...]:
    """The ids of its events; the log may have some without."""
    return tuple(filter(None, finding.events))


def _things(one: Made) -> Iterator[str]:
    """The resource of a change, and those that it treated together with it."""
    yield one.change.resource
    for part in one.undoes.along:
        yield from (str(item["id"]) for item in one.change.before[part])


def _up(resource: str) -> Iterator[str]:
    """An id, and those that it lies beneath."""
    while resource:
        yield resource
        resource = resource.rpartition("/")[0]


@cache
def _lower(operations: tuple[str, ...]) -> frozenset[str]:
    return frozenset(operation.lower() for operation in operations)
