"""Directory objects of any type, and the organization, in Microsoft Graph."""

from sandbox.azure.directory import USER
from sandbox.azure.graph_reply import bad, many, missing, one, payload
from sandbox.azure.router import Call, Reply, Room

room = Room("")


@room.on("GET", "/directoryObjects/{id}", "directory.read")
async def directory_object(call: Call) -> Reply:
    """Read an object of any type."""
    entry = call.world.directory.objects.get(call.params["id"].lower())
    if entry is None:
        raise missing(call.params["id"])
    return one(call, entry, typed=True)


@room.on("POST", "/directoryObjects/getByIds", "directory.read")
async def by_ids(call: Call) -> Reply:
    """Read up to 1000 objects at once; those that don't exist are left out."""
    body, directory = payload(call), call.world.directory
    asked = [str(i).lower() for i in body.get("ids", ())]
    if not asked or len(asked) > 1000:  # noqa: PLR2004
        raise bad("The ids collection must hold between 1 and 1000 ids.")
    kinds = {f"#microsoft.graph.{t}".lower() for t in body.get("types", ())}
    found = [o for i in dict.fromkeys(asked) if (o := directory.objects.get(i))]
    found = [o for o in found if not kinds or o["@odata.type"].lower() in kinds]
    return many(call, found, "directoryObjects")


@room.on("GET", "/organization", "organization.read")
async def organization(call: Call) -> Reply:
    """Read the tenant itself."""
    domains = {u["userPrincipalName"].partition("@")[2] for u in call.world.directory.of_type(USER)}
    verified = [
        {"name": d, "isDefault": i == 0, "isInitial": i == 0, "type": "Managed"} for i, d in enumerate(sorted(domains))
    ]
    name = verified[0]["name"] if verified else "sandbox"
    entry = {"id": call.world.tenant, "displayName": name, "verifiedDomains": verified, "tenantType": "AAD"}
    return many(call, [entry], "organization", "organization")
