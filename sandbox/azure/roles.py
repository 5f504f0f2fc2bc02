"""Azure's built-in roles: those that matter here, with their real ids and action lists, from Microsoft's reference."""

from pathlib import Path

import msgspec


class BuiltIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One built-in role."""

    id: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


BUILT_IN = msgspec.json.decode(Path(__file__).with_name("builtin_roles.json").read_bytes(), type=tuple[BuiltIn, ...])
BY_ID = {role.id: role for role in BUILT_IN}
BY_NAME = {role.name.lower(): role for role in BUILT_IN}
