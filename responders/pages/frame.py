"""The frame of every page: one file without scripts, or anything from elsewhere."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from responders.pages.markup import Node, document, el


def page(title: str, *body: Node, form: bool = False) -> bytes:
    """A whole page, in UTF-8. With `form` it may send one to where it came from."""
    sheet = el("style")
    sheet.text = _style()
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy(form=form)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", f"{title}: Countersign"),
        sheet,
    )
    return document(el("html", head, el("body", *body), lang="en"))


def policy(*, form: bool) -> str:
    """The Content-Security-Policy of a page."""
    own = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{own}'; base-uri 'none'; form-action '{'self' if form else 'none'}'"


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text("utf-8")
