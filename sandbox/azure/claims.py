"""What the sandbox's tokens say about their holders: Entra's claims."""

from typing import Any

from sandbox.azure.directory import SERVICE_PRINCIPAL, Directory
from sandbox.azure.well_known import DIRECTORY_ROLES, GRAPH_APP_ID, made_up_id

Json = dict[str, Any]

CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # the Azure CLI: what people sign in with unless they name another client


def claims_of(directory: Directory, key: str, audience: str, *, ip: str = "127.0.0.1", client: str = CLI) -> Json:
    """Collect the claims of a principal's token, before it is signed.

    `key` is an object id, a UPN, or the appId of a service principal. `ip` becomes `ipaddr`: the activity log shows it.
    Raises LookupError for somebody whom nobody knows.
    """
    entry = directory.anyone(key)
    if entry is None:
        raise LookupError(f"No principal {key!r} in this world.")
    tenant, oid = str(entry.get("tenant") or directory.tenant), str(entry["id"])
    claims: Json = {"iss": f"https://sts.windows.net/{tenant}/", "tid": tenant, "oid": oid, "sub": oid, "ver": "1.0"}
    claims |= {"uti": made_up_id("uti", oid)[:22], "ipaddr": ip}
    claims["x_revocations"] = directory.private.get(oid, {}).get("revocations", 0)
    if entry["@odata.type"] == SERVICE_PRINCIPAL:
        claims |= {"appid": entry["appId"], "appidacr": "1", "idtyp": "app", "idp": claims["iss"]}
        if entry["servicePrincipalType"] == "ManagedIdentity":
            claims["xms_mirid"] = next((n for n in entry["alternativeNames"] if n.startswith("/")), f"/managed/{oid}")
    else:
        upn = entry["userPrincipalName"]
        claims |= {"appid": client, "appidacr": "0", "idtyp": "user", "upn": upn, "unique_name": upn}
        claims |= {"name": entry["displayName"], "amr": ["pwd"], "acct": int(entry["userType"] == "Guest")}
        claims["scp"] = "User.ReadWrite.All Directory.AccessAsUser.All" if audience == "graph" else "user_impersonation"
    claims |= _rights(directory, oid, audience)
    return {k: v for k, v in claims.items() if v not in ([], None)}


def _rights(directory: Directory, oid: str, audience: str) -> Json:
    roles = {"graph": GRAPH_APP_ID, "app": made_up_id("app", "Countersign")}.get(audience)
    return {
        "roles": sorted(directory.app_roles_of(oid, roles)) if roles else [],
        "wids": sorted(DIRECTORY_ROLES[r] for r in directory.roles_of(oid) if r in DIRECTORY_ROLES),
        "groups": sorted(directory.groups_of(oid)),
    }
