"""Users in Microsoft Graph: reading, disabling, passwords, sessions, deletion and restore, mail, memberships."""

import re
from typing import Any

from sandbox.azure.directory import USER, iso
from sandbox.azure.directory_file import new_user
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import above, allow, denied, holds
from sandbox.azure.graph_groups import roles_and_groups
from sandbox.azure.graph_reply import bad, fetch, many, one, patch, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_CLASSES = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
SHORTEST, CLASSES = 8, 3


@room.on("GET", "/users")
async def users(call: Call) -> Reply:
    """List the tenant's users."""
    allow(call, "users.read")
    return many(call, call.world.directory.of_type(USER), "users", USER)


@room.on("GET", "/users/{id}", "users.read")
async def user(call: Call) -> Reply:
    """Read one, by object id or UPN. Without $select there is no accountEnabled in it."""
    return one(call, fetch(call, USER))


@room.on("POST", "/users", "users.write")
async def create(call: Call) -> Reply:
    """Create a member."""
    body = payload(call)
    for name in ("accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"):
        if name not in body:
            raise bad(f"A value is required for property '{name}' of resource 'User'.")
    directory, now = call.world.directory, call.clock.now()
    free(call, body["userPrincipalName"])
    password = _password(body.pop("passwordProfile"))
    entry = new_user({"id": directory.new_id("user", body["userPrincipalName"])}, now)
    entry = directory.put(patch(entry, {k: v for k, v in body.items() if k != "@odata.type"}))
    directory.private[entry["id"]] = {"password": password}
    return one(call, entry, 201)


@room.on("POST", "/invitations", "users.invite")
async def invite(call: Call) -> Reply:
    """Create a guest."""
    body = payload(call)
    mail = str(body.get("invitedUserEmailAddress", ""))
    if "@" not in mail:
        raise bad("Invalid value specified for property 'invitedUserEmailAddress' of resource 'Invitation'.")
    directory = call.world.directory
    domain = next((u["userPrincipalName"] for u in directory.of_type(USER)), "@sandbox.example").partition("@")[2]
    upn = f"{mail.replace('@', '_')}#EXT#@{domain}"
    free(call, upn)
    guest = {"id": directory.new_id("user", upn), "userPrincipalName": upn, "mail": mail, "userType": "Guest"}
    guest |= {"displayName": body.get("invitedUserDisplayName") or mail, "creationType": "Invitation"}
    directory.put(new_user(guest | {"externalUserState": "PendingAcceptance"}, call.clock.now()))
    ids = {
        "id": call.world.new_id("invitation", upn),
        "invitedUser": {"id": guest["id"]},
        "status": "PendingAcceptance",
    }
    return Reply(201, {**body, **ids})


@room.on("PATCH", "/users/{id}")
async def update(call: Call) -> Reply:
    """Change properties: a right of its own for accountEnabled and for the password, and never both in one call."""
    body = payload(call)
    if {"accountEnabled", "passwordProfile"} <= body.keys():
        raise denied()
    if "accountEnabled" in body:
        allow(call, "users.enable")
        if not holds(call, "User.ReadWrite.All"):
            allow(call, "users.read")
    if "passwordProfile" in body:
        allow(call, "users.password")
    if body.keys() - {"accountEnabled", "passwordProfile"}:
        allow(call, "users.write")
    entry = fetch(call, USER)
    if body.keys() & {"accountEnabled", "passwordProfile"}:
        above(call, entry["id"])
    if not isinstance(body.get("accountEnabled", True), bool):
        raise bad("Invalid value specified for property 'accountEnabled' of resource 'User'.")
    upn = str(body.get("userPrincipalName") or entry["userPrincipalName"])
    if upn.lower() != entry["userPrincipalName"].lower():
        free(call, upn)
    profile = body.pop("passwordProfile", None)
    call.world.directory.put(patch(entry, body))
    if profile is not None:
        _reset(call, entry, profile)
    return Reply(204)


