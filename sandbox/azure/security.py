"""Microsoft.Security: alerts and their states, sample alerts, which Defender plans are on, and whom they tell."""

from typing import TYPE_CHECKING, Any

from sandbox.azure import alerts, operations, providers, resources
from sandbox.azure.alerts import raise_alert
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError, bad_request
from sandbox.azure.lists import page
from sandbox.azure.router import Call, Handler, Reply, Room
from sandbox.azure.world import Resource, World

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock

Json = dict[str, Any]

__all__ = ["raise_alert", "room"]

room = Room("Microsoft.Security", providers.PROVIDERS["Microsoft.Security"])

_ACTION = "Microsoft.Security/locations/alerts"
_LEVELS = ("/subscriptions/{subscription}", "/subscriptions/{subscription}/resourceGroups/{group}")
_REGION = "/providers/Microsoft.Security/locations/{location}/alerts"
_STATES = {"dismiss": "Dismissed", "resolve": "Resolved", "activate": "Active", "inProgress": "InProgress"}
_PAGE = 100


async def list_alerts(call: Call) -> Reply:
    """List a subscription's or group's alerts, of all regions or of one."""
    scope = call.path[: call.path.lower().index("/providers/microsoft.security")]
    region = call.params.get("location", "").lower()
    found = call.world.list(alerts.TYPE, scope)
    return page(call, [a.body for a in found if not region or f"/locations/{region}/" in a.key], _PAGE)


async def get_alert(call: Call) -> Reply:
    """Read one alert."""
    return Reply(200, _need(call, call.path).body)


def _mover(state: str) -> Handler:
    async def move(call: Call) -> Reply:
        alert = _need(call, call.parent)
        call.world.put(alert.id, {**alert.body, "properties": {**alert.properties, "status": state}})
        return Reply(204)

    return move


for _level in _LEVELS:
    room.on("GET", f"{_level}/providers/Microsoft.Security/alerts", "Microsoft.Security/alerts/read")(list_alerts)
    room.on("GET", f"{_level}{_REGION}", f"{_ACTION}/read")(list_alerts)
    room.on("GET", f"{_level}{_REGION}/{{alert}}", f"{_ACTION}/read")(get_alert)
    for _verb, _state in _STATES.items():
        room.on("POST", f"{_level}{_REGION}/{{alert}}/{_verb}", f"{_ACTION}/{_verb}/action")(_mover(_state))


def _need(call: Call, id_: str) -> Resource:
    found = call.world.get(id_)
    if found is None:
        raise ApiError(404, "AlertNotFound", f"The alert '{call.params['alert']}' was not found.")
    return found


# -- sample alerts -----------------------------------------------------------------------------------------------------

_BUNDLES = {
    "ResourceManager": (
        "ARM_AnomalousRBACRoleAssignment",
        "ARM_OperationFromSuspiciousIP",
        "ARM_PowerZure.MaintainPersistence",
    )
}
_KNOWN_BUNDLES = (
    *("AppServices", "DNS", "KeyVaults", "KubernetesService", "ResourceManager", "SqlServers"),
    *("StorageAccounts", "VirtualMachines", "CosmosDbs"),
)


@room.on("POST", f"{_LEVELS[0]}{_REGION}/default/simulate", f"{_ACTION}/simulate/action")
async def simulate(call: Call) -> Reply:
    """Make sample alerts, as Defender does on request. Of the other bundles the sandbox has none."""
    given = call.body.get("properties") or {}
    bundles = given.get("bundles") or []
    if given.get("kind") != "Bundles" or not bundles or not set(bundles) <= set(_KNOWN_BUNDLES):
        message = f"The bundles to simulate must be some of: {', '.join(_KNOWN_BUNDLES)}."
        raise bad_request("InvalidAlertSimulatorRequest", message)
    subscription, location = call.params["subscription"], call.params["location"]
    args = {"subscription": subscription, "location": location, "bundles": bundles}
    at = f"/subscriptions/{subscription}/providers/Microsoft.Security/locations/{location}/operationResults"
    return operations.accept(call, "security.simulate", args, at=at)


@operations.effect("security.simulate")
def _simulated(world: World, clock: "Clock", args: Json) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    for type_ in (t for bundle in args["bundles"] for t in _BUNDLES.get(bundle, ())):
        raise_alert(
            world,
            clock,
            alerts.SAMPLE + type_,
            args["subscription"],
            clock.now(),
            [
                {"name": "Sample user", "upnSuffix": "sample", "aadTenantId": nobody, "aadUserId": nobody}
                | {"type": "account"},
                {"address": "00.00.00.00", "type": "ip"},
            ],
            location=args["location"],
        )


# -- regions and suppression rules -------------------------------------------------------------------------------------


@room.on("GET", f"{_LEVELS[0]}/providers/Microsoft.Security/locations", "Microsoft.Security/locations/read")
async def list_regions(call: Call) -> Reply:
    """Tell in which region the subscription's alerts are kept: one."""
    where = {"name": alerts.LOCATION, "type": "Microsoft.Security/locations"}
    region = {"id": f"{call.path}/{alerts.LOCATION}", **where, "properties": {"homeRegionName": alerts.LOCATION}}
    return Reply(200, {"value": [region]})


_SUPPRESSION = f"{_LEVELS[0]}/providers/Microsoft.Security/alertsSuppressionRules/{{rule}}"


