"""Applications and service principals in Microsoft Graph. Their secrets are in graph_credentials.py."""

from typing import Any

from sandbox.azure.directory import APPLICATION, SERVICE_PRINCIPAL, iso
from sandbox.azure.directory_new import new_application, new_service_principal
from sandbox.azure.graph_access import denied
from sandbox.azure.graph_audit import changed, edge, record, target
from sandbox.azure.graph_credentials import log_keys
from sandbox.azure.graph_groups import reference, roles_and_groups
from sandbox.azure.graph_reply import bad, fetch, many, missing, one, patch, payload
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]

room = Room("")

_SP, _APP = "/servicePrincipals/{id}", "/applications/{id}"


@room.on("GET", "/servicePrincipals", "apps.read")
async def service_principals(call: Call) -> Reply:
    """List service principals, managed identities among them."""
    return many(call, call.world.directory.of_type(SERVICE_PRINCIPAL), "servicePrincipals", SERVICE_PRINCIPAL)


@room.on("GET", _SP, "apps.read")
async def service_principal(call: Call) -> Reply:
    """Read one."""
    return one(call, fetch(call, SERVICE_PRINCIPAL))


@room.on("POST", "/servicePrincipals", "apps.create")
async def create_service_principal(call: Call) -> Reply:
    """Make the service principal of an application."""
    body, directory = payload(call), call.world.directory
    app_id = str(body.get("appId", "")).lower()
    if directory.find(app_id):
        message = "The service principal cannot be created, updated, or restored because the service principal name"
        raise bad(f"{message} {app_id} is in use.")
    application = directory.application(app_id)
    if application is None:
        raise bad(f"The appId '{app_id}' of the service principal does not reference a valid application object.")
    named = {
        "id": made_up_id("service principal", app_id),
        "appId": app_id,
        "displayName": application["displayName"],
        "appRoles": application["appRoles"],
    }
    named["appOwnerOrganizationId"] = directory.tenant
    entry = new_service_principal(named, call.clock.now())
    return one(call, directory.put(patch(entry, {k: v for k, v in body.items() if k != "appId"})), 201)


@room.on("PATCH", _SP, "apps.write")
async def update_service_principal(call: Call) -> Reply:
    """Change properties: accountEnabled above all."""
    return _update(call, SERVICE_PRINCIPAL)


@room.on("DELETE", _SP, "apps.write")
async def delete_service_principal(call: Call) -> Reply:
    """Soft-delete. A managed identity goes only with its Azure resource."""
    entry = fetch(call, SERVICE_PRINCIPAL)
    if entry["servicePrincipalType"] == "ManagedIdentity":
        raise denied("Managed identities are deleted with the Azure resource that they belong to.")
    call.world.directory.delete(entry["id"], call.clock.now())
    return Reply(204)


@room.on("GET", _SP + "/memberOf", "apps.read")
async def member_of(call: Call) -> Reply:
    """List the groups and directory roles it holds directly."""
    return many(call, roles_and_groups(call, fetch(call, SERVICE_PRINCIPAL)["id"], direct=True), "directoryObjects")


@room.on("GET", _SP + "/transitiveMemberOf", "apps.read")
async def transitive_member_of(call: Call) -> Reply:
    """List the groups and directory roles it holds, through groups too."""
    return many(call, roles_and_groups(call, fetch(call, SERVICE_PRINCIPAL)["id"], direct=False), "directoryObjects")


@room.on("GET", _SP + "/owners", "apps.read")
async def service_principal_owners(call: Call) -> Reply:
    """List owners."""
    return _owners(call, SERVICE_PRINCIPAL)


@room.on("GET", "/applications", "apps.read")
async def applications(call: Call) -> Reply:
    """List applications of this tenant."""
    return many(call, call.world.directory.of_type(APPLICATION), "applications", APPLICATION)


@room.on("GET", _APP, "apps.read")
async def application(call: Call) -> Reply:
    """Read one."""
    return one(call, fetch(call, APPLICATION))


@room.on("POST", "/applications", "apps.create")
async def create_application(call: Call) -> Reply:
    """Register an application; whoever does it owns it."""
    body, directory = payload(call), call.world.directory
    if not body.get("displayName"):
        raise bad("A value is required for property 'displayName' of resource 'Application'.")
    if body.get("uniqueName") in {a["uniqueName"] for a in directory.of_type(APPLICATION)} - {None}:
        raise bad("Another object with the same value for property uniqueName already exists.")
    # As a world file's are made: so an exercise knows what it will be called.
    app_id = made_up_id("app", body["displayName"])
    if directory.application(app_id) or directory.find(app_id):
        app_id = directory.new_id("application", "app")
    ids = {"id": made_up_id("application", app_id), "appId": app_id}
    entry = directory.put(patch(new_application(ids, call.clock.now()), body))
    directory.owners[entry["id"]] = [call.caller.oid]
    return one(call, entry, 201)


