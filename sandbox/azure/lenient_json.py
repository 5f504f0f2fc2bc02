"""JSON as Resource Manager reads templates: with comments, names without quotes, lines within texts, a comma too many.

The Azure CLI sends a template as its author wrote it, behind a name without quotes.
"""

import json
import re
from typing import Any

_PART = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<comma>,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]]))
    |(?P<name>[A-Za-z_$][\w$]*)(?=\s*:)""",
    re.VERBOSE | re.DOTALL,
)


def loads(text: str) -> Any:
    """Decode it. Raises ValueError."""

    def plain(part: re.Match[str]) -> str:
        kept = part["text"] or (f'"{part["name"]}"' if part["name"] else "")
        return kept or " "

    return json.loads(_PART.sub(plain, text), strict=False)
