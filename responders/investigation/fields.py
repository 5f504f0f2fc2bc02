"""What a rule may look at: Sigma's names for it, what that is of an Activity, and what of AzureActivity."""

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from responders.investigation.activity import Activity

# What a field holds: nothing when it is missing, several where there is a list on the way to it.
Values = tuple[Any, ...]
Reader = Callable[[Activity], Values]

# An outcome's other word: the log's channels differ.
_SHORT = {"started": "start", "accepted": "accept", "succeeded": "success", "failed": "failure"}
_GROUP = re.compile("/resourcegroups/([^/]+)", re.IGNORECASE)
_CLAIMS = "http://schemas.microsoft.com/identity/claims/"


class Field(NamedTuple):
    """One field."""

    name: str  # as findings show it
    read: Reader
    column: str  # its expression over a row of AzureActivity, all in lower case; "" where KQL can't have it
    exact: bool = False  # whether its case means something; elsewhere it depends on the channel only


def text(value: Any) -> str:
    """A value as rules compare it: numbers and booleans as JSON has them, objects as their JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        return ""  # nested to defeat who reads it; its parts can still be looked at


def _attribute(name: str) -> Reader:
    get = attrgetter(name)

    def read(activity: Activity) -> Values:
        value = get(activity)
        return value if isinstance(value, tuple) else (value,) if value else ()

    return read


def _group(activity: Activity) -> Values:
    found = _GROUP.search(activity.resource)
    return (found[1],) if found else ()


def _everything(activity: Activity) -> Values:
    """All text of an activity, for keywords: one value, its parts on lines of their own."""
    a = activity
    parts = (a.operation, a.resource, a.caller, a.oid, a.tid, a.appid, a.address, a.role, a.status, a.category)
    bodies = (text(body) for body in (a.request, a.response) if body)
    return ("\n".join((*parts, a.outcome, a.correlation, *bodies)),)


def _claim(name: str) -> str:
    return f'tostring(claims["{name}"])'


KEYWORDS = Field("any field", _everything, "", exact=True)
# How a body's fields are read in KQL is the generator's business: only it knows the path.
_BODIES = {"request": "properties.requestbody", "response": "properties.responsebody"}
_EVIDENCE = "identity.authorization.evidence."
# Name, what of an Activity, what of AzureActivity; then other names: those of SigmaHQ's rules and of the channels.
_TABLE: tuple[tuple[str, Reader, str, tuple[str, ...]], ...] = (
    (
        "operationName",
        _attribute("operation"),
        "OperationNameValue",
        ("OperationNameValue", "operationName.value", "authorization.action", "properties.message"),
    ),
    (
        "resourceProvider",
        lambda a: (a.operation.partition("/")[0],),
        "ResourceProviderValue",
        ("ResourceProviderValue", "resourceProviderName.value"),
    ),
    (
        "status",
        lambda a: (a.outcome, _SHORT[a.outcome]),
        "",
        ("ActivityStatusValue", "ActivityStatus", "status.value", "resultType"),
    ),
    ("subStatus", _attribute("status"), "ActivitySubstatusValue", ("ActivitySubstatusValue", "subStatus.value")),
    ("category", _attribute("category"), "CategoryValue", ("CategoryValue", "category.value")),
    ("caller", _attribute("caller"), "Caller", ()),
    ("callerIpAddress", _attribute("address"), "CallerIpAddress", ("httpRequest.clientIpAddress",)),
    ("resourceId", _attribute("resource"), "_ResourceId", ("_ResourceId", "properties.entity", "authorization.scope")),
    ("resourceGroup", _group, "ResourceGroup", ("resourceGroupName",)),
    ("subscriptionId", _attribute("subscription"), "SubscriptionId", ()),
    ("correlationId", _attribute("correlation"), "CorrelationId", ()),
    ("oid", _attribute("oid"), _claim(_CLAIMS + "objectidentifier"), (_CLAIMS + "objectidentifier",)),
    ("tid", _attribute("tid"), _claim(_CLAIMS + "tenantid"), (_CLAIMS + "tenantid",)),
    ("homeTenant", _attribute("home"), 'tostring(split(Hierarchy, "/")[0])', ("tenantId",)),
    ("appid", _attribute("appid"), _claim("appid"), ()),
    ("appidacr", _attribute("appidacr"), _claim("appidacr"), ()),
    ("idtyp", _attribute("idtyp"), _claim("idtyp"), ()),
    ("amr", _attribute("amr"), "", ("http://schemas.microsoft.com/claims/authnmethodsreferences",)),
    ("wids", _attribute("wids"), "", ()),
    ("uti", _attribute("uti"), _claim("uti"), ()),
    ("ipaddr", _attribute("token_address"), _claim("ipaddr"), ("tokenAddress",)),
    ("role", _attribute("role"), "tostring(authorization.evidence.role)", (_EVIDENCE + "role",)),
    (
        "principalType",
        _attribute("principal_type"),
        "tostring(authorization.evidence.principaltype)",
        (_EVIDENCE + "principalType",),
    ),
)
_FIELDS = {
    alias.lower(): Field(name, read, column) for name, read, column, others in _TABLE for alias in (name, *others)
}
# What depends on nothing but the operation: the index of the rules is made from it.
BY_OPERATION = frozenset({"operationName", "resourceProvider"})


def field(name: str) -> Field:
    """The field of that name, in any case. Raises KeyError for one that an Activity doesn't have.

    `request.a.b` and `response.a.b` are what is under a, b of a body; each element of a list on the way counts.
    A list may be marked (`a[].b`): no matter here, but KQL needs to know.
    """
    if not name:
        return KEYWORDS
    lowered = name.lower()
    for body, property_ in _BODIES.items():
        for own in (body, property_):
            if lowered == own:
                return Field(body, _body(body, ()), body, exact=True)
            if lowered.startswith(own + "."):
                path = name[len(own) + 1 :]
                keys = tuple(key.removesuffix("[]") for key in path.lower().split("."))
                return Field(f"{body}.{path}", _body(body, keys), body, exact=True)
    for prefix in ("identity.claims.", "claims.", "claims_d."):
        lowered = lowered.removeprefix(prefix)
    return _FIELDS[lowered]


def _body(name: str, path: tuple[str, ...]) -> Reader:
    get = attrgetter(name)

    def read(activity: Activity) -> Values:
        body = get(activity)
        values = [body] if body else []
        for key in path:
            # Keys are compared without case: the log has Properties and properties.
            dicts = [one for one in _each(values) if isinstance(one, dict)]
            values = [value for one in dicts for k, value in one.items() if k.lower() == key]
        return tuple(value for value in _each(values) if value is not None)

    return read


def _each(values: list[Any]) -> list[Any]:
    return [element for value in values for element in (value if isinstance(value, list) else (value,))]
