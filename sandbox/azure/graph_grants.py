"""App roles (the permissions of applications) and delegated consents in Microsoft Graph."""

from typing import Any

from sandbox.azure.directory import SERVICE_PRINCIPAL
from sandbox.azure.graph_reply import bad, fetch, many, missing, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_SP = "/servicePrincipals/{id}"


@room.on("GET", _SP + "/appRoleAssignments", "apps.read")
async def app_roles(call: Call) -> Reply:
    """List the app roles that it was given: its permissions in Graph among them."""
    return _app_roles(call, "principalId", "appRoleAssignments")


@room.on("GET", _SP + "/appRoleAssignedTo", "apps.read")
async def app_role_assigned_to(call: Call) -> Reply:
    """List who was given its app roles."""
    return _app_roles(call, "resourceId", "appRoleAssignedTo")


@room.on("POST", _SP + "/appRoleAssignments", "app_roles.write")
async def give_app_role(call: Call) -> Reply:
    """Give it an app role."""
    return _give(call)


@room.on("POST", _SP + "/appRoleAssignedTo", "app_roles.write")
async def give_own_app_role(call: Call) -> Reply:
    """Give one of its app roles to somebody."""
    return _give(call)


@room.on("DELETE", _SP + "/appRoleAssignedTo/{assignment}", "app_roles.write")
async def take_own_app_role(call: Call) -> Reply:
    """Take back one of its app roles."""
    return _take(call, "resourceId")


@room.on("DELETE", _SP + "/appRoleAssignments/{assignment}", "app_roles.write")
async def take_app_role(call: Call) -> Reply:
    """Take away an app role that it was given."""
    return _take(call, "principalId")


@room.on("GET", "/oauth2PermissionGrants", "consents.read")
async def consents(call: Call) -> Reply:
    """List delegated consents."""
    found = call.world.directory.consents.values()
    return many(call, found, "oauth2PermissionGrants", "oauth2PermissionGrant")


@room.on("GET", _SP + "/oauth2PermissionGrants", "consents.read")
async def principal_consents(call: Call) -> Reply:
    """List delegated consents that this application was given."""
    oid = fetch(call, SERVICE_PRINCIPAL)["id"]
    found = [g for g in call.world.directory.consents.values() if g["clientId"] == oid]
    return many(call, found, "oauth2PermissionGrants", "oauth2PermissionGrant")


@room.on("POST", "/oauth2PermissionGrants", "consents.write")
async def consent(call: Call) -> Reply:
    """Consent for everyone, or on behalf of one user."""
    body, directory = payload(call), call.world.directory
    names = ("clientId", "consentType", "resourceId", "scope")
    if any(not body.get(name) for name in names):
        raise bad("Property clientId, consentType, resourceId or scope is missing.")
    for name in ("clientId", "resourceId"):
        fetch(call, SERVICE_PRINCIPAL, body[name])
    entry = {name: body[name] for name in names} | {"principalId": body.get("principalId")}
    entry["id"] = directory.new_id("consent")
    directory.consents[entry["id"]] = entry
    return Reply(201, dict(entry))


@room.on("DELETE", "/oauth2PermissionGrants/{grant}", "consents.write")
async def revoke_consent(call: Call) -> Reply:
    """Take a consent back. Absent: 404."""
    if call.world.directory.consents.pop(call.params["grant"], None) is None:
        raise missing(call.params["grant"])
    return Reply(204)


def _app_roles(call: Call, end: str, what: str) -> Reply:
    oid, directory = fetch(call, SERVICE_PRINCIPAL)["id"], call.world.directory
    live = (a for a in directory.app_roles.values() if a["principalId"] in directory.objects)
    found = [a for a in live if a[end] == oid and a["resourceId"] in directory.objects]
    return many(call, found, f"servicePrincipals('{oid}')/{what}", "appRoleAssignment")


def _give(call: Call) -> Reply:
    body, directory = payload(call), call.world.directory
    principal, resource, role = (str(body.get(n, "")).lower() for n in ("principalId", "resourceId", "appRoleId"))
    fetch(call, SERVICE_PRINCIPAL)
    owner = fetch(call, SERVICE_PRINCIPAL, resource)
    if principal not in directory.objects:
        raise missing(principal)
    if role not in {r["id"] for r in owner["appRoles"]}:
        raise bad("Permission being assigned was not found on application.")
    if any(a["principalId"] == principal and a["appRoleId"] == role for a in directory.app_roles.values()):
        raise bad("Permission being assigned already exists on the object.")
    return Reply(201, dict(directory.assign_app_role(principal, resource, role, call.clock.now())))


def _take(call: Call, end: str) -> Reply:
    oid, directory = fetch(call, SERVICE_PRINCIPAL)["id"], call.world.directory
    assignment = directory.app_roles.get(call.params["assignment"])
    if assignment is None or assignment[end] != oid:
        raise missing(call.params["assignment"])
    del directory.app_roles[assignment["id"]]
    return Reply(204)
