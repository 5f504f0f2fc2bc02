"""Alerts that nobody has delivered: they are shown with the incident, and those of its root cause are set with it."""

import pytest

from tests.api.responder import Responder

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_those_of_the_same_root_cause_join_and_are_set_with_the_incident(its: Responder, asked: str) -> None:
    same, late, other = its.raised(), its.raised(), its.raised(its.account("mallory"))
    await its.answered(asked, expected=False)
    shown = {one["id"]: one for one in (await its.show(asked))["others"]}
    assert [shown[alert["id"]]["joins"] for alert in (same, late, other)] == [True, True, False]
    assert shown[other["id"]]["relation"] == ["at the same time, within an hour"]

    delivered_late = await its.show(await its.delivered(late))
    assert (delivered_late["result"], asked in delivered_late["reason"]) == ("joined", True)

    ended = await its.ended(asked, votes="approve")
    assert {alert["id"] for alert in ended["joined"]} == {same["id"], late["id"]}
    assert ended["alerts"] == dict.fromkeys((ended["alert"]["id"], same["id"], late["id"]), "Resolved")
    assert (its.state_of(same), its.state_of(late), its.state_of(other)) == ("Resolved", "Resolved", "Active")
    page = (its.evidence / "incidents" / asked / "reports" / f"{asked}.html").read_text()
    assert "Other alerts of the subscription in the window" in page
    assert "of the same root cause: it joins this incident" in page


async def test_an_expected_alert_says_nothing_of_the_others(its: Responder, asked: str) -> None:
    same = its.raised()
    await its.answered(asked, expected=True)
    assert its.state_of(same) == "Active"
