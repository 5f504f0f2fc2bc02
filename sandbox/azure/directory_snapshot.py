"""The directory as a score compares it: every object, credential, membership, role and grant under a path of its own.

An edge lies beneath what holds it and is named by its ends, so that what was taken away and given back under a new id
is as before. Edges of what is deleted aren't shown: they come back with it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sandbox.azure.directory import COLLECTIONS, METHOD_COLLECTIONS, USER

if TYPE_CHECKING:
    from sandbox.azure.directory import Directory

Json = dict[str, Any]

# What the platform stamps on writes: no part of "the world as before".
_STAMPS = {"signInSessionsValidFromDateTime", "lastPasswordChangeDateTime", "deletedDateTime", "createdDateTime"}
_OWN = {"id", "keyId", "hint", "startDateTime", "endDateTime"}  # what a grant or credential gets anew each time


def snapshot(directory: "Directory") -> dict[str, Json]:
    """Everything by its Graph path, without stamps; passwords and secrets as their hashes."""
    found: dict[str, Json] = {}
    for oid, entry in directory.objects.items():
        path = f"/{COLLECTIONS[entry['@odata.type']]}/{oid}"
        found[path] = {k: v for k, v in _without(entry).items() if k not in {"passwordCredentials", "keyCredentials"}}
        found |= _beneath(directory, path, entry)
    for oid, entry in directory.deleted.items():
        found[f"/directory/deletedItems/{oid}"] = _without(entry)
    return found | dict(_grants(directory))


def _beneath(directory: "Directory", path: str, entry: Json) -> dict[str, Json]:
    oid, live = entry["id"], directory.objects
    private = directory.private.get(oid, {})
    found: dict[str, Json] = {}
    for name, edges in (("members", directory.members), ("owners", directory.owners), ("members", directory.units)):
        found |= {f"{path}/{name}/{m}": {"id": m} for m in edges.get(oid, ()) if m in live}
    if manager := directory.managers.get(oid):
        found[f"{path}/manager"] = {"id": manager}
    for method in directory.methods.get(oid, ()):
        found[f"{path}/authentication/{METHOD_COLLECTIONS[method['@odata.type']]}/{method['id']}"] = method
    for kind in ("passwordCredentials", "keyCredentials"):
        names = Counter(c.get("displayName") for c in entry.get(kind, ()))
        for credential in entry.get(kind, ()):
            text = private.get("secrets", {}).get(credential["keyId"])
            proof = {"secret": _hash(text)} if text else {}
            name = credential.get("displayName")
            key = f"{path}/{kind}/{name if name and names[name] == 1 else credential['keyId']}"
            found[key] = {**_without(credential), **proof}
    for trust in directory.federated.get(oid, ()):
        body = {k: v for k, v in trust.items() if k not in _OWN}
        found[f"{path}/federatedIdentityCredentials/{trust['name']}"] = body
    if entry["@odata.type"] == USER and "password" in private:
        password = {"sha256": _hash(private["password"]), "mustChange": bool(private.get("must_change"))}
        found[f"{path}/password"] = password
    return found


def _grants(directory: "Directory") -> Iterator[tuple[str, Json]]:
    live = directory.objects
    for what, held in (
        ("roleAssignments", directory.role_assignments),
        ("roleEligibilitySchedules", directory.eligible),
    ):
        for a in held.values():
            if a["principalId"] in live:
                scope = "" if a["directoryScopeId"] == "/" else a["directoryScopeId"]
                key = f"/roleManagement/directory/{what}/{a['principalId']}/{a['roleDefinitionId']}{scope}"
                yield key, {k: a[k] for k in ("principalId", "roleDefinitionId", "directoryScopeId")}
    for a in directory.app_roles.values():
        if {a["principalId"], a["resourceId"]} <= live.keys():
            key = f"/appRoleAssignments/{a['principalId']}/{a['resourceId']}/{a['appRoleId']}"
            yield key, {k: v for k, v in _without(a).items() if k not in _OWN}
    for a in directory.consents.values():
        if {a["clientId"], a["resourceId"], a.get("principalId") or a["clientId"]} <= live.keys():
            key = f"/oauth2PermissionGrants/{a['clientId']}/{a['resourceId']}/{a.get('principalId') or 'everyone'}"
            yield key, {k: v for k, v in a.items() if k not in _OWN}


def _without(entry: Json) -> Json:
    return {k: v for k, v in entry.items() if k not in _STAMPS}


def _hash(text: str) -> str:
    return hashlib.sha256(json.dumps(text).encode()).hexdigest()
