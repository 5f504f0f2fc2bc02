"""What the engine is made to forget: runs that ended long ago, once all of them is in the evidence store.

Durable Functions keeps the history of a run for ever. Nothing that counts is only there: evidence, journal and report
stay, by the policy of their container, and so an alert that is delivered again is known again.
"""

import re
from datetime import datetime
from typing import Protocol

from responders import incident
from responders.incident import Incident
from responders.services import Services

# An incident's first run, or one that joined and left, or a later run or undo of it; and the playbooks within a run.
_INSTANCE = re.compile(r"(?P<run>[0-9a-f]{20}(?:-own|-[ru]\d+)?)(?:-(?:c|\d+)-\d+)?")


class Engine(Protocol):
    """What is asked of Durable Functions here."""

    async def ended(self, prefix: str) -> list[tuple[str, datetime]]:
        """Some of the instances that have ended whose id begins so, and when they were last heard of."""

    async def purge(self, instance: str) -> None:
        """Forget an instance."""


async def purge(its: Services, engine: Engine, at: datetime) -> int:
    """Forget what ended before the time that the settings say, and whose report is written. Returns how many."""
    count = 0
    for id_ in await incident.known(its.evidence):
        while gone := await _gone(its, engine, id_, at - its.settings.keep_runs):
            for instance in gone:
                await engine.purge(instance)
            count += len(gone)
    return count


async def _gone(its: Services, engine: Engine, id_: str, before: datetime) -> list[str]:
    """The instances of an incident that may be forgotten."""
    old = [instance for instance, last in await engine.ended(id_) if last <= before]
    if not old:
        return []
    exported = await _exported(Incident(its.evidence, id_))  # not one of the kept ones: there are many incidents
    return [name for name in old if (found := _INSTANCE.fullmatch(name)) and found["run"] in exported]


async def _exported(which: Incident) -> set[str]:
    """The runs and undos of an incident that have ended, and whose report is written."""
    ended = {e.what["run"] for e in await which.journal.entries() if e.kind in {"closed", "undone"}}
    reports = await which.evidence.list(which.path("reports"))
    return {run for run in ended if which.path("reports", f"{run}.html") in reports}
