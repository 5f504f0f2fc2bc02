import json

import pytest

from responders.approvals import Person
from responders.errors import Temporary
from responders.evidence import Evidence
from responders.incident import Incident
from responders.model import Plan, digest, encode
from responders.view import summary, view
from tests.responders.story import (
    ANN,
    BOB,
    ID,
    MALLORY,
    ONE,
    PLAN,
    REVOKE,
    RUNBOOKS,
    STRIP,
    TWO,
    WHERE,
    Altered,
    Reading,
    Story,
    whole,
)


async def test_a_rerun_stands_in_front_and_the_first_run_is_kept(story: Story) -> None:
    first = await story.approved(PLAN)
    await story.applied(first, ONE)
    await story.closed("unfinished", "1 step(s) did not come to their end")
    story.run = await story.asked_again("r", reason="Try again.")
    await story.responding()
    plan = Plan(action=RUNBOOKS, subject=WHERE, changes=(TWO,))
    again = await story.planned(plan)
    seen = await view(story.incident)
    assert (seen["run"], seen["status"], seen["result"]) == (f"{ID}-r1", "responding", None)
    assert (seen["by"], seen["asked_because"]) == (ANN.name, "Try again.")
    assert seen["question"]["id"] == f"{ID}-r1"
    assert [s["step"] for s in seen["steps"]] == [again]
    [earlier] = seen["earlier"]
    assert (earlier["run"], earlier["result"]) == (ID, "unfinished")
    assert earlier["question"]["id"] == ID
    assert [c["status"] for c in earlier["steps"][0]["changes"]] == ["done", "not_done"]
    assert [(g["gate"], g["state"]) for g in seen["gates"]] == [(first, "approved"), (again, "open")]


async def test_the_tenth_rerun_is_not_taken_for_the_first(story: Story) -> None:
    await story.alerted()
    await story.closed("unfinished")
    for n in range(1, 11):
        story.run = await story.asked_again("r", n)
        await story.alerted()
        await story.planned(Plan(action=STRIP, subject=WHERE, reason=f"run {n}"))
        await story.closed("resolved")
    seen = await view(story.incident)
    assert seen["run"] == f"{ID}-r10"
    assert [s["reason"] for s in seen["steps"]] == ["run 10"]
    assert [[s["reason"] for s in run["steps"]] for run in seen["earlier"][1:3]] == [["run 1"], ["run 2"]]


async def test_an_undo_is_told_apart_and_marks_what_it_put_back(story: Story) -> None:
    step = await story.approved(PLAN)
    await story.applied(step, ONE)
    await story.applied(step, TWO)
    await story.closed("resolved")
    undo = await story.asked_again("u", reason="It was a drill.")
    plan = Plan(action="undo", subject=WHERE, changes=(TWO, ONE))
    await story.planned(plan, step=undo)
    seen = await view(story.incident)
    assert seen["status"] == "undoing"
    assert [(g["gate"], g["action"], g["state"]) for g in seen["gates"]][-1] == (undo, "undo", "open")
    await story.decided(undo, "approved", plan, BOB.name)
    await story.applied(undo, TWO, undo=True)
    await story.applied(undo, ONE, "failed", "Another one has its name.", undo=True)
    await story.undone(undo, "unfinished")
    seen = await view(story.incident)
    assert [(c["status"], c["undone"]) for c in seen["steps"][0]["changes"]] == [("done", False), ("done", True)]
    [one] = seen["undo"]
    assert (one["run"], one["by"], one["asked_because"], one["result"]) == (
        undo,
        ANN.name,
        "It was a drill.",
        "unfinished",
    )
    assert [c["status"] for c in one["steps"][0]["changes"]] == ["done", "failed"]
    assert seen["run"] == ID


async def test_a_change_made_again_after_an_undo_is_not_undone(story: Story) -> None:
    step = await story.approved(PLAN)
    await story.applied(step, ONE)
    undo = await story.asked_again("u")
    await story.applied(undo, ONE, undo=True)
    await story.undone(undo)
    story.run = await story.asked_again("r")
    again = await story.approved(PLAN)
    await story.applied(again, ONE)
    seen = await view(story.incident)
    assert [run["steps"][0]["changes"][0]["undone"] for run in (seen["earlier"][0], seen)] == [True, False]


