"""Entra's audit log (auditLogs/directoryAudits): every write to the directory is in it, with who did it and to what.

Where the names and shapes come from:
* Activity names and categories: Microsoft's reference "Audit log activities" (Core Directory, Authentication Methods,
  PIM). SECRETS is written with a dash and a blank at the end, as the live log has it and Microsoft Sentinel's rules
  match it.
* modifiedProperties hold JSON in text: a GUID in its own quotes. What is added has newValue, what is removed oldValue.
* Memberships and roles name two targets: who (with Group.ObjectID or Role.ObjectID, Role.TemplateId) and the group or
  role. App roles and consents name one, the API, and say who got it by ServicePrincipal.ObjectID or User.ObjectID.
* Of an application as initiator, live records leave appId null and have its name and servicePrincipalId alone.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from sandbox.azure.directory import APPLICATION, GROUP, SERVICE_PRINCIPAL, USER
from sandbox.azure.directory_new import new_audit
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_reply import many, missing
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

SECRETS = "Update application – Certificates and secrets management "  # noqa: RUF001  the live log's dash
_TYPES = {USER: "User", GROUP: "Group", APPLICATION: "Application", SERVICE_PRINCIPAL: "ServicePrincipal"}
_OPERATIONS = {"Add": "Assign", "Consent": "Assign", "Remove": "Unassign"}
_CATEGORIES = {USER: "UserManagement", GROUP: "GroupManagement"}

# What a plain write to one object is called. What says more about itself is recorded by its handler.
_ACTIVITIES = {
    ("POST", "/users"): "Add user",
    ("PATCH", "/users/{id}"): "Update user",
    ("DELETE", "/users/{id}"): "Delete user",
    ("POST", "/users/{id}/revokeSignInSessions"): "Update StsRefreshTokenValidFrom Timestamp",
    ("POST", "/invitations"): "Invite external user",
    ("PUT", "/users/{id}/manager/$ref"): "Set user manager",
    ("DELETE", "/users/{id}/manager/$ref"): "Remove user manager",
    ("POST", "/groups"): "Add group",
    ("PATCH", "/groups/{id}"): "Update group",
    ("DELETE", "/groups/{id}"): "Delete group",
    ("POST", "/applications"): "Add application",
    ("PATCH", "/applications/{id}"): "Update application",
    ("DELETE", "/applications/{id}"): "Delete application",
    ("POST", "/servicePrincipals"): "Add service principal",
    ("PATCH", "/servicePrincipals/{id}"): "Update service principal",
    ("DELETE", "/servicePrincipals/{id}"): "Remove service principal",
}


@room.on("GET", "/auditLogs/directoryAudits", "audits.read")
async def audits(call: Call) -> Reply:
    """List what was changed in the directory, and by whom; the newest first. What is too young does not show yet."""
    directory = call.world.directory
    if directory.audits_refused:
        message = "Neither tenant is B2C or tenant doesn't have premium license"
        raise ApiError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", message)
    call.query.setdefault("$orderby", "activityDateTime desc")
    until = call.clock.now() - timedelta(seconds=directory.audits_lag)
    shown = [entry for entry in directory.audits if datetime.fromisoformat(entry["activityDateTime"]) <= until]
    return many(call, shown, "auditLogs/directoryAudits", "directoryAudit")


@room.on("GET", "/auditLogs/directoryAudits/{entry}", "audits.read")
async def audit(call: Call) -> Reply:
    """Read one."""
    found = next((a for a in call.world.directory.audits if a["id"] == call.params["entry"]), None)
    if found is None:
        raise missing(call.params["entry"])
    return Reply(200, found)


def plainly(call: Call, template: str, entry: Json) -> None:
    """Record a write of which nothing more is to be said than what it was done to."""
    kind = str(entry.get("@odata.type", ""))
    category = _CATEGORIES.get(kind, "ApplicationManagement" if kind in _TYPES else "DirectoryManagement")
    name = _ACTIVITIES.get((call.method, template), f"{call.method} {template}")
    operation = {"POST": "Add", "DELETE": "Delete"}.get(call.method, "Update")
    record(call, name, category, target(entry or {"id": call.params.get("id", "")}), operation=operation)


def record(call: Call, activity: str, category: str, *targets: Json, by: Json | None = None, **more: str) -> None:
    """Add an entry about `targets`, by the caller unless told.

    `more`: operation (what the activity's first word says, unless told), service, reason.
    """
    directory = call.world.directory
    correlation = call.correlation or call.request
    entry = new_audit(
        activity,
        call.clock.now(),
        by or _caller(call),
        list(targets),
        id=f"Directory_{correlation}_{call.world.new_id('audit')[:5].upper()}_{len(directory.audits)}",
        category=category,
        operationType=more.get("operation") or _OPERATIONS.get(activity.partition(" ")[0], "Update"),
        loggedByService=more.get("service") or "Core Directory",
        resultReason=more.get("reason", ""),
        correlationId=correlation,
    )
    entry["additionalDetails"] = [{"key": "User-Agent", "value": call.headers.get("User-Agent", "")}]
    directory.audits.append(entry)


def target(entry: Json, *properties: Json, named: bool = True) -> Json:
    """One of the things that an entry is about. Memberships leave the names out: `named` False."""
    kind = str(entry.get("@odata.type", ""))
    return {
        "id": entry.get("id"),
        "displayName": entry.get("displayName") if named else None,
        "type": _TYPES.get(kind, kind.rpartition(".")[2].title() or "Other"),
        "userPrincipalName": entry.get("userPrincipalName"),
        "groupType": "azureAD" if kind == GROUP else None,
        "modifiedProperties": list(properties),
    }


def changed(name: str, new: object = None, old: object = None) -> Json:
    """One of modifiedProperties: the values as JSON in text, null for none."""
    texts = {"oldValue": old, "newValue": new}
    return {"displayName": name, **{k: None if v is None else json.dumps(v) for k, v in texts.items()}}


def edge(
    call: Call, activity: str, category: str, who: Json, what: Json, names: Json | None = None, by: Json | None = None
) -> None:
    """Record a membership, ownership or role.

    `names` are the properties that say of what: "Group.ObjectID". They are new values when something is added, and old
    ones when it is removed.
    """
    gone = activity.startswith("Remove")
    properties = [changed(k, None if gone else v, v if gone else None) for k, v in (names or {}).items() if v]
    record(call, activity, category, target(who, *properties, named=False), target(what, named=False), by=by)


def _caller(call: Call) -> Json:
    caller = call.caller
    if caller.kind == "User":
        user = {"id": caller.oid, "displayName": None, "userPrincipalName": caller.upn, "ipAddress": caller.ip}
        return {"user": user, "app": None}
    name = (call.world.directory.find(caller.oid) or {}).get("displayName", "")
    app = {"appId": None, "displayName": name, "servicePrincipalId": caller.oid, "servicePrincipalName": None}
    return {"user": None, "app": app}
