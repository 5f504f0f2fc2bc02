"""What the payloads in `payloads/` are about: one alert through every channel. All ids are made up."""

import copy
import json
from pathlib import Path
from typing import Any

from responders.alerts import Arrival, parse
from responders.model import Alert

FOLDER = Path(__file__).parent / "payloads"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "alerts"

SUBSCRIPTION = "5d1c2f0a-7b3e-4c6d-9a81-2e4f60b7c913"
TENANT = "b7e0c2d4-1f95-4a38-8c6e-903d5a7f1b62"
NAME = "2517102834561234567_3c9a1e77-0b52-4d8f-a6c4-18e2f7d05b39"
ID = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/locations/westeurope/alerts/{NAME}"
LINK = (
    "https://portal.azure.com/#blade/Microsoft_Azure_Security_AzureDefenderForData/AlertBlade"
    f"/alertId/{NAME}/subscriptionId/{SUBSCRIPTION}/referencedFrom/alertDeepLink/location/westeurope"
)
MALLORY = "9f4b6a21-c3d7-4e58-b0a9-6d2c8f1e7340"
EVE = "c81d5e3f-2a60-47b9-94e1-f7a3062b8d5c"
VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.Compute/virtualMachines/vm-shop-1"


def payload(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def document(name: str) -> Any:
    return json.loads(payload(name))


def rest(**properties: object) -> dict[str, Any]:
    """The REST resource with other properties; None takes one away."""
    body: dict[str, Any] = copy.deepcopy(document("rest"))
    body["properties"] |= properties
    body["properties"] = {key: value for key, value in body["properties"].items() if value is not None}
    return body


def one(body: object) -> Arrival:
    found = parse(body)
    assert len(found) == 1, found
    return found[0]


def alert(body: object) -> Alert:
    found = one(body)
    assert isinstance(found, Alert), found
    return found
