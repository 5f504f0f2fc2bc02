"""How what comes from outside goes into a call, and how a model of an SDK comes out of one."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from responders.errors import Permanent
from responders.model import Json


def segment(text: str) -> str:
    """One part of a Graph path, quoted so that it stays one part."""
    return quote(text, safe="")


def odata(text: str) -> str:
    """A string literal of OData."""
    return "'" + text.replace("'", "''") + "'"


def rest(model: Any) -> Json:
    """An SDK model in the shape that REST has, read-only properties included."""
    if hasattr(model, "serialize"):
        return model.serialize(keep_readonly=True)  # type: ignore[no-any-return]
    return model.as_dict()  # type: ignore[no-any-return]


def query_string(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{quote(k, safe='$-')}={quote(v, safe='')}" for k, v in parameters.items())


def same_host(url: str, host: str) -> None:
    """Raises Permanent for a next link to elsewhere: it is followed with our token, so only to where the list was."""
    if not url.lower().startswith(host.lower().rstrip("/") + "/"):
        raise Permanent(f"Azure sent a next link to another host: {url[:200]!r}. Not followed.")
