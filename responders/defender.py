"""Alerts where they live: Microsoft.Security, api-version 2022-01-01. What Defender says there is what counts."""

from typing import TYPE_CHECKING

from responders.alerts import from_arm
from responders.alerts.ids import alert_resource
from responders.model import Alert

if TYPE_CHECKING:
    from responders.azure import Azure

_VERSION = "2022-01-01"
_CALLS = {"Dismissed": "dismiss", "Resolved": "resolve", "InProgress": "in_progress", "Active": "activate"}
# With the star, since the name of the inProgress action is refused in custom roles.
PERMISSIONS = (
    "Microsoft.Security/alerts/read",
    "Microsoft.Security/locations/alerts/read",
    "Microsoft.Security/locations/alerts/*",
)
_READ = 5_000  # that are looked at for one of a name


async def read(azure: "Azure", id_: str) -> Alert | None:
    """The alert of that ARM id as Defender has it now, or None if it knows none.

    Plain REST: SecurityCenter's model drops what it does not know, and an alert is mostly that.
    """
    found = await azure.arm_read(alert_resource(id_).text, _VERSION)
    return from_arm(found) if found is not None else None


async def find(azure: "Azure", subscription: str, name: str) -> str:
    """The ARM id of a subscription's alert by its name; "" if Defender lists none.

    For channels that leave out where an alert lies: Defender's own schema of the Logic App trigger has neither id nor
    link.
    """
    seen = 0
    async for body in azure.arm_pages(f"/subscriptions/{subscription}/providers/Microsoft.Security/alerts", _VERSION):
        if str(body["name"]).lower() == name.lower():
            return alert_resource(str(body["id"])).text
        seen += 1
        if seen == _READ:
            break
    return ""


async def set_state(azure: "Azure", id_: str, state: str) -> None:
    """Set an alert's state: Dismissed, Resolved, InProgress or Active. Repeating it changes nothing."""
    alert = alert_resource(id_)
    alerts, region = azure.security(alert.subscription).alerts, alert.names[0]
    # The level of the call must be the level of the id.
    level = "resource_group" if alert.group else "subscription"
    call = getattr(alerts, f"update_{level}_level_state_to_{_CALLS[state]}")
    await call(*([alert.group] if alert.group else []), region, alert.name)
