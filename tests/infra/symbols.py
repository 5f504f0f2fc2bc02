"""What names in a Bicep file stand for, and of which type they are, as far as that can be told without a compiler."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_DECLARATIONS = {f"{kind}_declaration" for kind in ("parameter", "variable", "resource", "module", "output")}
# Functions that are called here, with the type of what they return; "" for what depends.
FUNCTIONS = {
    "array": ("concat", "filter", "split"),
    "bool": ("contains", "empty"),
    "int": ("length",),
    "object": ("environment", "listCallbackUrl", "managementGroup", "resourceGroup", "subscription", "tenant"),
    "string": ("guid", "join", "loadTextContent", "newGuid", "replace", "subscriptionResourceId", "tenantResourceId",
               "toLower", "uniqueString"),
    "": ("json", "loadJsonContent", "union"),
}  # fmt: skip
# Decorators, and what they can stand before.
DECORATORS = {
    "allowed": "string int",
    "description": "string int bool array object",
    "maxLength": "string array",
    "maxValue": "int",
    "metadata": "string int bool array object",
    "minLength": "string array",
    "minValue": "int",
    "secure": "string object",
}
_RETURNS = {name: kind for kind, names in FUNCTIONS.items() for name in names}
_LITERALS = {"string": "string", "number": "int", "boolean": "bool", "array": "array", "object": "object"}


def _text(node: Node | None) -> str:
    return (node.text or b"").decode() if node else ""


@cache
def tree(file: Path) -> Node:
    return Parser(Language(tree_sitter_bicep.language())).parse(file.read_bytes()).root_node


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def declarations(file: Path) -> list[tuple[str, Node]]:
    """What a file declares, by name; outputs are names of their own."""
    found = [n for n in tree(file).named_children if n.type in _DECLARATIONS]
    return [(("output " if n.type.startswith("output") else "") + _text(n.named_children[0]), n) for n in found]


def unknown(file: Path) -> list[str]:
    """Names that stand for nothing, and functions that nobody listed."""
    known = {name for name, _ in declarations(file)}
    loops = [n for n in walk(tree(file)) if n.type == "for_statement"]
    local = {_text(n) for loop in loops for n in walk(loop.named_children[0]) if n.child_count == 0}
    found = []
    for node in walk(tree(file)):
        parent = node.parent
        if node.type != "identifier" or parent is None or parent.type == "lambda_expression":
            continue
        if node == parent.named_children[0] and parent.type in {"object_property", *_DECLARATIONS}:
            continue
        if _text(node) not in known | local | _RETURNS.keys() | DECORATORS.keys():
            found.append(f"line {node.start_point[0] + 1}: {_text(node)}")
    return found


def mistyped(file: Path) -> list[str]:
    """Parameters of modules, defaults and outputs that are given something of another type."""
    found = []
    for name, node in declarations(file):
        if node.type in {"parameter_declaration", "output_declaration"} and len(node.named_children) > 2:
            wanted, value = _text(node.named_children[1]), node.named_children[2]
            found += _judged(name, wanted, _type(file, value))
        if node.type == "module_declaration":
            target = file.parent / _text(node.named_children[1]).strip("'")
            taken = {n: _text(one.named_children[1]) for n, one in declarations(target)}
            for key, value in _params(node):
                found += _judged(f"{name}.{key}", taken.get(key, ""), _type(file, value))
    return found


def properties(file: Path) -> set[str]:
    """The names of all properties that resources are given; but those that are quoted, which are data."""
    bodies = [node for _, node in declarations(file) if node.type == "resource_declaration"]
    pairs = [n for body in bodies for n in walk(body) if n.type == "object_property"]
    return {_text(n.named_children[0]) for n in pairs if n.named_children[0].type == "identifier"}


def circles(file: Path) -> list[str]:
    """Resources and modules that wait for themselves, by way of others."""
    named = dict(declarations(file))
    uses = {name: _used(node) & named.keys() - {name} for name, node in named.items()}
    found = []
    for name in named:
        reached, todo = set[str](), list(uses[name])
        while todo:
            if (one := todo.pop()) not in reached:
                reached.add(one)
                todo += uses[one]
        found += [name] if name in reached else []
    return found


def _used(node: Node) -> set[str]:
    """The names in an expression, without those of properties."""
    keys = {n.named_children[0].id for n in walk(node) if n.type == "object_property"}
    return {_text(n) for n in walk(node) if n.type == "identifier" and n.id not in keys}


def misplaced(file: Path) -> list[str]:
    """Decorators before a type that they say nothing of."""
    found, waiting = [], []
    for node in tree(file).named_children:
        if node.type == "decorators":
            waiting = [_text(n.named_children[0]) for n in walk(node) if n.type == "call_expression"]
        elif node.type == "parameter_declaration":
            kind = _text(node.named_children[1])
            found += [f"@{d} before {kind}" for d in waiting if kind not in DECORATORS.get(d, "").split()]
        if node.type != "decorators":
            waiting = []
    return found


def _judged(what: str, wanted: str, given: str) -> list[str]:
    return [f"{what} is {wanted}, and given {given}"] if wanted and given and wanted != given else []


def _params(module: Node) -> Iterator[tuple[str, Node]]:
    for node in walk(module):
        if node.type == "object_property" and _text(node.named_children[0]) == "params":
            for one in node.named_children[1].named_children:
                if one.type == "object_property":
                    yield _text(one.named_children[0]), one.named_children[-1]


def _type(file: Path, node: Node) -> str:
    """The type of an expression; "" where that is not to be told."""
    asked: dict[str, Callable[[Node], str]] = {
        "identifier": lambda n: _named(file, _text(n)),
        "call_expression": lambda n: _RETURNS.get(_text(n.named_children[0]), ""),
        "unary_expression": lambda n: "bool" if _text(n).startswith("!") else "int",
        "ternary_expression": lambda n: _common([_type(file, branch) for branch in n.named_children[1:]]),
        "parenthesized_expression": lambda n: _type(file, n.named_children[0]),
        "member_expression": lambda n: _member(file, _text(n).split(".")),
        "binary_expression": lambda n: "bool" if any(c.type in {"==", "!=", "&&", "||"} for c in n.children) else "",
    }
    return asked[node.type](node) if node.type in asked else _LITERALS.get(node.type, "")


def _common(types: list[str]) -> str:
    return types[0] if len(set(types)) == 1 else ""


def _named(file: Path, name: str) -> str:
    node = dict(declarations(file)).get(name)
    if node is None or node.type in {"resource_declaration", "module_declaration"}:
        return "" if node is None else "resource"
    return (
        _text(node.named_children[1]) if node.type == "parameter_declaration" else _type(file, node.named_children[1])
    )


def _member(file: Path, parts: list[str]) -> str:
    node = dict(declarations(file)).get(parts[0])
    if node is not None and node.type == "module_declaration" and len(parts) == 3:
        target = file.parent / _text(node.named_children[1]).strip("'")
        outputs = dict(declarations(target))
        return _text(outputs[f"output {parts[2]}"].named_children[1]) if f"output {parts[2]}" in outputs else ""
    return (
        "string" if node is not None and node.type == "resource_declaration" and parts[1:] in (["id"], ["name"]) else ""
    )
