import json
from typing import Any

import msgspec
import pytest

from responders.approvals import Person, Vote
from responders.errors import Permanent
from responders.evidence import Evidence
from responders.model import Json, Plan, digest, encode
from responders.view import summary, view
from tests.responders.story import (
    ANN,
    BOB,
    ID,
    MALLORY,
    NOON,
    OWNER,
    REVOKE,
    RUNBOOKS,
    STRIP,
    WHERE,
    WHO,
    Story,
    change,
    whole,
)


@pytest.fixture
def store() -> Evidence:
    return Evidence.at("memory://")


@pytest.fixture
def story(store: Evidence) -> Story:
    return Story(store)


ONE, TWO = change("one"), change("two")
PLAN = Plan(action=RUNBOOKS, subject=WHERE, changes=(ONE, TWO), kept=("runbook Backup: familiar",))


async def responding(story: Story) -> None:
    await story.alerted()
    await story.examined()
    await story.asked()
    await story.answered("silence")
    await story.investigated(WHERE)


async def approved(story: Story, plan: Plan = PLAN) -> str:
    await responding(story)
    step = await story.planned(plan)
    await story.decided(step, "approved", plan)
    return step


async def changes(story: Story) -> list[Json]:
    found: list[Json] = (await view(story.incident))["steps"][-1]["changes"]
    return found


async def test_the_status_follows_the_journal(story: Story) -> None:
    async def now() -> tuple[Any, Any]:
        seen, brief = await view(story.incident), await summary(story.incident)
        assert (brief["status"], brief["result"]) == (seen["status"], seen["result"])
        return seen["status"], seen["result"]

    await story.received()
    assert await now() == ("examining", None)
    await story.alerted()
    assert await now() == ("examining", None)
    await story.examined()
    assert await now() == ("examining", None)
    await story.asked()
    assert await now() == ("asking", None)
    await story.answered("silence")
    assert await now() == ("responding", None)
    await story.closed("resolved")
    assert await now() == ("closed", "resolved")
    undo = await story.asked_again("u")
    assert await now() == ("undoing", "resolved")
    await story.undone(undo)
    assert await now() == ("closed", "resolved")
    story.run = await story.asked_again("r")
    assert await now() == ("examining", None)
    await story.alerted()
    await story.examined("sample")
    await story.closed("sample")
    assert await now() == ("closed", "sample")


async def test_an_incident_that_only_arrived_is_shown(story: Story) -> None:
    await story.received()
    seen = await view(story.incident)
    assert seen["alert"]["title"] == story.case.alert.title
    assert seen["journal"] == {"entries": 0, "head": ""}
    assert (seen["question"], seen["steps"], seen["gates"], seen["report"], seen["started"]) == (
        None,
        [],
        [],
        None,
        None,
    )
    brief = await summary(story.incident)
    assert (brief["title"], brief["severity"]) == (story.case.alert.title, "High")


async def test_the_alert_shown_is_the_one_that_defender_gave(story: Story) -> None:
    await story.alerted()
    await story.incident.save_case(ID, story.case.having(alert=plain_alert(story, "As Defender has it")))
    await story.examined()
    assert (await view(story.incident))["alert"]["title"] == "As Defender has it"


def plain_alert(story: Story, title: str) -> Any:
    return msgspec.structs.replace(story.case.alert, title=title)


async def test_why_nothing_was_done_is_the_reason(story: Story) -> None:
    await story.alerted()
    await story.examined("joined", "It has the root cause of incident x.")
    await story.closed("joined")
    seen = await view(story.incident)
    assert (seen["result"], seen["reason"]) == ("joined", "It has the root cause of incident x.")


async def test_a_question_is_open_until_it_is_answered(story: Story) -> None:
    await story.alerted()
    await story.examined()
    await story.asked("Expected?")
    question = (await view(story.incident))["question"]
    assert (question["id"], question["text"], question["owners"]) == (ID, "Expected?", [OWNER.name])
    assert (question["state"], question["answer"], question["by"]) == ("open", None, "")
    await story.gave_answer(expected=True, reason="A drill.")
    given = (await view(story.incident))["question"]
    assert (given["state"], given["answer"], given["by"]) == ("answered", "expected", OWNER.name)
    assert given["reason"] == "A drill."
    await story.answered("expected", "A drill.")
    heard = (await view(story.incident))["question"]
    assert {k: v for k, v in heard.items() if k != "answered"} == {k: v for k, v in given.items() if k != "answered"}


async def test_silence_is_shown_as_nobody_s_answer(story: Story) -> None:
    await responding(story)
    question = (await view(story.incident))["question"]
    assert (question["state"], question["answer"], question["by"]) == ("answered", "silence", "nobody")


