from typing import Any

import msgspec
import pytest

from responders.approvals import Vote, selection
from responders.model import Json, Plan, digest
from responders.view import summary, view
from tests.responders.story import (
    ANN,
    BOB,
    ID,
    MALLORY,
    NOON,
    ONE,
    OWNER,
    PLAN,
    RUNBOOKS,
    STRIP,
    TWO,
    WHERE,
    WHO,
    Story,
)


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
    alert = msgspec.structs.replace(story.case.alert, title="As Defender has it")
    await story.incident.save_case(ID, story.case.having(alert=alert))
    await story.examined()
    assert (await view(story.incident))["alert"]["title"] == "As Defender has it"


async def test_the_alerts_that_joined_and_what_became_of_them_are_shown(story: Story) -> None:
    await story.alerted()
    await story.examined()
    story.case = story.case.having(joined=(msgspec.structs.replace(story.case.alert, name="other"),))
    await story.investigated(WHERE)
    seen = await view(story.incident)
    assert [alert["name"] for alert in seen["joined"]] == ["other"]
    assert seen["alerts"] == {}
    await story.closed("resolved", one="Resolved", other="not set to Resolved: refused")
    assert (await view(story.incident))["alerts"] == {"one": "Resolved", "other": "not set to Resolved: refused"}


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
    await story.responding()
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
    await story.responding()
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
            "familiarity": "unfamiliar",
        }
        for one in PLAN.changes
    ]
    assert [(c["status"], c["verified"]) for c in await changes(story)] == [(None, None)] * 2


async def test_a_vote_counts_as_cast_before_the_journal_has_it(story: Story) -> None:
    await story.responding()
    step = await story.planned(PLAN)
    await story.voted(step, PLAN, ANN)
    await story.incident.vote(step, Vote(by=BOB, at=NOON, decision="reject", digest=""))
    assert [v["by"] for v in (await view(story.incident))["gates"][0]["votes"]] == [BOB.name, ANN.name]


@pytest.mark.parametrize("state", ["rejected", "expired"])
async def test_what_nobody_approved_is_not_approved(story: Story, state: str) -> None:
    await story.responding()
    step = await story.planned(PLAN)
    await story.decided(step, state, PLAN, ANN.name, "Not now.")
    [shown] = (await view(story.incident))["steps"]
    assert (shown["state"], shown["by"], shown["reason"], shown["approved"]) == (state, ANN.name, "Not now.", None)
    assert [c["status"] for c in shown["changes"]] == ["not_approved"] * 2


async def test_only_the_approved_changes_are_expected_to_come(story: Story) -> None:
    await story.responding()
    step = await story.planned(PLAN)
    part = Plan(action=RUNBOOKS, subject=WHERE, changes=(TWO,), kept=PLAN.kept)
    await story.decided(step, "approved", part)
    [shown] = (await view(story.incident))["steps"]
    assert (shown["plan"], shown["approved"]) == (digest(PLAN), selection(digest(PLAN), [TWO.id]))
    assert {c["id"]: c["status"] for c in shown["changes"]} == {ONE.id: "not_approved", TWO.id: None}


async def test_accepted_and_in_effect_are_two_facts(story: Story) -> None:
    step = await story.approved(PLAN)
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
    step = await story.approved(PLAN)
    await story.applied(step, ONE)
    await story.failed("apply", "Azure said 500 five times.", step)
    assert [c["status"] for c in await changes(story)] == ["done", None]
    await story.closed("unfinished")
    shown = await changes(story)
    assert [(c["status"], c["reason"]) for c in shown] == [("done", ""), ("not_done", "Azure said 500 five times.")]
    assert [(f["activity"], f["step"]) for f in (await view(story.incident))["failures"]] == [("apply", step)]


async def test_a_step_without_a_gate_is_auto_and_has_none(story: Story) -> None:
    await story.responding()
    await story.planned(PLAN, "auto")
    await story.planned(Plan(action=STRIP, subject=WHERE, reason="Nothing of theirs."), "one")
    seen = await view(story.incident)
    assert [(s["state"], s["reason"]) for s in seen["steps"]] == [("auto", ""), ("nothing_to_do", "Nothing of theirs.")]
    assert seen["gates"] == []
    assert seen["steps"][0]["kept"] == ["runbook Backup: familiar"]


async def test_a_step_that_met_a_changed_world_asks_anew(story: Story) -> None:
    step = await story.approved(PLAN)
    await story.applied(step, ONE, "drifted", "It was changed since.")
    await story.applied(step, TWO)
    again = await story.planned(Plan(action=RUNBOOKS, subject=WHERE, changes=(ONE,)), step=step[:-1] + "1")
    seen = await view(story.incident)
    assert [s["step"] for s in seen["steps"]] == [step, again]
    assert [g["state"] for g in seen["gates"]] == ["approved", "open"]


async def test_waves_add_subjects_and_things_to_do_by_hand(story: Story) -> None:
    await story.responding()
    await story.investigated(WHO, by_hand=("Tell them.",), wave=1)
    await story.investigated(by_hand=("Tell them.", "And them."), findings=(), wave=2)
    seen = await view(story.incident)
    assert [s["id"] for s in seen["subjects"]] == [WHERE.id, WHO.id]
    assert seen["by_hand"] == ["Tell them.", "And them."]
    assert seen["findings"] == {"count": 0, "list": []}


async def test_findings_and_suspects_are_those_of_the_case(story: Story) -> None:
    await story.responding()
    seen = await view(story.incident)
    assert seen["findings"]["count"] == len(seen["findings"]["list"]) == 2
    assert seen["findings"]["list"][0]["reason"] == "mallory made a webhook"
    assert [s["upn"] for s in seen["suspects"]] == [MALLORY.upn]
