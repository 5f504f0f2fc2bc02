"""Role assignment conditions (ABAC, version 2.0), as far as role assignments use them.

Reads the language of constrained delegation: ActionMatches, @Request and @Resource attributes, GUID and string
comparisons with or without the cross-product prefixes, Exists, NOT (!), AND (&&), OR (||) and brackets. An
expression that can't be read is refused when the assignment is made, and allows nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a condition may ask about."""

    action: str
    request: Json
    resource: Json


Test = Callable[[Attributes], bool]
Reader = Callable[[Attributes], list[str]]

_TOKEN = re.compile(
    r"\s*(?:(?P<op>\(|\)|\{|\}|,|!|&&|\|\|)|(?P<attribute>@\w+\[[^\]]+\])|(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<word>[\w:.\-]+(?:\*)?))"
)
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "GuidEquals": lambda a, b: a.lower() == b.lower(),
    "StringEquals": lambda a, b: a == b,
    "StringEqualsIgnoreCase": lambda a, b: a.lower() == b.lower(),
    "StringStartsWith": lambda a, b: a.startswith(b),
    "StringLike": lambda a, b: bool(re.fullmatch(re.escape(b).replace(r"\*", ".*").replace(r"\?", "."), a)),
}
_NEGATED = {
    "GuidNotEquals": "GuidEquals",
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotStartsWith": "StringStartsWith",
    "StringNotLike": "StringLike",
}
_CROSS: dict[str, Callable[[list[str], list[str], Callable[[str, str], bool]], bool]] = {
    "ForAnyOfAnyValues": lambda left, right, test: any(test(a, b) for a in left for b in right),
    "ForAllOfAnyValues": lambda left, right, test: all(any(test(a, b) for b in right) for a in left),
    "ForAnyOfAllValues": lambda left, right, test: any(all(test(a, b) for b in right) for a in left),
    "ForAllOfAllValues": lambda left, right, test: all(test(a, b) for a in left for b in right),
}


class Unreadable(ValueError):  # noqa: N818  what it is
    """The expression is not in the language."""


def holds(expression: str, attributes: Attributes) -> bool:
    """Whether a condition allows the call. An unreadable one does not."""
    try:
        return parse(expression)(attributes)
    except Unreadable:
        return False


@lru_cache(maxsize=256)
def parse(expression: str) -> Test:
    """Compile a condition. Raises Unreadable."""
    parser = _Parser(expression)
    test = parser.either()
    if parser.peek():
        raise Unreadable(f"Unexpected {parser.peek()!r}.")
    return test


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                raise Unreadable(f"Unexpected text at {at}: {text[at : at + 20]!r}.")
            self._tokens.append(match[0].strip())
            at = match.end()
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise Unreadable(f"Expected {expected or 'more'!r}, found {token!r}.")
        self._at += 1
        return token

    def either(self) -> Test:
        tests = [self._both()]
        while self.peek().upper() in {"OR", "||"}:
            self.take()
            tests.append(self._both())
        return lambda a: any(t(a) for t in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self.peek().upper() in {"AND", "&&"}:
            self.take()
            tests.append(self._one())
        return lambda a: all(t(a) for t in tests)

    def _one(self) -> Test:
        word = self.take()
        if word.upper() in {"!", "NOT"}:
            inner = self._one()
            return lambda a: not inner(a)
        if word == "(":
            inner = self.either()
            self.take(")")
            return inner
        if word == "ActionMatches":
            pattern, like = self._values()[0].lower(), _COMPARISONS["StringLike"]
            return lambda a: like(a.action.lower(), pattern)
        if word == "SubOperationMatches":  # blobs have these, nothing here has
            self._values()
            return lambda _: False
        if word == "Exists":
            read = _reader(self.take())
            return lambda a: bool(read(a))
        return self._comparison(_reader(word))

    def _comparison(self, read: Reader) -> Test:
        prefix, _, name = self.take().rpartition(":")
        test = _COMPARISONS.get(_NEGATED.get(name, name))
        cross = _CROSS.get(prefix or "ForAnyOfAnyValues")
        if test is None or cross is None:
            raise Unreadable(f"Unknown comparison {prefix}:{name}.")
        right = self._values()
        if name in _NEGATED:
            equals = test
            return lambda a: cross(read(a), right, lambda x, y: not equals(x, y))
        return lambda a: cross(read(a), right, test)

    def _values(self) -> list[str]:
        opened = self.take() if self.peek() == "{" else ""
        values = [_unquoted(self.take())]
        while opened and self.peek() == ",":
            self.take()
            values.append(_unquoted(self.take()))
        if opened:
            self.take("}")
        return values


def _unquoted(token: str) -> str:
    return token[1:-1].replace("\\'", "'") if token.startswith("'") else token


def _reader(attribute: str) -> Reader:
    """Compile "@Request[Microsoft.Authorization/roleAssignments:PrincipalId]". Role ids are compared as GUIDs."""
    match = re.fullmatch(r"@(Request|Resource)\[[^:\]]+:(\w+)\]", attribute)
    if not match:
        raise Unreadable(f"Unexpected {attribute!r}.")
    asked, name = match[1] == "Request", match[2].lower()

    def read(attributes: Attributes) -> list[str]:
        source = attributes.request if asked else attributes.resource
        value = next((v for k, v in source.items() if k.lower() == name), None)
        return [] if value is None else [str(value).rpartition("/")[2]]

    return read
