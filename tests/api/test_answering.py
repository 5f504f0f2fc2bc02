"""The owner's answer: from whom it counts, when, and what it does."""

import asyncio

import pytest

from tests.api.responder import LOGIC_APP, PROD, Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("eve", ("suspect", "can't answer for yourself", "An owner has to")),  # though she holds the role Owner
        ("dev", ("not an owner who was asked", "app role Owner", "An owner has to")),
        ("soc", ("not an owner who was asked", "app role Owner", "An owner has to")),
        ("alice", ("not an owner who was asked", "app role Owner", "An owner has to")),
        (LOGIC_APP, ("not an owner who was asked", "app role Owner", "An owner has to")),
    ],
)
async def test_an_answer_of_somebody_else_does_not_count(
    its: Responder, asked: str, by: str, words: tuple[str, ...]
) -> None:
    async with its.unchanged():
        for expected in (True, False):
            answer = await its.ask("POST", f"incidents/{asked}/answer", {"expected": expected}, by=by)
            assert_refused(answer, 403, *words)
    shown = await its.show(asked)
    assert (shown["status"], shown["question"]["state"]) == ("asking", "open")
    assert shown["refusals"][-1]["why"] == answer.body["detail"]
    assert shown["refusals"][-1]["question"] == shown["question"]["id"]


async def test_whom_a_tag_names_may_read_and_answer_without_any_role(its: Responder) -> None:
    lab = {"type": "azure-resource", "resourceId": f"{PROD}/resourceGroups/rg-lab"}
    incident = await its.delivered(its.raised(its.account("eve"), lab))
    assert (await its.show(incident))["question"]["owners"] == ["lena@contoso.example"]
    assert (await its.ask("GET", f"incidents/{incident}", by="lena")).status == 200
    assert (await its.ask("POST", f"incidents/{incident}/answer", {"expected": True}, by="lena")).status == 202
    assert (await its.show(incident))["result"] == "dismissed"


async def test_expected_dismisses_the_alert_and_changes_nothing_else(its: Responder) -> None:
    alert, before = its.raised(), its.sandbox.world.snapshot()
    incident = await its.delivered(alert)
    assert its.state_of(alert) == "InProgress"
    said = {"expected": True, "reason": "Planned since March."}
    assert (await its.ask("POST", f"incidents/{incident}/answer", said, by="owner")).status == 202
    shown = await its.show(incident)
    assert (shown["status"], shown["result"], its.state_of(alert)) == ("closed", "dismissed", "Dismissed")
    assert (shown["question"]["answer"], shown["question"]["reason"]) == ("expected", "Planned since March.")
    assert its.sandbox.world.snapshot() == before


async def test_the_first_answer_stands(its: Responder, asked: str) -> None:
    await its.answered(asked, expected=False)
    async with its.unchanged():
        again = await its.ask("POST", f"incidents/{asked}/answer", {"expected": True}, by="owner")
        assert_refused(again, 409, "Nothing is asked", asked, "nothing was changed", "Read it")
    shown = await its.show(asked)
    assert (shown["status"], shown["question"]["answer"]) == ("responding", "unexpected")
    assert shown["refusals"][-1]["why"] == again.body["detail"]


async def test_of_two_answers_at_once_one_stands(its: Responder, asked: str) -> None:
    answers = await asyncio.gather(
        *(its.ask("POST", f"incidents/{asked}/answer", {"expected": False}, by="owner") for _ in range(5))
    )
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409, 409]
    assert (await its.show(asked))["question"]["answer"] == "unexpected"


async def test_silence_is_unexpected_and_an_answer_after_it_is_refused(its: Responder, asked: str) -> None:
    await its.pass_time()
    async with its.unchanged():
        late = await its.ask("POST", f"incidents/{asked}/answer", {"expected": True}, by="owner")
        assert_refused(late, 409, "Nothing is asked", "Read it")
    shown = await its.show(asked)
    assert (shown["status"], shown["question"]["answer"], shown["question"]["by"]) == (
        "responding",
        "silence",
        "nobody",
    )
    assert shown["refusals"][-1]["why"] == late.body["detail"]


async def test_a_huge_reason_is_cut_and_shown_as_text(its: Responder, asked: str) -> None:
    reason = "<b>' | take 1 </b>" + "x" * 900_000
    said = {"expected": False, "reason": reason}
    assert (await its.ask("POST", f"incidents/{asked}/answer", said, by="owner")).status == 202
    assert (await its.show(asked))["question"]["reason"] == reason[:2000]
