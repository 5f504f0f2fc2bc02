"""From an alert, as Defender has it, to a case."""

from datetime import datetime

from responders import directory
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Alert, Case, Known
from responders.services import Services


async def build(its: Services, incident: str, alert: Alert, at: datetime) -> Case:
    """The case of an alert: who is suspected, and since when. Raises Permanent outside the configured subscriptions."""
    # Where Defender keeps the alert is what counts, not what its text names.
    subscription = ResourceId.parse(alert.id).subscription
    if not its.settings.covers(subscription):
        raise Permanent(f"Subscription {subscription or 'none'} is not in COUNTERSIGN_SUBSCRIPTIONS. Not acted on.")
    suspects = [await directory.resolve(its.azure, actor, alert.tenant) for actor in alert.actors]
    return Case(
        incident=incident,
        alert=alert,
        subscription=subscription,
        tenant=alert.tenant,
        suspects=tuple(s for s in suspects if s.id or s.upn),
        since=alert.start - its.settings.lookback,
        until=at,
        known=tuple(Known(id=i, because="declared in COUNTERSIGN_FAMILIAR") for i in await its.familiar()),
        pipelines=await its.pipelines(),
        familiar_tags=its.settings.familiar_tags,
    )
