"""The login service: OAuth2 token endpoints and discovery.

Errors are Entra's: {"error", "error_description": "AADSTS…", "error_codes": [...]}. Every sign-in is checked against
the directory, so a disabled account or a removed secret gets no further token. Applications: login_apps.py.
"""

import json
import time
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from sandbox.azure import managed_identity
from sandbox.azure.claims import CLI, claims_of
from sandbox.azure.directory import USER, iso
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_users import checked, set_password
from sandbox.azure.login_apps import Refused, application
from sandbox.azure.router import Call, Caller, Reply, Room, Router
from sandbox.azure.tokens import Invalid, Tokens

Json = dict[str, Any]

LIFETIME = timedelta(hours=1)
_EXPIRED = 50055  # the password must be changed

room = Room("")


async def handle(call: Call) -> Reply:
    """Answer one request."""
    call.request = call.world.new_id("request")
    found = _ROUTER.find(call.method, call.path)
    if found is None:
        raise ApiError(
            501, "NotImplemented", f"The sandbox does not know {call.method} {call.path} of the login service."
        )
    route, params = found
    call.params.update(params)
    try:
        reply = await route.handler(call)
    except Refused as refusal:
        reply = Reply(refusal.status, _refusal(call, refusal))
    reply.headers = {"Cache-Control": "no-store", "x-ms-request-id": call.request, **reply.headers}
    return reply


def _form(call: Call) -> dict[str, str]:
    """The fields of a form-encoded request."""
    return dict(parse_qsl(call.text, keep_blank_values=True))


@room.on("POST", "/{tenant}/oauth2/v2.0/token")
async def token(call: Call) -> Reply:
    """Give a token for a v2 scope."""
    form = _form(call)
    scopes = [s for s in form.get("scope", "").split() if s not in {"openid", "profile", "offline_access", "email"}]
    return _grant(call, form, scopes[0] if scopes else "", old=False)


@room.on("POST", "/{tenant}/oauth2/token")
async def old_token(call: Call) -> Reply:
    """Give a token for a v1 resource."""
    form = _form(call)
    return _grant(call, form, form.get("resource", ""), old=True)


@room.on("POST", "/{tenant}/changepassword")
async def change_password(call: Call) -> Reply:
    """Replace a password that must be changed, knowing it: the page on which Entra asks for that, which is no API.

    A form of username, password and new_password.
    """
    form = _form(call)
    try:
        entry = _person(call, form)
    except Refused as refusal:
        if refusal.number != _EXPIRED:
            raise
        entry = call.world.directory.objects[str((call.world.directory.find(form["username"]) or {})["id"])]
    set_password(call, entry, checked({"password": form.get("new_password")}), must_change=False)
    return Reply(200, {"changed": True})


@room.on("GET", "/{tenant}/.well-known/openid-configuration")
async def configuration(call: Call) -> Reply:
    """Tell where everything is; v1."""
    return Reply(200, _configuration(call, ""))


@room.on("GET", "/{tenant}/v2.0/.well-known/openid-configuration")
async def configuration_v2(call: Call) -> Reply:
    """Tell where everything is; v2."""
    return Reply(200, _configuration(call, "/v2.0"))


@room.on("GET", "/{tenant}/discovery/v2.0/keys")
async def keys(call: Call) -> Reply:
    """Tell the signing key."""
    return Reply(200, call.tokens.jwks())


@room.on("GET", "/{tenant}/discovery/keys")
async def old_keys(call: Call) -> Reply:
    """Tell the signing key."""
    return Reply(200, call.tokens.jwks())


@room.on("GET", "/{tenant}/userrealm/{user}")
async def realm(call: Call) -> Reply:
    """Tell that somebody's password is asked for here, and by nobody else: what MSAL asks before it sends one."""
    domain = call.params["user"].partition("@")[2]
    body = {
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": domain,
        "cloud_instance_name": "microsoftonline.com",
    }
    return Reply(200, body)


