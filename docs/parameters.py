"""The parameters of the Bicep files as tables, each explained by its own description."""

import re
from pathlib import Path

INFRA = Path(__file__).parent.parent / "infra"
# A description, whatever other decorators come before and after it, then the parameter with its default, if it has one.
_PARAMETER = re.compile(
    r"^@description\('(?P<about>(?:[^'\\]|\\.)*)'\)\n(?:@.*\n)*param (?P<name>\w+) (?P<kind>\w+)"
    r"(?: = (?P<default>(?:[\[{]\n(?:  .*\n)*[\]}])|.*))?$",
    re.MULTILINE,
)


def table(file: str) -> str:
    """The parameters of one file, in its order."""
    lines = ["| parameter | default | what it is |", "|---|---|---|"]
    for found in _PARAMETER.finditer((INFRA / file).read_text("utf-8")):
        about = found["about"].replace("\\'", "'").replace("|", "\\|")
        lines.append(f"| `{found['name']}` | {_default(found['default'])} | {about} |")
    return "\n".join(lines)


def _default(text: str | None) -> str:
    if text is None:
        return "**required**"
    if text in {"''", "[]", "{}"}:
        return ""
    # A list or an object is written over several lines in Bicep, an item a line.
    flat = re.sub(r"\s*\n\s*", ", ", text.strip()).replace("[, ", "[").replace(", ]", "]")
    return f"`{flat.replace('{, ', '{').replace(', }', '}')}`"
