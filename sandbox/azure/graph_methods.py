"""How users sign in, in Microsoft Graph: authentication methods.

Graph knows no POST for authenticator apps and codes: those register themselves. A world file gives them to a user.
"""

from datetime import timedelta
from typing import Any

from sandbox.azure.directory import METHOD_COLLECTIONS, USER, iso
from sandbox.azure.directory_new import method_name
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_access import above, denied, unrestricted
from sandbox.azure.graph_audit import record, target
from sandbox.azure.graph_reply import fetch, many, missing, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_BASE = "/users/{id}/authentication"
_PASSWORD = "28c10230-6103-485e-b985-444c60001490"  # noqa: S105  the id of everybody's password method
_EMAIL = "3ddfcfc8-9383-446f-83cc-3ab9be4be18f"
_PHONES = {
    "mobile": "3179e48a-750b-4051-897c-87b9720928f7",
    "alternateMobile": "b6332ec1-7057-4abe-9331-3d72feddfe41",
    "office": "e37fc753-ff3b-4958-9484-eaa9425c82bc",
}
_KINDS = {collection.lower(): kind for kind, collection in METHOD_COLLECTIONS.items()}
# The first of these that a user registered is his default second factor.
_FACTORS = ("phoneMethods", "microsoftAuthenticatorMethods", "softwareOathMethods")


@room.on("GET", _BASE + "/methods", "methods.read")
async def methods(call: Call) -> Reply:
    """List how one can sign in."""
    entry = fetch(call, USER)
    return many(call, [_password(entry), *_held(call, entry)], f"users('{entry['id']}')/authentication/methods")


@room.on("GET", _BASE + "/methods/{method}", "methods.read")
async def method(call: Call) -> Reply:
    """Read one, of whatever kind."""
    entry = fetch(call, USER)
    found = next((m for m in (_password(entry), *_held(call, entry)) if m["id"] == call.params["method"]), None)
    if found is None:
        raise _missing(call.params["method"])
    return Reply(200, found)


@room.on("GET", _BASE + "/{kind}", "methods.read")
async def of_kind(call: Call) -> Reply:
    """List those of a kind: fido2Methods, phoneMethods, passwordMethods and so on."""
    entry = fetch(call, USER)
    if call.params["kind"].lower() == "passwordmethods":
        found = [_password(entry)]
    else:
        found = [m for m in _held(call, entry) if m["@odata.type"] == _kind(call)]
    what = f"users('{entry['id']}')/authentication/{call.params['kind']}"
    return many(call, found, what, "authenticationMethod")


@room.on("GET", _BASE + "/{kind}/{method}", "methods.read")
async def one_of_kind(call: Call) -> Reply:
    """Read one."""
    entry = fetch(call, USER)
    if (call.params["kind"].lower(), call.params["method"]) == ("passwordmethods", _PASSWORD):
        return Reply(200, {k: v for k, v in _password(entry).items() if k != "@odata.type"})
    return Reply(200, {k: v for k, v in _find(call, entry).items() if k != "@odata.type"})


@room.on("POST", _BASE + "/phoneMethods", "methods.write")
async def add_phone(call: Call) -> Reply:
    """Register a phone: one of each type."""
    body = payload(call)
    kind, number = str(body.get("phoneType", "")), body.get("phoneNumber")
    if kind not in _PHONES or not number:
        raise _bad("Phone number or phone type is missing or invalid.")
    return _add(
        call,
        "phone",
        {"id": _PHONES[kind], "phoneNumber": number, "phoneType": kind, "smsSignInState": "notConfigured"},
        one=True,
    )


@room.on("POST", _BASE + "/emailMethods", "methods.write")
async def add_email(call: Call) -> Reply:
    """Register an address for the reset of one's own password."""
    address = payload(call).get("emailAddress")
    if not address:
        raise _bad("The email address is missing.")
    return _add(call, "email", {"id": _EMAIL, "emailAddress": address}, one=True)


@room.on("POST", _BASE + "/fido2Methods", "methods.write")
async def add_passkey(call: Call) -> Reply:
    """Register a passkey. What a real one answers to the challenge isn't looked at."""
    body = payload(call)
    if not isinstance(body.get("publicKeyCredential"), dict) or not body.get("displayName"):
        raise _bad("Properties displayName and publicKeyCredential are required.")
    key = {"id": call.world.directory.new_id("passkey"), "displayName": body["displayName"], "model": "Security key"}
    key |= {"aaGuid": "00000000-0000-0000-0000-000000000000", "createdDateTime": iso(call.clock.now())}
    return _add(call, "fido2", {**key, "attestationCertificates": [], "attestationLevel": "notAttested"})


