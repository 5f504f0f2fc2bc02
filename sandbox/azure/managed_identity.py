"""App Service's token endpoint for managed identities: what IDENTITY_ENDPOINT and IDENTITY_HEADER lead to."""

import time
from datetime import timedelta
from typing import Any

from sandbox.azure.claims import claims_of
from sandbox.azure.directory import SERVICE_PRINCIPAL, Directory
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Caller, Reply, Room

Json = dict[str, Any]

PATH, VERSION = "/msi/token", "2019-08-01"
LIFETIME = timedelta(hours=24)
# The same for all: it guards against forged requests, and is no password.
HEADER = "countersign-sandbox"

room = Room("")


@room.on("GET", PATH)
async def token(call: Call) -> Reply:
    """Give a managed identity's token, as App Service does for the code it runs.

    With client_id (or principal_id, mi_res_id) for a user-assigned one; there is no system-assigned one here.
    """
    if call.headers.get("X-IDENTITY-HEADER") != HEADER:
        raise _refused(403, "The X-IDENTITY-HEADER of the request is missing or wrong.")
    if call.version != VERSION:
        raise _refused(400, f"The api-version must be {VERSION}.")
    audience = call.tokens.audience(call.query.get("resource", ""))
    if audience is None:
        raise _refused(400, f"AADSTS500011: The resource principal named {call.query.get('resource')!r} was not found.")
    names = ("client_id", "principal_id", "object_id", "mi_res_id")
    wanted = next((call.query[n] for n in names if call.query.get(n)), "").lower()
    entry = next((i for i in _identities(call.world.directory) if wanted in _names(i)), None)
    if entry is None:
        raise _refused(
            400, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
        )
    if not entry["accountEnabled"]:
        raise _refused(400, f"AADSTS7000112: Application '{entry['appId']}' is disabled.")
    claims = claims_of(call.world.directory, entry["id"], audience)
    call.caller = Caller.of(claims, str(claims["ipaddr"]))
    issued = call.tokens.issue(claims, audience, LIFETIME)
    expires = str(int(time.time() + LIFETIME.total_seconds()))  # real time: see Tokens
    body = {"access_token": issued, "expires_on": expires, "resource": call.query["resource"]}
    return Reply(200, {**body, "token_type": "Bearer", "client_id": entry["appId"]})


def _refused(status: int, message: str) -> ApiError:
    return ApiError(status, "invalid_request", message)


def _identities(directory: Directory) -> list[Json]:
    return [p for p in directory.of_type(SERVICE_PRINCIPAL) if p["servicePrincipalType"] == "ManagedIdentity"]


def _names(identity: Json) -> set[str]:
    return {identity["appId"], identity["id"], *(n.lower() for n in identity["alternativeNames"])}
