"""Whoever can write to the store can alter a journal, but not without a trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from responders.evidence import Evidence
from responders.journal import Journal
from tests.responders.test_journal import FOLDER, add

Tamper = Callable[[Path], Any]


async def filled(folder: Path, entries: int = 6) -> Journal:
    """A journal in a folder, by a process that is gone."""
    await add(Journal(Evidence.at(str(folder)), "case-1"), *(f"k{i}" for i in range(1, entries + 1)))
    return Journal(Evidence.at(str(folder)), "case-1")


def swap(a: Path, b: Path) -> None:
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("tamper", "problems"),
    [
        (
            lambda f: edit(f / "000003.json", "responder", "intruder."),
            ["Entry 4 does not follow from entry 3: one of them was altered."],
        ),
        (
            lambda f: edit(f / "000001.json", "applied", "skipped"),
            ["Entry 2 does not follow from entry 1: one of them was altered."],
        ),
        (lambda f: (f / "000003.json").unlink(), ["Entry 3 is missing."]),
        (lambda f: [(f / f"00000{n}.json").unlink() for n in (2, 3, 4)], ["Entries 2 to 4 are missing."]),
        (lambda f: (f / "000001.json").unlink(), ["Entry 1 is missing."]),
        (
            lambda f: swap(f / "000002.json", f / "000004.json"),
            [
                "Entry 2 says that it is entry 4.",
                "Entry 2 does not follow from entry 1: one of them was altered.",
                "Entry 3 does not follow from entry 2: one of them was altered.",
                "Entry 4 says that it is entry 2.",
                "Entry 4 does not follow from entry 3: one of them was altered.",
                "Entry 5 does not follow from entry 4: one of them was altered.",
            ],
        ),
        (
            lambda f: (f / "000006.json").write_bytes(b""),
            ["Entry 6 can't be read: Input data was truncated."],
        ),
        (
            lambda f: (f / "000005.json").write_bytes(b"{}"),
            [
                "Entry 5 can't be read: Object missing required field `n`.",
                "Entry 6 does not follow from entry 5: one of them was altered.",
            ],
        ),
        (
            lambda f: edit(f / "000006.json", '"by"', '"note":"hidden","by"'),
            ["Entry 6 is not written the way the journal writes."],
        ),
        (lambda f: (f / "000002.bak").touch(), [f"{FOLDER}/000002.bak does not belong in the journal."]),
        (lambda f: (f / "0000002.json").touch(), [f"{FOLDER}/0000002.json does not belong in the journal."]),
        (
            lambda f: (f / "999999999.json").write_bytes((f / "000006.json").read_bytes()),
            ["Entries 7 to 999999998 are missing.", "Entry 999999999 says that it is entry 6."],
        ),
        (
            lambda f: edit(f / "000001.json", '"previous":""', '"previous":"00"'),
            ["Entry 1 names one before it.", "Entry 2 does not follow from entry 1: one of them was altered."],
        ),
    ],
    ids=[
        "edited",
        "first edited",
        "deleted",
        "three deleted",
        "first deleted",
        "swapped",
        "emptied",
        "replaced",
        "field added",
        "file added",
        "number forged",
        "entry added far off",
        "beginning cut off",
    ],
)
async def test_tampering_shows(tmp_path: Path, tamper: Tamper, problems: list[str]) -> None:
    journal = await filled(tmp_path)
    assert await journal.verify() == ()
    tamper(tmp_path / FOLDER)
    assert await journal.verify() == tuple(problems)
    assert await Journal(Evidence.at(str(tmp_path)), "case-1").verify() == tuple(problems)


async def test_a_tail_that_was_cut_off_shows_against_the_head_only(tmp_path: Path) -> None:
    journal = await filled(tmp_path)
    head = await journal.head()
    (tmp_path / FOLDER / "000006.json").unlink()
    assert await journal.verify() == ()
    assert await journal.prove(head) == ("Entry 6 was the last once, and is missing.",)


async def test_an_altered_last_entry_shows_against_the_head_only(tmp_path: Path) -> None:
    journal = await filled(tmp_path)
    head = await journal.head()
    edit(tmp_path / FOLDER / "000006.json", "applied", "skipped")
    assert await journal.verify() == ()
    assert await journal.prove(head) == (
        "Entry 6 was altered, or one before it was and the chain rewritten: its hash is another.",
    )


async def test_a_chain_written_anew_shows_against_the_head(tmp_path: Path) -> None:
    head = await (await filled(tmp_path / "true")).head()
    forged = Journal(Evidence.at(str(tmp_path / "forged")), "case-1")
    await add(forged, "k1", "k2", "other", "k4", "k5", "k6", "k7")
    assert await forged.verify() == ()
    assert len(await forged.prove(head)) == 1


async def test_a_damaged_entry_does_not_stop_the_response(tmp_path: Path) -> None:
    journal = await filled(tmp_path)
    (tmp_path / FOLDER / "000003.json").write_bytes(b"\xff")
    entry = (await add(journal, "next"))[0]
    assert entry.n == 7
    assert [entry.n for entry in await journal.entries()] == [1, 2, 4, 5, 6, 7]
    assert (await journal.verify())[0].startswith("Entry 3 can't be read:")


async def test_what_is_appended_after_a_gap_does_not_heal_it(tmp_path: Path) -> None:
    journal = await filled(tmp_path)
    (tmp_path / FOLDER / "000003.json").unlink()
    await add(journal, "next")
    assert await journal.verify() == ("Entry 4 does not follow from entry 3: one of them was altered.",)


async def test_an_entry_forged_later_does_not_take_the_place_of_the_first_with_its_key(tmp_path: Path) -> None:
    first = (await (await filled(tmp_path)).entries())[0]
    (tmp_path / FOLDER / "000007.json").write_text((tmp_path / FOLDER / "000001.json").read_text().replace("k1", "k2"))
    edit(tmp_path / FOLDER / "000007.json", '"key":"k2"', '"key":"k1"')
    assert await add(Journal(Evidence.at(str(tmp_path)), "case-1"), "k1") == [first]
