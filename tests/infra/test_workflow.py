"""The Logic App: the very definition that is deployed is run, against the responder on the local host."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox import alerting
from sandbox.logic_app import Request, Run, Unknown, definition, run
from tests.api.responder import LOGIC_APP, Responder, responder

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VALUES = {
    "function-url": "https://func-countersign.azurewebsites.net/api/alerts",
    "audience": "11111111-2222-4333-8444-555555555555",
    "identity": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/sender",
    "topic-url": "https://evgt-countersign.westeurope-1.eventgrid.azure.net/api/events",
    "topic-audience": "https://eventgrid.azure.net",
}
ALERT = {"SystemAlertId": "2518087_7d3a", "AlertType": "ARM_Test", "Severity": "High"}
HAND, LEAVE = "Hand_to_the_responder", "Leave_with_Event_Grid"


async def sent(*answers: int, alert: dict[str, Any] = ALERT) -> tuple[Run, list[Request]]:
    """Run it where Azure gives these answers, one a call; 0 stands for none. The last is given for ever."""
    seen: list[Request] = []

    async def send(request: Request) -> int:
        seen.append(request)
        answer = answers[min(len(seen), len(answers)) - 1]
        if not answer:
            raise ConnectionRefusedError
        return answer

    return await run(definition(VALUES), alert, send, now=NOW, name="0858"), seen


async def test_an_alert_is_handed_to_the_responder_as_it_is() -> None:
    came, [request] = await sent(202)
    assert came == Run("Succeeded", "", {HAND: "Succeeded", LEAVE: "Skipped"} | _skipped())
    assert (request.method, request.url) == ("POST", VALUES["function-url"])
    assert request.body == ALERT
    assert request.headers == {"Content-Type": "application/json"}
    assert (request.audience, request.identity) == (VALUES["audience"], VALUES["identity"])


def _skipped() -> dict[str, str]:
    return {"Say_that_the_responder_did_not_answer": "Skipped"}


async def test_a_responder_that_is_late_is_asked_again() -> None:
    came, seen = await sent(0, 503, 429, 202)
    assert came.status == "Succeeded"
    assert {request.url for request in seen} == {VALUES["function-url"]}
    assert len(seen) == 4


@pytest.mark.parametrize("answer", [0, 401, 403, 500])
async def test_an_alert_that_the_responder_does_not_take_is_left_with_event_grid_and_the_run_says_so(
    answer: int,
) -> None:
    tries = 1 if answer in {401, 403} else 7
    came, seen = await sent(*[answer] * tries, 200)
    assert (came.status, came.code) == ("Failed", "ResponderDidNotAnswer")
    assert len(seen) == tries + 1
    assert seen[-1].url == f"{VALUES['topic-url']}?api-version=2018-01-01"
    assert seen[-1].audience == VALUES["topic-audience"]
    [event] = seen[-1].body
    assert event == {
        "id": "2518087_7d3a",
        "subject": "alerts/2518087_7d3a",
        "eventType": "Countersign.DefenderAlert",
        "eventTime": "2026-03-02T09:00:00.0000000Z",
        "dataVersion": "1.0",
        "data": ALERT,
    }


async def test_an_alert_without_an_id_is_left_under_the_name_of_the_run() -> None:
    _, seen = await sent(400, 200, alert={"AlertType": "ARM_Test"})
    assert seen[-1].body[0]["id"] == "0858"


async def test_a_run_fails_where_nobody_takes_the_alert() -> None:
    came, _ = await sent(500)
    assert (came.status, came.actions[HAND], came.actions[LEAVE]) == ("Failed", "Failed", "Failed")


async def test_what_is_not_understood_is_refused_by_name() -> None:
    workflow = definition(VALUES)
    workflow["actions"][HAND]["inputs"]["body"] = "@base64(triggerBody())"
    with pytest.raises(Unknown, match="base64"):
        await run(workflow, ALERT, lambda _: None, now=NOW)  # type: ignore[arg-type, return-value]
    with pytest.raises(Unknown, match="topic-url"):
        definition({k: v for k, v in VALUES.items() if k != "topic-url"})


@pytest_asyncio.fixture
async def its(tmp_path: Path) -> AsyncIterator[Responder]:
    async with responder(tmp_path) as running:
        yield running


def _to(its: Responder, *, broken: bool = False) -> Any:
    """Send what the Logic App sends: to the function as its identity, and to Event Grid, which delivers."""

    async def send(request: Request) -> int:
        if request.url == VALUES["function-url"]:
            path = request.url.partition("/api/")[2]
            by = "" if broken else LOGIC_APP  # the token of nobody
            return (await its.ask(request.method, path, request.body, by=by)).status
        # Event Grid adds these two to what was published.
        return (await its.event(*({**e, "topic": "/t", "metadataVersion": "1"} for e in request.body))).status

    return send


async def test_an_alert_of_defender_becomes_an_incident_of_the_responder(its: Responder) -> None:
    alert = its.raised()
    came = await run(definition(VALUES), alerting.exported(alert), _to(its), now=NOW)
    assert came.status == "Succeeded"
    [incident] = await its.incidents()
    assert (await its.show(incident))["question"]["state"] == "open"


async def test_it_becomes_one_by_event_grid_where_sign_in_is_broken(its: Responder) -> None:
    alert = its.raised()
    came = await run(definition(VALUES), alerting.exported(alert), _to(its, broken=True), now=NOW)
    assert came.code == "ResponderDidNotAnswer"
    assert len(await its.incidents()) == 1
    await run(definition(VALUES), alerting.exported(alert), _to(its), now=NOW)
    assert len(await its.incidents()) == 1