@pytest.mark.parametrize("activity", ["close", "close_undo"])
async def test_a_run_whose_end_failed_has_ended(story: Story, activity: str) -> None:
    await story.alerted()
    if activity == "close_undo":
        await story.closed("resolved")
        story.run = await story.asked_again("u")
    await story.failed(activity, "Defender did not answer.")
    seen = await view(story.incident)
    assert seen["status"] == (await summary(story.incident))["status"] == "closed"
    end = seen["undo"][0] if activity == "close_undo" else seen
    assert (end["result"], end["reason"]) == ("unfinished", "Defender did not answer.")


async def test_refusals_are_shown(story: Story) -> None:
    await story.responding()
    step = await story.planned(PLAN)
    await story.refused(Person(id=MALLORY.id, name="mallory"), "You are a suspect.", gate=step)
    [refusal] = (await view(story.incident))["refusals"]
    assert (refusal["by"], refusal["gate"], refusal["why"]) == ("mallory", step, "You are a suspect.")


async def test_an_altered_plan_is_told_and_hides_nothing_else(story: Story, store: Evidence) -> None:
    step = await story.approved(PLAN)
    await story.applied(step, ONE)
    altered = Altered(store, f"plans/{digest(PLAN)}.json", encode(Plan(action="x", subject=WHERE, reason="forged")))
    seen = await view(Incident(altered, ID))
    [failure] = seen["failures"]
    assert failure["activity"] == "read"
    assert "was altered" in failure["reason"]
    assert [(c["id"], c["summary"], c["status"]) for c in seen["steps"][0]["changes"]] == [
        (ONE.id, ONE.summary, "done")
    ]


async def test_a_missing_case_is_told_and_hides_nothing_else(story: Story) -> None:
    await story.alerted()
    await story.note("examined", {"suspects": [], "severity": "High", "reason": ""}, f"examined {ID}")
    seen = await view(story.incident)
    assert "has no case" in seen["failures"][0]["reason"]
    assert seen["alert"]["title"] == story.case.alert.title


async def test_an_outage_of_the_store_is_no_damage(story: Story, store: Evidence) -> None:
    await story.approved(PLAN)
    with pytest.raises(Temporary, match="not now"):
        await view(Incident(Failing(store), ID))


class Failing(Evidence):
    """A store that has no plans to give, for now."""

    def __init__(self, other: Evidence) -> None:
        super().__init__(other._store)

    async def read_bytes(self, path: str) -> bytes | None:
        if "/plans/" in path:
            raise Temporary("The evidence store could not read: not now.")
        return await super().read_bytes(path)


async def test_the_report_shown_is_the_newest_there_is(story: Story) -> None:
    await story.alerted()
    await story.closed("resolved")
    assert (await view(story.incident))["report"] is None
    path = story.incident.path("reports", f"{ID}.html")
    await story.incident.evidence.create(path, b"<!DOCTYPE html>")
    undo = await story.asked_again("u")
    assert (await view(story.incident))["report"] == path
    newer = story.incident.path("reports", f"{undo}.html")
    await story.incident.evidence.create(newer, b"<!DOCTYPE html>")
    assert (await view(story.incident))["report"] == newer


async def test_the_head_is_the_journal_s(story: Story) -> None:
    await story.responding()
    head = await story.incident.journal.head()
    assert (await view(story.incident))["journal"] == {"entries": head.n, "head": head.sha256}


async def test_what_was_there_before_is_not_shown(store: Evidence) -> None:
    story = await whole(store)
    assert b"never shown" not in encode(await view(story.incident))


async def test_a_summary_reads_the_journal_only(store: Evidence) -> None:
    await whole(store)
    reading = Reading(store)
    brief = await summary(Incident(reading, ID))
    assert brief == {
        "incident": ID,
        "status": "closed",
        "result": "unfinished",
        "title": "Suspicious management operation",
        "severity": "High",
        "started": "2026-01-02T12:01:00Z",
    }
    assert {path.split("/")[2] for path in reading.read_paths} == {"journal"}


async def test_a_view_is_plain_json_and_the_same_each_time(store: Evidence) -> None:
    story = await whole(store)
    seen = await view(story.incident)
    assert json.loads(encode(seen)) == seen == await view(Incident(store, ID))
    assert [s["action"] for s in seen["steps"]] == [RUNBOOKS, STRIP, REVOKE]
