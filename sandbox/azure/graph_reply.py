"""What all of Graph's handlers share: finding an object, and answering one or many."""

from collections.abc import Iterable
from typing import Any

from sandbox.azure import odata
from sandbox.azure.directory import COLLECTIONS, USER
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call, Reply

Json = dict[str, Any]

_USER_DEFAULT = (
    *("businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation"),
    *("preferredLanguage", "surname", "userPrincipalName", "id"),
)
FIXED = frozenset({"id", "@odata.type", "createdDateTime", "appId"})
DEFAULTS = {USER: _USER_DEFAULT}  # the types whose plain GET leaves properties out: accountEnabled of a user!


def missing(name: str) -> ApiError:
    """404, in Graph's words."""
    message = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return ApiError(404, "Request_ResourceNotFound", message)


def bad(message: str) -> ApiError:
    """400, in Graph's words."""
    return ApiError(400, "Request_BadRequest", message)


def fetch(call: Call, kind: str, name: str = "") -> Json:
    """The live object that the path's {id} means; a user also by UPN. Raises ApiError 404."""
    name = name or call.params["id"]
    directory = call.world.directory
    entry = directory.find(name) if kind == USER else directory.objects.get(name.lower())
    if entry is None or entry["@odata.type"] != kind:
        raise missing(name)
    return entry


def one(call: Call, entry: Json, status: int = 200, *, typed: bool = False) -> Reply:
    """Answer one object."""
    kind = entry["@odata.type"]
    context = f"{call.endpoints.graph}/v1.0/$metadata#{COLLECTIONS.get(kind, 'directoryObjects')}/$entity"
    body = odata.select(entry, call.query, DEFAULTS.get(kind, ()), typed=typed)
    return Reply(status, {"@odata.context": context, **body})


def many(call: Call, found: Iterable[Json], what: str, kind: str = "") -> Reply:
    """Answer a list. `what` names it in the context; without a `kind` it is a mixed one."""
    if cast := call.query.pop("cast", ""):
        found = [e for e in found if e["@odata.type"].lower() == f"#microsoft.graph.{cast}"]
        what = f"{what}/microsoft.graph.{cast}"
    context = {"@odata.context": f"{call.endpoints.graph}/v1.0/$metadata#{what}"}
    url = f"{call.endpoints.graph}/v1.0{call.path}"
    return Reply(200, context | odata.page(found, call.query, url, DEFAULTS.get(kind, ()), typed=not kind))


# Of properties that requests share.
_TYPES: dict[str, type] = {
    **dict.fromkeys(("description", "displayName", "mailNickname", "userPrincipalName"), str),
    **dict.fromkeys(("ids", "types"), list),
    **dict.fromkeys(("passwordCredential", "passwordProfile"), dict),
}


def payload(call: Call) -> Json:
    """The request's JSON object. Raises ApiError 400 for anything else."""
    body = call.body
    if not isinstance(body, dict) or not body:
        raise ApiError(400, "BadRequest", "Empty Payload. JSON content expected.")
    for name, kind in _TYPES.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise bad(f"A value of another type was found for the property '{name}'.")
    return body


def patch(entry: Json, body: Json, *, fixed: frozenset[str] = FIXED) -> Json:
    """The object with the changed properties. Raises ApiError 400 for one that it doesn't have or never changes."""
    for name in body:
        if name not in entry:
            raise bad(f"Invalid property '{name}'.")
        if name in fixed:
            raise bad(f"Property '{name}' is read-only and cannot be set.")
    return {**entry, **body}
