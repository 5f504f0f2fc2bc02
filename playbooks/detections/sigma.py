"""A Sigma rule made into one of ours, or refused, saying why: nothing is passed over in silence."""

import importlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from playbooks.detections.condition import parse
from responders.errors import Permanent
from responders.investigation.conditions import All, Any_, Node, Selection, Test, check
from responders.investigation.fields import field
from responders.investigation.rules import Level, Rule

_COMPARE = {"gt", "gte", "lt", "lte"}
_FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_PLAIN = {"contains", "startswith", "endswith", "re", "cidr", "exists", "fieldref", *_COMPARE}


def rule(name: str, raw: Any) -> Rule:
    """One rule of a file of that name. Raises Permanent, saying why, when it can't be matched as it is meant."""
    if not isinstance(raw, Mapping):
        raise Permanent("is no Sigma rule")
    for key, what in (("correlation", "a correlation of rules"), ("filter", "a filter of rules"), ("action", "a set")):
        if key in raw:
            raise Permanent(f"is {what}, which is not implemented")
    source = raw.get("logsource")
    wanted = {"product": "azure", "service": "activitylogs"}
    if not isinstance(source, Mapping) or {k: source.get(k) for k in wanted} != wanted:
        raise Permanent("is not for product azure, service activitylogs")
    detection = raw.get("detection")
    if not isinstance(detection, Mapping):
        raise Permanent("has no detection")
    if "timeframe" in detection:
        raise Permanent("has a timeframe, which is not implemented")
    level = str(raw.get("level") or "medium")
    if level not in get_args(Level):
        raise Permanent(f"has level {level!r}")
    selections = {str(key): Selection(str(key), _of(its)) for key, its in detection.items() if key != "condition"}
    condition = parse(detection.get("condition"), selections)
    check(condition)
    return Rule(
        id=str(raw.get("id") or name),
        name=name,
        title=str(raw.get("title") or name),
        level=level,  # type: ignore[arg-type]
        tags=tuple(str(tag) for tag in raw.get("tags") or ()),
        description=" ".join(str(raw.get("description") or "").split()),
        falsepositives=tuple(str(one) for one in raw.get("falsepositives") or ()),
        condition=condition,
    )


def _of(its: Any) -> Node:
    """A selection: a map is all of its fields; of a list one is enough; a bare value is a keyword."""
    if isinstance(its, Mapping):
        return _joined(All, [_item(str(key), value) for key, value in its.items()])
    if not isinstance(its, list):
        return _item("", its)
    if not any(isinstance(one, Mapping | list) for one in its):
        return _item("", its)
    return _joined(Any_, [_of(one) for one in its])


def _joined(kind: type[All | Any_], found: list[Node]) -> Node:
    if not found:
        raise Permanent("has an empty selection")
    return found[0] if len(found) == 1 else kind(tuple(found))


def _item(key: str, value: Any) -> Node:
    """`field|modifier: value`, or a list of values of which one is enough, or each under |all."""
    name, *modifiers = key.split("|")
    try:
        name = field(name).name if name else ""
    except KeyError as error:
        raise Permanent(f"uses the field {name!r}, which an activity doesn't have") from error
    every = "all" in modifiers
    op, flags = _modifiers([m for m in modifiers if m != "all"])
    values = value if isinstance(value, list) else [value]
    if any(isinstance(one, Mapping | list) for one in values):
        raise Permanent(f"nests values under {key!r}")
    if not values:
        values = [None]
    tests = [_value(name, op, flags, one) for one in values]
    grouped: dict[str, list[Test]] = {}
    for test in tests:
        grouped.setdefault(test.op, []).append(test)
    joined: list[Node] = [
        Test(same[0].field, same[0].op, tuple(v for one in same for v in one.values), every and len(values) > 1)
        for same in grouped.values()
    ]
    return _joined(All if every else Any_, joined)


