"""An alert that is delivered again, by whatever channel and however often: one incident, and nothing is done twice."""

import asyncio

import pytest

from sandbox import alerting
from tests.api.responder import LOGIC_APP, STRIP, Answer, Json, Responder

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def delivered_20_times(its: Responder, alert: Json) -> list[Answer]:
    """By all channels, all at once."""
    logic_app, event = alerting.exported(alert), alerting.event(alert)
    upper = {"id": alert["id"].upper().replace("/SUBSCRIPTIONS", "/subscriptions")}
    answers = await asyncio.gather(
        *(
            delivery
            for _ in range(5)
            for delivery in (
                its.event(*event),
                its.ask("POST", "alerts", logic_app, by=LOGIC_APP),
                its.ask("POST", "alerts", {"id": alert["id"]}, by="carol"),
                its.ask("POST", "alerts", upper, by=LOGIC_APP),
            )
        )
    )
    await its.host.idle()
    return answers


async def test_20_deliveries_at_once_are_one_incident(its: Responder) -> None:
    alert, before = its.raised(), await its.incidents()
    answers = await delivered_20_times(its, alert)
    assert {answer.status for answer in answers} == {202}
    [new] = [i for i in await its.incidents() if i not in before]
    told = [one for answer in answers if answer.body for one in answer.body["incidents"]]
    assert {one["incident"] for one in told} == {new}
    assert [one["status"] for one in told].count("started") <= 1
    shown = await its.show(new)
    assert (shown["status"], shown["earlier"]) == ("asking", [])
    assert its.writes()[-1].endswith("/inProgress")
    await its.ended(new)


async def test_deliveries_at_any_time_leave_the_incident_as_it_is(its: Responder, waiting: str) -> None:
    shown = await its.show(waiting)
    async with its.unchanged():
        await delivered_20_times(its, _as_defender_has_it(its, shown["alert"]["id"]))
    assert await its.show(waiting) == shown
    ended = await its.ended(waiting, votes="approve")
    assert ended["result"] == "resolved"
    async with its.unchanged():
        answers = await delivered_20_times(its, _as_defender_has_it(its, shown["alert"]["id"]))
    assert {one["status"] for a in answers if a.body for one in a.body["incidents"]} == {"known"}
    assert await its.show(waiting) == ended


async def test_deliveries_while_changes_are_made_do_nothing_twice(its: Responder, waiting: str) -> None:
    alert = _as_defender_has_it(its, (await its.show(waiting))["alert"]["id"])
    gate, written = await its.gate(waiting, STRIP), len(its.writes())
    incidents = await its.incidents()
    answers, _ = await asyncio.gather(delivered_20_times(its, alert), its.vote(waiting, gate, "alice"))
    assert {answer.status for answer in answers} == {202}
    await its.host.idle()
    deleted = [call for call in its.writes()[written:] if call.startswith("DELETE ")]
    assert sorted(deleted) == sorted({f"DELETE {change['resource']}" for change in gate["plan"]["changes"]})
    assert await its.incidents() == incidents


async def test_deliveries_while_the_owner_is_asked_and_after_he_said_expected(its: Responder) -> None:
    alert = its.raised()
    incident = await its.delivered(alert)
    shown = await its.show(incident)
    async with its.unchanged():
        await delivered_20_times(its, alert)
    assert await its.show(incident) == shown
    await its.answered(incident, expected=True)
    async with its.unchanged():
        await delivered_20_times(its, alert)
    assert its.state_of(alert) == "Dismissed"


def _as_defender_has_it(its: Responder, id_: str) -> Json:
    found = its.sandbox.world.get(id_)
    assert found
    return found.body
