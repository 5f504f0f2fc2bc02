"""An alert comes in, by whatever channel: one incident for it, and never two."""

import logging
from typing import TYPE_CHECKING

from responders import alerts, defender
from responders.azure import explained
from responders.errors import Permanent, Refused
from responders.incident import incident_id
from responders.model import Alert, Ignored, Json, digest
from responders.services import Services, now

if TYPE_CHECKING:
    from responders.web.api import Engine


async def take(body: object, its: Services, engine: "Engine", by: str = "") -> list[Json]:
    """Start an incident for each alert in `body`. `by` is the object id of who sent it by hand, else empty.

    Raises Permanent for what is no alert, Refused for what may not be acted on.
    """
    taken = []
    for item in alerts.parse(body):
        if isinstance(item, Ignored):
            taken.append({"incident": None, "status": "ignored", "reason": item.reason})
            continue
        alert = item if isinstance(item, Alert) else await _read(item.id, its)
        if not its.settings.covers(alert.subscription):
            where = alert.subscription or "none"
            raise Refused(f"Subscription {where} is not in COUNTERSIGN_SUBSCRIPTIONS. Nothing was started.", 403)
        taken.append(await _start(alert, its, engine, by))
    return taken


async def take_event(data: object, its: Services, engine: "Engine") -> None:
    """An alert from Event Grid. What can't be taken is kept with the reason, and not raised.

    Event Grid would deliver it again for a day, and it would be refused each time.
    """
    try:
        await take(data, its, engine)
    except Permanent as error:
        refused = {"reason": str(error), "received": repr(data)[:4096]}
        await its.evidence.create(f"refused/{digest(refused)}.json", refused)
        logging.getLogger(__name__).warning("An event was refused: %s", error)


async def _start(alert: Alert, its: Services, engine: "Engine", by: str) -> Json:
    incident = its.incident(incident_id(alert.subscription, alert.name))
    await incident.receive(alert, now())
    # Started even if the alert was here before: the worker may have died in between. An instance that is there,
    # running or finished, is left alone.
    started = await engine.start("incident", incident.id, {"incident": incident.id, "by": by})
    return {"incident": incident.id, "status": "started" if started else "known"}


async def _read(id_: str, its: Services) -> Alert:
    try:
        with explained(f"reading the alert {id_}"):
            alert = await defender.read(its.azure, id_)
    except Refused:
        raise
    except Permanent as error:
        raise Refused(str(error), 403) from error
    if alert is None:
        raise Refused(f"Defender knows no alert {id_}. Nothing was started.", 404)
    return alert
