"""Defender: whether it looks, and whether its alerts set out for the responder."""

import json
from urllib.parse import urlsplit

from playbooks.doctor.check import Deployment, Result, broken, ok
from responders.azure import absent_is_fine
from responders.ids import ResourceId
from responders.model import Json

_SEVERITIES = ("high", "medium", "low")
_AGAIN = "Deploy infra/protect.bicep in the subscription again: docs/deploy.md, step 6."


async def plan(deployment: Deployment) -> list[Result]:
    """Defender's plan for Resource Manager in each subscription."""
    found = []
    for subscription in deployment.settings.subscriptions:
        scope = f"/subscriptions/{subscription}"
        path = f"{scope}/providers/Microsoft.Security/pricings/Arm"
        tier = (await deployment.its.azure.arm("GET", path, "2024-01-01"))["properties"]["pricingTier"]
        if tier == "Standard":
            found.append(ok(plan, f"plan Arm of {subscription}", "It is on."))
            continue
        create = "az security pricing create --name Arm --tier standard --subplan PerSubscription"
        fix = f"{create} --subscription {subscription}"
        found.append(broken(plan, f"plan Arm of {subscription}", f"Its tier is {tier}: no alert is raised.", fix))
    return found


async def automation(deployment: Deployment) -> list[Result]:
    """The workflow automation that brings alerts to the Logic App, in each subscription."""
    return [await _automation(deployment, subscription) for subscription in deployment.settings.subscriptions]


async def _automation(deployment: Deployment, subscription: str) -> Result:
    where = f"workflow automation of {subscription}"
    path = f"/subscriptions/{subscription}/providers/Microsoft.Security/automations"
    every = [one async for one in deployment.its.azure.arm_pages(path, "2019-01-01-preview")]
    of_alerts = [one for one in every if _takes_alerts(one, subscription)]
    if not of_alerts:
        why = "None sends alerts of Resource Manager to a Logic App."
        return broken(automation, where, why, _AGAIN)
    on = [one for one in of_alerts if one["properties"].get("isEnabled", True)]
    if not on:
        names = ", ".join(one["name"] for one in of_alerts)
        return broken(automation, where, f"{names} is disabled.", _enable(deployment, of_alerts[0]["id"]))
    troubles = []
    for one in on:
        for action in one["properties"]["actions"]:
            trouble = await _logic_app(deployment, str(action.get("logicAppResourceId", "")))
            if not trouble:
                return ok(automation, where, f"{one['name']} sends {_severities(one)} alerts to {_name(action)}.")
            troubles.append(trouble)
    why, fix = troubles[0]
    return broken(automation, where, why, fix)


def _enable(deployment: Deployment, id_: str) -> str:
    url = f"{deployment.settings.arm}{id_}?api-version=2023-12-01-preview"
    return f"az rest --method PATCH --url '{url}' --body '{{\"properties\": {{\"isEnabled\": true}}}}'"


def _takes_alerts(one: Json, subscription: str) -> bool:
    """Whether an automation is about alerts of Resource Manager in the subscription, and starts Logic Apps."""
    properties = one.get("properties", {})
    scopes = [str(scope.get("scopePath", "")).lower() for scope in properties.get("scopes", ())]
    apps = [a for a in properties.get("actions", ()) if str(a.get("actionType", "")).lower() == "logicapp"]
    alerts = [s for s in properties.get("sources", ()) if s.get("eventSource") == "Alerts"]
    sets = [rules for source in alerts for rules in source.get("ruleSets") or ()]
    ours = not sets or any(_ours(rules.get("rules", ())) for rules in sets)
    return bool(apps and alerts and ours and f"/subscriptions/{subscription}".lower() in scopes)


def _ours(rules: list[Json]) -> bool:
    """Whether a rule set lets alerts of Resource Manager through."""
    component = [r for r in rules if r.get("propertyJPath") == "ProductComponentName"]
    return all(str(r.get("expectedValue")).lower() == "resourcemanager" for r in component)


def _severities(one: Json) -> str:
    """Which severities it lets through: in words."""
    said = {
        str(rule.get("expectedValue")).lower()
        for source in one["properties"]["sources"]
        for rules in source.get("ruleSets") or ()
        for rule in rules.get("rules", ())
        if rule.get("propertyJPath") == "Severity"
    }
    return "all" if not said or said >= set(_SEVERITIES) else f"only {' and '.join(sorted(said))}"


async def _logic_app(deployment: Deployment, id_: str) -> tuple[str, str] | None:
    """What is wrong with a Logic App, and how to fix it; None when it is enabled and calls the responder."""
    app: Json | None = None
    with absent_is_fine():
        app = await deployment.its.azure.arm("GET", ResourceId.parse(id_).text, "2019-05-01")
    if app is None:
        return (
            f"Its Logic App {id_} is not there.",
            "Deploy infra/main.bicep, then infra/protect.bicep: docs/deploy.md.",
        )
    if app["properties"].get("state", "Enabled") != "Enabled":
        fix = f"az rest --method POST --url '{deployment.settings.arm}{id_}/enable?api-version=2019-05-01'"
        return f"Its Logic App {app['name']} is disabled.", fix
    if gone := await _gone_connections(deployment, app):
        why = f"The connection {gone} of its Logic App {app['name']} is gone: nothing starts it."
        return why, "Deploy infra/main.bicep again, which makes it, and then infra/protect.bicep: docs/deploy.md."
    host = urlsplit(deployment.settings.url).netloc
    said = json.dumps([app["properties"].get("definition"), app["properties"].get("parameters")])
    if not host or host not in said:
        why = f"Its Logic App {app['name']} does not call {deployment.settings.url or 'the responder'}."
        return why, "Deploy infra/main.bicep again, which writes both it and COUNTERSIGN_URL: docs/deploy.md, step 2."
    return None


async def _gone_connections(deployment: Deployment, app: Json) -> str:
    """Names of the connections that a Logic App uses and that are not there, by commas."""
    used = ((app["properties"].get("parameters") or {}).get("$connections") or {}).get("value") or {}
    gone = []
    for one in used.values():
        id_, found = ResourceId.parse(str(one.get("connectionId", ""))), False
        with absent_is_fine():
            found = bool(await deployment.its.azure.arm("GET", id_.text, "2016-06-01"))
        gone += [] if found else [id_.name]
    return ", ".join(gone)


def _name(action: Json) -> str:
    return str(action["logicAppResourceId"]).rpartition("/")[2]
