import asyncio
import itertools
from datetime import datetime, timedelta

import pytest

from responders.errors import Permanent, Temporary
from responders.evidence import Evidence
from responders.journal import Entry, Head, Journal
from tests.azurite import Identity
from tests.responders import process
from tests.responders.conftest import Opener
from tests.responders.process import NOON, both

FOLDER = "incidents/case-1/journal"


class Counting(Evidence):
    """Evidence that counts its calls, and can lose replies."""

    def __init__(self, other: Evidence) -> None:
        super().__init__(other._store)
        self.created = self.looked = 0
        self.lose: set[int] = set()  # the calls of `create` whose reply is lost
        self.repeat: set[int] = set()  # those whose reply is lost and that the store's client repeats by itself

    async def create(self, path: str, noun: object) -> bool:
        self.created += 1
        made = await super().create(path, noun)
        if self.created in self.lose:
            raise Temporary("The reply was lost.")
        return made and self.created not in self.repeat

    async def read_bytes(self, path: str) -> bytes | None:
        self.looked += 1
        return await super().read_bytes(path)


async def add(journal: Journal, *keys: str, at: datetime = NOON) -> list[Entry]:
    return [await journal.append("applied", {"change": key}, by="responder", at=at, key=key) for key in keys]


async def test_entries_are_read_as_they_were_appended(reopen: Opener) -> None:
    journal = Journal(reopen(), "case-1")
    what = {"answer": "unexpected", "resources": ["/subscriptions/a", "ü"], "count": 2, "none": None}
    one = await journal.append("answered", what, by="owner@contoso.example", at=NOON, key="answer/1")
    two = await journal.append("planned", {}, by="responder", at=NOON + timedelta(microseconds=1), key="plan/1")
    assert (one.n, one.previous, one.what, one.kind, one.by) == (1, "", what, "answered", "owner@contoso.example")
    assert two.n == 2
    assert len(two.previous) == 64
    assert await Journal(reopen(), "case-1").entries() == await journal.entries() == [one, two]
    assert await Journal(reopen(), "case-1").verify() == ()


async def test_an_incident_s_journal_is_its_own(reopen: Opener) -> None:
    await add(Journal(reopen(), "case-1"), "a")
    assert await Journal(reopen(), "case-2").entries() == []
    assert await reopen().list("incidents") == [f"{FOLDER}/000001.json"]


@pytest.mark.parametrize("incident", ["", "..", "case-1/journal", "../case-2", "a b"])
def test_an_incident_can_not_lead_into_another_folder(incident: str) -> None:
    with pytest.raises(Permanent):
        Journal(Evidence.at("memory://"), incident)


async def test_the_same_key_is_appended_once(reopen: Opener) -> None:
    first, _ = await add(Journal(reopen(), "case-1"), "a", "b")
    journal = Journal(reopen(), "case-1")
    again = await journal.append("asked", {"other": 1}, by="someone else", at=NOON + timedelta(days=1), key="a")
    assert again == first
    assert await journal.append("asked", {}, by="someone else", at=NOON, key="a") == first
    assert len(await Journal(reopen(), "case-1").entries()) == 2


async def test_journals_open_at_the_same_time_see_each_other(reopen: Opener) -> None:
    one, two = Journal(reopen(), "case-1"), Journal(reopen(), "case-1")
    await add(one, "a")
    await add(two, "b")
    await add(one, "c")
    assert [entry.key for entry in await two.entries()] == ["a", "b", "c"]
    assert [entry.key for entry in await one.entries()] == ["a", "b", "c"]
    assert await one.head() == await two.head()
    assert await one.verify() == ()


async def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its zone"):
        await add(Journal(Evidence.at("memory://"), "case-1"), "a", at=NOON.replace(tzinfo=None))


async def test_tasks_that_share_a_journal_keep_it_whole(reopen: Opener) -> None:
    journal = Journal(reopen(), "case-1")
    made = await asyncio.gather(*(add(journal, f"{i}", "same") for i in range(20)))
    assert len({own.n for own, _ in made}) == 20
    assert len({same.n for _, same in made}) == 1
    assert [entry.n for entry in await journal.entries()] == list(range(1, 22))
    assert await journal.verify() == ()


