"""A compiled rule as a KQL query over AzureActivity, for people who use Log Analytics or Sentinel.

The events of one operation are joined before they are looked at, as the responder does: the request is on the first,
the outcome on the last. Text is in lower case where it is compared by path, because the log spells keys in two ways.
"""

import json
import re

from responders.errors import Permanent
from responders.investigation.conditions import All, Any_, Node, Not, Selection, Test, segments, verbatim
from responders.investigation.fields import BY_OPERATION, field
from responders.investigation.rules import Rule

_SOURCES = {
    "claims": "parse_json(tolower(coalesce(Claims, tostring(Claims_d))))",
    "authorization": "parse_json(tolower(coalesce(Authorization, tostring(Authorization_d))))",
    "properties": "parse_json(tolower(coalesce(Properties, tostring(Properties_d))))",
}
_BODIES = {"request": "tostring(properties.requestbody)", "response": "tostring(properties.responsebody)"}
# What every result shows, whatever the rule asks for.
_SHOWN = {"caller": "Caller", "callerIpAddress": "CallerIpAddress", "subscriptionId": "SubscriptionId"}
_WORDS = {"is": "=~", "contains": "contains", "startswith": "startswith", "endswith": "endswith"}
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def query(rule: Rule) -> str:
    """The query. Raises Permanent for what KQL can't express."""
    writer = _Writer()
    condition = writer.written(rule.condition)
    operations = _operations(rule.condition)
    first = _Writer(raw=True).written(operations) if operations else ""
    columns = {**_SHOWN, **writer.columns}
    sources = {n: its for n, its in _SOURCES.items() if any(re.search(rf"\b{n}\b", c) for c in columns.values())}
    joined = ",\n    ".join(f"{name} = take_anyif({its}, isnotempty({its}))" for name, its in sorted(columns.items()))
    lines = [
        f"// {_line(rule.title)} ({rule.level})",
        f"// {_line(rule.description)}",
        f"// Made from the rule {_line(rule.name)}, {_line(rule.id)}, by `make docs`; change the rule instead.",
        "AzureActivity",
        f"| where {first}" if first else "",
        _extended(sources),
        "| summarize StartTime = min(TimeGenerated), arg_max(TimeGenerated, ActivityStatusValue),",
        f"    {joined}",
        "    by CorrelationId, operationName = tolower(OperationNameValue), resourceId = tolower(_ResourceId)",
        _extended(writer.parts),
        f"| where {condition}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _extended(columns: dict[str, str]) -> str:
    return "| extend " + ",\n    ".join(f"{name} = {its}" for name, its in columns.items()) if columns else ""


class _Writer:
    """Writes a condition, and keeps what columns it takes.

    A column is a plain name, always: Kusto takes a quoted one, as a field with a dot would need, for a constant text.
    """

    def __init__(self, *, raw: bool = False) -> None:
        self.raw = raw  # of single events, before they are joined
        self.columns: dict[str, str] = {}  # of the joined activity
        self.parts: dict[str, str] = {}  # of its bodies

    def written(self, node: Node, depth: int = 1) -> str:
        match node:
            case Selection():
                return self.written(node.of, depth)
            case Not():
                return f"not({self.written(node.of, depth)})"
            case All() | Any_():
                word = f"\n{'    ' * depth}{'and' if isinstance(node, All) else 'or'} "
                return "(" + word.join(self.written(one, depth + 1) for one in node.of) + ")"
            case Test():
                name = field(node.field).name if node.field else ""
                body, _, path = name.partition(".")
                if "[]" in path:
                    return self.listed(body, path, node)
                return self.plain(self.column(name), node)

    def column(self, name: str) -> str:
        """The column of a field, which may be a path into a body."""
        body, _, path = name.partition(".")
        if body in _BODIES:
            self.columns[body] = _BODIES[body]
            if not path:
                return body
            keys = "".join(f"[{literal(key)}]" for key in path.lower().split("."))
            column = re.sub(r"\W", "_", name)
            self.parts[column] = f"tostring(parse_json({body}){keys})"
            return column
        its = field(name).column if name else ""
        if not its:
            raise Permanent(f"can't be a query: there is no column for {name or 'keywords'}")
        if self.raw:
            return its
        if name not in {"operationName", "resourceId"}:  # those are what events are joined by
            self.columns[name] = its
        return name

    def plain(self, column: str, test: Test) -> str:
        """A test of one value."""
        op = test.op
        if op == "exists":
            return f"{'isnotempty' if test.values[0] else 'isempty'}({column})"
        if op == "is" and not test.every:
            values = [literal(_plain(value)) for value in test.values]
            return f"{column} =~ {values[0]}" if len(values) == 1 else f"{column} in~ ({', '.join(values)})"
        return _either(test, [self.one(column, test, value) for value in test.values])

    def one(self, column: str, test: Test, value: str | float) -> str:
        op, wanted = test.op, _plain(value)
        if op in _WORDS:
            return f"{column} {_WORDS[op]} {literal(wanted)}"
        if op in _COMPARE:
            return f"toreal({column}) {_COMPARE[op]} {wanted}"
        if op == "same":
            return f"(isnotempty({column}) and {column} =~ {self.column(wanted)})"
        if op == "cidr":
            return f"{'ipv6_is_in_range' if ':' in wanted else 'ipv4_is_in_range'}({column}, {literal(wanted)})"
        pattern = "(?is)^" + ".*".join(segments(wanted)) + "$" if op == "like" else "(?i)" + wanted
        return f"{column} matches regex {literal(pattern)}"

    def listed(self, body: str, path: str, test: Test) -> str:
        """A test of each element of a list, on the text of the list: KQL has no other that keeps rows as they are."""
        before, _, inside = path.partition("[]")
        column = self.column(f"{body}.{before}")
        key = inside.strip(".").rpartition(".")[2]
        name = key.removesuffix("[]")
        start = f'"{_quoted(name.lower())}":' if name else ""
        if key.endswith("[]") and name:
            start += r"\[[^\]]*"
        if test.op == "same":
            others = [self.column(_plain(value)) for value in test.values]
            key, end = literal(start + '"'), literal('"')
            return _either(
                test, [f"(isnotempty({one}) and {column} contains strcat({key}, {one}, {end}))" for one in others]
            )
        elements = [_element(test.op, value) for value in test.values]
        if not test.every:
            elements = [f"({'|'.join(elements)})"]
        return _either(test, [f"{column} matches regex {literal(start + one)}" for one in elements])


def _element(op: str, value: str | float) -> str:
    """A regular expression for one element of a list in JSON."""
    if not isinstance(value, str):
        return f'"?{_quoted(_plain(value))}"?'
    other = '[^"]*'
    before, after = {
        "is": ("", ""),
        "contains": (other, other),
        "startswith": ("", other),
        "endswith": (other, ""),
    }.get(op, (None, None))
    if before is None:
        raise Permanent(f"can't be a query: {op!r} on a list")
    return f'"{before}{_quoted(value)}{after}"'


def _quoted(value: str) -> str:
    return verbatim(json.dumps(value, ensure_ascii=False)[1:-1])


def _either(test: Test, written: list[str]) -> str:
    word = " and " if test.every else " or "
    return written[0] if len(written) == 1 else f"({word.join(written)})"


def _operations(node: Node) -> Node | None:
    """What of a condition narrows by operation before anything is joined."""
    match node:
        case Test():
            return node if node.field in BY_OPERATION else None
        case Selection():
            return _operations(node.of)
        case All():
            return next((found for one in node.of if (found := _operations(one))), None)
        case Any_():
            parts = [_operations(one) for one in node.of]
            return Any_(tuple(part for part in parts if part)) if all(parts) else None
        case Not():
            return None


def _plain(value: str | float) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def literal(value: str) -> str:
    """A KQL string that stands for exactly this text, whatever it holds."""
    return '"' + "".join(_character(c) for c in value) + '"'


def _character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return c if c.isprintable() else "".join(f"\\u{unit:04x}" for unit in _units(c))


def _units(c: str) -> list[int]:
    data = c.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def _line(value: str) -> str:
    """Text for a comment: one line, however many it had."""
    return "".join(c if c.isprintable() else " " for c in value)
