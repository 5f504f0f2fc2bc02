"""The Durable HTTP API, by the SDK's client and by plain HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from azure.durable_functions import OrchestrationRuntimeStatus

from .conftest import Bench


@pytest.fixture
async def http(bench: Bench) -> AsyncIterator[ClientSession]:
    async with ClientSession(f"{bench.host.url}/durabletask/") as session:
        yield session


async def test_a_running_id_is_not_started_again(bench: Bench) -> None:
    await bench.run("approval")
    with pytest.raises(Exception, match="An Orchestration instance with the status Running already exists"):
        await bench.client.start_new("approval", "it")
    assert (await bench.rest()).runtime_status.value == "Running"


async def test_two_starts_of_one_id_at_once_make_one_instance(http: ClientSession) -> None:
    async with http.post("orchestrators/approval/it") as one, http.post("orchestrators/approval/it") as two:
        assert (one.status, two.status) == (202, 500)
        assert "already exists" in (await two.json())["ExceptionMessage"]


async def test_a_finished_id_is_replaced(bench: Bench) -> None:
    await bench.run("chain", ["a"])
    assert (await bench.run("chain", ["b"])).output == ["B"]
    assert len(await bench.client.get_status_all()) == 1


async def test_an_unknown_orchestrator_is_told_by_name(bench: Bench) -> None:
    with pytest.raises(Exception, match=r"The function 'nope' doesn't exist.*known orchestrator functions: 'chain'"):
        await bench.client.start_new("nope")


@pytest.mark.parametrize("instance", ["@x", "a%5Cb", "a%23b", "a%3Fb", "x" * 257, "a%0Ab"])
async def test_bad_ids_are_refused(http: ClientSession, instance: str) -> None:
    async with http.post(f"orchestrators/chain/{instance}", data="[]") as answer:
        assert answer.status in {400, 404}


async def test_input_that_is_no_json_is_refused(http: ClientSession) -> None:
    async with http.post("orchestrators/chain", data="{") as answer:
        assert (answer.status, (await answer.json())["Message"]) == (400, "Invalid JSON content")


async def test_a_plain_object_is_input_too(bench: Bench, http: ClientSession) -> None:
    async with http.post("orchestrators/identity/it", json={"n": 1}) as answer:
        assert answer.status == 202
        assert answer.headers["Location"] == (await answer.json())["statusQueryGetUri"]
        assert answer.headers["Retry-After"] == "10"
    assert (await bench.rest()).output[3] == {"n": 1}


async def test_a_start_can_wait_for_the_result(http: ClientSession) -> None:
    async with http.post("orchestrators/chain?timeout=30&pollingInterval=1", json='["a"]') as answer:
        assert (answer.status, await answer.json()) == (200, ["A"])
    async with http.post("orchestrators/failing?timeout=30&pollingInterval=1") as answer:
        assert (answer.status, (await answer.json())["runtimeStatus"]) == (500, "Failed")


async def test_status_tells_running_from_finished(bench: Bench, http: ClientSession) -> None:
    await bench.run("approval")
    async with http.get("instances/it?showInput=false") as answer:
        body = await answer.json()
        assert (answer.status, answer.headers["Retry-After"]) == (202, "5")
    assert body["runtimeStatus"] == "Running"
    assert body["createdTime"] == "2026-01-05T12:00:00Z"
    assert (body["input"], body["customStatus"], body["historyEvents"]) == (None, {"waiting": "approval"}, None)
    await bench.run("failing", None, "failed")
    async with http.get("instances/failed") as answer:
        assert answer.status == 200
    async with http.get("instances/failed?returnInternalServerErrorOnFailure=true") as answer:
        assert answer.status == 500


async def test_an_unknown_id_is_404_and_falsy(bench: Bench, http: ClientSession) -> None:
    assert not await bench.client.get_status("nobody")
    for path in ("raiseEvent/x", "terminate", "suspend", "resume", "rewind"):
        async with http.post(f"instances/nobody/{path}", json=1) as answer:
            assert answer.status == 404
    async with http.delete("instances/nobody") as answer:
        assert answer.status == 404


async def test_a_finished_instance_takes_nothing_any_more(bench: Bench, http: ClientSession) -> None:
    await bench.run("chain", ["a"])
    for path in ("raiseEvent/x", "terminate", "suspend", "resume", "rewind"):
        async with http.post(f"instances/it/{path}", json=1) as answer:
            assert answer.status == 410
    with pytest.raises(Exception, match="is gone"):
        await bench.client.raise_event("it", "x")


async def test_an_event_by_http_is_an_object(bench: Bench, http: ClientSession) -> None:
    await bench.run("approval")
    async with http.post("instances/it/raiseEvent/approval", data="{}", headers={"Content-Type": "text/plain"}) as bad:
        assert bad.status == 400
    async with http.post("instances/it/raiseEvent/approval", json={"yes": True}) as answer:
        assert answer.status == 202
    assert (await bench.rest()).output == {"yes": True}


async def test_terminate_stops_the_one_and_leaves_its_children(bench: Bench) -> None:
    bench.app.failures["a"] = 9
    await bench.run("patient")
    await bench.client.terminate("it", "enough & more")
    status = await bench.rest()
    assert (status.runtime_status.value, status.output) == ("Terminated", "enough & more")
    assert (await bench.rest("the-child")).runtime_status.value == "Running"
    await bench.client.terminate("the-child", "too")
    assert (await bench.rest("the-child")).runtime_status.value == "Terminated"


async def test_a_parent_hears_of_the_end_of_its_child(bench: Bench) -> None:
    bench.app.failures["a"] = 9
    await bench.run("patient")
    await bench.client.terminate("the-child", "enough")
    await bench.rest()
    status = await bench.later(seconds=1)  # its retry policy takes it for a failure
    assert (await bench.rest("the-child")).runtime_status.value == "Running"
    assert status.runtime_status.value == "Running"


async def test_suspension_holds_events_and_timers_back(bench: Bench) -> None:
    await bench.run("approval")
    await bench.client.suspend("it", "wait")
    assert (await bench.rest()).runtime_status.value == "Suspended"
    assert bench.host.next_timer() is None
    await bench.client.raise_event("it", "approval", "yes")
    status = await bench.later(hours=3)
    assert (status.runtime_status.value, status.output) == ("Suspended", None)
    await bench.client.resume("it", "go")
    assert (await bench.rest()).output == '"yes"'  # it came before the deadline


async def test_a_suspended_instance_can_be_terminated(bench: Bench) -> None:
    await bench.run("approval")
    await bench.client.suspend("it", "wait")
    await bench.rest()
    await bench.client.terminate("it", "enough")
    assert (await bench.rest()).runtime_status.value == "Terminated"


async def test_rewind_is_refused_by_name(bench: Bench) -> None:
    await bench.run("failing")
    with pytest.raises(Exception, match="does not serve rewind"):
        await bench.client.rewind("it", "again")


async def test_restart_runs_the_same_input_again(bench: Bench) -> None:
    await bench.run("chain", ["a"])
    links = await bench.client.restart("it")
    assert (await bench.rest(links["id"])).output == ["A"]
    await bench.client.restart("it", restart_with_new_instance_id=False)
    await bench.host.idle()
    assert bench.app.done == ["a"] * 3
    assert len(await bench.client.get_status_all()) == 2


async def test_purge_forgets(bench: Bench) -> None:
    await bench.run("chain", ["a"])
    assert (await bench.client.purge_instance_history("it")).instances_deleted == 1
    assert not await bench.client.get_status("it")
    assert (await bench.client.purge_instance_history("it")).instances_deleted == 0


async def test_purge_by_filter_takes_finished_ones_only(bench: Bench, http: ClientSession) -> None:
    start = bench.clock.now()
    await bench.run("approval", None, "open")
    await bench.run("chain", ["a"], "done")
    await bench.run("failing", None, "failed")
    gone = await bench.client.purge_instance_history_by(start, runtime_status=[OrchestrationRuntimeStatus.Failed])
    assert gone.instances_deleted == 1
    assert (await bench.client.purge_instance_history_by(start + timedelta(hours=1))).instances_deleted == 0
    assert (await bench.client.purge_instance_history_by(start)).instances_deleted == 1
    assert [s.instance_id for s in await bench.client.get_status_all()] == ["open"]
    async with http.delete("instances/") as answer:
        assert answer.status == 400


async def test_a_purged_instance_does_not_come_back_with_its_activity(bench: Bench, http: ClientSession) -> None:
    await bench.client.start_new("fan", "it", [f"w{n}" for n in range(40)])
    async with http.delete("instances/it") as answer:
        assert answer.status == 200
    await bench.host.idle()
    assert await bench.client.get_status_all() == []


async def test_lists_are_filtered_and_paged(bench: Bench, http: ClientSession) -> None:
    for number in range(5):
        await bench.run("chain", ["a"], f"it-{number}")
        bench.clock.advance(timedelta(minutes=1))
    await bench.run("approval", None, "other")
    some = await bench.client.get_status_by(
        bench.clock.now() - timedelta(minutes=4),
        bench.clock.now() - timedelta(minutes=2),
        [OrchestrationRuntimeStatus.Completed],
    )
    assert [s.instance_id for s in some] == ["it-1", "it-2", "it-3"]
    prefixed = await bench.client.get_status_by(instance_id_prefix="it-", runtime_status=[])
    assert len(prefixed) == 5
    found, token = [], ""
    while True:
        async with http.get("instances?top=2", headers={"x-ms-continuation-token": token}) as answer:
            found += [one["instanceId"] for one in await answer.json()]
            token = answer.headers["x-ms-continuation-token"]
        if not token:
            break
    assert found == [*(f"it-{n}" for n in range(5)), "other"]


async def test_entities_are_refused_by_name(http: ClientSession) -> None:
    async with http.get("entities/counter/mine") as answer:
        assert answer.status == 501


async def test_from_outside_a_key_is_needed(bench: Bench) -> None:
    await bench.run("approval")
    links = bench.client.create_http_management_payload("it")
    async with ClientSession() as session:
        async with session.get(links["statusQueryGetUri"]) as answer:
            assert answer.status == 202
        for url in (links["statusQueryGetUri"][:-1], links["statusQueryGetUri"].partition("?")[0]):
            async with session.get(url) as answer:
                assert answer.status == 401
        url = links["sendEventPostUri"].replace("{eventName}", "approval")
        async with session.post(url, json="yes") as answer:
            assert answer.status == 202
    assert (await bench.rest()).output == "yes"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
async def test_a_web_page_can_not_use_the_workers_way_in(
    bench: Bench, http: ClientSession, headers: dict[str, str]
) -> None:
    await bench.run("approval")
    for path in ("/durabletask/instances/it/raiseEvent/approval", "/host/clock", "/admin/functions/sweep"):
        async with http.post(path, json=1, headers=headers) as answer:
            assert answer.status == 403
