"""The KQL of Resource Graph, as far as it goes here: the words of kql.py, and these.

    <table>  in any case                              | extend <name> = <expression>, …
    | distinct <expression>, …                        | count
    | top <n> by <expression> [asc|desc], …
    | join [kind=leftouter|inner] ( <query> ) on <column>, …

Paths into dynamic columns: properties.a.b[0]['c']. Conditions: contains, has, startswith, endswith and their negations,
in (…), isempty, isnotempty, isnull, isnotnull, not(…), true and false. Functions: tolower, toupper, todatetime, tobool,
toint, strcat, array_length, ago, now. A value of a dynamic column is compared as the type of what it is compared with.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.azure import kql
from sandbox.azure.kql import Expression, Parser, Row, Table
from sandbox.azure.kql_words import Word, refused


def _moment(value: Any) -> datetime | None:
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None


_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: part in whole,
    "has": lambda whole, part: f" {part} " in "".join(c if c.isalnum() else " " for c in f" {whole} "),
    "startswith": lambda whole, part: whole.startswith(part),
    "endswith": lambda whole, part: whole.endswith(part),
}
_TEXT_SIGNS = (*_TEXT, *(f"!{name}" for name in _TEXT))
_TESTS: dict[str, Callable[[Any], bool]] = {
    "isempty": lambda value: value in (None, "", [], {}),
    "isnotempty": lambda value: value not in (None, "", [], {}),
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
}
_MAKE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tolower": ("string", lambda value: kql.text(value).lower()),
    "toupper": ("string", lambda value: kql.text(value).upper()),
    "todatetime": ("datetime", _moment),
    "tobool": ("bool", lambda value: None if value is None else kql.text(value).lower() == "true"),
    "toint": ("long", lambda value: int(value) if str(value).lstrip("-").isdigit() else None),
    "array_length": ("long", lambda value: len(value) if isinstance(value, list) else None),
}
_TYPES = (str, "string"), (bool, "bool"), (int, "long"), (datetime, "datetime")


def run(query: str, tables: Mapping[str, Table], now: datetime) -> Table:
    """The result of a query. Raises ApiError 400, which names what isn't known. Tables are named in lower case."""
    return _Parser(query, tables, now).run()


