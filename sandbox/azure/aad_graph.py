"""Azure AD Graph 1.6, the API before Microsoft Graph: the one call of it that older tools still make.

Azure has retired it. Cloud Custodian's Azure provider asks it for the names behind role assignments all the same, and
can't list them without an answer.
"""

from typing import Any

from sandbox.azure.directory import GROUP, SERVICE_PRINCIPAL, USER
from sandbox.azure.router import Call, Reply

Json = dict[str, Any]

CALL = "/getobjectsbyobjectids"
_KINDS = {USER: "User", GROUP: "Group", SERVICE_PRINCIPAL: "ServicePrincipal"}


def asked(call: Call) -> bool:
    """Whether a call of the graph service is the old API's."""
    return call.method == "POST" and call.path.lower() == f"/{call.world.tenant}{CALL}"


async def answer(call: Call) -> Reply:
    """Name the objects behind ids; an unknown one is left out. Anybody who has signed in may ask."""
    found = (call.world.directory.find(str(oid)) for oid in call.body.get("objectIds") or ())
    return Reply(200, {"value": [_shown(entry) for entry in found if entry and entry["@odata.type"] in _KINDS]})


def _shown(entry: Json) -> Json:
    kind = _KINDS[entry["@odata.type"]]
    named: Json = {k: entry[k] for k in ("userPrincipalName", "servicePrincipalNames", "appId", "mail") if k in entry}
    head = {"odata.type": f"Microsoft.DirectoryServices.{kind}", "objectType": kind, "objectId": entry["id"]}
    return {**head, "displayName": entry.get("displayName"), **named}
