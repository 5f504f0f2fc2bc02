"""HTTP functions, sign-in, timers and the control routes."""

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from aiohttp import ClientSession

from sandbox.functions import BadApp, Host, InUse

from .conftest import Bench, Benches, StandingClock


@pytest.fixture
async def http(bench: Bench) -> AsyncIterator[ClientSession]:
    async with ClientSession(bench.host.url) as session:
        yield session


async def test_a_request_reaches_the_function_and_its_answer_the_caller(http: ClientSession) -> None:
    async with http.put("/api/echo/7?a=1&b=%C3%BC", data="body") as answer:
        body = await answer.json()
        assert (answer.status, answer.headers["X-One"], answer.content_type) == (203, "1", "application/json")
        assert answer.cookies["a"].value == "b"
    assert (body["method"], body["id"], body["query"], body["body"]) == ("PUT", "7", {"a": "1", "b": "ü"}, "body")
    assert body["url"] == str(answer.url)


async def test_routes_follow_their_templates(http: ClientSession) -> None:
    for method, path, status, text in (
        ("GET", "/api/echo/special", 200, "special GET"),  # text before parameters
        ("DELETE", "/API/Echo/Special/", 200, "special DELETE"),
        ("GET", "/api/echo/seven", 404, ""),  # {id:int}
        ("POST", "/api/echo/7", 405, ""),
        ("GET", "/echo/7", 404, ""),
        ("GET", "/api/files/a/b%20c/d", 200, "a/b c/d"),
        ("GET", "/api/files", 200, "none"),
        ("GET", "/api/files/a%2Fb/size", 200, "size of a/b"),  # parameters before a catch-all
        ("GET", "/", 404, ""),
    ):
        async with http.request(method, path) as answer:
            assert (answer.status, await answer.text()) == (status, text), path


