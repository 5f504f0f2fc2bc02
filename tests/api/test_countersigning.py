"""An approver's countersignature: whose counts, for what, when, and that exactly what was countersigned runs."""

import asyncio
from typing import Any

import pytest

from responders.approvals import selection
from tests.api.responder import DAVE, DISABLE, NELL, NILS, NORA, STRIP, Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

Json = dict[str, Any]
REFUSED: dict[str, tuple[str, str, Json, int, tuple[str, ...]]] = {
    "by the suspect, though she is an approver": ("eve", STRIP, {}, 403, ("suspect", "Another approver has to")),
    "by someone a change concerns": ("dave", STRIP, {}, 403, ("one of the changes concerns you", "Another approver")),
    "by a reader": ("soc", STRIP, {}, 403, ("you need the app role Approver", "Another person has to")),
    "by the owner": ("owner", STRIP, {}, 403, ("you need the app role Approver", "Another person has to")),
    "by a stranger": ("dev", STRIP, {}, 403, ("Reader or Owner or Approver", "dev@contoso.example has none")),
    "a rejection by the suspect": ("eve", STRIP, {"decision": "reject"}, 403, ("suspect",)),
    "of another plan": ("alice", STRIP, {"digest": "0" * 64}, 409, ("You approved 0000", "another plan", "Read the")),
    "of nothing": ("alice", STRIP, {"digest": ""}, 409, ("You approved nothing", "nothing was done")),
    "of a digest that is long": ("alice", STRIP, {"digest": "0" * 500_000}, 400, ("length <= 64", "`$.digest`")),
    "of no change": ("alice", STRIP, {"changes": []}, 409, ("No change was chosen", "reject the plan")),
    "of a change that the plan has not": ("alice", STRIP, {"changes": ["feed"]}, 409, ("no change feed", "Read the")),
    "of a change by what looks like a query": (
        "alice",
        STRIP,
        {"changes": ["' or 1 eq 1", "<script>", "../x"]},
        409,
        ("The plan has no change", "' or 1 eq 1", "nothing was done"),
    ),
    "of a subset by the digest of the whole": ("alice", STRIP, {"changes": ["FIRST"]}, 409, ("other changes of it",)),
    "at a gate that there is not": (
        "alice",
        STRIP,
        {"gate": "f" * 20 + "-0-0-0-0"},
        404,
        ("has no gate 'ffff", "Read"),
    ),
    "at a gate of another name": ("alice", STRIP, {"gate": "x" * 100_000}, 404, ("has no gate 'xxxx", "Read it")),
    "at a gate that is a path": ("alice", STRIP, {"gate": "../../index/x"}, 404, ("no gate '../../index/x'", "Read")),
    "at a gate that is a query": ("alice", STRIP, {"gate": "' | take 1"}, 404, ('no gate "\' | take 1"', "Read it")),
    "at a gate that is markup": ("alice", STRIP, {"gate": "<script>"}, 404, ("no gate '<script>'", "Read it")),
}