async def test_200_appends_of_8_tasks_in_2_processes_keep_a_whole_chain(shared: str) -> None:
    a, b = await asyncio.to_thread(both, "append", shared)
    journal = Journal(Evidence.at(shared, Identity()), "case-1")
    assert sorted(a + b) == list(range(1, 201))
    assert await journal.verify() == ()
    entries = await journal.entries()
    assert {entry.key for entry in entries} == {f"{p}/{t}/{i}" for p in "ab" for t in range(4) for i in range(25)}
    for _, of_task in itertools.groupby(sorted(entries, key=lambda e: e.key), key=lambda e: e.key.rpartition("/")[0]):
        by_time = sorted(of_task, key=lambda e: e.n)
        assert [int(entry.key.rpartition("/")[2]) for entry in by_time] == list(range(25))


async def test_processes_that_append_the_same_get_the_same_entries(shared: str) -> None:
    a, b = await asyncio.to_thread(both, "same", shared)
    assert a == b == list(range(1, process.RACES + 1))
    journal = Journal(Evidence.at(shared, Identity()), "case-1")
    assert len(await journal.entries()) == process.RACES
    assert await journal.verify() == ()


async def test_an_append_costs_one_call_however_long_the_journal(reopen: Opener) -> None:
    evidence = Counting(reopen())
    await add(Journal(evidence, "case-1"), *(str(i) for i in range(150)))
    assert (evidence.created, evidence.looked) == (150, 0)


async def test_a_journal_is_caught_up_in_few_rounds() -> None:
    evidence = Evidence.at("memory://")
    await add(Journal(evidence, "case-1"), *(str(i) for i in range(300)))
    counting = Counting(evidence)
    journal = Journal(counting, "case-1")
    await add(journal, "new")
    assert counting.created == 2  # the first number, which was taken, and the right one
    assert counting.looked < 300 + 32
    counting.looked = 0
    await add(journal, "newer", "0", "150", "new")
    assert (counting.created, counting.looked) == (3, 0)


async def test_a_lost_reply_is_no_second_entry() -> None:
    evidence = Counting(Evidence.at("memory://"))
    journal = Journal(evidence, "case-1")
    await add(journal, "a")
    evidence.lose = {2}
    with pytest.raises(Temporary):
        await add(journal, "b")
    assert [entry.n for entry in await add(journal, "b", "c")] == [2, 3]
    assert [entry.key for entry in await journal.entries()] == ["a", "b", "c"]


async def test_an_entry_that_the_client_wrote_twice_is_recognized() -> None:
    evidence = Counting(Evidence.at("memory://"))
    evidence.repeat = {2}
    assert [entry.n for entry in await add(Journal(evidence, "case-1"), "a", "b", "c")] == [1, 2, 3]
    assert [entry.key for entry in await Journal(evidence, "case-1").entries()] == ["a", "b", "c"]


async def test_a_store_that_contradicts_itself_is_not_asked_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def there(*_: object) -> bool:
        return False

    evidence = Evidence.at("memory://")
    monkeypatch.setattr(evidence, "create", there)
    with pytest.raises(Temporary, match="as already there, and then did not have it"):
        await add(Journal(evidence, "case-1"), "a")


async def test_the_head_is_the_last_entry(reopen: Opener) -> None:
    journal = Journal(reopen(), "case-1")
    assert await journal.head() == Head(0, "")
    await add(journal, "a", "b")
    first = await journal.head()
    assert first == await Journal(reopen(), "case-1").head()
    assert first.n == 2
    assert (await add(journal, "c"))[0].previous == first.sha256


async def test_a_head_proves_the_journal_up_to_it_and_beyond(reopen: Opener) -> None:
    journal = Journal(reopen(), "case-1")
    heads = [await journal.head()]
    for key in "abc":
        await add(journal, key)
        heads.append(await journal.head())
    for head in heads:
        assert await Journal(reopen(), "case-1").prove(head) == ()
        assert await Journal(reopen(), "case-1").prove((head.n, head.sha256)) == ()
