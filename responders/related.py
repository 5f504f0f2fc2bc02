"""The other alerts of a subscription in the window of a case, and how each is related to it.

Alerts of any plan of Defender are listed. Those of the same root cause (the very same actors, here, and nobody works on
them yet) may join the case. Microsoft.Security/alerts, api-version 2022-01-01; plain REST, since the SDK's model drops
what it does not know, and an alert is mostly that.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.alerts import from_arm, reading
from responders.alerts.untrusted import Fields
from responders.errors import Permanent
from responders.ids import ResourceId, within
from responders.model import Alert, Case, Json

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("Microsoft.Security/alerts/read",)
MOST = 100  # that are listed, the nearest first
_READ = 5_000  # that are looked at
_NEAR = timedelta(hours=1)


class Related(Struct, frozen=True, kw_only=True):
    """Another alert."""

    id: str  # ARM id
    title: str
    severity: str
    status: str  # as it was when it was listed
    start: datetime
    relation: tuple[str, ...]  # sentences, the strongest first
    joins: bool  # of the same root cause: to be set with the case


async def review(azure: "Azure", case: Case) -> tuple[Related, ...]:
    """The other alerts, the most related first. An alert that can't be read is passed over, and so is a sample."""
    found: list[Related] = []
    own, seen = case.alert.id.lower(), 0
    async for body in azure.arm_pages(
        f"/subscriptions/{case.subscription}/providers/Microsoft.Security/alerts", "2022-01-01"
    ):
        seen += 1
        if seen > _READ:
            break
        alert = _read(body)
        if alert is None or alert.sample or alert.id.lower() == own:
            continue
        if alert.end < case.since or alert.start > case.until:
            continue
        found.append(_related(case, alert, body))
    found.sort(key=lambda r: (not r.joins, -len(r.relation), -r.start.timestamp()))
    return tuple(found[:MOST])


def _read(body: Json) -> Alert | None:
    """An alert of any type."""
    outer = Fields(body)
    inner = outer.fields("properties")
    try:
        return reading.read(outer, inner, reading.type_id(inner))
    except Permanent:
        return None


def _related(case: Case, alert: Alert, body: Json) -> Related:
    relation = tuple(_relation(case, alert))
    joins = alert.status == "Active" and _same_actors(case, alert) and _ours(body)
    if joins:
        relation = ("of the same root cause: it joins this incident", *relation)
    return Related(
        id=alert.id,
        title=alert.title,
        severity=alert.severity,
        status=alert.status,
        start=alert.start,
        relation=relation or ("the same subscription, in the window",),
        joins=joins,
    )


def _relation(case: Case, alert: Alert) -> Iterator[str]:
    alerts = (case.alert, *case.joined)
    if who := [a.upn or a.name or a.id for a in alert.actors if case.suspect(a.id or a.upn)]:
        yield f"the same actor: {', '.join(who)}"
    named = [r for one in alerts for r in one.resources if not _everything(r)]
    if what := [r for r in alert.resources if not _everything(r) and any(within(r, n) or within(n, r) for n in named)]:
        yield f"the same resource: {', '.join(what[:3])}"
    if where := sorted({*alert.addresses} & {a for one in alerts for a in one.addresses}):
        yield f"the same address: {', '.join(where[:3])}"
    if any(alert.start <= one.end + _NEAR and alert.end >= one.start - _NEAR for one in alerts):
        yield "at the same time, within an hour"


def _same_actors(case: Case, alert: Alert) -> bool:
    """Whether the actors of the alert are the suspects, all of them and nobody else: what joining goes by, too."""
    known = [case.suspect(a.id or a.upn) for a in alert.actors]
    return bool(known) and None not in known and {s.id for s in known if s} == {s.id for s in case.suspects}


def _ours(body: Json) -> bool:
    try:
        return bool(from_arm(body))
    except Permanent:
        return False


def _everything(resource: str) -> bool:
    """Whether an id names a whole subscription, which every alert does."""
    return not ResourceId.parse(resource).group and not ResourceId.parse(resource).type
