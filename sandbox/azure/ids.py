"""Resource Manager ids taken apart, as text: any spelling, any provider, any scope."""

import re
from typing import NamedTuple

GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_SUBSCRIPTION = "Microsoft.Resources/subscriptions"


class Id(NamedTuple):
    """The parts of an id or of a collection's path."""

    subscription: str  # as spelled; "" outside one
    group: str  # as spelled; "" outside one
    namespace: str  # "Microsoft.Automation"; "Microsoft.Resources" for subscriptions and groups; "" for the root
    type: str  # with the namespace: "Microsoft.Automation/automationAccounts/runbooks"
    names: tuple[str, ...]
    scope: str  # what the last provider hangs on: "" is the root
    collection: bool  # the path ends in a type, not in a name

    @property
    def name(self) -> str:
        return "/".join(self.names)


def parse(path: str) -> Id:
    """Take any path of Resource Manager apart; nothing is checked for existence."""
    parts = path.strip("/").split("/")
    lower = [p.lower() for p in parts]
    subscription = parts[1] if lower[0] == "subscriptions" and len(parts) > 1 else ""
    group = parts[3] if subscription and len(parts) > 3 and lower[2] == "resourcegroups" else ""  # noqa: PLR2004
    # The last "providers" that stands where a type may begin: a resource may itself be named "providers".
    at = next((i for i in range(len(parts) - 1, -1, -1) if lower[i] == "providers" and i % 2 == 0), -1)
    if at >= 0 and len(parts) > at + 1:
        tail = parts[at + 1 :]
        kind = "/".join([tail[0], *tail[1::2]])
        scope = "/" + "/".join(parts[:at]) if at else ""
        return Id(subscription, group, tail[0], kind, tuple(tail[2::2]), scope, len(tail) % 2 == 0)
    if group:
        return Id(subscription, group, "Microsoft.Resources", GROUP, (group,), f"/subscriptions/{subscription}", False)
    if subscription:
        collection = len(parts) == 3 and lower[2] == "resourcegroups"  # noqa: PLR2004
        kind = GROUP if collection else _SUBSCRIPTION
        return Id(subscription, "", "Microsoft.Resources", kind, (subscription,), "", collection)
    return Id("", "", "", "", (), "", collection=False)


def scopes(path: str) -> list[str]:
    """The path and every scope above it inside its own branch, nearest first, lower case; the root "" comes last."""
    key = path.lower().rstrip("/")
    found = []
    while key:
        found.append(key)
        key = key.rpartition("/")[0]
    return [*found, ""]


def within(child: str, scope: str) -> bool:
    """Whether the id `child` is `scope` or lies beneath it."""
    child, scope = child.lower(), scope.lower().rstrip("/")
    return child == scope or child.startswith(scope + "/")


def spelled(id_: str) -> str:
    """An id as Azure spells it, whatever its maker wrote: the Azure CLI writes resourcegroups."""
    return re.sub("/resourcegroups/", "/resourceGroups/", id_.rstrip("/"), flags=re.IGNORECASE)
