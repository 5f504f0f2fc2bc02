"""Memberships in groups of Entra ID: their path, how one is given back, and what Graph can't change."""

from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, fine
from responders.errors import Permanent
from responders.ids import is_guid
from responders.model import Change, Json, Outcome

if TYPE_CHECKING:
    from responders.azure import Azure


def reference(group: str, member: str) -> str:
    """The Graph path of a membership, and of nothing else.

    Without its end it would be the path of the member himself, whom a DELETE then deletes. Raises Permanent unless both
    are object ids.
    """
    return f"/groups/{_guid(group)}/members/{_guid(member)}/$ref"


async def put_back(azure: "Azure", change: Change) -> Outcome:
    """Undo that somebody was taken out of a group (POST /groups/{id}/members/$ref).

    Lists lag behind what was taken away: whether he is there again, the refusal tells.
    """
    group, member = _guid(change.before["group"]), _guid(change.before["member"])
    body = {"@odata.id": f"{azure.settings.graph}/v1.0/directoryObjects/{member}"}
    with absent_is_fine(), fine("Request_BadRequest") as said:
        await azure.graph("POST", f"/groups/{group}/members/$ref", body=body)
        return Outcome(status="done")
    refusal = said.get("Request_BadRequest", "")
    if "already exist" in refusal:
        return Outcome(status="already_so", reason="The group has that member again already.")
    return Outcome(status="failed", reason=refusal or "The member or the group is gone: restore it, then undo again.")


def filled_elsewhere(group: Json) -> str:
    """Who has to change a group's members, where Graph refuses to; "" where it does not."""
    if "DynamicMembership" in (group.get("groupTypes") or ()):
        return "A rule fills it: a Groups Administrator has to look at the rule, and at what it goes by of the member."
    if group.get("onPremisesSyncEnabled"):
        return "It is filled from the directory on premises: an administrator there has to take the member out of it."
    return ""


def _guid(text: str) -> str:
    if not is_guid(text):
        raise Permanent(f"{text[:80]!r} is no object id. Nothing was changed.")
    return text
