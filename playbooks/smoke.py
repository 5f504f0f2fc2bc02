"""Follows Defender's own sample alerts through a deployment, hop by hop, and says which hop is broken.

The alerts are real ones of Defender's, marked as samples: the responder closes them as a drill and changes nothing.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypeVar

from msgspec import Struct

from playbooks.remote import Api
from playbooks.terminal import shown
from responders import samples
from responders.azure import explained
from responders.errors import CountersignError, Permanent, Temporary
from responders.incident import incident_of
from responders.model import Json, plain
from responders.services import Services
from responders.settings import Settings

T = TypeVar("T")
Name = Literal["asked", "raised", "arrived", "closed"]
POLL = 10.0  # seconds between two looks


class Wanted(NamedTuple):
    """What to follow."""

    subscription: str  # "" for the first that is guarded
    location: str
    patience: timedelta  # for each hop


class Hop(Struct, frozen=True, kw_only=True):
    """One hop of the way."""

    name: Name
    ok: bool
    at: datetime
    seconds: float  # since the hop before
    text: str
    fix: str = ""


_FIXES: dict[Name, str] = {
    "asked": "You need Security Admin (Microsoft.Security/locations/alerts/simulate/action) in the subscription.",
    "raised": "Is the plan on? python -m playbooks doctor says (defending.plan).",
    "arrived": (
        "Look at the runs of the Logic App in the portal: none means that the workflow automation does not start it "
        "(python -m playbooks doctor: defending.automation), a failed one says what the responder answered."
    ),
    "closed": "Read the incident (GET /api/incidents/ID) and the log of the Function App: a run waits or failed.",
}


async def follow(its: Services, api: Api, wanted: Wanted, *, poll: float = POLL) -> list[Hop]:
    """Have the sample alerts made and follow them. The list ends with the first hop that is broken."""
    subscription = wanted.subscription or its.settings.subscriptions[0]
    way = _Way(wanted.patience, poll)
    try:
        with explained("asking Defender for sample alerts"):
            before = {alert.id async for alert in samples.raised(its.azure, subscription, wanted.location)}
            await samples.simulate(its.azure, subscription, wanted.location)
    except CountersignError as error:
        return way.ended("asked", f"Defender was not asked: {error}")
    way.passed("asked", f"Defender was asked for sample alerts in {subscription}, {wanted.location}.")

    async def raised() -> list[str]:
        with explained("reading the sample alerts"):
            found = samples.raised(its.azure, subscription, wanted.location)
            return sorted({alert.id async for alert in found} - before)

    if not (alerts := await way.until(raised)):
        return way.ended("raised", "Defender has raised none.")
    way.passed("raised", f"Defender raised {len(alerts)}: {', '.join(alerts)}.")

    async def arrived() -> list[Json]:
        shown_ = [await _incident(api, incident_of(alert)) for alert in await raised()]
        return [one for one in shown_ if one]

    if not (incidents := await way.until(arrived)):
        return way.ended("arrived", "None of them has reached the responder.")
    way.passed("arrived", f"The responder has incident {incidents[0]['incident']}.")

    async def closed() -> list[Json]:
        return [one for one in await arrived() if one["status"] == "closed"]

    if not (ended := await way.until(closed)):
        return way.ended("closed", f"Incident {incidents[0]['incident']} is {incidents[0]['status']}.")
    if ended[0]["result"] != "sample":
        return way.ended("closed", f"Incident {ended[0]['incident']} was not taken for a drill: {ended[0]['result']}.")
    way.passed("closed", f"Incident {ended[0]['incident']} was closed as a drill.")
    return way.hops


async def main(wanted: Wanted, *, as_json: bool) -> int:
    """Follow sample alerts through the deployment of the settings, and print the hops. 1 when one is broken."""
    its, api = Services(Settings.load({"COUNTERSIGN_EVIDENCE": "memory://", **os.environ})), Api()
    try:
        hops = await follow(its, api, wanted)
    finally:
        await its.close()
    print(json.dumps([plain(hop) for hop in hops], indent=2) if as_json else _told(hops))
    return int(not hops[-1].ok)


class _Way:
    """The hops so far."""

    def __init__(self, patience: timedelta, poll: float) -> None:
        self.hops: list[Hop] = []
        self._patience, self._poll, self._last = patience, poll, datetime.now(UTC)

    async def until(self, look: Callable[[], Awaitable[list[T]]]) -> list[T]:
        """What there is to be seen, as soon as there is something; [] when patience is over."""
        end = datetime.now(UTC) + self._patience
        while True:
            if (found := await look()) or datetime.now(UTC) >= end:
                return found
            await asyncio.sleep(self._poll)

    def passed(self, name: Name, text: str) -> None:
        self._add(name, text, ok=True)

    def ended(self, name: Name, text: str) -> list[Hop]:
        self._add(name, text, ok=False)
        return self.hops

    def _add(self, name: Name, text: str, *, ok: bool) -> None:
        now = datetime.now(UTC)
        fix = "" if ok else _FIXES[name]
        seconds = round((now - self._last).total_seconds(), 1)
        self.hops.append(Hop(name=name, ok=ok, at=now, seconds=seconds, text=text, fix=fix))
        self._last = now


async def _incident(api: Api, id_: str) -> Json | None:
    """The incident, if the responder has it."""
    try:
        found: Json = await api.ask("GET", f"incidents/{id_}")
    except Temporary:
        return None
    except Permanent as error:
        if "answered 404" in str(error):
            return None
        raise
    return found


def _told(hops: list[Hop]) -> str:
    lines = []
    for hop in hops:
        lines.append(f"{'ok    ' if hop.ok else 'BROKEN'} {hop.name:<8} {hop.at:%H:%M:%S} +{hop.seconds:g} s")
        lines += [f"       {shown(text)}" for text in (hop.text, f"fix: {hop.fix}" if hop.fix else "") if text]
    return "\n".join(lines)
