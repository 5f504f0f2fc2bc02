"""Defender's own sample alerts: a drill of the whole way, of which nobody has to be afraid.

Microsoft.Security, api-version 2022-01-01: POST …/locations/{location}/alerts/default/simulate, and the list of alerts.
"""

from typing import TYPE_CHECKING

from responders.alerts import from_arm
from responders.errors import Permanent
from responders.ids import is_guid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from responders.azure import Azure
    from responders.model import Alert

# Its rights are among those of defender.py: all of Microsoft.Security/locations/alerts.
_VERSION = "2022-01-01"
_BUNDLE = {"properties": {"kind": "Bundles", "bundles": ["ResourceManager"]}}


async def simulate(azure: "Azure", subscription: str, location: str) -> None:
    """Ask Defender for its sample alerts of Resource Manager. They come some minutes later."""
    await azure.arm("POST", f"{_region(subscription, location)}/default/simulate", _VERSION, body=_BUNDLE)


async def raised(azure: "Azure", subscription: str, location: str) -> "AsyncIterator[Alert]":
    """The sample alerts that a subscription has there."""
    async for body in azure.arm_pages(_region(subscription, location), _VERSION):
        # Only samples are read: others may be of any shape.
        if str(body.get("properties", {}).get("alertType", "")).startswith("SIMULATED_"):
            yield from_arm(body)


def _region(subscription: str, location: str) -> str:
    if not (is_guid(subscription) and location.isalnum()):
        raise Permanent(
            f"{subscription!r} in {location!r} is no subscription in a region: a GUID, and a name like centralus."
        )
    return f"/subscriptions/{subscription}/providers/Microsoft.Security/locations/{location}/alerts"