@room.on("PATCH", _APP, "apps.write")
async def update_application(call: Call) -> Reply:
    """Change properties: keyCredentials above all."""
    return _update(call, APPLICATION)


@room.on("DELETE", _APP, "apps.write")
async def delete_application(call: Call) -> Reply:
    """Soft-delete it, and its service principal in this tenant."""
    directory, entry = call.world.directory, fetch(call, APPLICATION)
    directory.delete(entry["id"], call.clock.now())
    if principal := directory.find(entry["appId"]):
        directory.delete(principal["id"], call.clock.now())
    return Reply(204)


@room.on("GET", _APP + "/owners", "apps.read")
async def application_owners(call: Call) -> Reply:
    """List owners."""
    return _owners(call, APPLICATION)


@room.on("POST", _APP + "/owners/$ref", "apps.write")
async def add_application_owner(call: Call) -> Reply:
    """Add an owner by reference."""
    return _add_owner(call, APPLICATION)


@room.on("POST", _SP + "/owners/$ref", "apps.write")
async def add_principal_owner(call: Call) -> Reply:
    """Add an owner by reference."""
    return _add_owner(call, SERVICE_PRINCIPAL)


@room.on("DELETE", _APP + "/owners/{owner}/$ref", "apps.write")
async def remove_application_owner(call: Call) -> Reply:
    """Remove an owner. Absent: 404."""
    return _remove_owner(call, APPLICATION)


@room.on("DELETE", _SP + "/owners/{owner}/$ref", "apps.write")
async def remove_principal_owner(call: Call) -> Reply:
    """Remove an owner. Absent: 404."""
    return _remove_owner(call, SERVICE_PRINCIPAL)


def _update(call: Call, kind: str) -> Reply:
    entry, body = fetch(call, kind), payload(call)
    if "passwordCredentials" in body:
        raise bad("Update to 'passwordCredentials' is not supported: use addPassword and removePassword.")
    keys = body.get("keyCredentials")
    if any("key" not in k and k.get("keyId") not in {c["keyId"] for c in entry["keyCredentials"]} for k in keys or ()):
        raise bad("Key credential must have a key value.")
    if keys is not None:
        body = {**body, "keyCredentials": [_certificate(call, k) for k in keys]}
    after = call.world.directory.put(patch(entry, body))
    if "accountEnabled" in body:
        old, new = ([e["accountEnabled"]] for e in (entry, after))
        properties = changed("AccountEnabled", new, old), changed("Included Updated Properties", "AccountEnabled")
        record(call, "Update service principal", "ApplicationManagement", target(after, *properties))
    if keys is not None:
        log_keys(call, entry, after)
    return Reply(204)


def _certificate(call: Call, key: Json) -> Json:
    """A keyCredential with what Entra fills in."""
    now = call.clock.now()
    made = {"customKeyIdentifier": None, "displayName": None, "type": "AsymmetricX509Cert", "usage": "Verify"}
    made |= {"startDateTime": iso(now), "endDateTime": iso(now.replace(year=now.year + 1, day=1))}
    return {**made, **key, "keyId": key.get("keyId") or call.world.directory.new_id("certificate")}


def _owners(call: Call, kind: str) -> Reply:
    directory = call.world.directory
    found = [o for m in directory.owners.get(fetch(call, kind)["id"], ()) if (o := directory.find(m))]
    return many(call, found, "directoryObjects")


def _add_owner(call: Call, kind: str) -> Reply:
    entry, owner = fetch(call, kind), reference(call)
    held = call.world.directory.owners.setdefault(entry["id"], [])
    if owner["id"] in held:
        raise bad("One or more added object references already exist for the following modified properties: 'owners'.")
    held.append(owner["id"])
    _log_owner(call, "Add owner to", owner, entry)
    return Reply(204)


def _remove_owner(call: Call, kind: str) -> Reply:
    entry, owner, directory = fetch(call, kind), call.params["owner"].lower(), call.world.directory
    held = directory.owners.get(entry["id"], [])
    if owner not in held or owner not in directory.objects:
        raise missing(owner)
    held.remove(owner)
    _log_owner(call, "Remove owner from", directory.objects[owner], entry)
    return Reply(204)


def _log_owner(call: Call, activity: str, owner: Json, entry: Json) -> None:
    """As the live log has it: "Add owner to application" with Application.ObjectID, and the like."""
    kind = "Application" if entry["@odata.type"] == APPLICATION else "ServicePrincipal"
    names = {f"{kind}.ObjectID": entry["id"], f"{kind}.DisplayName": entry["displayName"]}
    names[f"{kind}.AppId"] = entry["appId"]
    what = {"Application": "application", "ServicePrincipal": "service principal"}[kind]
    edge(call, f"{activity} {what}", "ApplicationManagement", owner, entry, names)
