"""Whether alerts and people reach the responder."""

from datetime import UTC, datetime, timedelta

from playbooks.doctor.check import NAME_IT, Deployment, Result, broken, can_t_tell, ok
from playbooks.doctor.probe import probe
from playbooks.heartbeat import last_heard
from responders.errors import Temporary
from responders.evidence import Evidence
from responders.ids import ResourceId
from responders.model import Json
from responders.utc import utc

_VERSION, _WORKFLOWS = "2025-02-15", "2019-05-01"
_SILENCE = timedelta(days=2)
_FUNCTION = "/functions/on_event"
_SIGN_IN = {301, 302, 303, 307, 401, 403}


async def url(deployment: Deployment) -> list[Result]:
    """The responder's address."""
    address = deployment.settings.url.rstrip("/")
    if not address:
        fix = "Deploy infra/main.bicep again, which writes COUNTERSIGN_URL: docs/deploy.md, step 2."
        return [broken(url, "COUNTERSIGN_URL", "It is not set: mails hold no links.", fix)]
    try:
        status = (await probe(f"{address}/api/incidents")).status
    except Temporary as error:
        return [
            broken(
                url,
                address,
                str(error),
                "See that COUNTERSIGN_URL is right, and the Function App runs: az functionapp list --output table",
            )
        ]
    if status in _SIGN_IN:
        return [ok(url, address, "It answers, and asks for a sign-in.")]
    if status == 200:  # noqa: PLR2004
        fix = "Turn on App Service authentication: deploy infra/main.bicep again."
        return [broken(url, address, "It shows its incidents to whoever asks, without a sign-in.", fix)]
    why = f"It answers {status} to a request without a sign-in; 401 or a way to the sign-in was expected."
    fix = "Look at the Function App: is its code deployed (azd deploy), and sign-in on (WEBSITE_AUTH_ENABLED)?"
    return [broken(url, address, why, fix)]


async def event_grid(deployment: Deployment) -> list[Result]:
    """The Event Grid topic, if there is one, and its way to the responder."""
    if not deployment.group:
        return [can_t_tell(event_grid, "The deployment's resource group is not known.", NAME_IT)]
    found = [await _topic(deployment, one) for one in await _topics(deployment)]
    return found or [ok(event_grid, "Event Grid topic", "There is none: alerts come by the Logic App alone.")]


async def _topic(deployment: Deployment, topic: Json) -> Result:
    where = f"topic {topic['name']}"
    state = topic["properties"].get("provisioningState", "Succeeded")
    if state != "Succeeded":
        return broken(event_grid, where, f"It is {state}.", "Deploy infra/main.bicep again.")
    every = await _subscriptions(deployment, topic)
    ours = [s for s in every if _target(s).lower().endswith(_FUNCTION)]
    again = (
        f"az deployment group create --resource-group {ResourceId.parse(deployment.group).group} "
        f"--template-file infra/eventgrid.bicep --parameters topicName={topic['name']} "
        'appName="$COUNTERSIGN_APP" storageName="$COUNTERSIGN_STORAGE"  # needs the code: docs/deploy.md, steps 4 and 5'
    )
    if not ours:
        return broken(event_grid, where, "No subscription of it leads to the function on_event.", again)
    for one in ours:
        state = one["properties"].get("provisioningState", "Succeeded")
        if state != "Succeeded":
            return broken(event_grid, where, f"Its subscription {one['name']} is {state}.", again)
        if not all(_dead_letters(one)):
            return broken(event_grid, where, f"Its subscription {one['name']} keeps no dead letters.", again)
    return ok(event_grid, where, "It delivers to on_event, and keeps dead letters.")


async def logic_app(deployment: Deployment) -> list[Result]:
    """The last run of the Logic App."""
    if not deployment.group:
        return [can_t_tell(logic_app, "The deployment's resource group is not known.", NAME_IT)]
    kind = "providers/Microsoft.Logic/workflows"
    return [await _last_run(deployment, one) async for one in deployment.beneath(deployment.group, kind, _WORKFLOWS)]