class _Parser(Parser):
    def __init__(self, query: str, tables: Mapping[str, Table], now: datetime) -> None:
        super().__init__(query, tables)
        self._now = now

    def _piped(self) -> Table:
        word = self._words[0]
        if word.kind == "name" and word.text.lower() in self._tables:
            self._words[0] = word._replace(text=word.text.lower())
        return super()._piped()

    def _steps(self) -> dict[str, Callable[[Table], Table]]:
        more = {"extend": self._extend, "distinct": self._distinct, "count": self._count, "join": self._join}
        return super()._steps() | more | {"top": self._top}

    def _extend(self, table: Table) -> Table:
        items = self._several(self._item)
        rows = [{**row, **{item.name: item.of(row) for item in items}} for row in table.rows]
        return Table(table.columns | {item.name: item.type for item in items}, rows)

    def _top(self, table: Table) -> Table:
        most = self._words.pop(0)
        if most.kind != "long":
            raise self._wrong(most)
        sorted_ = self._sort(table)
        return Table(sorted_.columns, list(sorted_.rows)[: most.value])

    def _distinct(self, table: Table) -> Table:
        items = self._several(self._item)
        rows = {tuple(kql.text(item.of(row)) for item in items): row for row in table.rows}
        kept = [{item.name: item.of(row) for item in items} for row in rows.values()]
        return Table({item.name: item.type for item in items}, kept)

    @staticmethod
    def _count(table: Table) -> Table:
        return Table({"Count": "long"}, [{"Count": len(list(table.rows))}])

    def _join(self, table: Table) -> Table:
        outer = False
        if self._have("kind"):
            self._need("=")
            kind = self._name()
            if kind.text not in {"leftouter", "inner"}:
                raise self._wrong(kind)
            outer = kind.text == "leftouter"
        self._need("(")
        other = self._piped()
        self._need(")")
        self._need("on")
        keys = [word.text for word in self._several(self._name)]
        for key in keys:
            if key not in table.columns or key not in other.columns:
                raise refused("SemanticError", f"Failed to resolve column '{key}' on both sides of the join")
        names = {name: name + "1" if name in table.columns else name for name in other.columns}
        found: dict[tuple[str, ...], list[Row]] = {}
        for row in other.rows:
            found.setdefault(tuple(kql.text(row.get(key)) for key in keys), []).append(row)
        rows = []
        for row in table.rows:
            matches = found.get(tuple(kql.text(row.get(key)) for key in keys), [])
            nothing: list[Row] = [{}] if outer and not matches else []
            rows += [{**row, **{names[n]: m.get(n) for n in other.columns}} for m in (*matches, *nothing)]
        return Table(table.columns | {names[n]: kind for n, kind in other.columns.items()}, rows)

    # -- conditions and expressions --------------------------------------------------------------------------------

    def _comparison(self) -> Expression:
        if self._words[0].text == "not" and self._words[1].text == "(":
            self._need("not")
            inner = super()._comparison()
            return Expression("bool", lambda row: not inner.of(row))
        return super()._comparison()

    def _test(self, left: Expression) -> Expression:
        if sign := self._have(*_TEXT_SIGNS):
            return _contained(left, sign, self._expression())
        if sign := self._have("in", "!in", "in~", "!in~"):
            self._need("(")
            equal = "=~" if sign.endswith("~") else "=="
            same = [self._compared(left, equal, value) for value in self._several(self._expression)]
            self._need(")")
            return Expression("bool", lambda row: any(s.of(row) for s in same) is not sign.startswith("!"))
        if left.type == "bool" and self._words[0].text in {"and", "or", ")", "|", ",", ""}:
            return left
        return super()._test(left)

    def _compared(self, left: Expression, sign: str, right: Expression) -> Expression:
        if "dynamic" not in {left.type, right.type}:
            return super()._compared(left, sign, right)
        kind = left.type if right.type == "dynamic" else right.type
        kind = "string" if kind == "dynamic" or "~" in sign else kind
        return super()._compared(_as(left, kind), sign, _as(right, kind))

    def _expression(self) -> Expression:
        word = self._words[0]
        if word.kind == "name" and word.text in {"true", "false"}:
            self._words.pop(0)
            return Expression("bool", lambda _: word.text == "true")
        if word.text == "now" and [following.text for following in self._words[1:3]] == ["(", ")"]:
            del self._words[:3]
            return Expression("datetime", lambda _: self._now)
        found = super()._expression()
        while self._words[0].text in {".", "["}:
            found = self._inside(found)
        return found

    def _inside(self, whole: Expression) -> Expression:
        if whole.type != "dynamic":
            raise self._wrong(self._words[0])
        if self._have("."):
            key: str | int = self._name().text
        else:
            self._need("[")
            word = self._words.pop(0)
            if word.kind not in {"string", "long"}:
                raise self._wrong(word)
            key = word.value
            self._need("]")

        def of(row: Row) -> Any:
            value = whole.of(row)
            if isinstance(value, dict):
                return value.get(key)
            inside = isinstance(value, list) and isinstance(key, int) and key < len(value)
            return value[key] if inside else None

        return Expression("dynamic", of, f"{whole.name}_{key}")

    def _called(self, function: Word, given: list[Expression]) -> Expression:
        name = function.text
        if name in _TESTS and len(given) == 1:
            return Expression("bool", lambda row: _TESTS[name](given[0].of(row)))
        if name in _MAKE and len(given) == 1:
            kind, make = _MAKE[name]
            return Expression(kind, lambda row: make(given[0].of(row)), given[0].name)
        if name == "ago" and [one.type for one in given] == ["timespan"]:
            return Expression("datetime", lambda row: self._now - given[0].of(row))
        if name == "strcat":
            return Expression("string", lambda row: "".join(kql.text(g.of(row)) for g in given))
        return super()._called(function, given)


def _contained(left: Expression, sign: str, right: Expression) -> Expression:
    test, wanted = _TEXT[sign.lstrip("!")], not sign.startswith("!")
    return Expression(
        "bool", lambda row: test(kql.text(left.of(row)).lower(), kql.text(right.of(row)).lower()) is wanted
    )


def _as(value: Expression, kind: str) -> Expression:
    """A dynamic value as one of a type: null where it is of another."""
    if value.type != "dynamic":
        return value

    def of(row: Row) -> Any:
        found = value.of(row)
        if kind == "datetime":
            return _moment(found)
        if kind == "string":
            return kql.text(found) if found is not None else None
        return found if isinstance(found, next((t for t, name in _TYPES if name == kind), object)) else None

    return Expression(kind, of, value.name)
