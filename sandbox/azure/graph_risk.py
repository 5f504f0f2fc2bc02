"""Identity Protection and the sign-in log in Microsoft Graph: only where the tenant is licensed for them."""

from typing import Any

from sandbox.azure.directory import USER
from sandbox.azure.directory_new import new_risk
from sandbox.azure.errors import ApiError
from sandbox.azure.graph_audit import record, target
from sandbox.azure.graph_reply import many, missing, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_RISKY = "/identityProtection/riskyUsers"


@room.on("GET", _RISKY, "risk.read")
async def risky_users(call: Call) -> Reply:
    """List who is or was at risk."""
    _licensed(call)
    return many(call, call.world.directory.risky.values(), "identityProtection/riskyUsers", "riskyUser")


@room.on("GET", _RISKY + "/{user}", "risk.read")
async def risky_user(call: Call) -> Reply:
    """Read one. Never at risk: 404."""
    _licensed(call)
    found = call.world.directory.risky.get(call.params["user"].lower())
    if found is None:
        raise missing(call.params["user"])
    return Reply(200, found)


@room.on("POST", _RISKY + "/confirmCompromised", "risk.write")
async def confirm(call: Call) -> Reply:
    """Say that accounts are compromised: their risk is high from now on."""
    return _set(call, "ConfirmAccountCompromised", "high", "confirmedCompromised", "adminConfirmedUserCompromised")


@room.on("POST", _RISKY + "/dismiss", "risk.write")
async def dismiss(call: Call) -> Reply:
    """Say that accounts are at no risk."""
    return _set(call, "DismissUser", "none", "dismissed", "adminDismissedAllRiskForUser")


@room.on("GET", "/auditLogs/signIns", "audits.read")
async def sign_ins(call: Call) -> Reply:
    """List interactive sign-ins of people, the newest first."""
    if not call.world.directory.licenses:
        message = "Neither tenant is B2C or tenant doesn't have premium license"
        raise ApiError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", message)
    call.query.setdefault("$orderby", "createdDateTime desc")
    return many(call, call.world.directory.sign_ins, "auditLogs/signIns", "signIn")


def _set(call: Call, activity: str, level: str, state: str, detail: str) -> Reply:
    _licensed(call)
    directory, asked = call.world.directory, [str(i).lower() for i in payload(call).get("userIds", ())]
    if not asked:
        raise ApiError(400, "BadRequest", "The userIds are missing.")
    for oid in asked:
        if directory.objects.get(oid, {}).get("@odata.type") != USER:
            raise missing(oid)
    for oid in asked:
        user = directory.objects[oid]
        directory.risky[oid] = new_risk(user, level, call.clock.now(), state=state, detail=detail)
        record(call, activity, "Other", target(user), operation="Update", service="Identity Protection")
    return Reply(204)


def _licensed(call: Call) -> None:
    if "P2" not in call.world.directory.licenses:
        raise ApiError(403, "Forbidden", "Your tenant is not licensed for this feature.")