async def test_a_run_that_ended_leaves_no_open_question_or_gate(story: Story) -> None:
    await story.alerted()
    await story.examined()
    await story.asked()
    await story.planned(PLAN)
    await story.closed("unfinished")
    seen = await view(story.incident)
    assert (seen["question"]["answer"], seen["question"]["by"]) == ("silence", "nobody")
    assert (seen["gates"][0]["state"], seen["steps"][0]["state"]) == ("expired", "expired")


async def test_an_open_gate_shows_what_it_would_change(story: Story) -> None:
    await responding(story)
    step = await story.planned(PLAN, "two", needs=2)
    await story.voted(step, PLAN, BOB)
    [gate] = (await view(story.incident))["gates"]
    assert (gate["gate"], gate["state"], gate["needs"]) == (step, "open", 2)
    assert gate["digest"] == digest(PLAN)
    assert [(v["by"], v["decision"], v["digest"]) for v in gate["votes"]] == [(BOB.name, "approve", digest(PLAN))]
    assert gate["plan"]["changes"] == [
        {
            "id": one.id,
            "summary": one.summary,
            "resource": one.resource,
            "reasons": list(one.reasons),
            "lasting": "",
        }
        for one in PLAN.changes
    ]
    assert [(c["status"], c["verified"]) for c in await changes(story)] == [(None, None)] * 2


async def test_a_vote_counts_as_cast_before_the_journal_has_it(story: Story) -> None:
    await responding(story)
    step = await story.planned(PLAN)
    await story.voted(step, PLAN, ANN)
    await story.incident.evidence.create(story.incident.path("votes", step, "x.json"), vote_of_a_dying_worker())
    assert len((await view(story.incident))["gates"][0]["votes"]) == 2


def vote_of_a_dying_worker() -> Any:
    return Vote(by=BOB, at=NOON, decision="reject", digest="")


@pytest.mark.parametrize("state", ["rejected", "expired"])
async def test_what_nobody_approved_is_not_approved(story: Story, state: str) -> None:
    await responding(story)
    step = await story.planned(PLAN)
    await story.decided(step, state, PLAN, ANN.name, "Not now.")
    [shown] = (await view(story.incident))["steps"]
    assert (shown["state"], shown["by"], shown["reason"], shown["approved"]) == (state, ANN.name, "Not now.", None)
    assert [c["status"] for c in shown["changes"]] == ["not_approved"] * 2


async def test_only_the_approved_changes_are_expected_to_come(story: Story) -> None:
    await responding(story)
    step = await story.planned(PLAN)
    part = Plan(action=RUNBOOKS, subject=WHERE, changes=(TWO,), kept=PLAN.kept)
    await story.decided(step, "approved", part)
    [shown] = (await view(story.incident))["steps"]
    assert (shown["plan"], shown["approved"]) == (digest(PLAN), digest(part))
    assert {c["id"]: c["status"] for c in shown["changes"]} == {ONE.id: "not_approved", TWO.id: None}


async def test_accepted_and_in_effect_are_two_facts(story: Story) -> None:
    step = await approved(story)
    await story.applied(step, ONE)
    await story.applied(step, TWO, "already_so", "It was gone.")
    assert [(c["status"], c["verified"], c["reason"]) for c in await changes(story)] == [
        ("done", None, ""),
        ("already_so", None, "It was gone."),
    ]
    await story.verified(step, ONE)
    await story.verified(step, TWO, "unverified", "It still shows.")
    assert [(c["status"], c["verified"], c["reason"]) for c in await changes(story)] == [
        ("done", "done", ""),
        ("already_so", "unverified", "It still shows."),
    ]


async def test_what_a_broken_batch_left_is_not_done_and_says_why(story: Story) -> None:
    step = await approved(story)
    await story.applied(step, ONE)
    await story.failed("apply", "Azure said 500 five times.", step)
    assert [c["status"] for c in await changes(story)] == ["done", None]
    await story.closed("unfinished")
    shown = await changes(story)
    assert [(c["status"], c["reason"]) for c in shown] == [("done", ""), ("not_done", "Azure said 500 five times.")]
    assert [(f["activity"], f["step"]) for f in (await view(story.incident))["failures"]] == [("apply", step)]


async def test_a_step_without_a_gate_is_auto_and_has_none(story: Story) -> None:
    await responding(story)
    await story.planned(PLAN, "auto")
    await story.planned(Plan(action=STRIP, subject=WHERE, reason="Nothing of theirs."), "one")
    seen = await view(story.incident)
    assert [(s["state"], s["reason"]) for s in seen["steps"]] == [("auto", ""), ("nothing_to_do", "Nothing of theirs.")]
    assert seen["gates"] == []
    assert seen["steps"][0]["kept"] == ["runbook Backup: familiar"]


