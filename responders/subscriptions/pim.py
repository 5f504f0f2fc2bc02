"""What Privileged Identity Management says of Azure roles (Microsoft.Authorization, api-version 2020-10-01).

A schedule gives a role now (active) or lets somebody activate it (eligible). What made it is a request, which names who
asked; schedules themselves don't. A tenant without the license has none of them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from responders.azure import fine, rest
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure

Kind = Literal["eligible", "active"]
NO_LICENSE = "AadPremiumLicenseRequired"
SCHEDULES: Mapping[Kind, str] = {"eligible": "role_eligibility_schedules", "active": "role_assignment_schedules"}
REQUESTS: Mapping[Kind, str] = {
    "eligible": "role_eligibility_schedule_requests",
    "active": "role_assignment_schedule_requests",
}
TYPES: Mapping[Kind, str] = {
    "eligible": "Microsoft.Authorization/roleEligibilityScheduleRequests",
    "active": "Microsoft.Authorization/roleAssignmentScheduleRequests",
}


async def listed(azure: "Azure", what: str, scope: str, only: str | None = None) -> list[Json]:
    """The schedules or requests (by their name in the SDK) of a scope and beneath; those above are among them."""
    subscription = scope.split("/")[2]
    client = getattr(azure.authorization(subscription), what)
    with fine(NO_LICENSE):
        return [rest(model) async for model in client.list_for_scope(scope, filter=only)]
    return []


def ends(entry: Json) -> tuple[str, str, str]:
    """Who has which role where: what a schedule, a request and a role assignment have in common."""
    properties = entry["properties"]
    role = str(properties.get("roleDefinitionId")).lower().rpartition("/")[2]
    return str(properties.get("scope")).lower().rstrip("/"), role, str(properties.get("principalId")).lower()


def managed(schedule: Json) -> bool:
    """Whether an active schedule was made by PIM: ordinary role assignments may be among them."""
    properties = schedule["properties"]
    made = properties.get("roleAssignmentScheduleRequestId") or properties.get("endDateTime")
    return bool(made) or properties.get("assignmentType") == "Activated"
