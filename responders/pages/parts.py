"""Small parts that the sections of the report have in common."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from responders.pages.markup import Node, el, items

GOOD = {"resolved", "dismissed", "done", "already_so", "approved", "auto", "expected"}
BAD = {
    "unfinished",
    "not_acted_on",
    "failed",
    "drifted",
    "unverified",
    "not_done",
    "expired",
    "unexpected",
    "suspicious",
}


def badge(word: str, tone: str = "") -> Element:
    """A word that stands out, as good or bad, by its own tone where none is given."""
    tone = tone or ("good" if word in GOOD else "bad" if word in BAD else "plain")
    return el("span", word.replace("_", " "), class_=f"badge {tone}")


def code(text: str | None) -> Node:
    return el("code", text) if text else None


def codes(texts: Iterable[str]) -> Node:
    listed = [code(text) for text in texts]
    return items(listed) if listed else None


def time(text: str | None) -> str:
    return text[:19].replace("T", " ") + " UTC" if text else "now"


def when(text: str) -> Element:
    return el("time", time(text), datetime=text)
