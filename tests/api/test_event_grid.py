"""Event Grid delivers again whatever is not answered with success, for a day: poison must not be."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import alerting
from tests.api.responder import ALERTS, DEV, PROD, Responder

pytestmark = pytest.mark.asyncio(loop_scope="package")

Json = dict[str, Any]
POISON: dict[str, tuple[Any, str]] = {
    "no alert": ({"color": "red"}, "No alert in this"),
    "nothing": (None, "No alert in this"),
    "a number": (7, "No alert in this"),
    "garbage": ("{not json", "Not JSON"),
    "an id that is a query": (f"{PROD}{ALERTS}/a' or 1 eq 1", "Not a resource id"),
    "an id that is a path": ({"id": f"{PROD}{ALERTS}/../../x"}, "Not a resource id"),
    "an alert without an id": ({"AlertType": "ARM_AnomalousOperation.Persistence"}, "The alert has no id"),
    "an alert that Defender does not know": ({"id": f"{PROD}{ALERTS}/2516_aaaa"}, "Defender knows no alert"),
    "an alert out of scope": ({"id": f"{DEV}{ALERTS}/2516_aaaa"}, "COUNTERSIGN_SUBSCRIPTIONS"),
    "an alert of the tenant": ({"id": f"{ALERTS}/2516_aaaa"}, "COUNTERSIGN_SUBSCRIPTIONS"),
    "much nesting": (json.loads("[" * 200 + "]" * 200), "deeper than 64 levels"),
    "1 MB": ({"id": "x" * 1_100_000}, "are read at most"),
}
IGNORED: dict[str, Any] = {
    "an alert of another product": {"AlertType": "VM_SuspiciousProcess", "SystemAlertId": "2516_aaaa"},
    "an assessment": {
        "id": f"{PROD}/providers/Microsoft.Security/assessments/x",
        "type": "Microsoft.Security/assessments",
    },
    "no alerts": {"value": []},
}


def event(data: Any, id_: str = "e1") -> Json:
    head = {"id": id_, "topic": "t", "subject": "s", "eventType": "x", "eventTime": "2026-01-05T03:00:00Z"}
    return {**head, "data": data, "dataVersion": "1.0", "metadataVersion": "1"}


def cloud_event(data: Any) -> Json:
    return {"specversion": "1.0", "type": "x", "source": "/s", "id": "c1", "time": "2026-01-05T03:00:00Z", "data": data}


def kept(evidence: Path) -> list[Json]:
    """What the evidence has of refused events."""
    return [json.loads(file.read_text()) for file in (evidence / "refused").glob("*.json")]


@pytest.mark.parametrize(("data", "why"), POISON.values(), ids=POISON.keys())
async def test_poison_is_taken_once_kept_with_the_reason_and_starts_nothing(
    its: Responder, data: Any, why: str
) -> None:
    before = len(kept(its.evidence))
    async with its.unchanged():
        for _ in range(3):  # delivered again, it's the same
            assert (await its.event(event(data))).status == 202
    after = kept(its.evidence)
    assert len(after) == before + 1
    assert any(why in one["reason"] and repr(data)[:100] in one["received"] for one in after)
    assert all(len(one["received"]) <= 4096 for one in after)


@pytest.mark.parametrize("data", IGNORED.values(), ids=IGNORED.keys())
async def test_what_is_not_for_us_is_taken_and_not_kept(its: Responder, data: Any) -> None:
    before = kept(its.evidence)
    async with its.unchanged():
        assert (await its.event(event(data))).status == 202
    assert kept(its.evidence) == before


@pytest.mark.parametrize("data", [{"color": "blue"}, {"id": f"{DEV}{ALERTS}/2516_bbbb"}])
async def test_poison_in_a_cloud_event_is_taken_and_kept(its: Responder, data: Json) -> None:
    before = len(kept(its.evidence))
    async with its.unchanged():
        answer = await its.event(cloud_event(data), kind="application/cloudevents+json")
        assert answer.status == 202
    assert len(kept(its.evidence)) == before + 1


async def test_a_cloud_event_that_holds_an_alert_starts_an_incident(its: Responder) -> None:
    alert, before = its.raised(), await its.incidents()
    body = cloud_event(alerting.exported(alert))
    assert (await its.event(body, kind="application/cloudevents+json")).status == 202
    [new] = [i for i in await its.incidents() if i not in before]
    assert (await its.ended(new))["alert"]["id"] == alert["id"]


async def test_a_bad_event_does_not_hold_up_those_beside_it(its: Responder) -> None:
    alert, before, refused = its.raised(), await its.incidents(), len(kept(its.evidence))
    good = alerting.event(alert)
    bad = [event({"color": "green"}, "bad"), event({"id": f"{DEV}{ALERTS}/2516_cccc"}, "far")]
    assert (await its.event(bad[0], *good, bad[1])).status == 202
    [new] = [i for i in await its.incidents() if i not in before]
    assert (await its.ended(new))["alert"]["id"] == alert["id"]
    assert len(kept(its.evidence)) == refused + 2


async def test_a_bad_alert_does_not_hold_up_those_beside_it_in_one_event(its: Responder) -> None:
    alert, before, refused = its.raised(), await its.incidents(), len(kept(its.evidence))
    bad = [
        {"id": f"{DEV}{ALERTS}/2516_dddd"},
        {"AlertType": "ARM_AnomalousOperation.Persistence", "SystemAlertId": "<"},
    ]
    assert (await its.event(event({"value": [bad[0], alerting.exported(alert), bad[1]]}))).status == 202
    [new] = [i for i in await its.incidents() if i not in before]
    assert (await its.ended(new))["alert"]["id"] == alert["id"]
    assert len(kept(its.evidence)) == refused + 2