async def test_what_went_wrong_stays_in_the_log(http: ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    async with http.get("/api/broken") as answer:
        assert (answer.status, await answer.text()) == (500, "")
    assert "the secret reason" in caplog.text


async def test_a_function_starts_an_orchestration(bench: Bench, http: ClientSession) -> None:
    async with http.post("/api/starts/chain/it", json=["a"]) as answer:
        links = await answer.json()
        assert (answer.status, links["id"]) == (202, "it")
        assert answer.headers["Location"] == links["statusQueryGetUri"]
    await bench.host.idle()
    async with http.get(links["statusQueryGetUri"]) as answer:
        assert (await answer.json())["output"] == ["A"]


async def test_a_body_beyond_100_mb_is_refused(http: ClientSession) -> None:
    async def much() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield bytes(1 << 20)

    async with http.put("/api/echo/1", data=much()) as answer:
        assert answer.status == 413


# --- sign-in ---

CLAIMS = {"oid": "1234", "upn": "ann@contoso.example", "tid": "5678", "roles": ["Approver", "Reader"]}


@pytest.fixture
async def guarded(benches: Benches) -> AsyncIterator[Bench]:
    async with benches(verify_token=lambda token: CLAIMS if token == "good" else None) as bench:
        yield bench


async def test_a_good_token_becomes_the_callers_claims(guarded: Bench) -> None:
    forged = {"X-MS-CLIENT-PRINCIPAL-ID": "forged", "X-MS-TOKEN-AAD-ID-TOKEN": "forged"}
    async with (
        ClientSession(guarded.host.url, headers={"Authorization": "Bearer good"}) as http,
        http.get("/api/echo/1", headers=forged) as answer,
    ):
        body = await answer.json()
    principal = json.loads(base64.b64decode(body["principal"]))
    assert (body["who"], body["token"]) == ("1234", None)
    assert principal["auth_typ"] == "aad"
    assert [c["val"] for c in principal["claims"] if c["typ"] == "roles"] == ["Approver", "Reader"]
    named = {c["typ"]: c["val"] for c in principal["claims"]}
    assert named["http://schemas.microsoft.com/identity/claims/objectidentifier"] == "1234"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer bad"}, {"Authorization": "Basic good"}])
async def test_without_a_good_token_nothing_is_open(guarded: Bench, headers: dict[str, str]) -> None:
    status = guarded.client.create_http_management_payload("it")["statusQueryGetUri"]
    async with ClientSession(guarded.host.url, headers={"X-MS-CLIENT-PRINCIPAL-ID": "forged", **headers}) as http:
        for path in ("/api/echo/1", "/api/nothing", status):
            async with http.get(path) as answer:
                assert answer.status == 401


async def test_event_grid_comes_in_by_its_key_and_can_not_forge_a_caller(guarded: Bench) -> None:
    event: dict[str, Any] = {
        "id": "e1",
        "eventType": "t",
        "subject": "s",
        "data": {},
        "dataVersion": "1",
        "eventTime": None,
    }
    async with ClientSession(headers={"aeg-event-type": "Notification"}) as http:
        async with http.post(guarded.host.event_grid_url("delivered"), json=[event]) as answer:
            assert answer.status == 202
        async with http.post(guarded.host.event_grid_url("delivered") + "x", json=[event]) as answer:
            assert answer.status == 401
    await guarded.host.idle()


async def test_the_app_can_see_whether_sign_in_is_on(benches: Benches) -> None:
    verify = lambda token: None  # noqa: E731, ARG005
    for option, told in ((verify, "True"), (None, "False")):
        async with benches(verify_token=option) as bench:
            assert os.environ["WEBSITE_AUTH_ENABLED"] == told
            assert os.environ["WEBSITE_HOSTNAME"] == bench.host.url.partition("//")[2]
    assert "WEBSITE_AUTH_ENABLED" not in os.environ


# --- timers and control ---


async def test_a_timer_trigger_fires_by_the_clock_and_once_for_many_missed(bench: Bench) -> None:
    await bench.later(hours=5, minutes=59)
    assert bench.app.done == []
    await bench.later(minutes=1)
    assert bench.app.done == ["sweep late=False"]
    await bench.later(days=2)
    assert bench.app.done == ["sweep late=False", "sweep late=True"]


async def test_a_timer_missed_while_no_host_ran_is_made_up_for(benches: Benches, clock: StandingClock) -> None:
    async with benches():
        pass
    clock.at = clock.at.replace(hour=19)
    async with benches() as bench:
        await bench.host.idle()
        assert bench.app.done == ["sweep late=True"]


async def test_a_function_can_be_run_by_hand(bench: Bench, http: ClientSession) -> None:
    for name, status in (("sweep", 202), ("nope", 404), ("echo", 400)):
        async with http.post(f"/admin/functions/{name}", json={}) as answer:
            assert answer.status == status
    await bench.host.idle()
    assert bench.app.done == ["sweep late=False"]


async def test_the_clock_is_moved_over_http(bench: Bench, http: ClientSession) -> None:
    await bench.run("approval")
    async with http.get("/host/idle") as answer:
        assert (await answer.json()) == {
            "now": "2026-01-05T12:00:00.000000Z",
            "next_timer": "2026-01-05T13:00:00.000000Z",
        }
    async with http.post("/host/clock", json={"advance": 1800}) as answer:
        assert (await answer.json())["now"] == "2026-01-05T12:30:00.000000Z"
    async with http.post("/host/clock", json={"now": "2026-01-05T13:00:00Z"}):
        pass
    async with http.get("/host/idle") as answer:
        assert (await answer.json())["next_timer"] is None
    assert (await bench.rest()).output == "silence is no"
    bodies: tuple[Any, ...] = ({}, {"advance": "x"}, {"now": "x"}, [])
    for bad in bodies:
        async with http.post("/host/clock", json=bad) as answer:
            assert answer.status == 400


# --- apps ---


async def test_two_apps_run_side_by_side(tmp_path: Path) -> None:
    def make(word: str) -> df.DFApp:
        app = df.DFApp()

        @app.route("word", auth_level=func.AuthLevel.ANONYMOUS)  # type: ignore[untyped-decorator]
        def tell(req: func.HttpRequest) -> str:  # noqa: ARG001
            return word

        return app

    async with (
        Host(make("one"), tmp_path / "1") as one,
        Host(make("two"), tmp_path / "2") as two,
        ClientSession() as http,
    ):
        for host, word in ((one, "one"), (two, "two")):
            async with http.get(f"{host.url}/api/word") as answer:
                assert await answer.text() == word


async def test_one_file_has_one_host(benches: Benches) -> None:
    async with benches():
        with pytest.raises(InUse, match="another host"):
            async with benches():
                pass


async def test_an_app_that_azure_would_not_load_is_refused(tmp_path: Path) -> None:
    app = df.DFApp()

    @app.activity_trigger(input_name="thing")  # type: ignore[untyped-decorator]
    def other(name: str) -> str:
        return name

    with pytest.raises(BadApp, match="bound to"):
        await Host(app, tmp_path / "h").start()
    with pytest.raises(BadApp, match=r"no function_app\.py"):
        await Host(tmp_path, tmp_path / "h").start()
