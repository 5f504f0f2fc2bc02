"""Memberships in groups of Entra ID: their path, how one is given, and what Graph can't change."""

from typing import TYPE_CHECKING

from responders.errors import Permanent
from responders.ids import is_guid
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure


def reference(group: str, member: str) -> str:
    """The Graph path of a membership, and of nothing else.

    Without its end it would be the path of the member himself, whom a DELETE then deletes. Raises Permanent unless both
    are object ids.
    """
    return f"/groups/{_guid(group)}/members/{_guid(member)}/$ref"


async def add(azure: "Azure", group: str, member: str) -> None:
    """Give a group a member (POST /groups/{id}/members/$ref)."""
    body = {"@odata.id": f"{azure.settings.graph}/v1.0/directoryObjects/{_guid(member)}"}
    await azure.graph("POST", f"/groups/{_guid(group)}/members/$ref", body=body)


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
