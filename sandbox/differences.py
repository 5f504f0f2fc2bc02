"""How two bodies of one thing differ."""

from collections.abc import Iterator
from typing import Any

import msgspec

Json = dict[str, Any]

_SHOWN = 5  # differences of one object that a sentence names


def as_either(now: Any, before: Any, innocent: Any) -> bool:
    """Whether something is as it was after the attack, but for parts that are as they were before it."""
    if now in (before, innocent):
        return True
    if not (isinstance(now, dict) and isinstance(before, dict) and isinstance(innocent, dict)):
        return False
    return all(as_either(now.get(name), before.get(name), innocent.get(name)) for name in {*now, *before})


def difference(old: Json | None, new: Json | None) -> str:
    """What of a body is another in the second, in a sentence."""
    if old is None or new is None:
        return "is new" if old is None else "is gone"
    found = list(_walk(old, new, ""))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _walk(old: object, new: object, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _walk(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif old != new:
        yield f"{path} was {_short(old)}, is {_short(new)}"


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) < 80 else text[:77] + "…"  # noqa: PLR2004
