"""Resource Graph: queries, and its record of what changed on resources, from what to what, and by whom.

POST /providers/Microsoft.ResourceGraph/resources, api-version 2022-10-01. It takes no right of its own, shows what the
caller may read, is minutes late, and keeps changes for two weeks.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.investigation.log_analytics import moment
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure

_PATH, _VERSION = "/providers/Microsoft.ResourceGraph/resources", "2022-10-01"


class Recorded(Struct, frozen=True, kw_only=True):
    """One change of one resource."""

    at: datetime
    by: str  # object id, principal name or application id; "" where it is not told
    made: bool  # whether the resource was made then
    changes: dict[str, Json]  # path -> {"previousValue", "newValue", "isTruncated"}


async def rows(azure: "Azure", subscription: str, query: str) -> AsyncIterator[Json]:
    """The rows of a query, which has to project the id: else there are no pages. Nothing from outside is in it."""
    options: Json = {"resultFormat": "objectArray"}
    while True:
        body: Json = {"subscriptions": [subscription], "query": query, "options": options}
        page = await azure.arm("POST", _PATH, _VERSION, body=body)
        for row in page["data"]:
            yield row
        if not page.get("$skipToken"):
            return
        options = {**options, "$skipToken": page["$skipToken"]}


async def changes(azure: "Azure", subscription: str, since: datetime) -> dict[str, list[Recorded]]:
    """What was made and changed from a time on: by resource id in lower case, oldest first."""
    found: dict[str, list[Recorded]] = {}
    query = (
        f"resourcechanges | where todatetime(properties.changeAttributes.timestamp) >= {moment(since)} "
        "| where properties.changeType in ('Create', 'Update') | project id, properties"
    )
    async for row in rows(azure, subscription, query):
        properties = row["properties"]
        attributes = properties["changeAttributes"]
        one = Recorded(
            at=datetime.fromisoformat(attributes["timestamp"]),
            by=str(attributes.get("changedBy") or ""),
            made=properties["changeType"] == "Create",
            changes=properties.get("changes") or {},
        )
        found.setdefault(str(properties["targetResourceId"]).lower(), []).append(one)
    for its in found.values():
        its.sort(key=lambda one: one.at)
    return found
