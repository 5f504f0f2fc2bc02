"""Users in Microsoft Graph: reading, disabling, passwords, sessions, deletion and restore, mail, memberships."""

import re
from typing import Any

from sandbox.azure.directory import USER, iso
from sandbox.azure.directory_new import new_user
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import above, allow, denied, holds, unrestricted
from sandbox.azure.graph_audit import changed, record, target
from sandbox.azure.graph_reply import bad, fetch, many, one, patch, payload
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]

room = Room("")

_CLASSES = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
SHORTEST, CLASSES = 8, 3
_ON_PREMISES = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently "
    "undergoing migration."
)
# What the directory on premises says of a synchronized user. accountEnabled is too, yet Graph takes the write, and the
# next synchronization may take it back.
_MASTERED = {
    "userPrincipalName",
    "displayName",
    "mail",
    "department",
    "jobTitle",
    "mailNickname",
    "surname",
    "givenName",
}


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
    profile = body.pop("passwordProfile") or {}
    password = checked(profile)
    entry = new_user({"id": directory.new_id("user", body["userPrincipalName"])}, now)
    entry = directory.put(patch(entry, {k: v for k, v in body.items() if k != "@odata.type"}))
    must_change = bool(profile.get("forceChangePasswordNextSignIn", True))
    directory.private[entry["id"]] = {"password": password, "must_change": must_change}
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
    oid = made_up_id("user", upn)  # as a world file's: so an exercise knows it
    if oid in directory.objects or oid in directory.deleted:
        oid = directory.new_id("user", upn)
    guest = {"id": oid, "userPrincipalName": upn, "mail": mail, "userType": "Guest"}
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
    entry = _changeable(call, body)
    if not isinstance(body.get("accountEnabled", True), bool):
        raise bad("Invalid value specified for property 'accountEnabled' of resource 'User'.")
    upn = str(body.get("userPrincipalName") or entry["userPrincipalName"])
    if upn.lower() != entry["userPrincipalName"].lower():
        free(call, upn)
    profile = body.pop("passwordProfile", None)
    if entry["onPremisesSyncEnabled"] and body.keys() & _MASTERED:
        raise bad(_ON_PREMISES)
    call.world.directory.put(patch(entry, body))
    if profile is not None:
        _reset(call, entry, profile)
    if (enabled := body.get("accountEnabled", entry["accountEnabled"])) != entry["accountEnabled"]:
        switched = changed("AccountEnabled", [enabled], [entry["accountEnabled"]])
        activity = "Enable account" if enabled else "Disable account"
        record(call, activity, "UserManagement", target(entry, switched), operation="Update")
    return Reply(204)


@room.on("POST", "/users/{id}/changePassword")
async def change_password(call: Call) -> Reply:
    """Change one's own password, knowing the old one."""
    entry, body = fetch(call, USER), payload(call)
    if call.caller.oid != entry["id"]:
        raise denied()
    if body.get("currentPassword") != call.world.directory.private.get(entry["id"], {}).get("password"):
        raise bad("The specified password does not match the current password of the user.")
    set_password(call, entry, checked({"password": body.get("newPassword")}), must_change=False)
    record(call, "Change user password", "UserManagement", target(entry))
    return Reply(204)


@room.on("POST", "/users/{id}/revokeSignInSessions", "users.revoke")
async def revoke(call: Call) -> Reply:
    """End all sessions: access tokens too, as continuous access evaluation has it."""
    oid = fetch(call, USER)["id"]
    unrestricted(call, oid)
    call.world.directory.revoke_sessions(oid, call.clock.now())
    return Reply(200, {"@odata.context": f"{call.endpoints.graph}/v1.0/$metadata#Edm.Boolean", "value": True})


@room.on("DELETE", "/users/{id}", "users.delete")
async def delete(call: Call) -> Reply:
    """Soft-delete: restorable with everything that hung on it."""
    entry = fetch(call, USER)
    unrestricted(call, entry["id"])
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


def free(call: Call, upn: str) -> None:
    if call.world.directory.find(upn):
        raise bad("Another object with the same value for property userPrincipalName already exists.")


def _changeable(call: Call, body: Json) -> Json:
    """The user, if the caller may change these of its properties."""
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
    unrestricted(call, entry["id"])
    if body.keys() & {"accountEnabled", "passwordProfile"}:
        above(call, entry["id"])
    return entry


def set_password(call: Call, entry: Json, password: str, *, must_change: bool) -> None:
    """Give a user another password, which ends all his sessions."""
    directory, now = call.world.directory, call.clock.now()
    directory.private.setdefault(entry["id"], {}).update(password=password, must_change=must_change)
    directory.put({**directory.objects[entry["id"]], "lastPasswordChangeDateTime": iso(now)})
    directory.revoke_sessions(entry["id"], now)


def _reset(call: Call, entry: Json, profile: Json) -> None:
    if entry["onPremisesSyncEnabled"]:
        raise bad(_ON_PREMISES)
    if entry["userType"] == "Guest" and entry["externalUserState"]:
        raise denied()  # a guest's password is his home's
    # Left out, it is true: whoever gets a password from somebody else changes it.
    must = profile.get("forceChangePasswordNextSignIn", True) or profile.get("forceChangePasswordNextSignInWithMfa")
    set_password(call, entry, checked(profile), must_change=bool(must))
    record(call, "Reset user password", "UserManagement", target(entry), operation="Update")


def checked(profile: Json) -> str:
    """The password of a passwordProfile. Raises ApiError 400 for one that is too simple."""
    password = str((profile or {}).get("password") or "")
    if len(password) < SHORTEST or sum(bool(re.search(c, password)) for c in _CLASSES) < CLASSES:
        message = "The specified password does not comply with password complexity requirements."
        raise bad(f"{message} Please provide a different password.")
    return password
