"""Managed identities of a resource: what it has, and what it had before changes that Resource Graph has on record."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from responders.model import Json

_SYSTEM = "SystemAssigned"
_USERS = "identity.userassignedidentities"


class Held(Struct, frozen=True):
    """The identities that a resource has."""

    system: bool = False
    users: dict[str, str] = {}  # user-assigned ones: id in lower case, and as it is spelled

    def without(self, other: "Held") -> "Held":
        users = {key: id_ for key, id_ in self.users.items() if key not in other.users}
        return Held(self.system and not other.system, users)

    def both(self, other: "Held") -> "Held":
        return self.without(self.without(other))

    def same(self, other: "Held") -> bool:
        return self.system == other.system and self.users.keys() == other.users.keys()

    def __bool__(self) -> bool:
        return self.system or bool(self.users)

    def __str__(self) -> str:
        own = ["its system-assigned identity"] if self.system else []
        return " and ".join([*own, *(f"the identity {key.rpartition('/')[2]}" for key in sorted(self.users))])


NOTHING = Held()


def held(body: Json) -> Held:
    """What a resource has now."""
    return _held(body.get("identity"))


def patch(now: Held, *, gone: Held = NOTHING, more: Held = NOTHING) -> Json:
    """The body of a PATCH that takes some away, or puts some back; of what it doesn't name it changes nothing."""
    left = now.without(gone)
    kinds = [
        kind for kind, has in ((_SYSTEM, left.system or more.system), ("UserAssigned", left.users or more.users)) if has
    ]
    changed: Json = {**dict.fromkeys(gone.users.values()), **{id_: {} for id_ in more.users.values()}}
    identity: Json = {"type": ", ".join(kinds) or "None"}
    return {"identity": {**identity, "userAssignedIdentities": changed} if changed else identity}


def touched(changes: Json) -> Json:
    """Of a record's changes, by path, those of identities."""
    return {path: said for path, said in changes.items() if path.lower().startswith("identity")}


def before(now: Held, changes: Json) -> Held:
    """What a resource had before the changes of one record."""
    for path, said in touched(changes).items():
        now = _undone(now, path.lower(), said.get("previousValue"))
    return now


def _undone(now: Held, name: str, previous: Any) -> Held:
    previous = None if previous in ("", "null") else previous
    if name == "identity":
        return _held(previous)
    if name == "identity.type":
        return replace(now, system=_system(previous))
    if name == _USERS:
        return replace(now, users=_held({"userAssignedIdentities": previous}).users)
    if name.startswith(f"{_USERS}."):
        id_ = name.removeprefix(f"{_USERS}.").removesuffix(".principalid").removesuffix(".clientid")
        users = {key: spelled for key, spelled in now.users.items() if key != id_}
        return replace(now, users=users if previous is None else {**users, id_: id_})
    return now


def _held(identity: Any) -> Held:
    identity = identity if isinstance(identity, dict) else {}
    users = identity.get("userAssignedIdentities") or {}
    return Held(_system(identity.get("type")), {str(id_).lower(): str(id_) for id_ in users})


def _system(kind: Any) -> bool:
    return _SYSTEM.lower() in str(kind or "").lower()
