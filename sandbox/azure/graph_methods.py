"""How users sign in, in Microsoft Graph: authentication methods."""

from typing import Any

from sandbox.azure.directory import USER
from sandbox.azure.graph_reply import fetch, many, missing
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_METHOD = "28c10230-6103-485e-b985-444c60001490"  # the same for every user


@room.on("GET", "/users/{id}/authentication/methods", "methods.read")
async def methods(call: Call) -> Reply:
    """List how it can sign in."""
    entry = fetch(call, USER)
    password = {
        "@odata.type": "#microsoft.graph.passwordAuthenticationMethod",
        "id": _METHOD,
        "password": None,
    }
    password |= {"createdDateTime": entry["createdDateTime"]}
    return many(
        call,
        [password, *call.world.directory.methods.get(entry["id"], ())],
        f"users('{entry['id']}')/authentication/methods",
    )


@room.on("DELETE", "/users/{id}/authentication/{kind}/{method}", "methods.write")
async def delete_method(call: Call) -> Reply:
    """Remove a method, by its kind: fido2Methods, phoneMethods."""
    entry = fetch(call, USER)
    kept = call.world.directory.methods.get(entry["id"], [])
    kind = f"#microsoft.graph.{call.params['kind'].removesuffix('Methods')}authenticationmethod".lower()
    found = [m for m in kept if m["id"] == call.params["method"] and m["@odata.type"].lower() == kind]
    if not found:
        raise missing(call.params["method"])
    call.world.directory.methods[entry["id"]] = [m for m in kept if m is not found[0]]
    return Reply(204)
