"""KQL taken apart into words: names, signs, and literals with their values."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sandbox.azure.errors import ApiError

_WORD = re.compile(
    r"""(?P<nothing>\s+|//[^\n]*)
    |(?P<verbatim>@"(?:[^"]|"")*"|@'(?:[^']|'')*')
    |(?P<string>"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*')
    |(?P<datetime>datetime\([^()]*\))
    |(?P<timespan>\d+(?:ms|d|h|m|s)\b)
    |(?P<long>\d+(?![\w.])|\d+(?=\.\.))
    |(?P<sign>!?in~|!(?:in|has|contains|startswith|endswith)\b|\.\.|=~|!~|==|!=|<=|>=|[<>=|,;().\[\]])
    |(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE,
)
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


class Word(NamedTuple):
    """One word of a query. `kind` is "name", "sign", "end", or the type of a literal, which `value` is the value of."""

    kind: str
    text: str
    at: int
    value: Any = None


def words(query: str) -> Iterator[Word]:
    """The words of a query, and an end. Raises ApiError 400 where there is none."""
    at = 0
    while at < len(query):
        found = _WORD.match(query, at)
        if found is None:
            raise syntax_error(query, at)
        kind, text = str(found.lastgroup), found[0]
        if kind != "nothing":
            yield Word("string" if kind == "verbatim" else kind, text, at, _value(query, kind, text, at))
        at += len(text)
    yield Word("end", "", at)


def syntax_error(query: str, at: int) -> ApiError:
    """400: the query can't be read from there on."""
    line, column = query.count("\n", 0, at) + 1, at - query.rfind("\n", 0, at)
    near = query[at : at + 40].partition("\n")[0]
    return refused("SyntaxError", f"Query could not be parsed at '{near}' on line [{line},{column}]")


def refused(code: str, message: str) -> ApiError:
    """400, in the service's words."""
    inner = {"code": code, "message": message}
    return ApiError(400, "BadArgumentError", "The request had some invalid properties", innererror=inner)


def _value(query: str, kind: str, text: str, at: int) -> Any:
    if kind == "long":
        return int(text)
    if kind == "verbatim":
        return text[2:-1].replace(text[1] * 2, text[1])
    if kind == "timespan":
        unit = text.lstrip("0123456789")
        return timedelta(**{_UNITS[unit]: int(text.removesuffix(unit))})
    try:
        if kind == "string":
            read = _ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if m[1][1:] else _ESCAPES[m[1]], text[1:-1])
            # A character beyond the first 65,536 is written as two escapes.
            return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if kind == "datetime":
            moment = datetime.fromisoformat(text[len("datetime(") : -1].strip())
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (KeyError, ValueError):
        raise syntax_error(query, at) from None
    return None
