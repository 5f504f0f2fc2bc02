"""The table of every field in an exercise file, as Markdown, from the format itself: for docs/exercises.md."""

from pathlib import Path
from typing import Any

from sandbox.exercise import schema

Json = dict[str, Any]
SCHEMA = Path(__file__).parent / "exercises" / "schema.json"
PAGE = Path(__file__).parents[1] / "docs" / "exercises.md"
_KINDS = {
    "string": "text",
    "integer": "number",
    "boolean": "yes or no",
    "null": "nothing",
    "duration": "duration",
    "date-time": "time",
}
_BEGIN, _END = "<!-- fields -->\n", "<!-- /fields -->"


def page() -> str:
    """docs/exercises.md with the table as it must be."""
    text = PAGE.read_text(encoding="utf-8")
    return text[: text.index(_BEGIN) + len(_BEGIN)] + table() + text[text.index(_END) :]


def table() -> str:
    """A section a part: its fields, their types and what they mean."""
    parts: Json = schema()["$defs"]
    shown = [name for name in parts if not name.endswith("Entry")]
    return "\n" + "\n".join(_section(name, parts[name]) for name in shown)


def _section(name: str, part: Json) -> str:
    rows = [
        f"| {f'**{field}**' if field in part.get('required', []) else field} | {_kind(body)} | {body['description']} |"
        for field, body in part["properties"].items()
    ]
    heading = f"### {name}\n\n{part.get('description', '').splitlines()[0]}\n"
    return "\n".join([heading, "| field | is | meaning |", "|---|---|---|", *rows, ""])


def _kind(body: Json) -> str:
    kind, inner = str(body.get("type", "JSON")), body.get("additionalProperties")
    if "enum" in body:
        return " or ".join(f"`{value}`" for value in body["enum"])
    if "anyOf" in body:
        return " or ".join(_kind(choice) for choice in body["anyOf"])
    if kind == "array":
        return f"list of {_kind(body.get('items', {}))}"
    if isinstance(inner, dict):
        return f"names with {_kind(inner)}"
    named = str(body.get("$ref", "")).rpartition("/")[2]
    return named or _KINDS.get(str(body.get("format")), _KINDS.get(kind, kind))