def _modifiers(given: list[str]) -> tuple[str, str]:
    """The one comparison, and the flags of a regular expression."""
    flags = "".join(_FLAGS[m] for m in given if m in _FLAGS)
    rest = [m for m in given if m not in _FLAGS]
    for modifier in rest:
        if modifier not in _PLAIN:
            raise Permanent(f"uses the modifier |{modifier}, which is not implemented")
    if len(rest) > 1:
        raise Permanent(f"combines the modifiers |{'|'.join(rest)}, which is not implemented")
    if flags and rest != ["re"]:
        raise Permanent(f"uses the modifier |{flags[0]} without |re")
    return (rest[0] if rest else "is"), flags


def _value(name: str, op: str, flags: str, value: Any) -> Test:
    if not isinstance(value, str | int | float | bool | None):
        value = str(value)  # YAML's dates
    if value is None or op == "exists":
        if not name or (value is not None and not isinstance(value, bool)) or (value is None and op != "is"):
            raise Permanent(f"compares {name or 'keywords'} with {value!r} by {op!r}")
        return Test(name, "exists", (bool(value),))
    if op in _COMPARE:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Permanent(f"compares {name or 'keywords'} by |{op} with {value!r}, which is no number")
        return Test(name, op, (value,))  # type: ignore[arg-type]
    if op in _TEXTS:
        return _TEXTS[op](name, str(value), flags)
    return _plain(name, op, value)


def _regex(name: str, value: str, flags: str) -> Test:
    pattern = f"(?{''.join(sorted(set(flags)))}){value}" if flags else value
    try:
        tree = importlib.import_module("re._parser").parse(pattern)
        re.compile(pattern)
    except re.error as error:
        raise Permanent(f"has the regular expression {value!r}, which is none: {error}") from error
    if _runs_away(tree, repeated=False):
        raise Permanent(f"has the regular expression {value!r}, which can take forever on text made for it")
    return Test(name, "re", (pattern,))


def _runs_away(tree: Any, *, repeated: bool) -> bool:
    """Whether something of varying length is repeated: such a pattern can take exponential time.

    The text that it is matched with is an attacker's choice.
    """
    for op, argument in tree:
        kind = str(op)
        if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
            low, high, inner = argument
            if repeated and low != high:
                return True
            if _runs_away(inner, repeated=repeated or high > 1):
                return True
        elif kind == "BRANCH":
            if repeated or any(_runs_away(one, repeated=repeated) for one in argument[1]):
                return True
        elif kind in {"SUBPATTERN", "ASSERT", "ASSERT_NOT"} and _runs_away(argument[-1], repeated=repeated):
            return True
    return False


def _network(name: str, value: str, _: str) -> Test:
    try:
        return Test(name, "cidr", (str(ipaddress.ip_network(value)),))
    except ValueError as error:
        raise Permanent(f"has the network {value!r}, which is none: {error}") from error


def _reference(name: str, value: str, _: str) -> Test:
    try:
        return Test(name, "same", (field(value).name,))
    except KeyError as error:
        raise Permanent(f"refers to the field {value!r}, which an activity doesn't have") from error


_TEXTS: dict[str, Callable[[str, str, str], Test]] = {"re": _regex, "cidr": _network, "fieldref": _reference}


def _plain(name: str, op: str, value: str | float) -> Test:
    """Text, in which * and ? are wild unless a backslash stands before; numbers and booleans as they are."""
    if not isinstance(value, str):
        if op == "is" and name:
            return Test(name, "is", (value,))
        value = str(value)
    if not name:
        op = "contains"
    like = _canonical(value.lower())
    before, after = op in {"contains", "endswith"}, op in {"contains", "startswith"}
    bare = _unescaped(like)
    if bare is None:
        return Test(name, "like", ("*" * before + like + "*" * after,))
    return Test(name, op, (bare,))  # type: ignore[arg-type]


def _canonical(value: str) -> str:
    """The same with every literal *, ? and backslash behind a backslash."""
    return re.sub(r"\\([\\*?])|\\", lambda found: "\\" + (found[1] or "\\"), value)


def _unescaped(like: str) -> str | None:
    """The text that it stands for, if it has no wildcards."""
    if re.search(r"(?<!\\)(?:\\\\)*[*?]", like):
        return None
    return re.sub(r"\\(.)", r"\1", like, flags=re.DOTALL)
