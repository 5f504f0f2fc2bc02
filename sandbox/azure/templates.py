"""A resource group as a template: what Azure exports of it, with what can't be exported named as an error.

A part of the real thing: one resource an entry, with its location, tags, sku, kind, identity and properties, all
literal, in the order of their ids; parents stand before their children. Secrets are in no resource's body, so in no
template either.
"""

from typing import TYPE_CHECKING, Any

from sandbox.azure import ids, operations, providers
from sandbox.azure.errors import bad_request, group_not_found
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.world import Resource, World

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock

Json = dict[str, Any]

_ACTION = "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action"
_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_WHOLE = ("location", "tags", "kind", "sku", "zones", "plan", "managedBy")
_TAKEN = frozenset({"provisioningState", "uniqueId", "creationTime", "lastModifiedTime"})
MOST = 200

room = Room("")


@room.on("POST", "/subscriptions/{subscription}/resourceGroups/{group}/exportTemplate", _ACTION)
async def export(call: Call) -> Reply:
    """Export a group, or those of its resources that the body names: the template is the operation's result."""
    group = call.world.get(call.parent)
    if group is None:
        raise group_not_found(call.params["group"])
    wanted = call.body.get("resources")
    if not wanted or not isinstance(wanted, list):
        raise bad_request("ExportTemplateInvalidRequest", "The request names no resources: use '*' for all of them.")
    inside = call.world.beneath(group.id)
    named = [str(name) for name in wanted]
    # What is named comes with what is in it.
    names = [r.id for r in inside if not _extension(r) and ("*" in named or any(ids.within(r.id, n) for n in named))]
    if len(names) > MOST:
        message = f"The resource group '{group.name}' has more than {MOST} resources and cannot be exported."
        raise bad_request("ExportTemplateTooManyResources", message)
    at = f"/subscriptions/{call.params['subscription']}/operationresults"
    return operations.accept(call, "resources.export", {"ids": names}, at=at)


@operations.effect("resources.export")
def _exported(world: World, _: "Clock", args: Json) -> Json:
    found = sorted((r for name in args["ids"] if (r := world.get(name))), key=lambda r: r.key)
    good = [(r, version) for r in found if (version := next(iter(providers.versions(r.type)), ""))]
    failed = sorted({r.type for r in found} - {r.type for r, _ in good})
    template = {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {},
        "variables": {},
        "resources": [_entry(resource, version) for resource, version in good],
    }
    if not failed:
        return {"template": template}
    details = [
        {
            "code": "ExportTemplateProviderError",
            "target": kind,
            "message": f"Could not get resources of the type '{kind}'. Resources of this type will not be exported.",
        }
        for kind in failed
    ]
    message = "Export template operation completed with errors. Some resources were not exported."
    error = {"code": "ExportTemplateCompletedWithErrors", "message": message, "details": details}
    return {"template": template, "error": error}


def _extension(resource: Resource) -> bool:
    """Whether something hangs on a scope (an assignment, a lock) instead of being a resource by itself."""
    return resource.key.count("/providers/") > 1 or resource.type.lower().startswith("microsoft.authorization/")


def _entry(resource: Resource, version: str) -> Json:
    parts, body = ids.parse(resource.id), resource.body
    entry: Json = {"type": resource.type, "apiVersion": version, "name": parts.name}
    entry |= {k: body[k] for k in _WHOLE if k in body}
    if identity := body.get("identity"):
        entry["identity"] = {k: v for k, v in identity.items() if k not in {"principalId", "tenantId"}}
    entry["properties"] = {k: v for k, v in resource.properties.items() if k not in _TAKEN}
    if len(parts.names) > 1:
        parent = resource.type.rpartition("/")[0]
        entry["dependsOn"] = [f"[resourceId('{parent}', {', '.join(repr(n) for n in parts.names[:-1])})]"]
    return entry
