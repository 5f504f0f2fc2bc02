"""Sigma's condition line: `selection and not 1 of filter_*`."""

import re
from fnmatch import fnmatchcase

from responders.errors import Permanent
from responders.investigation.conditions import All, Any_, Node, Not, Selection

_TOKEN = re.compile(r"\s*([()]|[\w*?-]+)")


def parse(condition: object, selections: dict[str, Selection]) -> Node:
    """The tree of a condition. Raises Permanent, saying what is wrong, for one that is none."""
    if isinstance(condition, list):  # any of these
        return _joined(Any_, [parse(one, selections) for one in condition])
    if not isinstance(condition, str):
        raise Permanent("has no condition")
    if "|" in condition:
        raise Permanent("aggregates over events (| in the condition), which is not implemented")
    tokens, rest = [], condition
    while rest.strip():
        found = _TOKEN.match(rest)
        if not found:
            raise Permanent(f"has a condition with {rest.strip()[:20]!r} in it, which is not understood")
        tokens.append(found[1])
        rest = rest[found.end() :]
    parser = _Parser(tokens, selections)
    tree = parser.alternatives()
    if parser.tokens:
        raise Permanent(f"has a condition in which {parser.tokens[0]!r} is out of place")
    return tree


class _Parser:
    def __init__(self, tokens: list[str], selections: dict[str, Selection]) -> None:
        self.tokens = tokens
        self.selections = selections

    def alternatives(self) -> Node:
        found = [self.conjunction()]
        while self.taken("or"):
            found.append(self.conjunction())
        return _joined(Any_, found)

    def conjunction(self) -> Node:
        found = [self.negation()]
        while self.taken("and"):
            found.append(self.negation())
        return _joined(All, found)

    def negation(self) -> Node:
        return Not(self.negation()) if self.taken("not") else self.primary()

    def primary(self) -> Node:
        if self.taken("("):
            inner = self.alternatives()
            if not self.taken(")"):
                raise Permanent("has a condition with a parenthesis that is not closed")
            return inner
        if not self.tokens:
            raise Permanent("has a condition that breaks off")
        token = self.tokens.pop(0)
        if self.taken("of"):
            return self.several(token)
        if token not in self.selections:
            raise Permanent(f"has no selection {token!r}, but its condition names it")
        return self.selections[token]

    def several(self, quantity: str) -> Node:
        if quantity not in {"1", "any", "all"}:
            raise Permanent(f"asks for {quantity!r} of its selections; 1, any and all are implemented")
        if not self.tokens:
            raise Permanent("has a condition that breaks off")
        pattern = self.tokens.pop(0)
        glob = "*" if pattern == "them" else pattern
        found: list[Node] = [
            one
            for name, one in self.selections.items()
            if fnmatchcase(name, glob) and (pattern.startswith("_") or not name.startswith("_"))
        ]
        if not found:
            raise Permanent(f"has no selection like {pattern!r}, but its condition names it")
        return _joined(All if quantity == "all" else Any_, found)

    def taken(self, token: str) -> bool:
        if self.tokens and self.tokens[0].lower() == token:
            self.tokens.pop(0)
            return True
        return False


def _joined(kind: type[All | Any_], found: list[Node]) -> Node:
    return found[0] if len(found) == 1 else kind(tuple(found))
