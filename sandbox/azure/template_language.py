"""The language of templates: "[concat(parameters('a'), '-x')]" and the like, evaluated.

Functions of values are here; those that ask for resources come with the deployment (deployments.py). A function that is
neither is a 501 that names it.
"""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from sandbox.azure.errors import ApiError, bad_request

Json = dict[str, Any]
Function = Callable[..., Any]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[(),.\[\]]))")
_GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")  # what guid() makes its UUIDs in
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


class _Call(NamedTuple):
    name: str
    arguments: list[Any]


class _Inside(NamedTuple):
    whole: Any
    key: Any


def invalid(message: str) -> ApiError:
    """400: the template is none that can be deployed."""
    return bad_request("InvalidTemplate", f"Deployment template validation failed: '{message}'.")


def evaluate(value: Any, functions: Mapping[str, Function]) -> Any:
    """A value of a template with every expression and loop in it evaluated. `functions`: those of the deployment."""
    if isinstance(value, dict):
        loops = value.get("copy")
        if isinstance(loops, list) and all(isinstance(loop, dict) and "input" in loop for loop in loops):
            rest = evaluate({key: inner for key, inner in value.items() if key != "copy"}, functions)
            return rest | {
                loop["name"]: [evaluate(loop["input"], f) for f in rounds(loop, functions)] for loop in loops
            }
        return {key: evaluate(inner, functions) for key, inner in value.items()}
    if isinstance(value, list):
        return [evaluate(inner, functions) for inner in value]
    if not isinstance(value, str) or not value.startswith("[") or not value.endswith("]"):
        return value
    if value.startswith("[["):
        return value[1:]
    return _Evaluation(value, functions).of(_Reader(value).expression())


def check(value: Any, functions: Mapping[str, Function]) -> None:
    """Raise ApiError for what can't be evaluated, whatever is given: 400 when it can't be read, 501 when not known."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            check(inner, functions)
    elif isinstance(value, str) and value.startswith("[") and value.endswith("]") and not value.startswith("[["):
        _check(_Reader(value).expression(), functions)


def _check(node: Any, functions: Mapping[str, Function]) -> None:
    if isinstance(node, _Inside):
        _check(node.whole, functions)
        _check(node.key, functions)
    elif isinstance(node, _Call):
        if node.name.lower() not in {"if", "copyindex", *functions, *_PURE}:
            raise ApiError(501, "NotImplemented", f"The sandbox does not know the template function '{node.name}'.")
        for argument in node.arguments:
            _check(argument, functions)


def rounds(loop: Json, functions: Mapping[str, Function]) -> Iterator[Mapping[str, Function]]:
    """What is known in each round of a loop: {"name", "count"}."""
    name, outer = str(loop.get("name", "")).lower(), functions.get("copyindex")
    for number in range(int(evaluate(loop.get("count", 0), functions))):
        yield {**functions, "copyindex": partial(_index, name, number, outer)}


def _index(name: str, number: int, outer: Function | None, which: Any = 0, offset: int = 0) -> Any:
    """The number of the round, counted from an offset; of the loop around, where that is named."""
    if not isinstance(which, str):
        return number + int(which)
    if which.lower() == name:
        return number + offset
    if outer is None:
        raise invalid(f"The copy loop '{which}' is not defined")
    return outer(which, offset)


class _Reader:
    """Reads one expression."""

    def __init__(self, text: str) -> None:
        self._text, self._words = text, list(self._taken(text[1:-1]))

    def _taken(self, inner: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(inner.rstrip()):
            found = _TOKEN.match(inner, at)
            if not found:
                raise self._wrong()
            yield str(found.lastgroup), found[found.lastgroup or 0]
            at = found.end()

    def _wrong(self) -> ApiError:
        return invalid(f"The language expression '{self._text}' can't be read")

    def expression(self) -> Any:
        """The whole of it."""
        found = self._one()
        if self._words:
            raise self._wrong()
        return found

    def _next(self) -> tuple[str, str]:
        if not self._words:
            raise self._wrong()
        return self._words.pop(0)

    def _have(self, sign: str) -> bool:
        if self._words[:1] != [("sign", sign)]:
            return False
        self._words.pop(0)
        return True

    def _one(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind != "name" or not self._have("("):
            raise self._wrong()
        arguments: list[Any] = []
        while not self._have(")"):
            if arguments and not self._have(","):
                raise self._wrong()
            arguments.append(self._one())
        found: Any = _Call(text, arguments)
        while self._words[:1] in ([("sign", ".")], [("sign", "[")]):
            if self._have("."):
                found = _Inside(found, self._next()[1])
            else:
                self._next()
                found = _Inside(found, self._one())
                if not self._have("]"):
                    raise self._wrong()
        return found


class _Evaluation(NamedTuple):
    text: str
    functions: Mapping[str, Function]

    def of(self, node: Any) -> Any:
        if isinstance(node, _Inside):
            return self._inside(self.of(node.whole), self.of(node.key))
        if not isinstance(node, _Call):
            return node
        name = node.name.lower()
        if name == "if" and len(node.arguments) == 3:  # noqa: PLR2004  what isn't chosen is not evaluated
            return self.of(node.arguments[1 if self.of(node.arguments[0]) else 2])
        function = self.functions.get(name) or _PURE.get(name)
        if function is None:
            raise invalid(f"The template function '{node.name}' is not expected at this location")
        try:
            return function(*map(self.of, node.arguments))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise invalid(f"Unable to evaluate '{node.name}' in '{self.text}': {error}") from error

    def _inside(self, whole: Any, key: Any) -> Any:
        if isinstance(whole, dict):
            found = next((v for k, v in whole.items() if k.lower() == str(key).lower()), whole)
            if found is not whole:
                return found
        elif isinstance(whole, list) and isinstance(key, int) and key < len(whole):
            return whole[key]
        raise invalid(f"The language expression property '{key}' doesn't exist in '{self.text}'")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _concat(*parts: Any) -> Any:
    return [item for part in parts for item in part] if isinstance(parts[0], list) else "".join(map(_text, parts))


def _format(pattern: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)(?::[^}]*)?\}", lambda match: _text(values[int(match[1])]), pattern)


def _union(*parts: Any) -> Any:
    if isinstance(parts[0], list):
        return list({json.dumps(item, sort_keys=True): item for part in parts for item in part}.values())
    return {key: value for part in parts for key, value in part.items()}


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, dict):
        return str(part).lower() in {key.lower() for key in whole}
    return part in whole


def _unique(*seeds: str) -> str:
    """13 letters that are the same for the same seeds. Azure's own are others: how it makes them is not told."""
    raw = hashlib.sha256("-".join(seeds).encode()).digest()
    return "".join(_LETTERS[byte % 32] for byte in raw[:13])