@room.on("POST", "/users/{id}/revokeSignInSessions", "users.revoke")
async def revoke(call: Call) -> Reply:
    """End all sessions: access tokens too, as continuous access evaluation has it."""
    call.world.directory.revoke_sessions(fetch(call, USER)["id"], call.clock.now())
    return Reply(200, {"@odata.context": f"{call.endpoints.graph}/v1.0/$metadata#Edm.Boolean", "value": True})


@room.on("DELETE", "/users/{id}", "users.delete")
async def delete(call: Call) -> Reply:
    """Soft-delete: restorable with everything that hung on it."""
    entry = fetch(call, USER)
    above(call, entry["id"])
    call.world.directory.delete(entry["id"], call.clock.now())
    return Reply(204)


@room.on("POST", "/users/{id}/sendMail", "users.mail")
async def send_mail(call: Call) -> Reply:
    """Send a mail: it lands in `world.mails`."""
    sender = fetch(call, USER)
    message = payload(call).get("message")
    if not isinstance(message, dict):
        raise ApiError(400, "ErrorInvalidRequest", "The message is missing.")
    to = [r["emailAddress"]["address"] for r in message.get("toRecipients", ())]
    if not to or not all("@" in address for address in to):
        raise ApiError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    body = message.get("body") or {}
    mail = {"at": iso(call.clock.now()), "from": sender["userPrincipalName"], "to": to}
    mail |= {"subject": message.get("subject", ""), "body": body.get("content", ""), "message": message}
    call.world.mails.append(mail)
    return Reply(202)


@room.on("GET", "/users/{id}/memberOf", "directory.read")
async def member_of(call: Call) -> Reply:
    """List the groups and directory roles it holds directly."""
    return many(call, roles_and_groups(call, fetch(call, USER)["id"], direct=True), "directoryObjects")


@room.on("GET", "/users/{id}/transitiveMemberOf", "directory.read")
async def transitive_member_of(call: Call) -> Reply:
    """List the groups and directory roles it holds, through groups too."""
    return many(call, roles_and_groups(call, fetch(call, USER)["id"], direct=False), "directoryObjects")


@room.on("POST", "/users/{id}/getMemberGroups", "directory.read")
async def member_groups(call: Call) -> Reply:
    """Ids of all groups, through groups too."""
    found = sorted(call.world.directory.groups_of(fetch(call, USER)["id"]))
    return Reply(
        200, {"@odata.context": f"{call.endpoints.graph}/v1.0/$metadata#Collection(Edm.String)", "value": found}
    )


@room.on("POST", "/users/{id}/checkMemberGroups", "directory.read")
async def check_member_groups(call: Call) -> Reply:
    """Which of the asked groups it is in."""
    groups = call.world.directory.groups_of(fetch(call, USER)["id"])
    found = [g for g in payload(call).get("groupIds", ()) if g.lower() in groups]
    return Reply(
        200, {"@odata.context": f"{call.endpoints.graph}/v1.0/$metadata#Collection(Edm.String)", "value": found}
    )


@room.on("GET", "/users/{id}/ownedObjects", "directory.read")
async def owned(call: Call) -> Reply:
    """List the groups, applications and service principals it owns."""
    oid, directory = fetch(call, USER)["id"], call.world.directory
    found = [directory.objects[o] for o, owners in directory.owners.items() if oid in owners and o in directory.objects]
    return many(call, found, "directoryObjects")


def free(call: Call, upn: str) -> None:
    if call.world.directory.find(upn):
        raise bad("Another object with the same value for property userPrincipalName already exists.")


def _reset(call: Call, entry: Json, profile: Json) -> None:
    if entry["onPremisesSyncEnabled"]:
        raise bad(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
            "currently undergoing migration."
        )
    call.world.directory.private.setdefault(entry["id"], {})["password"] = _password(profile)
    call.world.directory.revoke_sessions(entry["id"], call.clock.now())


def _password(profile: Json) -> str:
    password = str((profile or {}).get("password") or "")
    if len(password) < SHORTEST or sum(bool(re.search(c, password)) for c in _CLASSES) < CLASSES:
        message = "The specified password does not comply with password complexity requirements."
        raise bad(f"{message} Please provide a different password.")
    return password
