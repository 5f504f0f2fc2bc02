"""Every activity accounted for: undone by the response, failed, known to the owner, or unexplained.

An incident closes by itself only when nothing is unexplained; else a person signs for what is left.
"""

from collections.abc import Iterable, Iterator

from responders.errors import Permanent
from responders.ids import ResourceId, within
from responders.model import SIGN_OFF, Case, Change, Finding, Plan, Subject
from responders.utc import utc

MOST = 500  # that are listed one by one
# What leaves nothing behind by itself: an address leads nowhere until a webhook is made with it.
_NOTHING = frozenset({"microsoft.automation/automationaccounts/webhooks/action"})


def account(case: Case, made: Iterable[Change]) -> tuple[Finding, ...]:
    """The activities of a case that nothing explains. `made`: the changes that were made, or were so already."""
    covered = tuple(dict.fromkeys(scope for change in made for scope in _covers(change)))
    return tuple(f for f in case.findings if not _explained(case, f, covered))


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
        reasons=tuple(point.reason for point in first.points) or ("a suspect did it in the window",),
        before={"events": [event for one in group for event in one.events][:50]},
    )


def _explained(case: Case, finding: Finding, covered: tuple[str, ...]) -> bool:
    known = any(k.by and k.id.lower() == finding.resource.lower() for k in case.known)
    void = finding.outcome == "failed" or finding.operation.lower() in _NOTHING
    return known or void or any(within(finding.resource, scope) for scope in covered)


def _covers(change: Change) -> Iterator[str]:
    """What a change cleans up: its resource, and the siblings that it recorded together with it."""
    if not change.resource.startswith("/subscriptions/"):
        return
    yield change.resource
    home = _parent(change.resource)
    for id_ in _ids(change.before):
        # Only what lies beside it: a body that an intruder wrote must not explain what he did elsewhere.
        if home and id_ != change.resource and within(id_, home) and id_.lower() != home.lower():
            yield id_


def _parent(text: str) -> str:
    """The resource that one lies beneath; "" for one that lies beneath none."""
    try:
        resource = ResourceId.parse(text)
    except Permanent:
        return ""  # an id that Azure gave and that we can't read explains nothing but itself
    return text.rsplit("/", 2)[0] if len(resource.names) > 1 else ""


def _ids(body: object) -> Iterator[str]:
    if isinstance(body, dict):
        for name, value in body.items():
            if name == "id" and isinstance(value, str):
                yield value
            else:
                yield from _ids(value)
    elif isinstance(body, list):
        for value in body:
            yield from _ids(value)
