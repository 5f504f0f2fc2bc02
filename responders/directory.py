"""Who is who in Entra ID (Microsoft Graph)."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from responders.azure import odata, segment
from responders.ids import is_guid
from responders.model import Actor, Json, Principal, PrincipalKind
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("AuditLog.Read.All", "Directory.Read.All", "User.Read.All")
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
    foreign = actor.tenant and home and actor.tenant.lower() != home.lower()
    for key in (actor.id if is_guid(actor.id) else "", actor.upn):
        entry = await _find(azure, key) if key else None
        if entry and (key == actor.id or not foreign or entry.kind == "guest"):  # else a namesake of ours
            return entry
    return Principal(
        id=actor.id, kind="foreign" if foreign else "unknown", name=name, upn=actor.upn, tenant=actor.tenant
    )


async def principal(azure: "Azure", id_: str) -> Principal | None:
    """The principal of that object id or principal name, if there is one. Of an application, its service principal."""
    found = await _find(azure, id_)
    if found and found.upn and is_guid(id_):
        # Since when he is there is none of the defaults that he was read with. By his id: a name may be anybody's.
        return await _user(azure, found.id) or found
    if found is None or found.kind != "unknown" or not found.app_id:
        return found
    entry = await azure.graph_read(f"/servicePrincipals(appId='{segment(found.app_id)}')")
    return _principal({"@odata.type": "servicePrincipal", **entry}) if entry else None


def audits(azure: "Azure", since: datetime, clause: str) -> AsyncIterator[Json]:
    """Entries of Entra's audit log since then that an OData clause picks (GET /auditLogs/directoryAudits)."""
    at = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return azure.graph_pages("/auditLogs/directoryAudits", {"$filter": f"activityDateTime ge {at} and {clause}"})


async def audits_by(azure: "Azure", who: Principal, since: datetime) -> AsyncIterator[Json]:
    """What somebody changed in the directory since then."""
    # Entries of the live log have no appId, and can be asked for by an application's name; its object id they have.
    app = bool(who.app_id)
    by = f"initiatedBy/app/displayName eq {odata(who.name)}" if app else f"initiatedBy/user/id eq {odata(who.id)}"
    async for entry in audits(azure, since, by):
        if not app or str(entry["initiatedBy"]["app"].get("servicePrincipalId") or "").lower() == who.id.lower():
            yield entry


async def _find(azure: "Azure", key: str) -> Principal | None:
    if is_guid(key):
        found = await azure.graph_read(f"/directoryObjects/{segment(key)}")
        return _principal(found) if found else None
    return await _user(azure, key)


async def _user(azure: "Azure", key: str) -> Principal | None:
    query = {"$select": "id,userPrincipalName,displayName,userType,createdDateTime"}
    found = await azure.graph_read(f"/users/{segment(key)}", query)
    return _principal({"@odata.type": "user", **found}) if found else None


def _principal(entry: Json) -> Principal:
    kind: PrincipalKind = "unknown"
    match str(entry.get("@odata.type", "")).rsplit(".", 1)[-1]:
        case "user":
            kind = "guest" if entry.get("userType") == "Guest" or "#EXT#" in entry["userPrincipalName"] else "user"
        case "servicePrincipal":
            kind = "managed_identity" if entry.get("servicePrincipalType") == "ManagedIdentity" else "service_principal"
        case "group":
            kind = "group"
    return Principal(
        id=entry["id"],
        kind=kind,
        name=entry.get("displayName") or "",
        upn=entry.get("userPrincipalName") or "",
        app_id=entry.get("appId") or "",
        created=time_of(entry.get("createdDateTime")),
    )
