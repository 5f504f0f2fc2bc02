"""App roles (the permissions of applications) and delegated consents in Microsoft Graph."""

from typing import Any

from sandbox.azure.directory import GROUP, SERVICE_PRINCIPAL, USER
from sandbox.azure.graph_access import allow
from sandbox.azure.graph_audit import changed, record, target
from sandbox.azure.graph_reply import bad, fetch, many, missing, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_SP = "/servicePrincipals/{id}"
DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"  # access to an application that has no roles of its own
_HOLDERS = {USER: "users", GROUP: "groups", SERVICE_PRINCIPAL: "servicePrincipals"}
# What giving and taking an app role is called, by who holds it.
_GIVEN = {
    USER: ("Add app role assignment grant to user", "UserManagement", "User"),
    GROUP: ("Add app role assignment to group", "GroupManagement", "Group"),
    SERVICE_PRINCIPAL: ("Add app role assignment to service principal", "ApplicationManagement", "ServicePrincipal"),
}
_TAKEN = {
    USER: "Remove app role assignment from user",
    GROUP: "Remove app role assignment from group",
    SERVICE_PRINCIPAL: "Remove app role assignment from service principal",
}


@room.on("GET", "/users/{id}/appRoleAssignments", "directory.read")
async def user_app_roles(call: Call) -> Reply:
    """List the app roles that a user was given."""
    return _app_roles(call, USER, "principalId", "appRoleAssignments")


@room.on("GET", "/groups/{id}/appRoleAssignments", "directory.read")
async def group_app_roles(call: Call) -> Reply:
    """List the app roles that a group was given."""
    return _app_roles(call, GROUP, "principalId", "appRoleAssignments")


@room.on("GET", _SP + "/appRoleAssignments", "apps.read")
async def app_roles(call: Call) -> Reply:
    """List the app roles that it was given: its permissions in Graph among them."""
    return _app_roles(call, SERVICE_PRINCIPAL, "principalId", "appRoleAssignments")


@room.on("GET", _SP + "/appRoleAssignedTo", "apps.read")
async def app_role_assigned_to(call: Call) -> Reply:
    """List who was given its app roles."""
    return _app_roles(call, SERVICE_PRINCIPAL, "resourceId", "appRoleAssignedTo")


@room.on("POST", "/users/{id}/appRoleAssignments", "app_roles.write")
async def give_user(call: Call) -> Reply:
    """Give a user an app role."""
    return _give(call, USER)


@room.on("POST", "/groups/{id}/appRoleAssignments", "app_roles.write")
async def give_group(call: Call) -> Reply:
    """Give a group an app role."""
    return _give(call, GROUP)


@room.on("POST", _SP + "/appRoleAssignments", "app_roles.write")
async def give_app_role(call: Call) -> Reply:
    """Give it an app role."""
    return _give(call, SERVICE_PRINCIPAL)


@room.on("POST", _SP + "/appRoleAssignedTo", "app_roles.write")
async def give_own_app_role(call: Call) -> Reply:
    """Give one of its app roles to somebody."""
    return _give(call, SERVICE_PRINCIPAL)


@room.on("DELETE", _SP + "/appRoleAssignedTo/{assignment}", "app_roles.write")
async def take_own_app_role(call: Call) -> Reply:
    """Take back one of its app roles."""
    return _take(call, SERVICE_PRINCIPAL, "resourceId")


@room.on("DELETE", _SP + "/appRoleAssignments/{assignment}", "app_roles.write")
async def take_app_role(call: Call) -> Reply:
    """Take away an app role that it was given."""
    return _take(call, SERVICE_PRINCIPAL, "principalId")


@room.on("DELETE", "/users/{id}/appRoleAssignments/{assignment}", "app_roles.write")
async def take_from_user(call: Call) -> Reply:
    """Take away an app role that a user was given."""
    return _take(call, USER, "principalId")


@room.on("DELETE", "/groups/{id}/appRoleAssignments/{assignment}", "app_roles.write")
async def take_from_group(call: Call) -> Reply:
    """Take away an app role that a group was given."""
    return _take(call, GROUP, "principalId")


