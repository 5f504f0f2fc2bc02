"""A user's account as Microsoft Graph has it."""

from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, segment
from responders.model import Change, Json

if TYPE_CHECKING:
    from responders.azure import Azure

# accountEnabled is not among Graph's default properties: without $select, "missing" would look like "unchanged".
_SELECT = (
    "id,userPrincipalName,displayName,accountEnabled,userType,onPremisesSyncEnabled,signInSessionsValidFromDateTime"
)


async def read(azure: "Azure", user: str) -> Json | None:
    """The user with that object id, or None if there is none (GET /users/{id})."""
    with absent_is_fine():
        return await azure.graph("GET", f"/users/{segment(user)}", {"$select": _SELECT})
    return None


def path(change: Change) -> str:
    """The Graph path of the user that a change is about."""
    return f"/users/{segment(change.resource.removeprefix('/users/'))}"


def label(user: Json) -> str:
    return str(user.get("userPrincipalName") or user["id"])
