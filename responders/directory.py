"""Who is who in Entra ID (Microsoft Graph)."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, segment
from responders.ids import is_guid
from responders.model import Actor, Json, Principal, PrincipalKind

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("Directory.Read.All", "User.Read.All")
_BATCH = 1000  # ids a call of getByIds


async def names(azure: "Azure", ids: Collection[str]) -> dict[str, str]:
    """Names to show for object ids (POST /directoryObjects/getByIds); an id that nobody has is left out."""
    wanted, found = sorted(ids), {}
    for start in range(0, len(wanted), _BATCH):
        body = {"ids": wanted[start : start + _BATCH], "types": ["user", "group", "servicePrincipal"]}
        answer = await azure.graph("POST", "/directoryObjects/getByIds", body=body)
        found.update({o["id"]: o.get("userPrincipalName") or o.get("displayName") or o["id"] for o in answer["value"]})
    return found


async def resolve(azure: "Azure", actor: Actor, home: str) -> Principal:
    """The principal that an alert's actor is.

    Kind `foreign` for someone of another tenant who is no object here, `unknown` where the directory knows nobody.
    """
    name = actor.upn or actor.name or actor.id
    for key in (actor.id if is_guid(actor.id) else "", actor.upn):
        if key and (entry := await _find(azure, key)):
            return entry
    foreign = actor.tenant and home and actor.tenant.lower() != home.lower()
    return Principal(
        id=actor.id, kind="foreign" if foreign else "unknown", name=name, upn=actor.upn, tenant=actor.tenant
    )


async def user(azure: "Azure", name: str) -> Principal | None:
    """The user of that principal name or object id."""
    entry = await _find(azure, name)
    return entry if entry and entry.kind in {"user", "guest"} else None


async def _find(azure: "Azure", key: str) -> Principal | None:
    with absent_is_fine():
        if not is_guid(key):
            query = {"$select": "id,userPrincipalName,displayName,userType,createdDateTime"}
            return _principal({"@odata.type": "user", **await azure.graph("GET", f"/users/{segment(key)}", query)})
        return _principal(await azure.graph("GET", f"/directoryObjects/{segment(key)}"))
    return None


def _principal(entry: Json) -> Principal:
    kind: PrincipalKind = "unknown"
    match str(entry.get("@odata.type", "")).rsplit(".", 1)[-1]:
        case "user":
            kind = "guest" if entry.get("userType") == "Guest" or "#EXT#" in entry["userPrincipalName"] else "user"
        case "servicePrincipal":
            kind = "managed_identity" if entry.get("servicePrincipalType") == "ManagedIdentity" else "service_principal"
        case "group":
            kind = "group"
    made = entry.get("createdDateTime")
    return Principal(
        id=entry["id"],
        kind=kind,
        name=entry.get("displayName") or "",
        upn=entry.get("userPrincipalName") or "",
        created=datetime.fromisoformat(made) if made else None,
    )
