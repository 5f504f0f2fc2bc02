"""Faults and throttling, as the real SDK pipeline and plain HTTP meet them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.core import AsyncARMPipelineClient

from sandbox.azure import Clock, Faults, Throttle
from tests.sandbox.arm import (
    AUTH,
    MALLORY,
    NOBODY,
    NOW,
    OPS,
    OTHER,
    READER_ROLE,
    STORE,
    Arm,
    G,
    S,
    an_id,
    arm,
    assignment,
)

SITE = f"{G}/providers/Microsoft.Web/sites/shop"
BODY, TAGGED = {"location": "westeurope"}, {"tags": {"a": "b"}}


@asynccontextmanager
async def pipeline(call: Arm) -> AsyncIterator[Any]:
    """What azure-mgmt clients are made of, with its own retry policy and no waiting."""
    policies = [
        AsyncRetryPolicy(retry_backoff_factor=0, retry_total=3),
        AsyncBearerTokenCredentialPolicy(call.azure.credential(OPS), "https://management.azure.com/.default"),
    ]
    base = call.azure.endpoints.arm
    client: Any
    async with AsyncARMPipelineClient(base, policies=policies, connection_verify=call.azure.ca_file) as client:
        yield client


async def send(client: Any, method: str, path: str, **more: Any) -> Any:
    request = HttpRequest(method, f"{path}?api-version=2022-09-01", **more)
    request.url = client.format_url(request.url)
    return await client.send_request(request)


def statuses(call: Arm) -> list[int]:
    return [r.status for r in call.azure.requests]


@pytest.mark.parametrize(
    ("name", "status", "header"),
    [
        ("throttled", 429, "1"),
        ("throttled_without_header", 429, None),
        ("internal", 500, None),
        ("unavailable", 503, None),
    ],
)
async def test_a_fault_answers_instead_of_the_service_once(name: str, status: int, header: str | None) -> None:
    async with arm() as call:
        call.azure.faults.at(2, name)
        assert (await call("GET", STORE)).status == 200
        answer = await call("DELETE", STORE)
        assert (answer.status, answer.headers.get("Retry-After")) == (status, header)
        assert STORE in call.azure.world
        assert (await call("DELETE", STORE)).status == 200
        assert call.azure.faults.hits == [(name, "DELETE", STORE)]


async def test_the_sdk_gets_over_a_fault_by_itself() -> None:
    async with arm() as call, pipeline(call) as client:
        for name in ("internal", "unavailable", "reset", "reply_lost"):
            call.azure.faults.on("GET", "/storageaccounts/", name)
            assert (await send(client, "GET", STORE)).status_code == 200
        assert statuses(call) == [500, 200, 503, 200, 0, 200, 200, 200]


async def test_a_reset_connection_changes_nothing() -> None:
    async with arm() as call:
        before = call.azure.world.snapshot()
        call.azure.faults.at(1, "reset")
        with pytest.raises(aiohttp.ClientError):
            await call("PATCH", STORE, TAGGED)  # aiohttp itself sends a lost PUT again, and a PATCH not
        assert call.azure.world.snapshot() == before
        assert statuses(call) == [0]


async def test_a_lost_reply_is_lost_after_the_deed() -> None:
    async with arm() as call:
        call.azure.faults.at(1, "reply_lost")
        with pytest.raises(aiohttp.ClientError):
            await call("PATCH", STORE, TAGGED)
        assert (await call("GET", STORE)).body["tags"] == TAGGED["tags"]
        assert statuses(call) == [200, 200]


async def test_lists_lag_a_delete_and_reads_do_not() -> None:
    async with arm(faults=Faults(lag=2)) as call:
        call.azure.faults.on("DELETE", "storageaccounts", "eventual")
        assert (await call("DELETE", STORE)).status == 200
        assert (await call("GET", STORE)).status == 404
        path = f"{S}/providers/Microsoft.Storage/storageAccounts"
        shown = [STORE in (await call("GET", path)).ids for _ in range(3)]
        assert shown == [True, True, False]
        assert STORE not in call.azure.world


async def test_a_role_that_lists_still_show_gives_nothing_any_more() -> None:
    async with arm() as call:
        given = f"{S}{AUTH}/roleAssignments/{an_id(1)}"
        await call("PUT", given, assignment(READER_ROLE, call.oid(NOBODY)))
        call.azure.faults.on("DELETE", "roleassignments", "eventual")
        await call("DELETE", given)
        assert (await call("GET", f"{S}/resourceGroups", who=NOBODY)).status == 403
        assert given in (await call("GET", f"{S}{AUTH}/roleAssignments")).ids
        assert (await call("GET", STORE, who=NOBODY)).status == 403


async def test_faults_can_be_aimed_at_one_caller() -> None:
    async with arm() as call:
        call.azure.faults.at(2, "internal", caller=call.oid(MALLORY))
        seen = [(await call("GET", STORE, who=who)).status for who in (MALLORY, OPS, OPS, MALLORY, MALLORY)]
        assert seen == [200, 200, 200, 500, 200]


async def test_faults_can_strike_several_times_and_be_cleared() -> None:
    async with arm() as call:
        call.azure.faults.on("", "/storageaccounts/data", "unavailable", times=2)
        assert [(await call("GET", STORE)).status for _ in range(3)] == [503, 503, 200]
        call.azure.faults.on("GET", "", "unavailable")
        call.azure.faults.clear()
        assert (await call("GET", STORE)).status == 200


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="throttled"):
        Faults().at(1, "typo")


# -- throttling --------------------------------------------------------------------------------------------------------


async def test_what_is_left_in_the_buckets_is_told_by_kind() -> None:
    async with arm() as call:
        read, write, delete = await call("GET", G), await call("PUT", SITE, BODY), await call("DELETE", SITE)
        prefix = "x-ms-ratelimit-remaining-subscription"
        assert (read.headers[f"{prefix}-reads"], read.headers[f"{prefix}-global-reads"]) == ("249", "3749")
        assert (write.headers[f"{prefix}-writes"], write.headers[f"{prefix}-global-writes"]) == ("199", "2999")
        assert (delete.headers[f"{prefix}-deletes"], delete.headers[f"{prefix}-global-deletes"]) == ("199", "2999")
        tenant = await call("GET", "/subscriptions")
        assert tenant.headers["x-ms-ratelimit-remaining-tenant-reads"] == "249"


async def test_an_empty_bucket_refuses_and_fills_by_the_clock() -> None:
    clock = Clock(NOW, running=False)
    async with arm(clock=clock) as call:
        for _ in range(200):
            await call("DELETE", SITE)
        refused = await call("DELETE", SITE)
        assert (refused.status, refused.code) == (429, "SubscriptionRequestsThrottled")
        assert refused.headers["Retry-After"] == "1"
        assert (await call("GET", G)).status == 200
        assert (await call("DELETE", SITE, who=MALLORY)).status == 204
        assert (await call("DELETE", f"/subscriptions/{OTHER}/resourceGroups/x")).status == 403
        clock.advance(timedelta(seconds=1))
        assert [(await call("DELETE", SITE)).status for _ in range(11)] == [204] * 10 + [429]


async def test_throttling_can_be_switched_off() -> None:
    async with arm(throttle=Throttle(on=False)) as call:
        seen = {(await call("DELETE", SITE)).status for _ in range(220)}
        assert seen == {204}


async def test_the_sdk_tells_a_throttled_call_as_an_error() -> None:
    async with arm() as call, pipeline(call) as client:
        call.azure.faults.on("POST", "", "throttled_without_header")
        answer = await send(client, "POST", f"{STORE}/listKeys")
        with pytest.raises(HttpResponseError):
            answer.raise_for_status()
        assert statuses(call) == [429]
