"""Users of Entra ID who can be asked something: they can sign in, and have an address (Microsoft Graph)."""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.azure import absent_is_fine, odata, segment
from responders.ids import is_guid
from responders.model import Json

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("User.Read.All", "Directory.Read.All")
AT_ONCE = 15  # ids that Graph takes in one filter
# accountEnabled is none of Graph's default properties.
_PERSON = {"$select": "id,userPrincipalName,displayName,mail,accountEnabled"}


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who can sign in."""

    id: str  # Entra object id, lower case
    name: str  # to show: the principal name
    address: str  # for mail: not every principal name is one


async def named(azure: "Azure", name: str) -> Person | None:
    """The user of that principal name, object id or mail address, if the account is enabled."""
    if not (is_guid(name) or "@" in name):
        return None
    with absent_is_fine():
        return next(_enabled([await azure.graph("GET", f"/users/{segment(name)}", _PERSON)]), None)
    if is_guid(name):
        return None
    query = _PERSON | {"$filter": f"mail eq {odata(name)}", "$top": "2"}
    found = (await azure.graph("GET", "/users", query))["value"]
    return next(_enabled(found), None) if len(found) == 1 else None


async def with_ids(azure: "Azure", ids: Collection[str]) -> dict[str, Person | None]:
    """The users among up to AT_ONCE object ids, by id in lower case; None where the account is disabled."""
    if not ids:
        return {}
    query = _PERSON | {"$filter": f"id in ({','.join(odata(id_) for id_ in sorted(ids))})"}
    users = (await azure.graph("GET", "/users", query))["value"]
    return {user["id"].lower(): next(_enabled([user]), None) for user in users}


async def members(azure: "Azure", group: str, most: int = 0) -> list[Person]:
    """The users of a group, through groups too, as far as their accounts are enabled; of its first `most`, if told."""
    found: list[Json] = []
    with absent_is_fine():
        path = f"/groups/{segment(group)}/transitiveMembers/microsoft.graph.user"
        async for user in azure.graph_pages(path, _PERSON | {"$top": str(most or 999)}):
            found.append(user)
            if len(found) == most:
                break
    return list(_enabled(found))


def _enabled(users: Iterable[Json]) -> Iterator[Person]:
    for user in users:
        if user["accountEnabled"]:
            name = user["userPrincipalName"]
            yield Person(id=user["id"].lower(), name=name, address=user.get("mail") or name)