@room.on("GET", "/common/discovery/instance")
async def instance(call: Call) -> Reply:
    """Tell that this host is one to be trusted with passwords: what MSAL asks before it sends any."""
    host = call.endpoints.login.partition("://")[2]
    tenant = f"{call.endpoints.login}/{call.world.tenant}/v2.0/.well-known/openid-configuration"
    hosts = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    return Reply(200, {"tenant_discovery_endpoint": tenant, "api-version": "1.1", "metadata": [hosts]})


_ROUTER = Router((room, managed_identity.room))


def _grant(call: Call, form: dict[str, str], resource: str, *, old: bool) -> Reply:
    tenant = call.params["tenant"].lower()
    domains = {u["userPrincipalName"].partition("@")[2].lower() for u in call.world.directory.of_type(USER)}
    if tenant not in {call.world.tenant, "organizations", "common", *domains}:
        text = f"Tenant '{call.params['tenant']}' not found. Check to make sure you have the correct tenant ID."
        raise Refused(90002, "invalid_request", text)
    audience = call.tokens.audience(resource)
    if audience is None:
        text = f"The resource principal named {resource} was not found in the tenant."
        raise Refused(500011, "invalid_resource", text)
    sign_ins = {"client_credentials": application, "password": _person, "refresh_token": _refreshed}
    sign_in = sign_ins.get(form.get("grant_type", ""))
    if sign_in is None:
        text = f"The app requested an unsupported grant type '{form.get('grant_type')}'."
        raise Refused(70003, "unsupported_grant_type", text)
    try:
        entry = sign_in(call, form)
    except Refused as refusal:
        _log(call, form, refusal.number, refusal.text)
        raise
    _log(call, form)
    claims = claims_of(call.world.directory, entry["id"], audience, client=form.get("client_id") or CLI)
    call.caller = Caller.of(claims, str(claims["ipaddr"]))
    seconds = int(LIFETIME.total_seconds())
    body: Json = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
    body["access_token"] = call.tokens.issue(claims, audience, LIFETIME)
    if old:
        now = int(time.time())
        body |= {
            "expires_in": str(seconds),
            "expires_on": str(now + seconds),
            "not_before": str(now),
            "resource": resource,
        }
    if entry["@odata.type"] == USER:
        body |= {"scope": claims["scp"], "refresh_token": refresh_token(call.tokens, claims)}
        if "openid" in form.get("scope", "").split():
            body |= _who(call, entry, form.get("client_id") or CLI)
    return Reply(200, body)


def _who(call: Call, entry: Json, client: str) -> Json:
    """Who has signed in, for the client itself."""
    oid, tenant = entry["id"], call.world.tenant
    claims = {"iss": f"{call.endpoints.login}/{tenant}/v2.0", "oid": oid, "sub": oid, "tid": tenant}
    claims |= {"preferred_username": entry["userPrincipalName"], "name": entry["displayName"], "ver": "2.0"}
    info = urlsafe_b64encode(json.dumps({"uid": oid, "utid": tenant}).encode()).decode().rstrip("=")
    return {"id_token": call.tokens.sign(claims, client, LIFETIME), "client_info": info}


def _person(call: Call, form: dict[str, str]) -> Json:
    """Whoever knows the password, or a temporary access pass, which on the page of a real sign-in takes its place."""
    directory = call.world.directory
    entry = directory.find(form.get("username", ""))
    if entry is None or entry["@odata.type"] != USER:
        text = f"The user account {form.get('username')} does not exist in the directory."
        raise Refused(50034, "invalid_grant", text)
    _enabled(entry)
    private, given, now = directory.private.get(entry["id"], {}), form.get("password"), iso(call.clock.now())
    if given and any((p["text"], True) == (given, p["until"] > now) for p in private.get("passes", {}).values()):
        return entry
    if not private.get("password") or given != private["password"]:
        raise Refused(50126, "invalid_grant", "Error validating credentials due to invalid username or password.")
    if private.get("must_change"):
        raise Refused(_EXPIRED, "invalid_grant", "The password is expired.")
    return entry


