"""Made-up activities."""

from datetime import UTC, datetime
from typing import Any

from responders.investigation.activity import Activity

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop"


def activity(operation: str = "Microsoft.Compute/virtualMachines/write", **fields: Any) -> Activity:
    """One that succeeded. Any field may be given."""
    made: dict[str, Any] = {
        "at": AT,
        "until": AT,
        "outcome": "succeeded",
        "resource": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-1",
        "subscription": SUBSCRIPTION,
        "caller": "mallory@contoso.example",
    }
    return Activity(operation=operation.lower(), **{**made, **fields})
