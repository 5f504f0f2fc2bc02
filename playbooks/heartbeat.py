"""Whether alerts still arrive: once a day Defender is asked for its sample alerts, and told if they don't come.

A change to a Logic App can cut it off from Defender without anybody noticing: then no alert arrives, and all is quiet.
What was asked and what came of it is kept beneath heartbeats/, by day, so that no day is asked for twice.
"""

import logging
from datetime import datetime, timedelta

from msgspec import Struct

from responders import defender, notify, samples
from responders.azure import explained
from responders.errors import CountersignError
from responders.evidence import Evidence
from responders.incident import Incident, incident_of
from responders.services import Services
from responders.utc import utc

PATIENCE = timedelta(hours=2)  # from Defender's yes to the incident
_FOLDER, _HEARD = "heartbeats", "-heard.json"


class Beat(Struct, frozen=True, kw_only=True):
    """A day's question."""

    at: datetime
    location: str
    before: dict[str, list[str]]  # by subscription: what the incidents of sample alerts before it are called


class Heard(Struct, frozen=True, kw_only=True):
    """What came of it."""

    at: datetime
    arrived: list[str]  # ARM ids of alerts
    missed: list[str]  # sentences


async def tick(its: Services, at: datetime) -> None:
    """Say whether the last sample alerts have arrived, when it is time to; and ask for new ones, once a day."""
    if not its.settings.heartbeat:
        return
    with explained("the heartbeat"):
        for day in (at - timedelta(days=1), at):
            await _listen(its, _path(day), at)
        await _ask(its, at)


async def last_heard(evidence: Evidence) -> Heard | None:
    """What came of the last day that was heard out; None before the first."""
    days = [path for path in await evidence.list(_FOLDER) if path.endswith(_HEARD)]
    return await evidence.read(max(days), Heard) if days else None


async def _ask(its: Services, at: datetime) -> None:
    """Ask for sample alerts in each subscription, unless that has been done today."""
    location = its.settings.heartbeat
    if await its.evidence.read_bytes(_path(at)) is not None:
        return
    before = {
        one: [incident_of(alert.id) async for alert in samples.raised(its.azure, one, location)]
        for one in its.settings.subscriptions
    }
    if not await its.evidence.create(_path(at), Beat(at=at, location=location, before=before)):
        return  # another worker was first
    for subscription in its.settings.subscriptions:
        try:
            with explained(f"asking for sample alerts in {subscription}"):
                await samples.simulate(its.azure, subscription, location)
        except CountersignError as error:
            await _tell(its, [f"Defender could not be asked for sample alerts: {error}"])


async def _listen(its: Services, path: str, at: datetime) -> None:
    """Say once whether the alerts of a day have arrived, when there was time enough."""
    beat = await its.evidence.read(path, Beat)
    told = path.replace(".json", _HEARD)
    if beat is None or at < beat.at + PATIENCE or await its.evidence.read_bytes(told) is not None:
        return
    arrived: list[str] = []
    missed: list[str] = []
    for subscription, before in beat.before.items():
        found = samples.raised(its.azure, subscription, beat.location)
        fresh = [alert.id async for alert in found if incident_of(alert.id) not in before]
        here = [id_ for id_ in fresh if await _closed(its, incident_of(id_))]
        arrived += here
        if not here:
            where = f"Of the sample alerts asked for at {utc(beat.at)} in subscription {subscription}"
            missed.append(f"{where} {_lost(len(fresh))}")
    if await its.evidence.create(told, Heard(at=at, arrived=arrived, missed=missed)) and missed:
        await _tell(its, missed)
    for id_ in arrived:  # else three a day would pile up in the portal
        await defender.set_state(its.azure, id_, "Dismissed")


async def _closed(its: Services, incident: str) -> bool:
    return await Incident(its.evidence, incident).journal.find(f"closed {incident}") is not None


def _lost(raised: int) -> str:
    if not raised:
        return "Defender has raised none: is the plan Arm on? python -m playbooks doctor says."
    return (
        f"none of {raised} came to its end here: alerts may not arrive at all. Look at the workflow automation and the "
        "runs of its Logic App; python -m playbooks doctor says what is broken."
    )


async def _tell(its: Services, sentences: list[str]) -> None:
    subject, text = "Countersign does not hear Defender", "\n\n".join(sentences)
    told = await notify.mail(its.azure, its.settings, its.settings.approvers, subject, text)
    told = "; ".join(filter(None, [told, await notify.channels(its.settings, subject, text)]))
    logging.getLogger(__name__).error("The heartbeat: %s (%s)", text, told)


def _path(day: datetime) -> str:
    return f"{_FOLDER}/{day:%Y-%m-%d}.json"
