"""What is delivered is a hint: whether an alert is there, and what it says, is read at Defender."""

import asyncio
from typing import Any

import pytest

from sandbox import alerting
from sandbox.azure import operations
from tests.api.responder import ALERTS, LOGIC_APP, PROD, Responder

pytestmark = pytest.mark.asyncio(loop_scope="package")

Json = dict[str, Any]
NAME = "2516_0badcafe-0000-4000-8000-000000000000"


def forged(alert: Json, name: str = NAME, location: str = "centralus") -> Json:
    """The export of an alert under another name, or from another place."""
    old = alert["name"]
    uri = alert["properties"]["alertUri"].replace(old, name).replace("location/centralus", f"location/{location}")
    return {**alerting.exported(alert), "SystemAlertId": name, "AlertUri": uri}


async def taken(its: Responder, body: object, by: str = LOGIC_APP) -> Json:
    answer = await its.ask("POST", "alerts", body, by=by)
    assert answer.status == 202
    [one] = answer.body["incidents"]
    return dict(one)


@pytest.mark.parametrize("by", [LOGIC_APP, "alice"])
async def test_an_alert_that_defender_does_not_know_is_noted_and_not_acted_on(its: Responder, by: str) -> None:
    real, before = its.raised(), await its.world()
    name = f"{NAME[:-1]}{len(by)}"
    one = await taken(its, forged(real, name), by)
    shown = await its.ended(one["incident"])
    assert (one["status"], shown["result"], shown["question"], shown["steps"]) == ("started", "not_acted_on", None, [])
    assert f"Defender knows no alert {PROD}{ALERTS}/{name}" in shown["failures"][-1]["reason"]
    assert "forged" in shown["failures"][-1]["reason"]
    assert shown["report"]
    assert await its.world() == {**before, "incidents": [one["incident"], *before["incidents"]]}
    assert its.state_of(real) == "Active"


async def test_an_alert_that_comes_without_its_place_is_looked_up_by_its_name(its: Responder) -> None:
    alert = its.raised()
    body = {key: value for key, value in alerting.exported(alert).items() if key != "AlertUri"}
    one = await taken(its, body)
    assert (await its.show(one["incident"]))["status"] == "asking"
    assert (await taken(its, alerting.exported(alert))) == {"incident": one["incident"], "status": "known"}
    assert (await its.ended(one["incident"]))["alert"]["id"] == alert["id"]


async def test_a_name_that_defender_does_not_list_is_noted_and_not_acted_on(its: Responder) -> None:
    alert, before = its.raised(), its.writes()
    body = {key: value for key, value in forged(alert).items() if key != "AlertUri"}
    shown = await its.ended((await taken(its, body))["incident"])
    assert shown["result"] == "not_acted_on"
    assert f"Defender knows no alert {NAME} in subscription" in shown["reason"]
    assert its.writes() == before
    assert its.state_of(alert) == "Active"


async def test_a_forgery_does_not_keep_the_real_alert_from_being_answered(its: Responder) -> None:
    real = its.raised()
    forgery = forged(real, real["name"], "eastus")
    assert (await its.ended((await taken(its, forgery))["incident"]))["result"] == "not_acted_on"
    one = await taken(its, alerting.exported(real))
    assert one["status"] == "started"
    assert (await its.show(one["incident"]))["status"] == "asking"
    await its.ended(one["incident"])


@pytest.mark.parametrize(
    "lie",
    [
        {"AlertType": "SIMULATED_ARM_AnomalousRBACRoleAssignment"},
        {"AlertDisplayName": "[SAMPLE ALERT] nothing to see"},
        {"Status": "Dismissed"},
        {"Entities": []},
        {"Severity": "Informational", "StartTimeUtc": "2001-01-01T00:00:00Z"},
    ],
    ids=["a sample", "a sample by its title", "dismissed", "nobody's doing", "old and harmless"],
)
async def test_what_a_delivery_says_of_a_real_alert_does_not_count(its: Responder, lie: Json) -> None:
    one = await taken(its, alerting.exported(its.raised()) | lie)
    shown = await its.show(one["incident"])
    assert shown["status"] == "asking"
    assert [suspect["upn"] for suspect in shown["suspects"]] == ["eve@contoso.example"]
    assert shown["alert"]["severity"] == "High"
    await its.ended(one["incident"])


async def test_an_alert_that_names_an_attack_for_a_person_attacks_nothing(its: Responder) -> None:
    name = "x') or startswith(userPrincipalName,'"
    incident = await its.delivered(its.raised({"type": "account", "name": name, "upnSuffix": "contoso.example"}))
    shown = await its.show(incident)
    assert shown["suspects"] == []  # no such person is asked for
    async with its.unchanged():
        ended = await its.ended(incident, votes="approve")
    assert ended["result"] == "unfinished"
    assert "by hand" in ended["reason"]


async def test_an_alert_that_was_dismissed_already_is_left_alone(its: Responder) -> None:
    alert = its.raised()
    found = its.sandbox.world.get(alert["id"])
    assert found
    its.sandbox.world.put(alert["id"], {**found.body, "properties": {**found.properties, "status": "Dismissed"}})
    before = its.sandbox.world.snapshot()
    incident = await its.delivered(alert)
    assert (await its.show(incident))["result"] == "dismissed"
    assert (its.sandbox.world.snapshot(), its.state_of(alert)) == (before, "Dismissed")


async def test_sample_alerts_of_defender_end_as_such_and_nothing_is_done(its: Responder) -> None:
    simulate = f"{its.sandbox.endpoints.arm}{PROD}{ALERTS}/default/simulate?api-version=2022-01-01"
    token = its.sandbox.token(its.scene.who("owner@contoso.example"), "arm")
    known = {a.id for a in its.sandbox.world if a.type.endswith("/alerts")}
    async with its.azure.post(
        simulate,
        json={"properties": {"kind": "Bundles", "bundles": ["ResourceManager"]}},
        headers={"Authorization": f"Bearer {token}"},
    ) as answer:
        assert answer.status == 202
    operations.settle(its.sandbox.world, its.sandbox.clock)
    samples = [a.body for a in its.sandbox.world if a.type.endswith("/alerts") and a.id not in known]
    assert len(samples) == 3
    before, written, old = its.sandbox.world.snapshot(), its.writes(), await its.incidents()
    by_id, by_logic_app, by_event = samples
    deliveries = [
        its.ask("POST", "alerts", {"id": by_id["id"]}, by="alice"),
        its.ask("POST", "alerts", alerting.exported(by_logic_app), by=LOGIC_APP),
        its.event(*alerting.event(by_event)),
    ]
    assert {answer.status for answer in await asyncio.gather(*deliveries)} == {202}
    await its.host.idle()
    new = [incident for incident in await its.incidents() if incident not in old]
    assert len(new) == 3
    for incident in new:
        shown = await its.show(incident)
        assert (shown["status"], shown["result"], shown["alert"]["sample"]) == ("closed", "sample", True)
        assert "a drill" in shown["reason"]
    assert {its.state_of(sample) for sample in samples} == {"Active"}
    assert (its.sandbox.world.snapshot(), its.writes()) == (before, written)
