"""A page, read the way a browser does."""

import json
from html.parser import HTMLParser

from responders.incident import Incident
from responders.model import Json
from responders.report import write
from tests.responders.story import ID

VOID = {"meta", "br", "img", "link", "input", "hr", "base"}


class Seen(HTMLParser):
    """A page as a browser would take it: its elements, its text, its links."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.others: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def links(self) -> list[str | None]:
        return [attrs[name] for _, attrs in self.elements for name in ("href", "src") if name in attrs]


async def page(incident: Incident, run: str = ID) -> Seen:
    """The report of a run, written and opened."""
    return Seen(await read(incident, await write(incident, run)))


async def read(incident: Incident, path: str) -> bytes:
    data = await incident.evidence.read_bytes(path)
    assert data is not None
    return data


async def kept(incident: Incident, run: str = ID) -> Json:
    """The report of a run as JSON, as it was kept."""
    found: Json = json.loads(await read(incident, incident.path("reports", f"{run}.json")))
    return found