async def _last_run(deployment: Deployment, app: Json) -> Result:
    where = f"last run of {app['name']}"
    runs = deployment.its.azure.arm_pages(f"{app['id']}/runs", _WORKFLOWS, {"$top": "1"})
    last = await anext(aiter(runs), None)  # Azure has the newest first
    if last is None:
        return ok(logic_app, where, "It has not run yet: no alert came. python -m playbooks smoke has some made.")
    run, at = last["properties"], last["properties"].get("startTime", "")
    if run["status"] in {"Failed", "TimedOut", "Aborted"}:
        said = (run.get("error") or {}).get("message") or run.get("code") or "it does not say why"
        fix = (
            "Read what its first action was answered: the portal, Runs history. 401: sign-in, 403: the role Sender, "
            "5xx: the app. What it left with Event Grid comes by itself; else hand it over: python -m playbooks run"
        )
        return broken(logic_app, where, f"It {run['status'].lower()} at {at}: {said}", fix)
    return ok(logic_app, where, f"It {run['status'].lower()} at {at}.")


async def heartbeat(deployment: Deployment) -> list[Result]:
    """Whether the last sample alerts of the heartbeat arrived."""
    if not deployment.settings.heartbeat:
        return [ok(heartbeat, "COUNTERSIGN_HEARTBEAT", "It is not set: whether alerts arrive is not tried daily.")]
    last = await last_heard(deployment.its.evidence)
    if last is None:
        return [ok(heartbeat, "heartbeat", "None has been heard out yet.")]
    if last.missed:
        fix = "python -m playbooks smoke  # follows sample alerts, and says which hop is broken"
        return [broken(heartbeat, "heartbeat", " ".join(last.missed), fix)]
    if datetime.now(UTC) - last.at > _SILENCE:
        why = f"The last was at {utc(last.at)}: the timer of the app does not run."
        return [broken(heartbeat, "heartbeat", why, "See hosting.app, and the app's log in Application Insights.")]
    return [ok(heartbeat, "heartbeat", f"It arrived, last at {utc(last.at)}.")]


async def dead_letters(deployment: Deployment) -> list[Result]:
    """Events that could not be delivered."""
    if not deployment.group:
        return [can_t_tell(dead_letters, "The deployment's resource group is not known.", NAME_IT)]
    places = {
        _dead_letters(one)
        for topic in await _topics(deployment)
        for one in await _subscriptions(deployment, topic)
        if all(_dead_letters(one))
    }
    return [await _letters(deployment, account, container) for account, container in sorted(places)]


async def _letters(deployment: Deployment, account: str, container: str) -> Result:
    azure = deployment.its.azure
    found = await azure.arm("GET", ResourceId.parse(account).text, "2025-06-01")
    place = f"{str(found['properties']['primaryEndpoints']['blob']).rstrip('/')}/{container}"
    letters = await Evidence.at(place, azure.credential).everything()
    if not letters:
        return ok(dead_letters, place, "There is none.")
    why = f"Not delivered: {len(letters)}, the last {letters[-1]}. Each has to be handed over, and then deleted:"
    last = f"--auth-mode login --blob-url {place}/{letters[-1]}"
    fix = (
        f"az storage blob download {last} --file letter.json\n"
        "python -m playbooks run letter.json\n"
        f"az storage blob delete {last}"
    )
    return broken(dead_letters, place, why, fix)


async def _topics(deployment: Deployment) -> list[Json]:
    kind = "providers/Microsoft.EventGrid/topics"
    return [one async for one in deployment.beneath(deployment.group, kind, _VERSION)]


async def _subscriptions(deployment: Deployment, topic: Json) -> list[Json]:
    return [one async for one in deployment.beneath(topic["id"], "eventSubscriptions", _VERSION)]


def _target(subscription: Json) -> str:
    destination = subscription["properties"].get("destination") or {}
    return str((destination.get("properties") or {}).get("resourceId", ""))


def _dead_letters(subscription: Json) -> tuple[str, str]:
    """Where its dead letters are kept: the account's id, and the container; ("", "") for nowhere."""
    properties = subscription["properties"]
    kept = (properties.get("deadLetterWithResourceIdentity") or {}).get("deadLetterDestination")
    place = (kept or properties.get("deadLetterDestination") or {}).get("properties") or {}
    return str(place.get("resourceId", "")), str(place.get("blobContainerName", ""))
