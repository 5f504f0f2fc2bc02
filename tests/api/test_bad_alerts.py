"""What is posted as an alert and is none that may be acted on: refused, and nothing is changed or started."""

from typing import Any

import pytest

from tests.api.responder import ALERTS, DEV, LOGIC_APP, PROD, Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

SHAPES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "no JSON": (b"{not json", ("Not JSON", "{not json", "Send the alert as JSON")),
    "nothing": (b"", ("Not JSON", "Send the alert as JSON")),
    "no UTF-8": (b'{"id": "\xff\xfe"}', ("Not JSON", "utf-8", "Send the alert as JSON")),
    "half a surrogate": (b'{"id": "\\ud800"}', ("Not JSON", "Send the alert as JSON")),
    "a number": (12, ("No alert in this: int", "Send an alert as Defender for Cloud exports it")),
    "another object": ({"color": "red"}, ("No alert in this", "'color'", "Send an alert")),
    "an id that is no id": ({"id": "hello"}, ("No alert in this", "or an alert's id, /subscriptions/")),
    "an alert without an id": ({"AlertType": "ARM_AnomalousOperation.Persistence"}, ("The alert has no id", "Send it")),
    "nested, but small": (b"[" * 500_000 + b"]" * 500_000, ("deeper than 64 levels", "Send the alert as it came")),
    "5 MB of nesting": (b'{"a":' * 1_000_000, ("larger than 1048576 bytes", "Nothing was done", "one alert")),
    "2 MB": ({"id": "x" * 2_000_000}, ("larger than 1048576 bytes", "Nothing was done", "one alert")),
}
# Each would mean something to whoever pasted it somewhere.
HOSTILE = (
    "a' or 1 eq 1 or 'a' eq 'b",
    'a"); drop table SecurityAlert; ("',
    "a | union SecurityAlert | take 1",
    "a&$filter=status eq 'Active'",
    "<script>alert(1)</script>",
    "$(reboot)",
    "../../../providers/Microsoft.Authorization/roleAssignments/x",
    "..",
    "a\x00b",
    "a\nb",
    "a?api-version=2014-04-01",
    "a#b",
    "a%2f..%2fb",
)


@pytest.mark.parametrize(("body", "words"), SHAPES.values(), ids=SHAPES.keys())
async def test_what_is_no_alert_is_refused(its: Responder, body: Any, words: tuple[str, ...]) -> None:
    async with its.unchanged():
        assert_refused(await its.ask("POST", "alerts", body, by=LOGIC_APP), 400, *words)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("by", [LOGIC_APP, "alice"])
async def test_an_id_that_holds_more_than_an_id_is_refused(its: Responder, name: str, by: str) -> None:
    async with its.unchanged():
        for body in ({"id": f"{PROD}{ALERTS}/{name}"}, f"{PROD}{ALERTS}/{name}".encode()):
            answer = await its.ask("POST", "alerts", body, by=by)
            assert answer.status == 400
            assert "Not a resource id" in answer.body["detail"] or "can't be the id" in answer.body["detail"]
            assert "Expected" in answer.body["detail"] or "look at who sent it" in answer.body["detail"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_whole_alert_whose_id_holds_more_than_an_id_is_refused(its: Responder, name: str) -> None:
    alert = {
        "AlertType": "ARM_AnomalousOperation.Persistence",
        "SystemAlertId": name,
        "StartTimeUtc": "2026-01-05T03:00:00Z",
        "AzureResourceId": PROD,
    }
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", alert, by=LOGIC_APP)
        assert_refused(answer, 400, "can't be the id of an alert", "Nothing was done", "look at who sent it")


async def test_an_alert_of_a_subscription_out_of_scope_is_refused_before_it_is_looked_at(its: Responder) -> None:
    asked = len(its.sandbox.requests)
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", {"id": f"{DEV}{ALERTS}/2516_aaaa"}, by=LOGIC_APP)
        assert_refused(answer, 403, DEV.rpartition("/")[2], "COUNTERSIGN_SUBSCRIPTIONS", "Nothing was started", "Add")
    assert len(its.sandbox.requests) == asked


async def test_an_alert_of_the_whole_tenant_is_refused(its: Responder) -> None:
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", {"id": f"{ALERTS}/2516_aaaa"}, by="alice")
        assert_refused(answer, 403, "of no subscription", "Nothing was started", "by hand")


async def test_an_id_that_defender_does_not_know_is_refused(its: Responder) -> None:
    id_ = f"{PROD}{ALERTS}/2516_aaaa"
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", {"id": id_}, by="alice")
        assert_refused(answer, 404, f"Defender knows no alert {id_}", "Nothing was started", "Look the id up")


@pytest.mark.parametrize("id_", [PROD, f"{PROD}/resourceGroups/rg-web", f"{PROD}{ALERTS.replace('alerts', 'tasks')}/x"])
async def test_the_id_of_something_else_is_ignored_with_the_reason(its: Responder, id_: str) -> None:
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", {"id": id_}, by="alice")
        [taken] = answer.body["incidents"]
        assert (taken["incident"], taken["status"]) == (None, "ignored")
        assert "is no alert" in taken["reason"]


async def test_an_alert_of_another_product_is_ignored_with_the_reason(its: Responder) -> None:
    alert = {"AlertType": "VM_SuspiciousProcess", "SystemAlertId": "2516_aaaa", "AzureResourceId": PROD}
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", alert, by=LOGIC_APP)
        [taken] = answer.body["incidents"]
        assert (answer.status, taken["status"]) == (202, "ignored")
        assert "no alert type of Resource Manager" in taken["reason"]


async def test_what_may_not_be_acted_on_does_not_hold_up_the_rest(its: Responder) -> None:
    alert = its.raised()
    body = [{"id": f"{DEV}{ALERTS}/2516_aaaa"}, {"id": f"{PROD}{ALERTS}/2516_bbbb"}, {"id": alert["id"]}]
    answer = await its.ask("POST", "alerts", body, by=LOGIC_APP)
    started, out_of_scope, unknown = answer.body["incidents"]
    assert started["status"] == "started"
    assert out_of_scope["status"] == unknown["status"] == "refused"
    assert "COUNTERSIGN_SUBSCRIPTIONS" in out_of_scope["reason"]
    assert "Defender knows no alert" in unknown["reason"]
    assert (await its.ended(started["incident"]))["alert"]["id"] == alert["id"]
