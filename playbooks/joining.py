"""Alerts of one root cause are one incident: same suspects, same subscription, and the first one still open.

No lock is needed. A joiner leaves its mark and then looks whether the incident has closed; the incident closes and only
counts the marks it has seen before. Whatever the order, an alert is handled by one of the two.
"""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime

from responders import defender, directory
from responders.incident import Incident, incident_of
from responders.model import Alert, Case
from responders.services import Services


async def first_of_root_cause(its: Services, case: Case) -> str:
    """The incident that handles this case: its own, or an open one of the same root cause, which it then joins."""
    if not case.suspects:
        return case.incident
    who = sorted((s.id or s.upn).lower() for s in case.suspects)
    key = hashlib.sha256("\n".join([case.subscription, *who]).encode()).hexdigest()[:32]
    n = 0
    while True:
        n += 1
        path = f"roots/{key}/{n:04}"
        if await its.evidence.create(path, case.incident):
            return case.incident
        first = await its.evidence.read(path, str)
        if first is None or first == case.incident:
            return case.incident
        other = its.incident(first)
        if await _closed(other):
            continue
        await its.evidence.create(other.path("joined", case.incident), case.alert.id)
        if not await _closed(other):
            return first


async def take_in(its: Services, incident: Incident, alerts: Iterable[str]) -> None:
    """Have alerts of the same root cause join that nobody has delivered yet, by their ARM ids."""
    for id_ in alerts:
        # The mark that the alert's own incident would leave: delivered later, it changes nothing.
        await its.evidence.create(incident.path("joined", incident_of(id_)), id_)


async def joined(its: Services, incident: Incident) -> list[str]:
    """The ARM ids of the alerts that joined, as far as they are seen now."""
    ids = [await its.evidence.read(path, str) for path in await its.evidence.list(incident.path("joined"))]
    return [id_ for id_ in ids if id_]


async def joiners(its: Services, incident: Incident, answered: Collection[str]) -> list[str]:
    """The incidents that joined and rely on this one, other than those of the alerts that were answered with it."""
    marks = {path: await its.evidence.read(path, str) for path in await its.evidence.list(incident.path("joined"))}
    ids = [path.rsplit("/", 1)[-1] for path, alert in marks.items() if alert not in answered]
    return [id_ for id_ in ids if await relies(its.incident(id_))]


async def relies(incident: Incident) -> bool:
    """Whether an incident has ended because it joined another."""
    entry = await incident.journal.find(f"examined {incident.id}")
    return entry is not None and entry.what["result"] == "joined"


async def widened(its: Services, case: Case, at: datetime) -> Case:
    """The case with what the alerts that joined add: their resources, and suspects of theirs."""
    alerts: list[Alert] = []
    suspects = {(s.id or s.upn).lower(): s for s in case.suspects}
    for id_ in await joined(its, its.incident(case.incident)):
        alert = await defender.read(its.azure, id_)
        if alert is None:
            continue  # gone from Defender since it joined; it was read there when it did
        alerts.append(alert)
        for actor in alert.actors:
            suspect = await directory.resolve(its.azure, actor, alert.tenant)
            suspects.setdefault((suspect.id or suspect.upn).lower(), suspect)
    since = min(case.since, *(a.start - its.settings.lookback for a in alerts)) if alerts else case.since
    return case.having(joined=tuple(alerts), suspects=tuple(suspects.values()), since=since, until=at)


async def _closed(incident: Incident) -> bool:
    entries = await incident.journal.entries()
    return any(e.kind == "closed" for e in entries)
