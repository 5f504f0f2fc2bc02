"""Whether alerts and people reach the responder."""

from playbooks.doctor.check import Deployment, Result, broken, can_t_tell, ok
from playbooks.doctor.probe import probe
from responders.errors import Temporary
from responders.evidence import Evidence
from responders.ids import ResourceId
from responders.model import Json

_VERSION = "2025-02-15"
_FUNCTION = "/functions/on_event"
_SIGN_IN = {301, 302, 303, 307, 401, 403}
_NAME_IT = "Name the resource group of the deployment: --group /subscriptions/…/resourceGroups/…"


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
        return [can_t_tell(event_grid, "The deployment's resource group is not known.", _NAME_IT)]
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


async def dead_letters(deployment: Deployment) -> list[Result]:
    """Events that could not be delivered."""
    if not deployment.group:
        return [can_t_tell(dead_letters, "The deployment's resource group is not known.", _NAME_IT)]
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
