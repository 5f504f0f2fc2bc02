"""An alert comes in, by whatever channel: one incident for it, and never two."""

import logging
from typing import TYPE_CHECKING

from msgspec import structs

from responders import alerts, defender
from responders.alerts import Arrival
from responders.azure import explained
from responders.errors import Permanent, Refused
from responders.ids import ResourceId
from responders.incident import incident_id
from responders.model import Alert, Ignored, Json, digest
from responders.services import Services

if TYPE_CHECKING:
    from responders.engine import Engine


async def take(body: object, its: Services, engine: "Engine", by: str = "") -> list[Json]:
    """Start an incident for each alert in `body`. `by` is the object id of who sent it by hand, else empty.

    Raises Permanent for what is no alert, Refused for what may not be acted on; where there are others in the body, it
    is told in the list instead, so that it can't hold them up.
    """
    taken: list[Json] = []
    refused: list[Permanent] = []
    for item in alerts.parse(body):
        try:
            taken.append(await _take(item, its, engine, by))
        except Permanent as error:
            refused.append(error)
    if refused and not taken:
        raise refused[0]
    return [*taken, *({"incident": None, "status": "refused", "reason": str(error)} for error in refused)]


async def take_event(data: object, its: Services, engine: "Engine") -> None:
    """An alert from Event Grid. What can't be taken is kept with the reason, and not raised.

    Event Grid would deliver it again for a day, and it would be refused each time.
    """
    try:
        reasons = [item["reason"] for item in await take(data, its, engine) if item["status"] == "refused"]
    except Permanent as error:
        reasons = [str(error)]
    for reason in reasons:
        refused = {"reason": reason, "received": repr(data)[:4096]}
        await its.evidence.create(f"refused/{digest(refused)}.json", refused)
        logging.getLogger(__name__).warning("An event was refused: %s", reason)


async def _take(item: Arrival, its: Services, engine: "Engine", by: str) -> Json:
    if isinstance(item, Ignored):
        status = "refused" if item.reason.startswith("Refused: ") else "ignored"
        return {"incident": None, "status": status, "reason": item.reason}
    # The id's subscription, where there is an id: it is the one that is asked. And before anything is asked there.
    claimed = item.subscription if isinstance(item, Alert) else ""
    subscription = ResourceId.parse(item.id).subscription if item.id else claimed
    if not its.settings.covers(subscription):
        where = f"Subscription {subscription}" if subscription else "An alert of the tenant, of no subscription,"
        raise Refused(
            f"{where} is not covered by COUNTERSIGN_SUBSCRIPTIONS. Nothing was started. Add the subscription there if "
            "this responder is to act on it; else answer the alert by hand.",
            403,
        )
    alert = item if isinstance(item, Alert) else await _read(item.id, its)
    if not alert.id:
        with explained(f"looking up the alert {alert.name} in subscription {subscription}"):
            alert = structs.replace(alert, id=await defender.find(its.azure, subscription, alert.name))
    return await _start(alert, its, engine, by)


async def _start(alert: Alert, its: Services, engine: "Engine", by: str) -> Json:
    incident = its.incident(incident_id(alert))
    order = await incident.receive(alert, {"incident": incident.id, "by": by})
    # Started even if the alert was here before: the worker may have died in between. An instance that is there,
    # running or finished, is left alone.
    started = await engine.start("incident", incident.id, order)
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
        raise Refused(f"Defender knows no alert {id_}. Nothing was started. Look the id up in the portal.", 404)
    return alert
