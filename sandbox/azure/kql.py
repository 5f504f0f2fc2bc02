"""A small, honest part of KQL: what it knows is answered as Kusto does, and all else is refused by name.

    let <name> = <literal>;
    <table>
    | where <condition>                               | project [<name> =] <expression>, …
    | sort by <expression> [asc|desc], … (order by)   | take <n> (limit)
    | summarize [<name> =] count()|min(…)|max(…), … [by [<name> =] <expression>, …]

Conditions: == != < <= > >= =~ !~ in~ !in~ between (a .. b), and, or, parentheses. Functions: bin, coalesce, tostring.
"""

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError
from sandbox.azure.kql_words import Word, refused, syntax_error, words

Row = Mapping[str, Any]


@dataclass
class Table:
    """Rows, and the types of their columns, in order."""

    columns: dict[str, str]
    rows: Iterable[Row]


class Expression(NamedTuple):
    """What an expression is of a row, of which type, and the name of the column that it makes."""

    type: str
    of: Callable[[Row], Any]
    name: str = ""


def run(query: str, tables: Mapping[str, Table]) -> Table:
    """The result of a query. Raises ApiError 400, which names what isn't known."""
    return Parser(query, tables).run()


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LITERALS = {"string", "long", "datetime", "timespan"}


class Parser:
    """Reads a query from left to right, and runs each step when it has been read."""

    def __init__(self, query: str, tables: Mapping[str, Table]) -> None:
        self._query, self._tables = query, tables
        self._words = list(words(query))
        self._lets: dict[str, Expression] = {}
        self._columns: dict[str, str] = {}

    def run(self) -> Table:
        """The result. Raises ApiError 400."""
        while self._have("let"):
            name = self._name().text
            self._need("=")
            self._lets[name] = self._expression()
            self._need(";")
        table = self._piped()
        if self._words[0].kind != "end":
            raise self._wrong(self._words[0])
        return table

    def _piped(self) -> Table:
        name = self._name().text
        if name not in self._tables:
            raise refused("SemanticError", f"Failed to resolve table or column expression named '{name}'")
        table, steps = self._tables[name], self._steps()
        while self._have("|"):
            self._columns = table.columns
            step = self._name()
            if step.text not in steps:
                raise self._wrong(step)
            table = steps[step.text](table)
        return table

    def _steps(self) -> dict[str, Callable[[Table], Table]]:
        steps: dict[str, Callable[[Table], Table]] = {"where": self._where, "project": self._project}
        steps["summarize"] = self._summarize
        return steps | {"sort": self._sort, "order": self._sort, "take": self._limit, "limit": self._limit}

    # -- words -----------------------------------------------------------------------------------------------------

    def _wrong(self, word: Word) -> ApiError:
        return syntax_error(self._query, word.at)

    def _have(self, *texts: str) -> str:
        """Take the next word if it is one of these."""
        word = self._words[0]
        return self._words.pop(0).text if word.kind in {"name", "sign"} and word.text in texts else ""

    def _need(self, text: str) -> None:
        if not self._have(text):
            raise self._wrong(self._words[0])

    def _name(self) -> Word:
        if self._words[0].kind != "name":
            raise self._wrong(self._words[0])
        return self._words.pop(0)

    def _several(self, one: Callable[[], Any]) -> list[Any]:
        found = [one()]
        while self._have(","):
            found.append(one())
        return found

    def _named(self) -> str:
        """The name in front of an expression, if one is given to it."""
        if self._words[0].kind != "name" or self._words[1].text != "=":
            return ""
        name = self._name().text
        self._need("=")
        return name

    # -- steps -----------------------------------------------------------------------------------------------------

    def _where(self, table: Table) -> Table:
        condition = self._condition()
        return Table(table.columns, [row for row in table.rows if condition.of(row)])

    def _project(self, table: Table) -> Table:
        items = self._several(self._item)
        rows = [{item.name: item.of(row) for item in items} for row in table.rows]
        return Table({item.name: item.type for item in items}, rows)

    def _sort(self, table: Table) -> Table:
        self._need("by")
        rows = list(table.rows)
        for key, direction in reversed(self._several(lambda: (self._expression(), self._have("asc", "desc")))):
            up = direction == "asc"  # down is what KQL takes for granted; nulls come last then, and first going up
            present, absent = [r for r in rows if key.of(r) is not None], [r for r in rows if key.of(r) is None]
            present.sort(key=key.of, reverse=not up)
            rows = absent + present if up else present + absent
        return Table(table.columns, rows)

    def _limit(self, table: Table) -> Table:
        most = self._words.pop(0)
        if most.kind != "long":
            raise self._wrong(most)
        return Table(table.columns, list(table.rows)[: most.value])

    def _summarize(self, table: Table) -> Table:
        made = self._several(self._aggregate)
        by = self._several(self._item) if self._have("by") else []
        groups: dict[tuple[Any, ...], list[Row]] = {} if by else {(): []}
        for row in table.rows:
            groups.setdefault(tuple(item.of(row) for item in by), []).append(row)
        names, rows = [item.name for item in by], []
        for key, members in groups.items():
            rows.append(dict(zip(names, key, strict=True)) | {name: make(members) for name, _, make in made})
        return Table({item.name: item.type for item in by} | {name: kind for name, kind, _ in made}, rows)

    def _aggregate(self) -> tuple[str, str, Callable[[Sequence[Row]], Any]]:
        name, function = self._named(), self._name()
        self._need("(")
        if function.text == "count":
            self._need(")")
            return name or "count_", "long", len
        choose = {"min": min, "max": max}.get(function.text)
        if choose is None:
            raise self._wrong(function)
        value = self._expression()
        self._need(")")

        def make(rows: Sequence[Row]) -> Any:
            return choose((v for v in map(value.of, rows) if v is not None), default=None)

        return name or f"{function.text}_{value.name}", value.type, make

    # -- conditions and expressions --------------------------------------------------------------------------------

    def _item(self) -> Expression:
        name, item = self._named(), self._expression()
        return item._replace(name=name or item.name or "Column1")

    def _condition(self) -> Expression:
        parts = [self._all()]
        while self._have("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Expression("bool", lambda row: any(p.of(row) for p in parts))

    def _all(self) -> Expression:
        parts = [self._comparison()]
        while self._have("and"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else Expression("bool", lambda row: all(p.of(row) for p in parts))

    def _comparison(self) -> Expression:
        if self._have("("):
            inner = self._condition()
            self._need(")")
            return inner
        return self._test(self._expression())

    def _test(self, left: Expression) -> Expression:
        """What a condition says of an expression that was read."""
        if sign := self._have(*_COMPARE, "=~", "!~"):
            return self._compared(left, sign, self._expression())
        if sign := self._have("in~", "!in~"):
            self._need("(")
            same = [self._compared(left, "=~", value) for value in self._several(self._expression)]
            self._need(")")
            return Expression("bool", lambda row: any(s.of(row) for s in same) is (sign == "in~"))
        self._need("between")
        self._need("(")
        low = self._expression()
        self._need("..")
        ends = self._compared(left, ">=", low), self._compared(left, "<=", self._expression())
        self._need(")")
        return Expression("bool", lambda row: all(end.of(row) for end in ends))

    def _compared(self, left: Expression, sign: str, right: Expression) -> Expression:
        if left.type != right.type or ("~" in sign and left.type != "string"):
            raise refused("SemanticError", f"Cannot compare values of types {left.type} and {right.type} by {sign}")
        if sign in {"=~", "!~"}:
            return Expression(
                "bool", lambda row: ((left.of(row) or "").lower() == (right.of(row) or "").lower()) is (sign == "=~")
            )
        compare = _COMPARE[sign]

        def holds(row: Row) -> bool:
            one, other = left.of(row), right.of(row)
            return sign == "!=" if one is None or other is None else compare(one, other)

        return Expression("bool", holds)

    def _expression(self) -> Expression:
        word = self._words.pop(0)
        if word.kind in _LITERALS:
            return Expression(word.kind, lambda _: word.value)
        if word.kind != "name":
            raise self._wrong(word)
        if self._have("("):
            arguments = self._several(self._expression)
            self._need(")")
            return self._called(word, arguments)
        if word.text in self._lets:
            return self._lets[word.text]
        if word.text not in self._columns:
            raise refused("SemanticError", f"Failed to resolve scalar expression named '{word.text}'")
        return Expression(self._columns[word.text], lambda row: row[word.text], word.text)

    def _called(self, function: Word, given: list[Expression]) -> Expression:
        first = given[0]
        if function.text == "tostring" and len(given) == 1:
            return Expression("string", lambda row: text(first.of(row)), first.name)
        if function.text == "coalesce" and len({one.type for one in given}) == 1:
            return Expression(first.type, lambda row: _coalesced(g.of(row) for g in given))
        if function.text == "bin" and [one.type for one in given] == ["datetime", "timespan"]:
            return Expression("datetime", lambda row: _binned(first.of(row), given[1].of(row)), first.name)
        raise self._wrong(function)


def _binned(at: datetime, size: timedelta) -> datetime:
    start = datetime(1, 1, 1, tzinfo=UTC)
    return start + (at - start) // size * size


def _coalesced(values: Iterable[Any]) -> Any:
    value = None
    for value in values:
        if value is not None and value != "":
            break
    return value


def text(value: Any) -> str:
    """What tostring makes of a value."""
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return "" if value is None else str(value)
