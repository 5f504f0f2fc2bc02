"""Azure resource ids, parsed once and compared the way Resource Manager does: without regard to case."""

import re
from typing import Self

import msgspec

from responders.errors import Permanent

# Roles that every tenant has by the same id.
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
# What some resource type allows in a name: never a slash, a quote, a query, a fragment, markup or a control character.
_SEGMENT = re.compile(r"[\w.()\-+@$:!~ ,=*]{1,260}")
MAX_LENGTH = 2048


def is_guid(text: str) -> bool:
    """Whether the whole of `text` is a GUID."""
    return bool(GUID.fullmatch(text))


class ResourceId(msgspec.Struct, frozen=True):
    """One Resource Manager id. `text` keeps the spelling; `key` is what to compare."""

    text: str
    subscription: str  # lower case; "" at tenant or management-group scope
    group: str  # as spelled; "" at subscription scope
    type: str  # "Microsoft.Automation/automationAccounts/runbooks"; "" for a subscription or a resource group
    names: tuple[str, ...]  # of the type's parts, outermost first

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take an id apart.

        Raises Permanent when it is not one; nothing in it is repaired or guessed.
        """
        parts = text.split("/")
        # A dot segment would be folded away by URL parsers, and so could turn one id into another.
        bad = not text.startswith("/") or len(text) > MAX_LENGTH or any(p in {".", ".."} for p in parts)
        if bad or not all(_SEGMENT.fullmatch(p) for p in parts[1:]):
            raise Permanent(f"Not a resource id: {text[:200]!r}. Expected /subscriptions/<guid>[/resourceGroups/…]…")
        parts = parts[1:]
        subscription = group = ""
        if parts[0].lower() == "subscriptions":
            if len(parts) < 2 or not is_guid(parts[1]):  # noqa: PLR2004
                raise Permanent(f"Not a resource id: {text[:200]!r} holds no subscription GUID.")
            subscription, parts = parts[1].lower(), parts[2:]
            if len(parts) >= 2 and parts[0].lower() == "resourcegroups":  # noqa: PLR2004
                group, parts = parts[1], parts[2:]
        kind = ""
        names: tuple[str, ...] = ()
        if parts:
            at = max((i for i, p in enumerate(parts) if p.lower() == "providers"), default=-1)
            tail = parts[at + 1 :]
            if at < 0 or len(tail) < 3 or len(tail) % 2 == 0:  # noqa: PLR2004
                raise Permanent(f"Not a resource id: {text[:200]!r} names no whole resource.")
            kind, names = "/".join([tail[0], *tail[1::2]]), tuple(tail[2::2])
        return cls(text, subscription, group, kind, names)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The same of what Azure or a log has, where names are anybody's to choose: None for what can't be read."""
        try:
            return cls.parse(text)
        except Permanent:
            return None

    @property
    def key(self) -> str:
        return self.text.lower()

    @property
    def name(self) -> str:
        return self.names[-1] if self.names else self.group or self.subscription

    @property
    def scope(self) -> str:
        """What an extension resource (role assignment, lock) sits on: all before its last /providers/."""
        return self.text[: self.key.rindex("/providers/")]

    def is_type(self, name: str) -> bool:
        return self.type.lower() == name.lower()


def called(text: str) -> str:
    """The name of a resource for people to read, also of one whose id can't be taken apart."""
    id_ = ResourceId.read(text)
    return id_.name if id_ else text.rstrip("/").rpartition("/")[2][:260]


def within(child: str, scope: str) -> bool:
    """Whether the id `child` is `scope` or lies beneath it."""
    child, scope = child.lower(), scope.lower().rstrip("/")
    return child == scope or child.startswith(scope + "/")
