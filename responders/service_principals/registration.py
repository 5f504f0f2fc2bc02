"""An application as Microsoft Graph has it: its registration, if this tenant has it, and its service principal."""

from typing import TYPE_CHECKING

from msgspec import Struct

from responders import trail
from responders.azure import segment
from responders.model import Case, Json, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure

# The tenants that Microsoft's own applications are registered in.
_MICROSOFT = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"})
_MADE = ("add application", "add service principal")
# Each list is given whole, and a certificate with its public part, only when $select names it.
_CREDENTIALS = "passwordCredentials,keyCredentials"
_PRINCIPAL = f"id,appId,displayName,accountEnabled,appOwnerOrganizationId,servicePrincipalType,{_CREDENTIALS}"
_APPLICATION = f"id,appId,displayName,createdDateTime,{_CREDENTIALS}"


class Registration(Struct, frozen=True, kw_only=True):
    """The two objects that make an application, each with secrets and certificates of its own."""

    principal: Json  # servicePrincipal
    application: Json | None = None  # None for a managed identity, and for one that another tenant registered

    @property
    def name(self) -> str:
        return str(self.principal["displayName"] or self.principal["appId"])

    @property
    def id(self) -> str:
        """Object id of the service principal."""
        return str(self.principal["id"])

    @property
    def ids(self) -> tuple[str, ...]:
        """Object ids of both."""
        return tuple(held["id"] for _, held in self.holders)

    @property
    def holders(self) -> tuple[tuple[str, Json], ...]:
        """Both objects with their Graph paths, the application first."""
        pairs = (("applications", self.application), ("servicePrincipals", self.principal))
        return tuple((f"/{kind}/{held['id']}", held) for kind, held in pairs if held)


async def read(azure: "Azure", id_: str) -> Registration | None:
    """The application whose service principal has that object id (GET /servicePrincipals/{id}, /applications)."""
    found = await holder(azure, f"/servicePrincipals/{segment(id_)}", _PRINCIPAL)
    if found is None:
        return None
    application = None
    if found["servicePrincipalType"] != "ManagedIdentity":
        application = await holder(azure, f"/applications(appId='{segment(found['appId'])}')", _APPLICATION)
    return Registration(principal=found, application=application)


async def holder(azure: "Azure", path: str, select: str = "id," + _CREDENTIALS) -> Json | None:
    """One of the two objects with its secrets and certificates, or None when it is gone."""
    return await azure.graph_read(path, {"$select": select})


def spared(principal: Json) -> str:
    """Why this service principal is never disabled or deleted; "" when it may be."""
    if str(principal["appOwnerOrganizationId"]).lower() in _MICROSOFT:
        return f"{principal['displayName']}: left alone, since it is Microsoft's own and other services rely on it"
    return ""


async def made(azure: "Azure", case: Case, registration: Registration) -> dict[str, Verdict]:
    """Who made each of the two objects, by its path. One older than the window is familiar."""
    found = {}
    for path, held in registration.holders:
        done = await trail.of_target(azure, case, held["id"])
        entry = done.last(_MADE, held["id"])
        found[path] = trail.verdict(case, entry) if entry else trail.absent(case, done, path)
    return found


async def owners(azure: "Azure", registration: Registration) -> dict[str, list[Json]]:
    """Who owns each of the two objects, by its path (GET …/owners)."""
    return {path: [o async for o in azure.graph_pages(f"{path}/owners")] for path, _ in registration.holders}


def names(people: "dict[str, list[Json]]") -> str:
    """Whom to tell of a change: the owners by name, or what stands in for them."""
    found = {
        str(o.get("userPrincipalName") or o.get("displayName") or o["id"]) for held in people.values() for o in held
    }
    return ", ".join(sorted(found)) or "its owner (Entra names none)"