@room.on("GET", "/oauth2PermissionGrants", "consents.read")
async def consents(call: Call) -> Reply:
    """List delegated consents."""
    return many(call, _live(call), "oauth2PermissionGrants", "oauth2PermissionGrant")


@room.on("GET", _SP + "/oauth2PermissionGrants", "consents.read")
async def principal_consents(call: Call) -> Reply:
    """List delegated consents that this application was given."""
    oid = fetch(call, SERVICE_PRINCIPAL)["id"]
    found = [g for g in _live(call) if g["clientId"] == oid]
    return many(call, found, "oauth2PermissionGrants", "oauth2PermissionGrant")


@room.on("GET", "/users/{id}/oauth2PermissionGrants", "consents.read")
async def user_consents(call: Call) -> Reply:
    """List the consents that a user gave for himself."""
    oid = fetch(call, USER)["id"]
    found = [g for g in _live(call) if g["principalId"] == oid]
    return many(call, found, "oauth2PermissionGrants", "oauth2PermissionGrant")


@room.on("GET", "/oauth2PermissionGrants/{grant}", "consents.read")
async def one_consent(call: Call) -> Reply:
    """Read one."""
    return Reply(200, dict(_consent(call)))


@room.on("POST", "/oauth2PermissionGrants")
async def consent(call: Call) -> Reply:
    """Consent for everyone, or on behalf of one user.

    Anybody may for himself: it stands for the page on which Entra asks a person, which is no API. It leaves behind what
    that page leaves: the grant, the default app role of the application, and "Consent to application" in the log.
    """
    body, directory = payload(call), call.world.directory
    names = ("clientId", "consentType", "resourceId", "scope")
    if any(not body.get(name) for name in names):
        raise bad("Property clientId, consentType, resourceId or scope is missing.")
    client, resource = (fetch(call, SERVICE_PRINCIPAL, body[name]) for name in ("clientId", "resourceId"))
    himself = call.caller.kind == "User" and body.get("principalId") == call.caller.oid
    if not himself or body["consentType"] != "Principal":
        allow(call, "consents.write")
    entry = {name: body[name] for name in names} | {"principalId": body.get("principalId")}
    ends = ("clientId", "resourceId", "principalId", "consentType")
    if any(all(g[end] == entry[end] for end in ends) for g in directory.consents.values()):
        raise bad("Permission entry already exists.")
    entry["id"] = directory.new_id("consent")
    directory.consents[entry["id"]] = entry
    _log_consent(call, "Add delegated permission grant", entry, new=entry)
    if himself:
        if not any((a["principalId"], a["resourceId"]) == (call.caller.oid, client["id"]) for a in _assigned(call)):
            _log_role(call, directory.assign_app_role(call.caller.oid, client["id"], DEFAULT_ROLE, call.clock.now()))
        given = ", ".join(f"{n[0].upper()}{n[1:]}: {entry[n]}" for n in ("id", "clientId", "principalId", *names[1:]))
        properties = [
            *(changed(f"ConsentContext.{n}", "False") for n in ("IsAdminConsent", "IsAppOnly", "OnBehalfOfAll")),
            changed("ConsentAction.Permissions", f"[] => [[{given}, CreatedDateTime: , LastModifiedDateTime ]]; "),
        ]
        record(call, "Consent to application", "ApplicationManagement", target(client, *properties))
    return Reply(201, {**entry, "resourceId": resource["id"]})


@room.on("PATCH", "/oauth2PermissionGrants/{grant}", "consents.write")
async def change_consent(call: Call) -> Reply:
    """Replace the scopes of a consent."""
    old, scope = _consent(call), payload(call).get("scope")
    if not isinstance(scope, str):
        raise bad("Only the scope of a permission grant can be updated.")
    new = {**old, "scope": scope}
    call.world.directory.consents[old["id"]] = new
    _log_consent(call, "Add delegated permission grant", new, old=old, new=new)
    return Reply(204)


@room.on("DELETE", "/oauth2PermissionGrants/{grant}", "consents.write")
async def revoke_consent(call: Call) -> Reply:
    """Take a consent back. Absent: 404."""
    gone = _consent(call)
    del call.world.directory.consents[gone["id"]]
    _log_consent(call, "Remove delegated permission grant", gone, old=gone)
    return Reply(204)