def _int(value: Any) -> int:
    return int(value)


_PURE: dict[str, Function] = {
    "add": lambda a, b: a + b,
    "and": lambda *parts: all(parts),
    "array": lambda value: value if isinstance(value, list) else [value],
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64tostring": lambda value: base64.b64decode(value).decode(),
    "bool": lambda value: value if isinstance(value, bool) else str(value).lower() in {"true", "1"},
    "coalesce": lambda *parts: next((part for part in parts if part is not None), None),
    "concat": _concat,
    "contains": _contains,
    "createarray": lambda *parts: list(parts),
    "createobject": lambda *parts: dict(zip(parts[::2], parts[1::2], strict=True)),
    "div": lambda a, b: a // b,
    "empty": lambda value: value in (None, "", [], {}),
    "endswith": lambda whole, part: whole.lower().endswith(part.lower()),
    "equals": lambda a, b: a == b,
    "false": lambda: False,
    "first": lambda value: value[0] if value else None if isinstance(value, list) else "",
    "format": _format,
    "greater": lambda a, b: a > b,
    "greaterorequals": lambda a, b: a >= b,
    "guid": lambda *parts: str(uuid.uuid5(_GUIDS, "-".join(parts))),
    "indexof": lambda whole, part: whole.lower().find(part.lower()),
    "int": _int,
    "join": lambda parts, between: between.join(map(_text, parts)),
    "json": json.loads,
    "last": lambda value: value[-1] if value else None if isinstance(value, list) else "",
    "length": len,
    "less": lambda a, b: a < b,
    "lessorequals": lambda a, b: a <= b,
    "max": max,
    "min": min,
    "mod": lambda a, b: a % b,
    "mul": lambda a, b: a * b,
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *parts: any(parts),
    "padleft": lambda value, width, sign=" ": _text(value).rjust(width, sign),
    "range": lambda start, count: list(range(start, start + count)),
    "replace": lambda whole, old, new: whole.replace(old, new),
    "skip": lambda value, count: value[count:],
    "split": lambda whole, by: re.split("|".join(map(re.escape, [by] if isinstance(by, str) else by)), whole),
    "startswith": lambda whole, part: whole.lower().startswith(part.lower()),
    "string": _text,
    "sub": lambda a, b: a - b,
    "substring": lambda whole, start, length=None: whole[start : None if length is None else start + length],
    "take": lambda value, count: value[:count],
    "tolower": lambda value: value.lower(),
    "toupper": lambda value: value.upper(),
    "trim": lambda value: value.strip(),
    "true": lambda: True,
    "union": _union,
    "uniquestring": _unique,
}
