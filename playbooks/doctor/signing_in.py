"""The application that people and the Logic App sign in to, and who has which of its roles."""

from playbooks.doctor.check import NAME_IT, Deployment, Result, broken, can_t_tell, ok
from playbooks.doctor.hosting import WEB, principals, site
from responders import people
from responders.azure import absent_is_fine, segment
from responders.model import Json

_AGAIN = "Deploy infra/main.bicep again: docs/deploy.md, step 2."
_GRANT = "sh infra/consent.sh grant NAME  # with what main.bicep put out: docs/deploy.md, step 3"
_EVENTS = "/runtime/webhooks/eventgrid"
_FEWEST = 2  # whose approval an irreversible change needs
_PEOPLE = {"$select": "id,userPrincipalName,accountEnabled"}


async def sign_in(deployment: Deployment) -> list[Result]:
    """Sign-in before the app."""
    found = await _settings(deployment)
    if found is None:
        return [can_t_tell(sign_in, "No function app is to be seen.", NAME_IT)]
    where, validation = "App Service authentication", found.get("globalValidation") or {}
    if not (found.get("platform") or {}).get("enabled") or not validation.get("requireAuthentication"):
        return [broken(sign_in, where, "It is off, or lets everybody in: the app then answers nobody.", _AGAIN)]
    if _EVENTS not in (validation.get("excludedPaths") or ()):
        return [broken(sign_in, where, f"It stands before {_EVENTS}: Event Grid can't deliver.", _AGAIN)]
    return [ok(sign_in, where, "It is on, and lets Event Grid by.")]


async def application(deployment: Deployment) -> list[Result]:
    """Whether people can sign in to the application."""
    client, issuer = _registration(await _settings(deployment))
    if not client:
        return [can_t_tell(application, "No application is to be seen that the app signs people in to.", NAME_IT)]
    azure, where = deployment.its.azure, f"application {client}"
    one: Json | None = None
    with absent_is_fine():
        one = await azure.graph("GET", f"/applications(appId='{segment(client)}')", {"$select": "id,web"})
    if one is None:
        fix = "CLIENT=$(sh infra/consent.sh register NAME)  # then docs/deploy.md from step 2 on, with that client id"
        return [broken(application, where, "It is not there: nobody can sign in, and no alert is handed over.", fix)]
    back = f"{deployment.settings.url.rstrip('/')}/.auth/login/aad/callback"
    if back not in ((one.get("web") or {}).get("redirectUris") or ()):
        return [broken(application, where, f"It does not lead people back to {back}.", _GRANT)]
    app = await site(deployment)
    own = principals(app) if app else set()
    path = f"/applications/{segment(one['id'])}/federatedIdentityCredentials"
    trusted = [t async for t in azure.graph_pages(path)]
    if not any(str(t["subject"]).lower() in own and t["issuer"] == issuer for t in trusted):
        why = f"It trusts none of the app's identities with issuer {issuer}: the app can't sign anybody in."
        return [broken(application, where, why, _GRANT)]
    return [ok(application, where, "It trusts the app's identity, and leads people back to the app.")]


async def sender(deployment: Deployment) -> list[Result]:
    """Whether the Logic App may hand alerts over."""
    found = await _holders(deployment, "Sender")
    if found is None:
        return [can_t_tell(sender, "No application is to be seen that the Logic App signs in to.", NAME_IT)]
    held = {str(one["principalId"]).lower() for one in found}
    kind = "providers/Microsoft.Logic/workflows"
    apps = [one async for one in deployment.beneath(deployment.group, kind, "2019-05-01")]
    lacking = [one["name"] for one in apps if not principals(one) & held]
    if lacking:
        why = f"{', '.join(lacking)} lacks it: the app refuses its alerts with 403."
        return [broken(sender, "app role Sender", why, _GRANT)]
    return [ok(sender, "app role Sender", f"Held by {', '.join(one['name'] for one in apps) or 'nobody'}.")]


async def approvers(deployment: Deployment) -> list[Result]:
    """Those who may countersign: who hold the app role Approver."""
    found = await _holders(deployment, "Approver")
    if found is None:
        return [can_t_tell(approvers, "No application is to be seen that people sign in to.", NAME_IT)]
    azure = deployment.its.azure
    held: dict[str, str] = {}
    for one in found:
        if one["principalType"] == "Group":  # a role is for those who are in the group itself
            path = f"/groups/{segment(one['principalId'])}/members/microsoft.graph.user"
            users = [user async for user in azure.graph_pages(path, _PEOPLE)]
        else:
            users = []
            with absent_is_fine():
                users = [await azure.graph("GET", f"/users/{segment(one['principalId'])}", _PEOPLE)]
        held |= {user["id"].lower(): str(user["userPrincipalName"]) for user in users if user["accountEnabled"]}
    where = f"app role Approver ({', '.join(sorted(held.values())) or 'nobody'})"
    fix = "sh infra/consent.sh role NAME Approver USER  # two people at least, and more where one may be the suspect"
    if not held:
        return [broken(approvers, where, "Nobody holds it: nothing can ever be countersigned.", fix)]
    if len(held) < _FEWEST:
        return [broken(approvers, where, "One person: a step that takes two approvals can never run.", fix)]
    told = [(name, await people.named(azure, name)) for name in deployment.settings.approvers]
    lacking = [name for name, one in told if one and one.id not in held]
    if lacking:
        why = f"{', '.join(lacking)} of COUNTERSIGN_APPROVERS may not countersign what is told of."
        return [broken(approvers, where, why, fix)]
    return [ok(approvers, where, f"{len(held)} people may countersign.")]


async def _settings(deployment: Deployment) -> Json | None:
    """The settings of sign-in; None where there is no app."""
    app = await site(deployment)
    if app is None:
        return None
    path = f"{app['id']}/config/authsettingsV2"
    return dict((await deployment.its.azure.arm("GET", path, WEB))["properties"])


def _registration(settings: Json | None) -> tuple[str, str]:
    """The application's client id, and who issues tokens for it."""
    providers = (settings or {}).get("identityProviders") or {}
    registered = (providers.get("azureActiveDirectory") or {}).get("registration") or {}
    return str(registered.get("clientId") or ""), str(registered.get("openIdIssuer") or "")


async def _holders(deployment: Deployment, role: str) -> list[Json] | None:
    """The assignments of an app role of the application; None where that is not to be seen."""
    client, _ = _registration(await _settings(deployment))
    if not client:
        return None
    azure, own = deployment.its.azure, None
    with absent_is_fine():
        own = await azure.graph("GET", f"/servicePrincipals(appId='{segment(client)}')", {"$select": "id,appRoles"})
    if own is None:
        return []
    ids = {one["id"] for one in own["appRoles"] if one["value"] == role}
    path = f"/servicePrincipals/{segment(own['id'])}/appRoleAssignedTo"
    return [one async for one in azure.graph_pages(path) if one["appRoleId"] in ids]
