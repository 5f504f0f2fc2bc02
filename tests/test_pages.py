"""docs/operate.md and docs/security.md: what they tell to type works, and what they point to is there."""

import asyncio
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from docs import dangers, rights
from responders.evidence import Evidence
from responders.journal import Journal

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {path.name: path.read_text("utf-8") for path in sorted(DOCS.glob("*.md"))}
MINE = ("operate.md", "security.md")
BLOCKS = [block for name in MINE for block in re.findall(r"^```sh\n(.*?)^```$", PAGES[name], re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:40])
def test_commands_are_shell(block: str) -> None:
    done = subprocess.run(["/bin/sh", "-n"], input=block, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def anchors(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", MINE)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https:)([\w./-]*)(?:#([\w-]+))?\)", PAGES[name])

    assert links
    lost = [
        (file, anchor)
        for file, anchor in links
        if not (DOCS / file).exists() or (anchor and anchor not in anchors(PAGES[file or name]))
    ]
    assert lost == []


@pytest.mark.parametrize("name", MINE)
def test_files_that_are_named_are_there(name: str) -> None:
    paths = set(re.findall(r"`((?:infra|docs|tests|playbooks|responders)/[\w./-]+)`", PAGES[name]))

    assert [path for path in paths if not (DOCS.parent / path).exists()] == []


def checked(folder: Path) -> list[str]:
    """What the page's way to check a journal prints."""
    block = next(block for block in BLOCKS if "does not follow" in block)
    command = ["/bin/sh", "-c", f"INCIDENT=one\n{block}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603


def test_a_journal_is_checked_by_hand(tmp_path: Path) -> None:
    journal = Journal(Evidence.at(str(tmp_path)), "one")

    async def write() -> str:
        for n in range(3):
            await journal.append("note", {"n": n}, by="test", at=datetime(2026, 3, 4, tzinfo=UTC), key=str(n))
        return (await journal.head()).sha256

    head = asyncio.run(write())
    assert checked(tmp_path) == [head]

    second = tmp_path / "incidents" / "one" / "journal" / "000002.json"
    second.write_text(json.dumps({**json.loads(second.read_text()), "by": "somebody else"}))
    assert checked(tmp_path) == ["000003.json does not follow from the one before", head]


def test_every_graph_permission_has_its_danger() -> None:
    given = {entry["value"] for entries in rights.graph().values() for entry in entries}

    assert given == dangers.DANGERS.keys()
