import asyncio
import hashlib

import pytest

from responders.evidence import Evidence
from responders.incident import Incident
from responders.model import Plan, digest
from responders.report import write
from tests.responders.conftest import Opener
from tests.responders.seen import Seen, kept, page, read
from tests.responders.story import ALERT, ANN, BOB, ID, OWNER, REVOKE, RUNBOOKS, WHERE, Altered, Story, change, whole


@pytest.fixture
def store() -> Evidence:
    return Evidence.at("memory://")


async def test_the_report_is_kept_as_a_page_and_as_json(evidence: Evidence) -> None:
    story = await whole(evidence)
    path = await write(story.incident, ID)
    assert path == f"incidents/{ID}/reports/{ID}.html"
    assert await evidence.list(f"incidents/{ID}/reports") == [path, path.replace("html", "json")]
    report = await kept(story.incident)
    assert (report["report"], report["report_of"], report["result"]) == (path, ID, "unfinished")
    data = await read(story.incident, path.replace("html", "json"))
    assert hashlib.sha256(data).hexdigest() in Seen(await read(story.incident, path)).text


async def test_the_page_tells_the_whole_story(store: Evidence) -> None:
    story = await whole(store)
    text = (await page(story.incident)).text
    head = await story.incident.journal.head()
    plan = await story.incident.journal.find(f"planned {ID}-0-0-6-0")
    assert plan is not None
    for said in [
        ALERT.title,
        ALERT.description,
        "mallory wrote a runbook",
        "Was that expected?",
        OWNER.name,
        "We never do this.",
        plan.what["answer"]["plan"],
        f"approved by {ANN.name}, {BOB.name}",
        "Loud is ours.",
        "delete the runbook hook",
        "mallory wrote it at 11:20",
        "It still shows.",
        "not approved",
        "Undo can't bring back its jobs.",
        "runbook Backup: familiar, made by ops in 2023",
        "No assignment here was made by a suspect.",
        "expired by nobody",
        "Tell the other tenant.",
        "Graph said 500.",
        "You are a suspect.",
        f"POST /api/incidents/{ID}/undo",
        head.sha256,
        "Every entry follows from the one before",
    ]:
        assert said in text, said
    assert text.index("mallory wrote a runbook") < text.index("mallory made a webhook")
    assert "never shown" not in text


async def test_a_second_report_changes_nothing(reopen: Opener) -> None:
    story = await whole(reopen())
    path = await write(story.incident, ID)
    before = [await read(story.incident, p) for p in await reopen().list(f"incidents/{ID}/reports")]
    await story.failed("close", "It was tried again.")
    assert await write(Incident(reopen(), ID), ID) == path
    assert [await read(story.incident, p) for p in await reopen().list(f"incidents/{ID}/reports")] == before


async def test_a_page_that_was_lost_is_made_from_the_json_that_was_kept(store: Evidence) -> None:
    story = await whole(store)
    dying = Dying(store)
    with pytest.raises(KeyboardInterrupt):
        await write(Incident(dying, ID), ID)
    first = await kept(story.incident)
    await story.failed("close", "The worker died.")
    seen = await page(story.incident)
    assert await kept(story.incident) == first
    assert "The worker died." not in seen.text
    assert digest(first) in seen.text


async def test_an_undo_has_a_report_of_its_own(store: Evidence) -> None:
    story = await whole(store)
    await write(story.incident, ID)
    undo = await story.asked_again("u", reason="It was a drill.")
    plan = Plan(action="undo", subject=WHERE, changes=(change("hook"),))
    await story.planned(plan, step=undo)
    await story.decided(undo, "approved", plan, BOB.name)
    await story.applied(undo, change("hook"), undo=True)
    await story.undone(undo)
    text = (await page(story.incident, undo)).text
    assert "It was a drill." in text
    assert "undone since" in text
    assert "Undo of: delete the runbook hook: done." in text
    assert text.count("not seen") == 2  # a heading's, and the one change that was read again: an undo is not


async def test_a_run_again_shows_the_runs_before_it(store: Evidence) -> None:
    story = await whole(store)
    story.run = await story.asked_again("r")
    await story.alerted()
    await story.examined("dismissed", "The alert has been dismissed in Defender already.")
    await story.closed("dismissed")
    text = (await page(story.incident, story.run)).text
    assert "Earlier runs" in text
    assert (
        text.index("The alert has been dismissed") < text.index("Earlier runs") < text.index("delete the runbook loud")
    )


async def test_a_damaged_journal_is_told(store: Evidence) -> None:
    story = await whole(store)
    damaged = Altered(store, "journal/000004.json", b"{}")
    seen = await page(Incident(damaged, ID))
    assert "The journal is not as it was written" in seen.text
    assert "Entry 4 can't be read" in seen.text
    assert "Every entry follows" not in seen.text
    assert (await kept(story.incident))["journal"]["problems"]


async def test_an_alert_that_came_to_nothing_has_a_report(store: Evidence) -> None:
    story = Story(store)
    await story.alerted()
    await story.failed("examine", "Defender knows no such alert.")
    await story.closed("not_acted_on", "Defender knows no such alert.")
    text = (await page(story.incident)).text
    for said in ("not acted on", "Nobody was asked.", "Nothing was planned.", "The alert names no suspect."):
        assert said in text


class Dying(Evidence):
    """A store whose user dies when he writes a page."""

    def __init__(self, other: Evidence) -> None:
        super().__init__(other._store)

    async def create(self, path: str, noun: object) -> bool:
        if path.endswith(".html"):
            raise KeyboardInterrupt
        return await super().create(path, noun)


async def test_two_workers_that_report_at_once_agree(reopen: Opener) -> None:
    await whole(reopen())
    workers = [Incident(reopen(), ID) for _ in range(4)]
    assert len(set(await asyncio.gather(*(write(worker, ID) for worker in workers)))) == 1
    assert digest(await kept(workers[0])) in (await page(workers[0])).text


async def test_undo_is_offered_for_what_can_be_undone_and_is_not_yet(store: Evidence) -> None:
    story = Story(store)
    back, gone, never = change("back"), change("gone"), change("never", REVOKE)
    step = await story.approved(Plan(action=RUNBOOKS, subject=WHERE, changes=(back, gone)))
    await story.applied(step, back)
    await story.applied(step, gone)
    await story.applied(await story.planned(Plan(action=REVOKE, subject=WHERE, changes=(never,))), never)
    await story.closed("resolved")
    undo = await story.asked_again("u")
    await story.applied(undo, gone, undo=True)
    await story.undone(undo)
    text = (await page(story.incident, undo)).text
    offered, lost = text.partition("It undoes:")[2].split("What it can't bring back")
    assert (back.summary in offered, gone.summary in offered, never.summary in offered) == (True, False, False)
    assert f"{never.summary}: it is irreversible" in lost
