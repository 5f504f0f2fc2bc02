"""A closed incident is run again or undone when an approver asks for it, and never two at a time."""

import asyncio

import aiohttp
import pytest

from tests.api.responder import DISABLE, STRIP, Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize("route", ["rerun", "undo"])
async def test_while_it_runs_it_is_neither_run_again_nor_undone(its: Responder, waiting: str, route: str) -> None:
    async with its.unchanged():
        answer = await its.ask("POST", f"incidents/{waiting}/{route}", {}, by="alice")
        assert_refused(answer, 409, waiting, "is still responding", "when it has closed")
    noted = (await its.show(waiting))["refusals"][-1]
    assert (noted["by"], noted["request"]) == ("alice@contoso.example", route)


@pytest.mark.parametrize("route", ["rerun", "undo"])
@pytest.mark.parametrize("body", [b"{", b"\xff", [], {"by": "alice"}, {"reason": 7}, b"[" * 500_000])
async def test_what_is_not_understood_starts_no_run(its: Responder, asked: str, route: str, body: object) -> None:
    await its.answered(asked, expected=True)
    before = await its.show(asked)
    async with its.unchanged():
        answer = await its.ask("POST", f"incidents/{asked}/{route}", body, by="alice")
        assert_refused(answer, 400, "The body was not understood", "Nothing was done", "Send JSON with reason")
    after = await its.show(asked)
    assert (after["run"], after["earlier"], after["undo"]) == (before["run"], [], [])
    assert after["refusals"][-1]["why"] == answer.body["detail"]
    again = await its.ask("POST", f"incidents/{asked}/{route}", {"reason": "x" * 900_000}, by="alice")
    assert again.status == 202


@pytest.mark.parametrize(("route", "letter"), [("rerun", "r"), ("undo", "u")])
async def test_of_several_who_ask_at_once_one_is_heard(its: Responder, asked: str, route: str, letter: str) -> None:
    await its.ended(asked)
    people = ("alice", "bob", "carol", "dave")
    answers = await asyncio.gather(*(its.ask("POST", f"incidents/{asked}/{route}", {}, by=by) for by in people))
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409]
    [heard] = [answer.body for answer in answers if answer.status == 202]
    assert list(heard.values()) == [f"{asked}-{letter}1"]
    for answer in answers:
        if answer.status == 409:
            assert f"{asked}-{letter}1" in answer.body["detail"] or "is still" in answer.body["detail"]
    await its.host.idle()


async def test_a_run_that_somebody_terminated_goes_on(its: Responder, asked: str) -> None:
    key = await its.host.key("durabletask_extension")
    url = f"{its.host.url}/runtime/webhooks/durabletask/instances/{asked}/terminate?reason=stuck&code={key}"
    headers = {"Authorization": f"Bearer {its.token('soc')}"}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as answer:
        assert answer.status == 202
    await its.host.idle()

    again = await its.ask("POST", f"incidents/{asked}/rerun", {}, by="alice")

    assert (again.status, again.body) == (202, {"run": asked})
    await its.answered(asked, expected=True)
    shown = await its.show(asked)
    assert (shown["status"], shown["result"], shown["earlier"]) == ("closed", "dismissed", [])


async def test_a_rerun_asks_the_owner_again_and_its_requester_can_not_countersign(its: Responder, waiting: str) -> None:
    first = await its.ended(waiting)
    again = await its.ask("POST", f"incidents/{waiting}/rerun", {"reason": "<b>Once</b> more."}, by="alice")
    assert (again.status, again.body) == (202, {"run": f"{waiting}-r1"})
    shown = await its.show(waiting)
    assert (shown["status"], shown["by"], shown["asked_because"]) == (
        "asking",
        "alice@contoso.example",
        "<b>Once</b> more.",
    )
    assert [run["run"] for run in shown["earlier"]] == [first["run"]]
    await its.answered(waiting, expected=False)
    gate = await its.gate(waiting, DISABLE)
    async with its.unchanged():
        assert_refused(await its.vote(waiting, gate, "alice"), 403, "you asked for it")
    assert (await its.vote(waiting, gate, "bob")).status == 202


async def test_an_undo_needs_somebody_else_and_restores_what_was_changed(its: Responder, waiting: str) -> None:
    before, eve = its.sandbox.world.snapshot(), its.scene.who("eve@contoso.example")
    await its.ended(waiting, votes="approve")
    assert its.sandbox.world.snapshot() != before
    assert (await its.ask("POST", f"incidents/{waiting}/undo", {}, by="alice")).status == 202
    gate = await its.gate(waiting, "undo")
    async with its.unchanged():
        assert_refused(await its.vote(waiting, gate, "alice"), 403, "you asked for it", "Another approver has to")
        assert_refused(await its.vote(waiting, gate, "eve"), 403, "suspect")
        again = await its.ask("POST", f"incidents/{waiting}/undo", {}, by="bob")
        assert_refused(again, 409, "is still undoing")
        assert_refused(await its.ask("POST", f"incidents/{waiting}/rerun", {}, by="bob"), 409, "is still undoing")
    assert (await its.vote(waiting, gate, "bob")).status == 202
    shown = await its.show(waiting)
    assert (shown["status"], shown["undo"][-1]["result"]) == ("closed", "done")
    now = its.sandbox.world.snapshot()
    # The old password is gone for good.
    assert [key for key in {*before, *now} if before.get(key) != now.get(key)] == [f"/users/{eve}/password"]


async def test_an_undo_of_nothing_does_nothing(its: Responder, asked: str) -> None:
    await its.answered(asked, expected=True)
    async with its.unchanged():
        assert (await its.ask("POST", f"incidents/{asked}/undo", {}, by="alice")).status == 202
    assert (await its.show(asked))["undo"][-1]["result"] == "nothing_to_do"


async def test_an_undo_that_nobody_approves_changes_nothing(its: Responder, waiting: str) -> None:
    await its.vote(waiting, await its.gate(waiting, STRIP), "alice")
    await its.ended(waiting)
    assert (await its.ask("POST", f"incidents/{waiting}/undo", {}, by="alice")).status == 202
    async with its.unchanged():
        await its.ended(waiting, votes="none")
    assert (await its.show(waiting))["undo"][-1]["result"] == "expired"
