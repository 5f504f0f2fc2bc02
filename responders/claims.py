"""Who is about to be taken what keeps a door open, in one order for all incidents and all workers.

Azure has no write that says "only if somebody else is left". So whoever takes a door from one of its holders claims it
first: of two who do so at a time the later one counts the holder whom the other takes as gone.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from responders.evidence import Evidence
from responders.journal import Entry, Journal

# So long after it was made a claim counts beside what Azure shows, which lags by minutes; retries are over by then.
_COUNTS = timedelta(hours=1)


class Claim(Struct, frozen=True, kw_only=True):
    """One that was made, and whom those before it take, by door."""

    key: str
    gone: Mapping[str, frozenset[str]]


class Claims:
    """A journal whose numbers are the order: "claimed", and "released" when nothing was taken, or it was given back."""

    def __init__(self, evidence: Evidence) -> None:
        self._journal = Journal(evidence, "survival")

    async def make(self, key: str, doors: Collection[str], whose: Collection[str], at: datetime) -> Claim:
        """Claim these doors of these people (object ids). The same key again is the same claim, until it is released.

        A claim that was there already may have been counted by later ones: then those count too.
        """
        released = _released(await self._journal.entries())
        tries = 0
        while f"{key} {tries}" in released:
            tries += 1
        named = f"{key} {tries}"
        early = await self._journal.find(named)
        what = {"doors": sorted(doors), "whose": sorted(whose)}
        own = await self._journal.append("claimed", what, by="countersign", at=at, key=named)
        entries = await self._journal.entries()
        released = _released(entries)
        gone: dict[str, frozenset[str]] = {}
        for entry in entries:
            counts = entry.kind == "claimed" and entry.key not in released and entry.at >= at - _COUNTS
            if counts and entry.n != own.n and (entry.n < own.n or early is not None):
                for door in entry.what["doors"]:
                    gone[door] = gone.get(door, frozenset()) | frozenset(entry.what["whose"])
        return Claim(key=named, gone=gone)

    async def release(self, claim: Claim, at: datetime) -> None:
        """Nothing was taken: whom it names stays."""
        what = {"claim": claim.key}
        await self._journal.append("released", what, by="countersign", at=at, key=f"released {claim.key}")

    async def release_all(self, incident: str, change: str, at: datetime) -> None:
        """What a change of an incident took is given back: whom the claims for it name stays."""
        entries = await self._journal.entries()
        released = _released(entries)
        for entry in entries:
            key = entry.key.rpartition(" ")[0]  # without the number of the try
            its = key.startswith(f"{incident} ") and key.endswith(f" {change}")
            if entry.kind == "claimed" and its and entry.key not in released:
                await self.release(Claim(key=entry.key, gone={}), at)


def _released(entries: Collection[Entry]) -> frozenset[str]:
    return frozenset(entry.what["claim"] for entry in entries if entry.kind == "released")
