"""JSON from outside: bounded before it is used, and looked up without regard to case."""

from collections.abc import Iterator
from typing import Any

import msgspec

from responders.errors import Permanent
from responders.model import Json

MAX_BYTES = 1 << 20  # what Event Grid and Event Hubs carry at most
MAX_DEPTH = 64  # the deepest real alert has about ten levels
_NOTHING = ("", "none", "null")  # some client libraries print a null as a word
_UTF8_MARK = b"\xef\xbb\xbf"


class NotJson(Permanent):
    """A text that is no JSON."""


def load(payload: object) -> Any:
    """Decode a body: JSON as bytes or text, or what JSON was already decoded to.

    A text that begins as a resource id or a link does is returned as it is. Raises Permanent, NotJson if that is why.
    """
    raw = _bytes(payload).removeprefix(_UTF8_MARK).strip()
    if len(raw) > MAX_BYTES:
        raise Permanent(f"The body has {len(raw)} bytes and {MAX_BYTES} are read at most. Send one alert at a time.")
    try:
        if raw[:1] == b"/" or raw[:8].lower() == b"https://":
            return raw.decode()
        document = msgspec.json.decode(raw)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise NotJson(f"Not JSON: {error}. The body begins with {raw[:60]!r}. Send the alert as JSON.") from error
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _deeper(document, MAX_DEPTH):
        raise _too_deep()
    return document


def _bytes(payload: object) -> bytes:
    try:
        if isinstance(payload, str):
            return payload.encode()
        if isinstance(payload, bytes | bytearray | memoryview):
            return bytes(payload)
        return msgspec.json.encode(payload)
    except RecursionError as error:
        raise _too_deep() from error
    except (TypeError, ValueError, OverflowError) as error:
        raise NotJson(f"Not JSON: {error}. Send the alert as JSON.") from error


def _too_deep() -> Permanent:
    return Permanent(
        f"The body is nested deeper than {MAX_DEPTH} levels, which no alert is. Send the alert as it came."
    )


def _deeper(document: object, limit: int) -> bool:
    level: list[object] = [document]
    for _ in range(limit):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True


def children(node: object) -> Iterator[Json | list[Any]]:
    """The objects and lists directly within a JSON value."""
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return (value for value in values if isinstance(value, dict | list))


class Fields:
    """A JSON object whose keys are found in any case.

    Names are given in camelCase. Of keys that differ by case alone that spelling wins, then PascalCase, then the first.
    """

    __slots__ = ("_folded", "raw")

    def __init__(self, raw: Json) -> None:
        self.raw = raw
        self._folded: Json | None = None

    def get(self, name: str) -> Any:
        """The value of one key; None if it isn't there."""
        if name in self.raw:
            return self.raw[name]
        pascal = name[0].upper() + name[1:]
        if pascal in self.raw:
            return self.raw[pascal]
        if self._folded is None:
            self._folded = {}
            for key, value in self.raw.items():
                self._folded.setdefault(key.lower(), value)
        return self._folded.get(name.lower())

    def text(self, *names: str) -> str:
        """The first of these that says something, or "". Raises Permanent when one is there but isn't a text."""
        for name in names:
            value = self.get(name)
            if isinstance(value, str):
                if value.strip().lower() not in _NOTHING:
                    return value.strip()
            elif value is not None:
                raise Permanent(
                    f"{name} is {str(value)[:60]!r} where a text belongs. Send the alert as Defender made it."
                )
        return ""

    def word(self, *names: str) -> str:
        """Like `text`, but what isn't a text counts as absent: for what an alert can do without."""
        for name in names:
            value = self.get(name)
            if isinstance(value, str) and value.strip().lower() not in _NOTHING:
                return value.strip()
        return ""

    def value(self, *names: str) -> Any:
        """The first of these that is an object or a list, also when it comes as a text of JSON; else None.

        Such a text may have been cut off by the channel. Then it counts as absent: the alert is read again anyway.
        """
        for name in names:
            found = self.get(name)
            if isinstance(found, str) and found.lstrip()[:1] in ("{", "["):
                try:
                    found = load(found)
                except NotJson:
                    continue
            if found and isinstance(found, dict | list):
                return found
        return None

    def fields(self, *names: str) -> "Fields":
        """The first of these that is an object; empty if there is none."""
        found = self.value(*names)
        return Fields(found if isinstance(found, dict) else {})

    def items(self, *names: str) -> list[Any]:
        """The first of these that is a list; an object alone is a list of one."""
        found = self.value(*names)
        return found if isinstance(found, list) else [] if found is None else [found]
