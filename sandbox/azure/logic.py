"""Logic Apps: switched on and off, and called by a URL that is itself the credential."""

from typing import Any

from sandbox.azure import keys, providers, resources
from sandbox.azure.errors import bad_request
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource

Json = dict[str, Any]

TYPE = "Microsoft.Logic/workflows"
_PATH = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}/{{workflow}}"
_KEYS = {"primary": "Primary", "secondary": "Secondary"}

room = Room("Microsoft.Logic", providers.PROVIDERS["Microsoft.Logic"])


@room.on("PUT", _PATH, f"{TYPE}/write")
async def put_workflow(call: Call) -> Reply:
    """Make a workflow, or replace its definition. It is enabled unless it says otherwise."""
    answer = await resources.put(call)
    stored = resources.need(call)
    return Reply(answer.status, _changed(call, stored, str(stored.properties.get("state") or "Enabled")))


@room.on("POST", _PATH + "/disable", f"{TYPE}/disable/action")
async def disable(call: Call) -> Reply:
    """Let no trigger start it any more."""
    _changed(call, resources.need(call, call.parent), "Disabled")
    return Reply(200)


@room.on("POST", _PATH + "/enable", f"{TYPE}/enable/action")
async def enable(call: Call) -> Reply:
    """Let its triggers start it again."""
    _changed(call, resources.need(call, call.parent), "Enabled")
    return Reply(200)


@room.on("POST", _PATH + "/triggers/{trigger}/listCallbackUrl", f"{TYPE}/triggers/listCallbackUrl/action")
async def callback_url(call: Call) -> Reply:
    """Show the URL that starts a trigger: whoever has it needs no other sign-in."""
    found = resources.need(call, "/".join(call.path.split("/")[:9]))
    triggers = (found.properties.get("definition") or {}).get("triggers") or {}
    name = next((n for n in triggers if n.lower() == call.params["trigger"].lower()), None)
    if name is None:
        message = f"The workflow '{found.name}' trigger '{call.params['trigger']}' could not be found."
        raise bad_request("WorkflowTriggerNotFound", message)
    path, signature = f"{found.id}/triggers/{name}/paths/invoke", keys.key(call.world, found.id, "Primary")
    query = {"api-version": "2016-10-01", "sp": f"/triggers/{name}/run", "sv": "1.0", "sig": signature}
    return Reply(200, {"value": call.url(path, query), "method": "POST", "basePath": call.url(path), "queries": query})


@room.on("POST", _PATH + "/regenerateAccessKey", f"{TYPE}/regenerateAccessKey/action")
async def regenerate(call: Call) -> Reply:
    """Make the URLs of all triggers invalid, by another key."""
    found = resources.need(call, call.parent)
    name = _KEYS.get(str(call.body.get("keyType") or "").lower())
    if name is None:
        raise bad_request("InvalidKeyType", "The key type must be 'Primary' or 'Secondary'.")
    keys.renew(call, found.id, name)
    return Reply(200)


def _changed(call: Call, workflow: Resource, state: str) -> Json:
    body = {**workflow.body, "properties": {**workflow.properties, "state": state}}
    return resources.rendered(call.world.put(workflow.id, body, call.author, call.version))