@room.on("POST", _BASE + "/temporaryAccessPassMethods", "methods.write")
async def add_pass(call: Call) -> Reply:
    """Make a temporary access pass: its text is in this answer, and never again. Nobody makes one for himself."""
    entry, body = fetch(call, USER), call.body if isinstance(call.body, dict) else {}
    if call.caller.oid == entry["id"]:
        raise denied()
    now, directory = call.clock.now(), call.world.directory
    minutes = body.get("lifetimeInMinutes", 60)
    if not isinstance(minutes, int):
        raise _bad("Invalid value specified for property 'lifetimeInMinutes'.")
    made = {"id": directory.new_id("pass"), "isUsable": True, "isUsableOnce": bool(body.get("isUsableOnce"))}
    made |= {"methodUsabilityReason": "EnabledByPolicy", "createdDateTime": iso(now), "startDateTime": iso(now)}
    made["lifetimeInMinutes"] = minutes
    text = directory.new_id("pass text")[:8]
    reply = _add(call, "temporaryAccessPass", {**made, "temporaryAccessPass": None}, one=True)
    until = iso(now + timedelta(minutes=minutes))
    directory.private.setdefault(entry["id"], {}).setdefault("passes", {})[made["id"]] = {"text": text, "until": until}
    return Reply(reply.status, {**made, "temporaryAccessPass": text})


@room.on("DELETE", _BASE + "/{kind}/{method}", "methods.write")
async def delete_method(call: Call) -> Reply:
    """Remove a method, by its kind. The default second factor goes after all others."""
    entry = _writable(call)
    if call.params["kind"].lower() == "passwordmethods":
        raise _bad("The password method of a user cannot be deleted.")
    gone = _find(call, entry)
    held = _held(call, entry)
    factors = [m for m in held if METHOD_COLLECTIONS[m["@odata.type"]] in _FACTORS]
    if factors[1:] and gone is factors[0]:
        raise _bad(
            f"The requested authentication method id of [{gone['id']}] matches the user's current default "
            "authentication method, and cannot be deleted until the default authentication method is changed"
        )
    phones = [m for m in held if m.get("phoneType") in {"mobile", "alternateMobile"}]
    if gone.get("phoneType") == "mobile" and phones[1:]:
        raise _bad("An alternate mobile phone number cannot exist without a mobile phone number.")
    call.world.directory.methods[entry["id"]] = [m for m in held if m is not gone]
    call.world.directory.private.get(entry["id"], {}).get("passes", {}).pop(gone["id"], None)
    _log(call, entry, gone, "deleted", "Delete")
    return Reply(204)


def _writable(call: Call) -> Json:
    """The user whose methods may be changed: by himself, by an application, or by someone above him."""
    entry = fetch(call, USER)
    unrestricted(call, entry["id"])
    if call.caller.kind == "User" and call.caller.oid != entry["id"]:
        above(call, entry["id"])
    return entry


def _add(call: Call, kind: str, body: Json, *, one: bool = False) -> Reply:
    entry = _writable(call)
    kind = f"#microsoft.graph.{kind}AuthenticationMethod"
    held = call.world.directory.methods.setdefault(entry["id"], [])
    taken = [m for m in held if m["@odata.type"] == kind and m.get("phoneType") == body.get("phoneType")]
    if one and taken:
        raise _bad("The user already has such an authentication method registered.")
    if body.get("phoneType") == "alternateMobile" and not any(m.get("phoneType") == "mobile" for m in held):
        raise _bad("An alternate mobile phone number cannot exist without a mobile phone number.")
    made = {"@odata.type": kind, **body}
    held.append(made)
    _log(call, entry, made, "registered", "Add")
    return Reply(201, dict(body))


def _log(call: Call, entry: Json, method: Json, done: str, operation: str) -> None:
    by = "User" if call.caller.oid == entry["id"] else "Admin"
    reason = f"{by} {done} {method_name(method)}{' for user' if by == 'Admin' else ''}"
    activity, service = f"{by} {done} security info", "Authentication Methods"
    record(call, activity, "UserManagement", target(entry), operation=operation, service=service, reason=reason)


def _password(entry: Json) -> Json:
    body = {"@odata.type": "#microsoft.graph.passwordAuthenticationMethod", "id": _PASSWORD, "password": None}
    return {**body, "createdDateTime": entry["createdDateTime"]}


def _held(call: Call, entry: Json) -> list[Json]:
    return call.world.directory.methods.get(entry["id"], [])


def _kind(call: Call) -> str:
    kind = _KINDS.get(call.params["kind"].lower())
    if kind is None:
        raise ApiError(501, "NotImplemented", f"The sandbox knows no authentication methods {call.params['kind']!r}.")
    return kind


def _find(call: Call, entry: Json) -> Json:
    kind, name = _kind(call), call.params["method"]
    found = next((m for m in _held(call, entry) if m["@odata.type"] == kind and m["id"] == name), None)
    if found is None:
        raise _missing(name)
    return found


def _missing(name: str) -> ApiError:
    return ApiError(404, "resourceNotFound", missing(name).message)


def _bad(message: str) -> ApiError:  # the methods' own service spells its codes otherwise
    return ApiError(400, "badRequest", message)
