"""The part of OData that Microsoft Graph's clients use here: $filter, $select, $orderby, $top and @odata.nextLink."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.azure.errors import ApiError

Json = dict[str, Any]
Test = Callable[[Json], bool]

PAGE, MOST = 100, 999
_OPTIONS = frozenset({"$filter", "$select", "$orderby", "$top", "$count", "$skiptoken"})
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[(),:])|(?P<word>[\w@.\-+:/]*[\w@.\-+]))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: a is not None and bool(a > b),
    "ge": lambda a, b: a is not None and bool(a >= b),
    "lt": lambda a, b: a is not None and bool(a < b),
    "le": lambda a, b: a is not None and bool(a <= b),
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {"startswith": str.startswith, "endswith": str.endswith}


def page(
    found: Iterable[Json], query: Mapping[str, str], url: str, default: tuple[str, ...] = (), *, typed: bool
) -> Json:
    """Answer a list: filtered, ordered, cut into pages, reduced to the selected properties.

    `url` is the list's own, without query: what @odata.nextLink continues. Raises ApiError 400 for what Graph refuses,
    and 501 for what the sandbox doesn't have.
    """
    for name in query:
        if name.startswith("$") and name not in _OPTIONS:
            raise ApiError(501, "NotImplemented", f"The sandbox does not know the query option {name}.")
    entries = list(found)
    if clause := query.get("$filter"):
        test = Filter(clause).test
        entries = [e for e in entries if test(e)]
    order, _, direction = query.get("$orderby", "").partition(" ")
    backwards = direction.strip() == "desc"
    body: Json = {"@odata.count": len(entries)} if query.get("$count") == "true" else {}
    # Always by id in the end, so that a page goes on after the last one shown even when that one is gone by then.
    entries.sort(key=lambda e: _place(e, order), reverse=backwards)
    if token := query.get("$skiptoken"):
        last = _decode(token)
        entries = [e for e in entries if (_place(e, order) < last if backwards else _place(e, order) > last)]
    size = _top(query.get("$top"))
    if len(entries) > size:
        more = {**query, "$skiptoken": _encode(_place(entries[size - 1], order))}
        body["@odata.nextLink"] = f"{url}?{urlencode(more, quote_via=quote, safe='$')}"
    return {**body, "value": [select(e, query, default, typed=typed) for e in entries[:size]]}


def select(entry: Json, query: Mapping[str, str], default: tuple[str, ...] = (), *, typed: bool) -> Json:
    """Reduce an object to $select, or to the type's default properties. `typed` tells its type, as mixed lists do."""
    asked = tuple(name for part in query.get("$select", "").split(",") if (name := part.strip()) and name != "*")
    for name in asked:
        if name not in entry:
            raise ApiError(501, "NotImplemented", f"The sandbox keeps no property {name!r} of {_kind(entry)}.")
    names = asked or default or tuple(k for k in entry if k != "@odata.type")
    return {k: entry[k] for k in (*(("@odata.type",) if typed else ()), *names) if k in entry}


class Filter:
    """One $filter clause, compiled by recursive descent. `test` tells whether an object passes."""

    def __init__(self, clause: str) -> None:
        self._clause = clause
        self._tokens = self._scan(clause)
        self._at = 0
        self.test = self._either()
        if self._peek():
            raise self._bad(f"Syntax error at '{self._peek()}'")

    def _scan(self, clause: str) -> list[str]:
        tokens, at = [], 0
        while clause[at:].strip():
            match = _TOKEN.match(clause, at)
            if match is None:
                raise self._bad(f"Syntax error at position {at}")
            tokens.append(match[0].strip())
            at = match.end()
        return tokens

    def _bad(self, why: str) -> ApiError:
        return ApiError(400, "BadRequest", f"Invalid filter clause: {why} in '{self._clause}'.")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise self._bad(f"Expected '{expected or 'an operand'}', found '{token or 'the end'}'")
        self._at += 1
        return token

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek() == "or":
            self._take()
            tests.append(self._both())
        return lambda e: any(t(e) for t in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._peek() == "and":
            self._take()
            tests.append(self._one())
        return lambda e: all(t(e) for t in tests)

    def _one(self) -> Test:
        word = self._take()
        if word == "not":
            inner = self._one()
            return lambda e: not inner(e)
        if word == "(":
            inner = self._either()
            self._take(")")
            return inner
        if word in _FUNCTIONS and self._peek() == "(":
            self._take("(")
            name, value = self._take(), (self._take(","), self._literal())[1]
            self._take(")")
            function = _FUNCTIONS[word]
            return lambda e: function(str(_fold(self._value(e, name)) or ""), str(value))
        if word.endswith("/any") and self._peek() == "(":
            return self._any(word.removesuffix("/any"))
        return self._comparison(word)

    def _any(self, name: str) -> Test:
        self._take("(")
        variable, colon, subject = self._take().partition(":")  # "i:i/name" is one word, "i: i/name" three
        if not colon:
            self._take(":")
            subject = self._take()
        operator, value = self._take(), self._literal()
        self._take(")")
        if operator not in _COMPARE:
            raise self._bad(f"Unknown operator '{operator}'")
        field = subject.removeprefix(variable).lstrip("/")
        compare = _COMPARE[operator]
        return lambda e: any(compare(_fold(i[field] if field else i), value) for i in self._value(e, name) or ())

    def _comparison(self, name: str) -> Test:
        operator = self._take()
        if operator == "in":
            self._take("(")
            values = [self._literal()]
            while self._peek() == ",":
                self._take()
                values.append(self._literal())
            self._take(")")
            return lambda e: _fold(self._value(e, name)) in values
        if operator not in _COMPARE:
            raise self._bad(f"Unknown operator '{operator}'")
        value, compare = self._literal(), _COMPARE[operator]
        return lambda e: compare(_fold(self._value(e, name)), value)

    def _literal(self) -> Any:  # a literal is a string, a number, a truth value or null
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'").casefold()
        named = {"true": True, "false": False, "null": None}
        if token in named:
            return named[token]
        return int(token) if token.lstrip("-").isdigit() else token.casefold()

    def _value(self, entry: Json, path: str) -> Any:
        value: Any = entry
        for name in path.split("/"):
            if not isinstance(value, dict):
                return None
            if name not in value:
                message = (
                    f"Unsupported or invalid query filter clause specified for property '{path}' of {_kind(entry)}"
                )
                raise ApiError(400, "Request_UnsupportedQuery", message)
            value = value[name]
        return value


def _fold(value: Any) -> Any:  # Graph compares text without regard to case
    return value.casefold() if isinstance(value, str) else value


def _kind(entry: Json) -> str:
    return f"resource '{entry.get('@odata.type', 'object').rpartition('.')[2]}'"


def _place(entry: Json, order: str) -> list[str]:
    return [str(entry.get(order) or "").casefold(), str(entry["id"])]


def _top(text: str | None) -> int:
    if text is None:
        return PAGE
    if not text.isdigit() or not 1 <= int(text) <= MOST:
        message = f"Invalid page size specified: '{text}'. Must be between 1 and {MOST} inclusive."
        raise ApiError(400, "Request_UnsupportedQuery", message)
    return int(text)


def _encode(place: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decode(token: str) -> list[str]:
    try:
        return [str(part) for part in json.loads(base64.urlsafe_b64decode(token))]
    except ValueError as error:
        message = "The specified page token value has expired or is invalid."
        raise ApiError(400, "Directory_ExpiredPageToken", message) from error
