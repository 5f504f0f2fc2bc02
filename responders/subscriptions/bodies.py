"""Parts of JSON bodies by their paths, as Resource Graph writes them; and what differs between two bodies, in words."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from responders.model import Json

Path = tuple[str | int, ...]
_PART = re.compile(r"""\.?([^.\[\]]+)|\[(\d+)\]|\[["']([^"']*)["']\]""")
_MOST, _SHORT = 6, 80
_TRUTH = {"true": True, "false": False}


class Unlike(ValueError):  # noqa: N818  not an error of ours: it says that two records don't fit together
    """A body is not what a record of its changes ends with."""


def path_of(text: str) -> Path:
    """The steps of a path such as properties.rules[0].name. Raises Unlike when it is none."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise Unlike(text[:_SHORT])
        steps.append(int(match[2]) if match[2] else match[1] or match[3])
        at = match.end()
    return tuple(steps)


def beneath(path: Path, above: Path) -> bool:
    """Whether a path is another or lies beneath it."""
    return path[: len(above)] == above


def part(body: Any, path: Path) -> Any:
    """What is at a path; None where nothing is."""
    for step in path:
        if isinstance(step, int):
            body = body[step] if isinstance(body, list) and step < len(body) else None
        else:
            body = body.get(step) if isinstance(body, dict) else None
    return body


def replaced(body: Any, path: Path, value: Any) -> Any:
    """A copy of a body with another value at a path; None takes it out. Raises Unlike where there is no such place."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        found = dict(body) if isinstance(body, dict) else {}
        inner = replaced(found.get(step), rest, value)
        if inner is None:
            found.pop(step, None)
        else:
            found[step] = inner
        return found
    items = list(body) if isinstance(body, list) else []
    if step > len(items):
        raise Unlike(str(path))
    inner = replaced(items[step] if step < len(items) else None, rest, value)
    items[step : step + 1] = [] if inner is None else [inner]
    return items


def before(body: Json, changes: dict[str, Any], watched: tuple[Path, ...]) -> Json:
    """A body as it was before the changes of one record of Resource Graph, as far as it is watched.

    Raises Unlike when the body does not have the new values, or the record is cut off.
    """
    steps = sorted(((path_of(text), said) for text, said in changes.items()), key=lambda pair: _order(pair[0]))
    # What was added goes from the end of its list, what was taken away comes back from the beginning.
    gone = [step for step in steps if step[1].get("newValue") in (None, "null")]
    for path, said in (*(step for step in reversed(steps) if step not in gone), *gone):
        if not any(beneath(path, above) for above in watched):
            continue
        now = part(body, path)
        if str(said.get("isTruncated")).lower() == "true" or not _same(now, said.get("newValue")):
            raise Unlike(str(path))
        body = replaced(body, path, _typed(said.get("previousValue"), now))
    return body


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (0, step) for step in path)


def _same(now: Any, said: Any) -> bool:
    return bool(now == said or _typed(said, now) == now)


def _typed(said: Any, like: Any) -> Any:
    """A value of the record, which has many as text, as the type that it has in bodies."""
    if not isinstance(said, str) or (isinstance(like, str) and said != "null"):
        return said
    if said == "null":
        return None
    if said.lower() in _TRUTH:
        return _TRUTH[said.lower()]
    if said[:1] in {"{", "["} or isinstance(like, int | float):
        try:
            return msgspec.json.decode(said)
        except msgspec.DecodeError:
            return said
    return said


def covers(now: Any, wanted: Any) -> bool:
    """Whether a body has all that another says; what Azure added to it by itself does not matter."""
    if isinstance(wanted, dict):
        return isinstance(now, dict) and all(
            covers(now.get(name), inner) for name, inner in wanted.items() if inner is not None
        )
    if isinstance(wanted, list):
        return isinstance(now, list) and len(now) == len(wanted) and all(map(covers, now, wanted))
    if isinstance(wanted, str) and isinstance(now, str):
        return now.lower() == wanted.lower()
    return bool(now == wanted)


def untouched(now: Any, was: Any, theirs: Any) -> bool:
    """Whether a body is what it was, and has nothing of what a suspect wrote besides; Azure may have added to it."""
    return covers(now, was) and (covers(was, theirs) or not covers(now, theirs))


def told(old: Any, new: Any, path: str = "") -> str:
    """What differs, for people: path was …, is …; at most six places."""
    found = list(_differences(old, new, path))
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(old, list) and isinstance(new, list):
        for n in range(max(len(old), len(new))):
            left, right = (side[n] if n < len(side) else None for side in (old, new))
            yield from _differences(left, right, f"{path}[{n}]")
    elif old != new:
        yield f"{path or 'it'} was {shown(old)}, is {shown(new)}"


def shown(value: Any) -> str:
    """A value in few characters."""
    if value is None:
        return "not set"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