def _assigned(call: Call) -> list[Json]:
    objects = call.world.directory.objects
    return [
        a for a in call.world.directory.app_roles.values() if a["principalId"] in objects and a["resourceId"] in objects
    ]


def _live(call: Call) -> list[Json]:
    """Consents none of whose ends was deleted: those come back with a restore."""
    objects = call.world.directory.objects
    return [
        g
        for g in call.world.directory.consents.values()
        if {g["clientId"], g["resourceId"], g["principalId"] or g["clientId"]} <= objects.keys()
    ]


def _consent(call: Call) -> Json:
    found = next((g for g in _live(call) if g["id"] == call.params["grant"]), None)
    if found is None:
        raise missing(call.params["grant"])
    return found


def _app_roles(call: Call, kind: str, end: str, what: str) -> Reply:
    oid = fetch(call, kind)["id"]
    found = [a for a in _assigned(call) if a[end] == oid]
    return many(call, found, f"{_HOLDERS[kind]}('{oid}')/{what}", "appRoleAssignment")


def _give(call: Call, kind: str) -> Reply:
    body, directory = payload(call), call.world.directory
    principal, resource, role = (str(body.get(n, "")).lower() for n in ("principalId", "resourceId", "appRoleId"))
    fetch(call, kind)
    owner = fetch(call, SERVICE_PRINCIPAL, resource)
    if principal not in directory.objects:
        raise missing(principal)
    if role not in {r["id"] for r in owner["appRoles"]} and (role != DEFAULT_ROLE or owner["appRoles"]):
        raise bad("Permission being assigned was not found on application.")
    ends = (principal, resource, role)
    if any((a["principalId"], a["resourceId"], a["appRoleId"]) == ends for a in directory.app_roles.values()):
        raise bad("Permission being assigned already exists on the object.")
    made = directory.assign_app_role(principal, resource, role, call.clock.now())
    _log_role(call, made)
    return Reply(201, dict(made))


def _take(call: Call, kind: str, end: str) -> Reply:
    oid = fetch(call, kind)["id"]
    assignment = next((a for a in _assigned(call) if a["id"] == call.params["assignment"]), None)
    if assignment is None or assignment[end] != oid:
        raise missing(call.params["assignment"])
    del call.world.directory.app_roles[assignment["id"]]
    _log_role(call, assignment, gone=True)
    return Reply(204)


def _log_role(call: Call, assignment: Json, *, gone: bool = False) -> None:
    directory = call.world.directory
    who, resource = (directory.objects[assignment[end]] for end in ("principalId", "resourceId"))
    role: Json = next((r for r in resource["appRoles"] if r["id"] == assignment["appRoleId"]), {})
    activity, category, kind = _GIVEN[who["@odata.type"]]
    values = {
        "AppRole.Id": assignment["appRoleId"],
        "AppRole.Value": role.get("value", ""),
        "AppRole.DisplayName": role.get("displayName", ""),
        "AppRoleAssignment.CreatedDateTime": assignment["createdDateTime"],
        f"{kind}.ObjectID": who["id"],
        f"{kind}.DisplayName": who["displayName"] if kind != "User" else None,
        "User.UPN": who.get("userPrincipalName"),
        "ServicePrincipal.AppId": who.get("appId"),
    }
    properties = [changed(k, None if gone else v, v if gone else None) for k, v in values.items() if v is not None]
    record(call, _TAKEN[who["@odata.type"]] if gone else activity, category, target(resource, *properties))


def _log_consent(call: Call, activity: str, entry: Json, *, old: Json | None = None, new: Json | None = None) -> None:
    names = {"Scope": "scope", "ConsentType": "consentType", "PrincipalId": "principalId"}
    properties = [
        changed(f"DelegatedPermissionGrant.{name}", new and new[key], old and old[key]) for name, key in names.items()
    ]
    client = call.world.directory.objects[entry["clientId"]]
    properties += [
        changed("ServicePrincipal.ObjectID", client["id"]),
        changed("ServicePrincipal.AppId", client["appId"]),
    ]
    resource = call.world.directory.objects[entry["resourceId"]]
    record(call, activity, "ApplicationManagement", target(resource, *properties))
