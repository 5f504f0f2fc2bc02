"""How applications prove who they are: secrets, certificates and federated credentials in Microsoft Graph.

An application and its service principal hold a list of secrets each; either's signs in.
"""

from typing import Any

from sandbox.azure.directory import APPLICATION, SERVICE_PRINCIPAL
from sandbox.azure.directory_new import add_secret
from sandbox.azure.graph_audit import SECRETS, changed, record, target
from sandbox.azure.graph_reply import bad, fetch, many, missing, payload
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

room = Room("")

_SP, _APP = "/servicePrincipals/{id}", "/applications/{id}"


@room.on("POST", _APP + "/addPassword", "apps.write")
async def add_application_password(call: Call) -> Reply:
    """Make a client secret: its text is in this answer, and never again."""
    return _add_password(call, APPLICATION)


@room.on("POST", _SP + "/addPassword", "apps.write")
async def add_principal_password(call: Call) -> Reply:
    """Make a client secret on the service principal: the application's own list doesn't show it."""
    return _add_password(call, SERVICE_PRINCIPAL)


@room.on("POST", _APP + "/removePassword", "apps.write")
async def remove_application_password(call: Call) -> Reply:
    """Remove a client secret by its keyId."""
    return _remove_password(call, APPLICATION)


@room.on("POST", _SP + "/removePassword", "apps.write")
async def remove_principal_password(call: Call) -> Reply:
    """Remove a client secret by its keyId."""
    return _remove_password(call, SERVICE_PRINCIPAL)


@room.on("GET", _APP + "/federatedIdentityCredentials", "apps.read")
async def federated(call: Call) -> Reply:
    """List who may sign in as the application with a token of another issuer."""
    found = call.world.directory.federated.get(fetch(call, APPLICATION)["id"], [])
    return many(call, found, "federatedIdentityCredentials", "federatedIdentityCredential")


@room.on("POST", _APP + "/federatedIdentityCredentials", "apps.write")
async def add_federated(call: Call) -> Reply:
    """Trust another issuer."""
    body, directory, app = payload(call), call.world.directory, fetch(call, APPLICATION)
    for name in ("name", "issuer", "subject", "audiences"):
        if not body.get(name):
            raise bad(f"A value is required for property '{name}' of resource 'FederatedIdentityCredential'.")
    held = directory.federated.setdefault(app["id"], [])
    if any((c["issuer"], c["subject"]) == (body["issuer"], body["subject"]) or c["name"] == body["name"] for c in held):
        raise bad("FederatedIdentityCredential with the same name, or issuer and subject, exists already.")
    entry = {"description": None, **body, "id": directory.new_id("federated", app["id"])}
    before = list(held)
    held.append(entry)
    _log_trusts(call, app, before, held)
    return Reply(201, entry)


@room.on("DELETE", _APP + "/federatedIdentityCredentials/{credential}", "apps.write")
async def remove_federated(call: Call) -> Reply:
    """Trust it no more. Absent: 404."""
    app, name = fetch(call, APPLICATION), call.params["credential"]
    held = call.world.directory.federated.get(app["id"], [])
    found = [c for c in held if name in {c["id"], c["name"]}]
    if not found:
        raise missing(name)
    before = list(held)
    held.remove(found[0])
    _log_trusts(call, app, before, held)
    return Reply(204)


def _log_trusts(call: Call, app: Json, before: list[Json], after: list[Json]) -> None:
    """Record a change of federated credentials: an "Update application" that has all of them, before and after."""
    old, new = ([{k.title(): c[k] for k in ("name", "issuer", "subject")} for c in cs] for cs in (before, after))
    properties = (
        changed("FederatedIdentityCredentials", new, old),
        changed("Included Updated Properties", "FederatedIdentityCredentials"),
    )
    record(call, "Update application", "ApplicationManagement", target(app, *properties))


def _add_password(call: Call, kind: str) -> Reply:
    directory, entry = call.world.directory, fetch(call, kind)
    body = payload(call) if call.body else {}
    name = (body.get("passwordCredential") or {}).get("displayName")
    text = f"sandbox~{directory.new_id('secret text', entry['id'])}"
    credential = add_secret(directory, entry, text, call.clock.now(), name)
    log_keys(call, entry, fetch(call, kind))
    return Reply(200, {**credential, "secretText": text})


def _remove_password(call: Call, kind: str) -> Reply:
    directory, entry, key = call.world.directory, fetch(call, kind), str(payload(call).get("keyId", ""))
    kept = [c for c in entry["passwordCredentials"] if c["keyId"] != key]
    if len(kept) == len(entry["passwordCredentials"]):
        raise bad(f"No password credential found with keyId '{key}'.")
    directory.put({**entry, "passwordCredentials": kept})
    directory.private.get(entry["id"], {}).get("secrets", {}).pop(key, None)
    log_keys(call, entry, fetch(call, kind))
    return Reply(204)


def log_keys(call: Call, before: Json, after: Json) -> None:
    """Record a change of secrets or certificates: KeyDescription holds both lists, as the live log has it.

    Of an application an "Update application" that says nothing comes with it.
    """
    old, new = ([_described(c) for c in (*e["keyCredentials"], *e["passwordCredentials"])] for e in (before, after))
    properties = (changed("KeyDescription", new, old), changed("Included Updated Properties", "KeyDescription"))
    if after["@odata.type"] == APPLICATION:
        record(call, SECRETS, "ApplicationManagement", target(after, *properties))
        record(call, "Update application", "ApplicationManagement", target(after))
        return
    names = changed("TargetId.ServicePrincipalNames", ";".join(n for n in after["servicePrincipalNames"] if n))
    activity = f"{'Remove' if len(new) < len(old) else 'Add'} service principal credentials"
    record(call, activity, "ApplicationManagement", target(after, *properties, names), operation="Update")


def _described(credential: Json) -> str:
    kind = credential.get("type", "Password")
    name = credential.get("displayName") or ""
    return f"[KeyIdentifier={credential['keyId']},KeyType={kind},KeyUsage=Verify,DisplayName={name}]"