@pytest.mark.parametrize(("by", "action", "said", "status", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_does_not_count_is_refused_noted_and_changes_nothing(
    its: Responder, waiting: str, by: str, action: str, said: Json, status: int, words: tuple[str, ...]
) -> None:
    gate = await its.gate(waiting, action)
    if said.get("changes") == ["FIRST"]:
        said = {"changes": [gate["plan"]["changes"][0]["id"]]}
    async with its.unchanged():
        answer = await its.vote(waiting, gate, by, **said)
        assert_refused(answer, status, *words)
        assert len(answer.body["detail"]) < 500
    assert await its.gate(waiting, action) == gate
    noted = (await its.show(waiting))["refusals"][-1]
    assert (noted["by"], noted["why"]) == (f"{by}@contoso.example", answer.body["detail"])
    assert noted["request"] == "approvals"


async def test_an_approval_for_another_incidents_gate_is_refused(its: Responder, waiting: str) -> None:
    other = await its.responding(its.raised(its.account("mallory")))
    gate = await its.gate(other, DISABLE)
    async with its.unchanged():
        assert_refused(await its.vote(waiting, gate, "alice"), 404, f"Incident {waiting} has no gate", gate["gate"])
    await its.ended(other)


@pytest.mark.parametrize("by", ["alice", "sam"])  # Sam is a sender, too
async def test_who_asked_for_the_response_can_not_countersign_it(its: Responder, by: str) -> None:
    incident = await its.responding(its.raised(), by=by)
    gate = await its.gate(incident, DISABLE)
    async with its.unchanged():
        assert_refused(await its.vote(incident, gate, by), 403, "you asked for it", "Another approver has to")
    assert (await its.vote(incident, gate, "bob", decision="reject")).status == 202
    await its.ended(incident)


async def test_exactly_the_chosen_changes_are_made(its: Responder, waiting: str) -> None:
    gate = await its.gate(waiting, STRIP)
    chosen = [c["id"] for c in gate["plan"]["changes"] if c["resource"] in {NORA, NELL}]
    said = {"changes": [*chosen, chosen[0]], "digest": selection(gate["digest"], chosen)}
    assert (await its.vote(waiting, gate, "alice", **said)).status == 202
    await its.host.idle()
    assert [its.there(grant) for grant in (NORA, NILS, DAVE, NELL)] == [False, True, True, False]
    came_to = {c["resource"]: c["status"] for c in (await its.step(waiting, STRIP))["changes"]}
    assert came_to == {NORA: "done", NELL: "done", NILS: "not_approved", DAVE: "not_approved"}


async def test_the_whole_plan_is_made_when_none_is_chosen(its: Responder, waiting: str) -> None:
    gate = await its.gate(waiting, STRIP)
    answer = await its.vote(waiting, gate, "alice")
    assert (answer.status, answer.body["state"]) == (202, "approved")
    await its.host.idle()
    assert not any(its.there(grant) for grant in (NORA, NILS, DAVE, NELL))


async def test_a_rejection_keeps_its_reason_and_changes_nothing(its: Responder, waiting: str) -> None:
    gate, reason = await its.gate(waiting, STRIP), "<b>Ours</b>' | take 1" + "x" * 900_000
    async with its.unchanged():
        answer = await its.vote(waiting, gate, "alice", decision="reject", digest="", reason=reason)
        assert (answer.status, answer.body["state"]) == (202, "rejected")
    step = await its.step(waiting, STRIP)
    assert (step["state"], step["by"], step["reason"]) == ("rejected", "alice@contoso.example", reason[:2000])
    assert {change["status"] for change in step["changes"]} == {"not_approved"}


async def test_an_answer_after_the_decision_is_refused(its: Responder, waiting: str) -> None:
    gate = await its.gate(waiting, STRIP)
    await its.vote(waiting, gate, "alice", decision="reject")
    await its.host.idle()
    async with its.unchanged():
        for by in ("alice", "bob"):
            answer = await its.vote(waiting, gate, by)
            assert_refused(answer, 409, f"Gate {gate['gate']} is closed", "Read the incident", "Nothing was changed")
    noted = (await its.show(waiting))["refusals"]
    assert [(one["by"], one["gate"]) for one in noted] == [
        ("alice@contoso.example", gate["gate"]),
        ("bob@contoso.example", gate["gate"]),
    ]


async def test_of_many_answers_of_one_person_at_once_one_counts(its: Responder, waiting: str) -> None:
    gate = await its.gate(waiting, STRIP)
    said = [{"decision": "reject"}, {}] * 5
    answers = await asyncio.gather(*(its.vote(waiting, gate, "alice", **one) for one in said))
    assert sorted(answer.status for answer in answers) == [202] + [409] * 9
    [vote] = (await its.step(waiting, STRIP))["votes"]
    assert vote["by"] == "alice@contoso.example"


async def test_an_approval_that_comes_late_is_refused(its: Responder, waiting: str) -> None:
    gate = await its.gate(waiting, STRIP)
    await its.let_expire(waiting, gate)
    async with its.unchanged():
        assert_refused(await its.vote(waiting, gate, "alice"), 409, f"Gate {gate['gate']} is closed", "Read the")
        shown = await its.ended(waiting, votes="none")
    assert {step["state"] for step in shown["steps"]} == {"expired", "nothing_to_do"}
    assert shown["result"] == "unfinished"
    assert shown["refusals"][-1]["gate"] == gate["gate"]


async def test_when_every_step_is_rejected_the_alert_is_not_resolved(its: Responder) -> None:
    alert = its.raised()
    incident = await its.responding(alert)
    shown = await its.ended(incident)
    assert shown["result"] == "unfinished"
    assert "rejected" in shown["reason"]
    assert its.state_of(alert) == "InProgress"
