"""What a rule asks of an activity: a tree, made at build time from Sigma, and how it is answered, with the reasons."""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from responders.investigation.activity import Activity
from responders.investigation.fields import BY_OPERATION, field, text

Op = Literal[
    "is", "contains", "startswith", "endswith", "like", "re", "cidr", "exists", "same", "gt", "gte", "lt", "lte"
]
LONGEST = 200  # characters of a value that a reason shows


class Test(Struct, frozen=True, tag="test", omit_defaults=True):
    """One field against values: any of them, or every one. Text is compared without case, except by a `re`."""

    field: str  # "" for keywords: all text of the activity
    op: Op
    values: tuple[
        str | float | bool, ...
    ]  # lower case but for `re`; `like` has * and ?, literal ones behind a backslash
    every: bool = False


class All(Struct, frozen=True, tag="all"):
    """Each of these."""

    of: tuple["Node", ...]


class Any_(Struct, frozen=True, tag="any"):  # noqa: N801
    """At least one of these."""

    of: tuple["Node", ...]


class Not(Struct, frozen=True, tag="not"):
    """The contrary. A field that is missing matches nothing, so that its contrary holds."""

    of: "Node"


class Selection(Struct, frozen=True, tag="selection"):
    """A part of the rule that has a name."""

    name: str
    of: "Node"


Node = Test | All | Any_ | Not | Selection


class Reason(Struct, frozen=True):
    """Why a rule matched: which part of it, on what. The value is attacker-influenced text, cut to LONGEST."""

    selection: str
    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.selection}: {self.field} is {self.value!r}"


# The reasons for which the answer is yes; None is no.
Answer = tuple[Reason, ...] | None
Check = Callable[[Activity], Answer]


def check(node: Node, selection: str = "") -> Check:
    """The question as a function."""
    match node:
        case Test():
            return _test(node, selection)
        case Selection():
            return check(node.of, node.name)
        case Not():
            inner = check(node.of, selection)
            return lambda activity: () if inner(activity) is None else None
        case All():
            return _all([check(one, selection) for one in node.of])
        case Any_():
            return _any([check(one, selection) for one in node.of])


def possible(node: Node) -> Callable[[Activity], bool | None]:
    """Whether an activity of its operation matches whatever else it is (True), can't (False), or may (None)."""
    match node:
        case Test():
            if node.field not in BY_OPERATION or node.op == "same":
                return lambda activity: None  # noqa: ARG005
            decided = check(node)
            return lambda activity: decided(activity) is not None
        case Selection():
            return possible(node.of)
        case Not():
            inner = possible(node.of)
            return lambda activity: None if (answer := inner(activity)) is None else not answer
        case All():
            return _settled([possible(one) for one in node.of], by=False)
        case Any_():
            return _settled([possible(one) for one in node.of], by=True)


def _settled(parts: list[Callable[[Activity], bool | None]], *, by: bool) -> Callable[[Activity], bool | None]:
    """Of several: one answer settles it, else one that is open leaves it open."""

    def answer(activity: Activity) -> bool | None:
        answers = [part(activity) for part in parts]
        return by if by in answers else None if None in answers else not by

    return answer


def _all(checks: list[Check]) -> Check:
    def answer(activity: Activity) -> Answer:
        reasons: tuple[Reason, ...] = ()
        for one in checks:
            found = one(activity)
            if found is None:
                return None
            reasons += found
        return reasons

    return answer


def _any(checks: list[Check]) -> Check:
    def answer(activity: Activity) -> Answer:
        for one in checks:
            found = one(activity)
            if found is not None:
                return found
        return None

    return answer


def _test(test: Test, selection: str) -> Check:
    if test.op == "exists":
        return _existence(test, selection)
    its = field(test.field)
    read = its.read
    each = [(_predicate(test.op, value, exact=its.exact), text(value)) for value in test.values]

    def reason(value: Any, wanted: str) -> Reason:
        # Of keywords, the word is shown: the text that it was found in is the whole activity.
        return Reason(selection, its.name, (text(value) if test.field else wanted)[:LONGEST])

    def some(activity: Activity) -> Answer:
        for value in read(activity):
            if any_(value, activity):
                return (reason(value, next(wanted for holds, wanted in each if holds(value, activity))),)
        return None

    def every(activity: Activity) -> Answer:
        values = read(activity)
        found = [[reason(v, wanted) for v in values if holds(v, activity)][:1] for holds, wanted in each]
        return tuple(dict.fromkeys(one for ones in found for one in ones)) if all(found) else None

    any_ = _any_of(test, [holds for holds, _ in each])
    return every if test.every else some


def _any_of(test: Test, each: list["Predicate"]) -> "Predicate":
    """Whether a value meets one of the wanted ones at least; it is put into lower case once for all of them."""
    wanted = [text(value) for value in test.values]
    if test.op == "is":
        known = frozenset(wanted)
        return lambda value, _: text(value).lower() in known
    if len(each) == 1:
        return each[0]
    if test.op in _TEXTS:
        compare = _TEXTS[test.op]

        def one(value: Any, _: Activity) -> bool:
            low = text(value).lower()
            return any(compare(low, sought) for sought in wanted)

        return one
    return lambda value, activity: any(holds(value, activity) for holds in each)


def _existence(test: Test, selection: str) -> Check:
    its, wanted = field(test.field), test.values[0]

    def answer(activity: Activity) -> Answer:
        values = its.read(activity)
        if bool(values) is not wanted:
            return None
        return (Reason(selection, its.name, text(values[0])[:LONGEST] if values else ""),)

    return answer


Predicate = Callable[[Any, Activity], bool]


def _predicate(op: Op, wanted: str | float, *, exact: bool) -> Predicate:
    """One value's test. `exact` is whether the case of the field means something to a regular expression."""
    sought = text(wanted)
    if op in _TEXTS:
        compare = _TEXTS[op]
        return lambda value, _: compare(text(value).lower(), sought)
    match op:
        case "same":
            read = field(sought).read
            return lambda value, activity: text(value).lower() in [text(its).lower() for its in read(activity)]
        case "like":
            pattern = re.compile(regex(sought), re.DOTALL)
            return lambda value, _: pattern.fullmatch(text(value).lower()) is not None
        case "re":
            free = re.compile(sought, 0 if exact else re.IGNORECASE)
            return lambda value, _: free.search(text(value)) is not None
        case "cidr":
            network = ipaddress.ip_network(sought)
            return lambda value, _: (address := _address(text(value))) is not None and address in network
        case _:
            return _comparison(op, float(wanted))


_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "contains": str.__contains__,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def _comparison(op: Op, wanted: float) -> Predicate:
    compare = {"gt": float.__gt__, "gte": float.__ge__, "lt": float.__lt__, "lte": float.__le__}[op]
    return lambda value, _: (number := _number(value)) is not None and compare(number, wanted)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        return None
    return (found.version == 6 and found.ipv4_mapped) or found  # noqa: PLR2004


def regex(like: str) -> str:
    """A `like` as a regular expression of the whole text. It never backtracks: the text is the attacker's choice."""
    first, *rest = segments(like)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{part})" for part in middle) + ".*" + last


def segments(like: str) -> list[str]:
    """What stands between the * of a `like`, each as a regular expression of its own."""
    found = [""]
    for literal, wild in re.findall(r"\\(.)|(.)", like, re.DOTALL):
        if wild == "*":
            found.append("")
        else:
            found[-1] += "." if wild == "?" else verbatim(literal or wild)
    return found


def verbatim(plain: str) -> str:
    """A regular expression for exactly this text, as Python, RE2 and Kusto read it alike."""
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", plain)
