"""What Event Grid sends, and what it hears."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from .conftest import Bench


def event(id_: str, **data: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "topic": "/subscriptions/x",
        "subject": "s",
        "eventType": "Made.Up",
        "eventTime": "2026-01-05T12:00:00.1234567Z",
        "data": data,
        "dataVersion": "1",
        "metadataVersion": "1",
    }


def cloud_event(id_: str) -> dict[str, Any]:
    return {"specversion": "1.0", "id": id_, "source": "/s", "type": "Made.Up", "data": {"n": 1}, "tenant": "t"}


@pytest.fixture
async def grid() -> AsyncIterator[ClientSession]:
    async with ClientSession(headers={"aeg-event-type": "Notification"}) as session:
        yield session


async def test_each_event_is_one_invocation(bench: Bench, grid: ClientSession) -> None:
    async with grid.post(bench.host.event_grid_url("delivered"), json=[event("a", n=1), event("b", n=2)]) as answer:
        assert answer.status == 202
    assert (await bench.rest("a")).output == "no steps, {'n': 1}"
    assert (await bench.rest("b")).output == "no steps, {'n': 2}"


@pytest.mark.parametrize("kind", ["application/cloudevents+json; charset=utf-8", "application/json"])
async def test_a_cloud_event_comes_alone(bench: Bench, grid: ClientSession, kind: str) -> None:
    url = bench.host.event_grid_url("cloudy")
    async with grid.post(url, json=cloud_event("c"), headers={"Content-Type": kind}) as answer:
        assert answer.status == 202
    assert bench.app.done == ["c Made.Up {'n': 1}"]


async def test_cloud_events_come_in_batches_and_need_no_header_of_event_grid(bench: Bench) -> None:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    url = bench.host.event_grid_url("cloudy")
    async with ClientSession() as http, http.post(url, json=[cloud_event("c"), cloud_event("d")], headers=headers) as a:
        assert a.status == 202
    assert len(bench.app.done) == 2


async def test_the_handshake_of_event_grid(bench: Bench, grid: ClientSession) -> None:
    body = [event("v", validationCode="0123-abc", validationUrl="https://example.org")]
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with grid.post(bench.host.event_grid_url("delivered"), json=body, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, {"validationResponse": "0123-abc"})
    assert not await bench.client.get_status("v")


async def test_the_handshake_of_cloud_events(bench: Bench, grid: ClientSession) -> None:
    headers = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    async with grid.options(bench.host.event_grid_url("delivered"), headers=headers) as answer:
        assert (answer.status, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")


async def test_a_failure_has_all_events_sent_again(bench: Bench, grid: ClientSession) -> None:
    async with grid.post(bench.host.event_grid_url("delivered"), json=[event("a"), event("b", fail=True)]) as answer:
        assert (answer.status, await answer.text()) == (500, "")
    assert (await bench.rest("a")).output == "no steps, {}"


@pytest.mark.parametrize("body", ["{", "7", "[7]", "{}", '[{"id": "x"}]', '[{"eventType": "t", "data": {}}]'])
async def test_what_is_no_event_is_refused(bench: Bench, grid: ClientSession, body: str) -> None:
    async with grid.post(bench.host.event_grid_url("delivered"), data=body) as answer:
        assert answer.status == 400


async def test_unknown_functions_and_methods_are_told(bench: Bench, grid: ClientSession) -> None:
    for name in ("nope", "echo", ""):
        async with grid.post(bench.host.event_grid_url(name), json=[event("a")]) as answer:
            assert answer.status == 404
    async with grid.get(bench.host.event_grid_url("delivered")) as answer:
        assert answer.status == 405