@room.on("DELETE", _SUPPRESSION, "Microsoft.Security/alertsSuppressionRules/delete")
async def delete_suppression(call: Call) -> Reply:
    """Delete a rule: 204, whether there was one or not."""
    await resources.delete(call)
    return Reply(204)


# -- plans -------------------------------------------------------------------------------------------------------------

_PLANS: dict[str, Json] = {
    "VirtualMachines": {},
    "SqlServers": {},
    "AppServices": {},
    "StorageAccounts": {},
    "SqlServerVirtualMachines": {},
    "KeyVaults": {},
    "Arm": {"pricingTier": "Standard", "subPlan": "PerSubscription", "resourcesCoverageStatus": "FullyCovered"},
    "OpenSourceRelationalDatabases": {},
    "CosmosDbs": {},
    "Containers": {},
    "CloudPosture": {},
    "Api": {},
    "AI": {},
}
_PRICINGS = "/{scope}/providers/Microsoft.Security/pricings"


@room.on("GET", _PRICINGS, "Microsoft.Security/pricings/read")
async def list_pricings(call: Call) -> Reply:
    """List the plans of a subscription."""
    return Reply(200, {"value": [_pricing(call, f"{call.path}/{name}") for name in _PLANS]})


@room.on("GET", f"{_PRICINGS}/{{plan}}", "Microsoft.Security/pricings/read")
async def get_pricing(call: Call) -> Reply:
    """Read one plan."""
    return Reply(200, _pricing(call, call.path))


@room.on("PUT", f"{_PRICINGS}/{{plan}}", "Microsoft.Security/pricings/write")
async def put_pricing(call: Call) -> Reply:
    """Switch a plan on or off."""
    given, before = call.body.get("properties") or {}, _pricing(call, call.path)
    if given.get("pricingTier") not in {"Free", "Standard"}:
        raise bad_request("InvalidPricingTier", "The pricing tier must be 'Free' or 'Standard'.")
    kept = {k: given[k] for k in ("pricingTier", "subPlan", "enforce", "extensions") if given.get(k) is not None}
    on = kept["pricingTier"] == "Standard"
    cover = {"resourcesCoverageStatus": "FullyCovered" if on else "NotCovered"}
    since = {"enablementTime": before["properties"].get("enablementTime") or stamp(call.clock.now())} if on else {}
    properties = {"freeTrialRemainingTime": "PT0S", "enforce": "False", **cover, **since, **kept}
    stored = call.world.put(before["id"], {"type": before["type"], "properties": properties}, version=call.version)
    return Reply(200, stored.body)


def _pricing(call: Call, id_: str) -> Json:
    stored = call.world.get(id_)
    if stored:
        return stored.body
    name = next((n for n in _PLANS if n.lower() == id_.rpartition("/")[2].lower()), None)
    if name is None:
        raise ApiError(404, "PricingNotFound", f"The plan '{id_.rpartition('/')[2]}' is not supported.")
    free = {"pricingTier": "Free", "freeTrialRemainingTime": "PT0S", "enforce": "False"}
    properties = {**free, "resourcesCoverageStatus": "NotCovered", **_PLANS[name]}
    head = {"id": f"{id_.rpartition('/')[0]}/{name}", "name": name, "type": "Microsoft.Security/pricings"}
    return {**head, "properties": properties}


# -- security contacts -------------------------------------------------------------------------------------------------

_CONTACTS = f"{_LEVELS[0]}/providers/Microsoft.Security/securityContacts"
_CONTACT = "Microsoft.Security/securityContacts"
_CONTACT_ROLES = {"AccountAdmin", "ServiceAdmin", "Owner", "Contributor"}


@room.on("GET", _CONTACTS, f"{_CONTACT}/read")
async def list_contacts(call: Call) -> Reply:
    """List whom Defender tells of alerts: one entry at most."""
    return page(
        call, [found.body for found in call.world.list(_CONTACT, call.parent.rpartition("/providers/")[0])], _PAGE
    )


@room.on("GET", f"{_CONTACTS}/{{contact}}", f"{_CONTACT}/read")
async def get_contact(call: Call) -> Reply:
    """Read it."""
    found = call.world.get(call.path)
    if found is None:
        raise ApiError(404, "ResourceNotFound", f"The security contact '{call.params['contact']}' was not found.")
    return Reply(200, found.body)


@room.on("PUT", f"{_CONTACTS}/{{contact}}", f"{_CONTACT}/write")
async def put_contact(call: Call) -> Reply:
    """Say whom to tell: addresses in one text, and the holders of roles."""
    if call.params["contact"].lower() != "default":
        raise bad_request("InvalidSecurityContactName", "The name of the security contact must be 'default'.")
    given = call.body.get("properties") or {}
    by_role = given.get("notificationsByRole") or {}
    if by_role.get("state", "On") not in {"On", "Off"} or not set(by_role.get("roles") or ()) <= _CONTACT_ROLES:
        raise bad_request("InvalidSecurityContact", "The property 'notificationsByRole' is not valid.")
    kept = ("emails", "phone", "isEnabled", "notificationsByRole", "notificationsSources", "alertNotifications")
    before = call.world.get(call.path)
    properties = {name: given[name] for name in kept if given.get(name) is not None}
    body = {"type": _CONTACT, "name": "default", "properties": properties}
    stored = call.world.put(before.id if before else call.path, body, version=call.version)
    return Reply(200 if before else 201, stored.body)
