"""Lists: pages with nextLink, and the little of OData that Resource Manager's filters use."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from sandbox.azure.errors import bad_request
from sandbox.azure.router import Call, Reply

Json = dict[str, Any]

_CLAUSE = re.compile(
    r"(?P<field>[\w/]+)\s+(?P<op>eq|ne)\s+'(?P<value>(?:[^']|'')*)'"
    r"|(?P<function>\w+)\(\s*(?:'(?P<argument>(?:[^']|'')*)'(?:\s*,\s*(?P<of>[\w/]+))?)?\s*\)",
    re.IGNORECASE,
)


def page(call: Call, items: list[Json], size: int = 1000) -> Reply:
    """A list, in pages ordered by id. `$top` makes them smaller.

    The `$skiptoken` of a nextLink names the last one shown: a page goes on after it even when it is gone by then.
    """
    top = call.query.get("$top", "")
    if top and not (top.isdigit() and int(top)):
        raise bad_request("InvalidTopQueryParameter", f"The $top query parameter '{top}' is invalid.")
    size = min(size, int(top)) if top else size
    rest = sorted(items, key=_key)
    if token := call.query.get("$skiptoken"):
        last = decoded(token)
        rest = [item for item in rest if _key(item) > last]
    body: Json = {"value": rest[:size]}
    if len(rest) > size:
        kept = {k: v for k, v in call.query.items() if k != "$skiptoken"}
        body["nextLink"] = call.url(query={**kept, "$skiptoken": encoded(_key(rest[size - 1]))})
    return Reply(200, body)


def encoded(text: str) -> str:
    """A continuation token: opaque to clients."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decoded(token: str) -> str:
    """The inverse of `encoded`. Raises ApiError 400 for what isn't a token."""
    try:
        return urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError as error:
        raise bad_request("InvalidSkipToken", f"The $skiptoken '{token}' is invalid.") from error


def _key(item: Json) -> str:
    return str(item.get("id") or item["namespace"]).lower()  # the providers of a tenant have no id


def clauses(text: str, what: Callable[[re.Match[str]], Callable[[Json], bool]]) -> Callable[[Json], bool]:
    """Compile "a eq 'x' and (b eq 'y' or f('z'))" into one test; `what` compiles a clause.

    Raises ApiError 400 when the filter isn't of that form.
    """
    tests: dict[str, Callable[[Json], bool]] = {}

    def name(match: re.Match[str]) -> str:
        key = f"t{len(tests)}"
        tests[key] = what(match)
        return f" {key} "

    skeleton = _CLAUSE.sub(name, text)
    words = re.findall(r"\(|\)|\w+|\S", skeleton)
    test, rest = _either(words, tests, text)
    if rest:
        raise invalid(text)
    return test


def unquote(match: re.Match[str], group: str) -> str:
    """A string of a filter, with its doubled quotes made single."""
    return (match[group] or "").replace("''", "'")


def invalid(text: str) -> Exception:
    """400 for a filter that isn't understood."""
    return bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")


_Test = Callable[[Json], bool]


def _either(words: list[str], tests: dict[str, _Test], text: str) -> tuple[_Test, list[str]]:
    test, words = _both(words, tests, text)
    found = [test]
    while words and words[0].lower() == "or":
        test, words = _both(words[1:], tests, text)
        found.append(test)
    return (lambda item: any(t(item) for t in found)), words


def _both(words: list[str], tests: dict[str, _Test], text: str) -> tuple[_Test, list[str]]:
    test, words = _one(words, tests, text)
    found = [test]
    while words and words[0].lower() == "and":
        test, words = _one(words[1:], tests, text)
        found.append(test)
    return (lambda item: all(t(item) for t in found)), words


def _one(words: list[str], tests: dict[str, _Test], text: str) -> tuple[_Test, list[str]]:
    if words and words[0] == "(":
        test, words = _either(words[1:], tests, text)
        if words[:1] != [")"]:
            raise invalid(text)
        return test, words[1:]
    if not words or words[0] not in tests:
        raise invalid(text)
    return tests[words[0]], words[1:]