async def test_a_step_that_met_a_changed_world_asks_anew(story: Story) -> None:
    step = await approved(story)
    await story.applied(step, ONE, "drifted", "It was changed since.")
    await story.applied(step, TWO)
    again = await story.planned(Plan(action=RUNBOOKS, subject=WHERE, changes=(ONE,)), step=step[:-1] + "1")
    seen = await view(story.incident)
    assert [s["step"] for s in seen["steps"]] == [step, again]
    assert [g["state"] for g in seen["gates"]] == ["approved", "open"]


async def test_waves_add_subjects_and_things_to_do_by_hand(story: Story) -> None:
    await responding(story)
    await story.investigated(WHO, by_hand=("Tell them.",), wave=1)
    await story.investigated(by_hand=("Tell them.", "And them."), findings=(), wave=2)
    seen = await view(story.incident)
    assert [s["id"] for s in seen["subjects"]] == [WHERE.id, WHO.id]
    assert seen["by_hand"] == ["Tell them.", "And them."]
    assert seen["findings"] == {"count": 0, "list": []}


async def test_findings_and_suspects_are_those_of_the_case(story: Story) -> None:
    await responding(story)
    seen = await view(story.incident)
    assert seen["findings"]["count"] == len(seen["findings"]["list"]) == 2
    assert seen["findings"]["list"][0]["reason"] == "mallory made a webhook"
    assert [s["upn"] for s in seen["suspects"]] == [MALLORY.upn]


async def test_a_rerun_stands_in_front_and_the_first_run_is_kept(story: Story) -> None:
    first = await approved(story)
    await story.applied(first, ONE)
    await story.closed("unfinished", "1 step(s) did not come to their end")
    story.run = await story.asked_again("r", reason="Try again.")
    await responding(story)
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
    step = await approved(story)
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
    step = await approved(story)
    await story.applied(step, ONE)
    undo = await story.asked_again("u")
    await story.applied(undo, ONE, undo=True)
    await story.undone(undo)
    story.run = await story.asked_again("r")
    again = await approved(story)
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
    await responding(story)
    step = await story.planned(PLAN)
    await story.refused(Person(id=MALLORY.id, name="mallory"), "You are a suspect.", gate=step)
    [refusal] = (await view(story.incident))["refusals"]
    assert (refusal["by"], refusal["gate"], refusal["why"]) == ("mallory", step, "You are a suspect.")


async def test_an_altered_plan_is_told_and_hides_nothing_else(story: Story, store: Evidence) -> None:
    step = await approved(story)
    await story.applied(step, ONE)
    altered = Altered(store, f"plans/{digest(PLAN)}.json", encode(Plan(action="x", subject=WHERE, reason="forged")))
    seen = await view(type(story.incident)(altered, ID))
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
    await approved(story)
    with pytest.raises(Permanent, match="Not a path"):
        await view(type(story.incident)(Altered(store, "reports", None), ID))


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
    await responding(story)
    head = await story.incident.journal.head()
    assert (await view(story.incident))["journal"] == {"entries": head.n, "head": head.sha256}


async def test_what_was_there_before_is_not_shown(store: Evidence) -> None:
    story = await whole(store)
    assert b"never shown" not in encode(await view(story.incident))


async def test_a_summary_reads_the_journal_only(store: Evidence) -> None:
    story = await whole(store)
    reading = Reading(store)
    brief = await summary(type(story.incident)(reading, ID))
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
    assert json.loads(encode(seen)) == seen == await view(type(story.incident)(store, ID))
    assert [s["action"] for s in seen["steps"]] == [RUNBOOKS, STRIP, REVOKE]


class Altered(Evidence):
    """A store in which one path reads otherwise."""

    def __init__(self, other: Evidence, end: str, data: bytes | None) -> None:
        super().__init__(other._store)
        self._end, self._data = end, data

    async def read_bytes(self, path: str) -> bytes | None:
        return self._data if path.endswith(self._end) else await super().read_bytes(path)

    async def list(self, prefix: str) -> list[str]:
        return await super().list("../bad" if prefix.endswith(self._end) else prefix)


class Reading(Evidence):
    """A store that notes what is read."""

    def __init__(self, other: Evidence) -> None:
        super().__init__(other._store)
        self.read_paths: list[str] = []

    async def read_bytes(self, path: str) -> bytes | None:
        self.read_paths.append(path)
        return await super().read_bytes(path)
