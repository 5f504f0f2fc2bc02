"""Role assignment conditions (ABAC, version 2.0), as far as role assignments use them.

Reads the language of constrained delegation: ActionMatches, @Request and @Resource attributes, GUID and string comparisons
with or without the cross-product prefixes, Exists, NOT (!), AND (&&), OR (||) and brackets. An expression that can't be
read is refused when the assignment is made, and allows nothing.
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
        token = self.take()
        if token == "!" or token.upper() == "NOT":
            inner = self._one()
            return lambda a: not inner(a)
        if token == "(":
            inner = self.either()
            self.take(")")
            return inner
        if token in {"ActionMatches", "SubOperationMatches"}:
            pattern = self._values()[0]
            like = _COMPARISONS["StringLike"]
            return (lambda a: like(a.action.lower(), pattern.lower())) if token[0] == "A" else (lambda _: False)
        if token == "Exists":
            attribute = self.take()
            return lambda a: bool(_read(attribute, a))
        if token.startswith("@"):
            return self._comparison(token)
        raise Unreadable(f"Unexpected {token!r}.")

    def _comparison(self, attribute: str) -> Test:
        prefix, _, name = self.take().rpartition(":")
        test = _COMPARISONS.get(_NEGATED.get(name, name))
        cross = _CROSS.get(prefix or "ForAnyOfAnyValues")
        if test is None or cross is None:
            raise Unreadable(f"Unknown comparison {prefix}:{name}.")
        right = self._values()
        if name in _NEGATED:
            equals = test
            return lambda a: cross(_read(attribute, a), right, lambda x, y: not equals(x, y))
        return lambda a: cross(_read(attribute, a), right, test)

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


def _read(attribute: str, attributes: Attributes) -> list[str]:
    """The values of "@Request[Microsoft.Authorization/roleAssignments:PrincipalId]". Role ids are compared as GUIDs."""
    match = re.fullmatch(r"@(\w+)\[[^:\]]+:(\w+)\]", attribute)
    if not match or match[1] not in {"Request", "Resource"}:
        raise Unreadable(f"Unknown attribute {attribute}.")
    source = {k.lower(): v for k, v in (attributes.request if match[1] == "Request" else attributes.resource).items()}
    value = source.get(match[2].lower())
    return [] if value is None else [str(value).rpartition("/")[2]]
