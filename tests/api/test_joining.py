"""Alerts of one root cause, the same actor in the same subscription, are one incident while it is open."""

import asyncio

import pytest

from tests.api.responder import LOGIC_APP, PROD, Responder

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_second_alert_joins_and_is_resolved_with_the_first(its: Responder, waiting: str) -> None:
    second = its.raised()
    joiner = await its.delivered(second)
    shown = await its.show(joiner)
    assert (shown["status"], shown["result"], shown["question"], shown["steps"]) == ("closed", "joined", None, [])
    assert waiting in shown["reason"]
    assert its.state_of(second) == "Active"

    ended = await its.ended(waiting, votes="approve")
    assert ended["result"] == "resolved"
    assert [alert["id"] for alert in ended["joined"]] == [second["id"]]
    assert ended["alerts"] == {ended["alert"]["id"]: "Resolved", second["id"]: "Resolved"}
    assert its.state_of(second) == "Resolved"


async def test_after_it_closed_an_alert_starts_its_own_incident(its: Responder, asked: str) -> None:
    await its.ended(asked)
    third = await its.delivered(its.raised())
    assert third != asked
    assert (await its.show(third))["status"] == "asking"
    await its.ended(third)


async def test_an_alert_of_another_actor_does_not_join(its: Responder, asked: str) -> None:
    other = await its.delivered(its.raised(its.account("mallory")))
    assert (await its.show(other))["status"] == "asking"
    assert (await its.show(asked))["status"] == "asking"
    await its.ended(other)


async def test_alerts_without_an_actor_do_not_join(its: Responder) -> None:
    address = {"type": "ip", "address": "198.51.100.7"}
    first, second = [await its.delivered(its.raised(address)) for _ in range(2)]
    assert [(await its.show(i))["status"] for i in (first, second)] == ["asking", "asking"]
    await asyncio.gather(its.answered(first, expected=True), its.answered(second, expected=True))


async def test_of_many_alerts_at_once_one_is_answered_and_the_others_join(its: Responder) -> None:
    alerts = [its.raised() for _ in range(6)]
    posts = (its.ask("POST", "alerts", {"id": alert["id"]}, by=LOGIC_APP) for alert in alerts)
    started = [answer.body["incidents"][0]["incident"] for answer in await asyncio.gather(*posts)]
    shown = [await its.show(incident) for incident in started]
    assert sorted(str(one["result"]) for one in shown) == ["None"] + ["joined"] * 5
    [first] = [one["incident"] for one in shown if one["result"] is None]
    await its.answered(first, expected=True)
    for other in set(started) - {first}:  # those of which the question didn't tell are asked about by themselves
        if (await its.show(other))["status"] == "asking":
            await its.answered(other, expected=True)
    assert {its.state_of(alert) for alert in alerts} == {"Dismissed"}


async def test_the_owners_word_about_one_deed_does_not_cover_the_next(its: Responder, asked: str) -> None:
    later = its.raised()
    joiner = await its.delivered(later)
    assert (await its.show(joiner))["result"] == "joined"

    await its.answered(asked, expected=True)

    assert its.state_of(later) != "Dismissed"
    assert (await its.show(joiner))["status"] == "asking"
    await its.ended(joiner)
    assert its.state_of(later) != "Dismissed"


async def test_what_a_joined_alert_names_is_answered_too(its: Responder, asked: str) -> None:
    machine = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-web-1"
    await its.delivered(its.raised(its.account("eve"), {"type": "azure-resource", "resourceId": machine}))
    await its.answered(asked, expected=False)
    subjects = (await its.show(asked))["subjects"]
    assert machine.lower() in {subject["id"].lower() for subject in subjects}


async def test_a_joined_alert_of_the_same_actor_that_waits_at_gates_brings_its_subjects(
    its: Responder, waiting: str
) -> None:
    machine = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-web-2"
    await its.delivered(its.raised(its.account("eve"), {"type": "azure-resource", "resourceId": machine}))
    ended = await its.ended(waiting)
    assert machine.lower() in {subject["id"].lower() for subject in ended["subjects"]}
