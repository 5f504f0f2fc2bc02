"""HTML made of elements, never of strings: whatever a text says, it stays text, and all of it can be seen."""

import re
import unicodedata
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Node = Element | str | None
Row = Iterable[Node]

# Letters and symbols that look like nothing.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# The portals where alerts are shown; ASCII only, so that no look-alike and no trick of URL parsers fits.
_LINK = re.compile(
    r"https://(?:portal\.azure\.com|security\.microsoft\.com)(?:[/?#][A-Za-z0-9\-._~:/?#@!$&()*+,;=%]*)?"
)


class _Shown(dict[int, str]):
    """For str.translate: what stands for each character, worked out once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        seen = char in "\n\t" or (char not in _BLANK and unicodedata.category(char) not in _HIDDEN)
        self[code] = char if seen else f"\u27e8U+{code:04X}\u27e9"
        return self[code]


_SHOWN = _Shown()


def visible(text: str) -> str:
    """The text with what can't be seen made visible: ⟨U+202E⟩ for a right-to-left override, and so on."""
    return text if text.isascii() and text.isprintable() else text.translate(_SHOWN)


def el(tag: str, *children: Node, **attributes: str) -> Element:
    """An element. `class_` is the attribute class, `http_equiv` is http-equiv; None is left out."""
    made = Element(tag, {k.rstrip("_").replace("_", "-"): visible(v) for k, v in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif child is not None and last is None:
            made.text = (made.text or "") + visible(child)
        elif child is not None and last is not None:
            last.tail = (last.tail or "") + visible(child)
    return made


def link(url: str) -> Element:
    """A link, if it leads to a portal of Microsoft's; else the text of it."""
    if not _LINK.fullmatch(url):
        return el("code", url)
    return el("a", url, href=url, rel="noopener noreferrer")


def items(lines: Iterable[Node], **attributes: str) -> Element:
    return el("ul", *(el("li", line) for line in lines), **attributes)


def facts(pairs: Iterable[tuple[str, Node]]) -> Element:
    """Names and what they are; pairs without a value are left out."""
    groups = [el("div", el("dt", name), el("dd", value)) for name, value in pairs if value is not None and value != ""]
    return el("dl", *groups)


def table(caption: str, heads: Iterable[str], rows: Iterable[Row], **attributes: str) -> Element:
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in heads)))
    body = el("tbody", *(el("tr", *(el("td", cell) for cell in row)) for row in rows))
    return el("table", el("caption", caption), head, body, **attributes)


def document(root: Element) -> bytes:
    """The bytes of a whole page, in UTF-8."""
    return f"<!DOCTYPE html>\n{tostring(root, encoding='unicode', method='html')}\n".encode()