def _enabled(entry: Json) -> None:
    if not entry["accountEnabled"]:
        raise Refused(50057, "invalid_grant", "The user account is disabled.")


def refresh_token(tokens: Tokens, claims: Json) -> str:
    """Make a session's token: signed like an access token, for this service alone, so that nothing is to be stored."""
    kept = {"oid": claims["oid"], "x_revocations": claims["x_revocations"], "typ": "refresh"}
    return tokens.issue(kept, "login", timedelta(days=90))


def _refreshed(call: Call, form: dict[str, str]) -> Json:
    directory = call.world.directory
    try:
        kept = call.tokens.verify(form.get("refresh_token", ""), "login")
    except Invalid as error:
        raise Refused(
            9002313, "invalid_grant", "Invalid request. The refresh token is malformed or invalid."
        ) from error
    entry = directory.find(str(kept["oid"]))
    if entry is None:
        raise Refused(50034, "invalid_grant", "The user account does not exist in the directory.")
    _enabled(entry)
    if kept["x_revocations"] < directory.private.get(entry["id"], {}).get("revocations", 0):
        text = (
            "The provided grant has expired due to it being revoked, a fresh auth token is needed. "
            "The user might have changed or reset their password. The grant was issued on an earlier date."
        )
        raise Refused(50173, "invalid_grant", text)
    return entry


def _log(call: Call, form: dict[str, str], number: int = 0, why: str = "") -> None:
    """Add an interactive sign-in to the log; of somebody unknown, or by a kept session, there is none."""
    directory = call.world.directory
    entry = directory.find(form.get("username", ""))
    if form.get("grant_type") != "password" or entry is None:
        return
    address = call.headers.get("X-Forwarded-For", "").partition(",")[0].strip() or "127.0.0.1"
    client = form.get("client_id") or CLI
    directory.sign_ins.append(
        {
            "id": call.world.new_id("sign-in"),
            "createdDateTime": iso(call.clock.now()),
            "userDisplayName": entry["displayName"],
            "userPrincipalName": entry["userPrincipalName"],
            "userId": entry["id"],
            "appId": client,
            "appDisplayName": (directory.find(client) or {}).get("displayName", "Microsoft Azure CLI"),
            "ipAddress": address,
            "clientAppUsed": "Mobile Apps and Desktop clients",
            "correlationId": call.correlation or call.request,
            "conditionalAccessStatus": "notApplied",
            "isInteractive": True,
            "resourceDisplayName": form.get("scope") or form.get("resource", ""),
            "status": {"errorCode": number, "failureReason": why or "Other.", "additionalDetails": None},
        }
    )


def _configuration(call: Call, version: str) -> Json:
    name = call.params["tenant"].lower()
    tenant = call.world.tenant if name in {"common", "organizations"} else name
    base = f"{call.endpoints.login}/{tenant}"
    issuer = f"{call.endpoints.login}/{tenant}/v2.0" if version else f"https://sts.windows.net/{tenant}/"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/oauth2{version}/authorize",
        "token_endpoint": f"{base}/oauth2{version}/token",
        "jwks_uri": f"{base}/discovery{version}/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "response_types_supported": ["code", "id_token", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "sandbox",
    }


def _refusal(call: Call, refusal: Refused) -> Json:
    at = call.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
    trace = f"Trace ID: {call.request} Correlation ID: {call.correlation or call.request} Timestamp: {at}"
    return {
        "error": refusal.error,
        "error_description": f"AADSTS{refusal.number}: {refusal.text} {trace}",
        "error_codes": [refusal.number],
        "timestamp": at,
        "trace_id": call.request,
        "correlation_id": call.correlation or call.request,
        "error_uri": f"{call.endpoints.login}/error?code={refusal.number}",
    }
