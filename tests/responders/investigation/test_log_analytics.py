"""The Activity Log as Log Analytics gives it."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from azure.core.pipeline.transport import AioHttpTransport

from responders.azure import Azure
from responders.errors import Misconfigured, Permanent, Temporary
from responders.investigation import log_analytics
from responders.investigation.events import Notes
from responders.investigation.log_analytics import Hour, Slice, hours, moment, spans, string
from responders.settings import Settings
from sandbox.azure.kql_words import words
from tests import npm
from tests.responders.investigation.watched import DAY, WORKSPACE, Watched, watched
from tests.sandbox.arm import MALLORY, NOW, SUB

Json = dict[str, Any]

HOUR = timedelta(hours=1)


async def slices(view: Watched, since: datetime = NOW - DAY, until: datetime = NOW + DAY) -> list[Slice]:
    return [one async for one in log_analytics.read(view.azure, WORKSPACE, SUB, [(since, until)], view.notes)]


def ids(found: list[Slice]) -> list[str | None]:
    return [event.event_data_id for one in found for event in one.events]


async def test_rows_are_counted_by_the_hour_and_fetched_newest_first() -> None:
    async with watched() as view:
        view.clock.set(NOW - timedelta(hours=5))
        await view.done(3)

        counted = await hours(view.azure, WORKSPACE, SUB, NOW - DAY, NOW)
        (found,) = await slices(view)

        assert [(h.rows, h.newest) for h in counted] == [(2, NOW - n * HOUR) for n in (2, 3, 4)]
        assert found.whole
        times = [event.event_timestamp for event in found.events]
        assert times == [NOW - n * HOUR for n in (2, 2, 3, 3, 4, 4)]
        assert {event.caller for event in found.events} == {MALLORY}
        assert len(view.asked("logs")) == 2
        assert list(view.notes) == []


async def test_neither_other_subscriptions_nor_what_shows_nobodys_doing_is_fetched() -> None:
    async with watched() as view:
        await view.done(1)
        kept = view.sandbox.world.activity.streams
        (held,) = kept.values()
        held += [
            {**held[0], "category": {"value": "Policy"}, "eventDataId": "policy"},
            {**held[0], "subscriptionId": "00000000-0000-4000-8000-000000000000", "eventDataId": "other"},
        ]

        assert len(ids(await slices(view))) == 2
        assert [hour.rows for hour in await hours(view.azure, WORKSPACE, SUB, NOW, NOW + DAY)] == [2]


def counted(*rows: int) -> list[Hour]:
    """Hours with so many rows, newest first."""
    starts = [NOW - n * HOUR for n in range(len(rows))]
    return [
        Hour(rows=n, oldest=at + timedelta(minutes=1), newest=at + timedelta(minutes=9))
        for n, at in zip(rows, starts, strict=True)
    ]


def test_spans_hold_as_many_hours_as_an_answer_may_have_rows() -> None:
    found = spans(counted(1000, 1000, 1000, 2499, 9000, 1, 2))

    lengths = [(end - start) // HOUR for start, end in found]
    assert lengths == [2, 1, 1, 1, 2]
    assert found[0][1] == NOW + HOUR
    assert all(newer[0] == older[1] for newer, older in pairwise(found))


def test_a_hundred_thousand_rows_take_few_calls() -> None:
    assert len(spans(counted(*[200] * 500))) == 42  # 100,000 rows, fewer than 2,500 each


async def test_an_answer_that_comes_back_full_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched() as view:
        await view.done(10, every=timedelta(minutes=7))
        everything = ids(await slices(view))
        monkeypatch.setattr(log_analytics, "ROWS", 4)

        found = await slices(view)

        assert ids(found) == everything
        assert len(everything) == 20
        assert max(len(one.events) for one in found) < 4
        assert all(newer.since == older.until for newer, older in pairwise(found))
        assert list(view.notes) == []


async def test_an_answer_too_large_for_the_service_is_halved_too() -> None:
    async with watched() as view:
        await view.done(10, every=timedelta(minutes=7))
        everything = ids(await slices(view))
        view.sandbox.world.state["logs"] = {"rows": 5}

        found = await slices(view)

        assert ids(found) == everything
        assert all(one.whole for one in found)
        assert list(view.notes) == []


async def test_more_at_one_moment_than_an_answer_holds_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_analytics, "ROWS", 4)
    async with watched() as view:
        await view.done(6, every=timedelta())

        found = await slices(view, NOW - timedelta(seconds=1), NOW + timedelta(seconds=1))

        assert [len(one.events) for one in found if one.events] == [4]
        assert not next(one for one in found if one.events).whole
        (note,) = view.notes
        assert "more events than it gives at once from 2026-03-02 09:00:00" in note


async def test_a_partial_answer_is_not_taken_for_whole() -> None:
    async with watched() as view:
        await view.done(1)
        view.sandbox.world.state["logs"] = {"error": "A shard did not answer."}

        (found,) = await slices(view)

        assert not found.whole
        (note,) = view.notes
        assert note.startswith("Log Analytics gave only a part of the events from 2026-03-01 09:00:00")
        assert note.endswith("A shard did not answer.")
        with pytest.raises(Temporary, match="counted only a part"):
            await hours(view.azure, WORKSPACE, SUB, NOW - DAY, NOW)


async def test_when_it_fails_the_rest_is_one_slice_that_is_not_whole() -> None:
    async with watched() as view:
        await view.done(1)
        view.sandbox.faults.on("POST", "/query", "internal", times=9)
        asked_for = [(NOW, NOW + DAY), (NOW - DAY, NOW)]

        (found,) = [one async for one in log_analytics.read(view.azure, WORKSPACE, SUB, asked_for, view.notes)]

        assert (found.since, found.until, found.events, found.whole) == (NOW - DAY, NOW + DAY, [], False)
        (note,) = view.notes
        assert note.startswith("Log Analytics could not be read")


@pytest.mark.parametrize("fault", ["throttled", "throttled_without_header", "unavailable", "reset"])
async def test_a_passing_fault_is_waited_out_though_it_is_a_post(fault: str) -> None:
    async with watched() as view:
        await view.done(1)
        view.sandbox.faults.on("POST", "/query", fault)

        assert len(ids(await slices(view))) == 2


async def test_who_may_not_query_is_told_so() -> None:
    async with watched([]) as view:
        with pytest.raises(Permanent, match="403 InsufficientAccessError"):
            await hours(view.azure, WORKSPACE, SUB, NOW - DAY, NOW)


async def test_something_that_is_no_subscription_never_reaches_a_query() -> None:
    async with watched() as view:
        with pytest.raises(Permanent, match="is no subscription"):
            await hours(view.azure, WORKSPACE, '" or true //', NOW - DAY, NOW)
        assert view.asked("logs") == []


TEXTS = [
    "plain",
    "",
    'a"b',
    "a'b",
    "a\\",
    '\\" | take 1 //',
    "line\nbreak\r\ttab",
    "\x00\u2028\u202e",
    "\U0001f600\U000e0001",
    '"; let x = 1; AzureActivity | project',
    "\\u0022",
    "\ud800",
]


def kusto(queries: dict[str, str]) -> dict[str, Json]:
    """What Kusto's own parser makes of queries. Skips where it can't be had."""
    try:
        package = npm.installed("@kusto/language-service-next", "12.4.1")
    except npm.Unavailable as why:
        pytest.skip(str(why))
    command = [shutil.which("node") or "node", "tests/kusto.js", str(package)]
    done = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, Json] = json.loads(done.stdout)
    return found


def test_kustos_own_parser_understands_what_is_asked_and_takes_every_text_for_one() -> None:
    queries = {"count": log_analytics.COUNT, "fetch": log_analytics.fetch()}
    asked_for = {name: log_analytics.asking(query, SUB, NOW - DAY, NOW) for name, query in queries.items()}
    texts = {f"text {n}": f"AzureActivity | where Caller == {string(text)}" for n, text in enumerate(TEXTS)}

    found = kusto({**asked_for, **texts, "wrong": "AzureActivity | where Nobody == 1"})

    assert found.pop("wrong")["errors"]
    assert {name: its["errors"] for name, its in found.items() if its["errors"]} == {}
    for n, text in enumerate(TEXTS):
        if text != "\ud800":  # half of a character, which no JSON carries
            assert found[f"text {n}"]["strings"] == [text]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_kql_stays_one_literal(text: str) -> None:
    literal, end = words(string(text))

    assert (literal.kind, end.kind) == ("string", "end")
    assert literal.value == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert string(text).isprintable()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_a_time_in_kql_is_that_moment(zone: timezone) -> None:
    at = datetime(2026, 3, 1, 23, 30, 0, 120, UTC)
    literal, _ = words(moment(at.astimezone(zone)))
    assert (literal.kind, literal.value) == ("datetime", at)


@asynccontextmanager
async def answering(status: int, body: bytes, kind: str = "application/json") -> AsyncIterator[Azure]:
    """A service that answers all the same."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body, content_type=kind)

    async with watched() as view:
        transport = Redirecting(answer)
        yield Azure(view.azure.settings, view.azure.credential, transport)


class Redirecting(AioHttpTransport):  # type: ignore[misc]  # azure-core leaves its base untyped
    """Gives that answer to every request, over a connection to this machine."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer
        self._runner = web.ServerRunner(web.Server(answer))
        self._url = ""

    async def send(self, request: Any, **config: Any) -> Any:
        if not self._url:
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self._url = "http://{}:{}/".format(*self._runner.addresses[0])
        request.url = self._url
        return await super().send(request, **config)


@pytest.mark.parametrize("status", [200, 204])
async def test_an_empty_answer_is_no_rows(status: int) -> None:
    async with answering(status, b"") as azure:
        assert await hours(azure, WORKSPACE, SUB, NOW - DAY, NOW) == []
        (found,) = [one async for one in log_analytics.read(azure, WORKSPACE, SUB, [(NOW - DAY, NOW)], Notes())]
        assert (found.events, found.whole) == ([], True)


async def test_the_page_of_a_proxy_is_no_answer() -> None:
    async with answering(403, b"<html>blocked</html>", "text/html") as azure:
        with pytest.raises(Permanent, match="Azure answered 403"):
            await hours(azure, WORKSPACE, SUB, NOW - DAY, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"tables": [{"columns": [{"name": "Rows"}], "rows": [["many"]]}]}',
        b'{"tables": [{"columns": [], "rows": [{"OneApiErrors": []}]}]}',
    ],
)
async def test_an_answer_that_makes_no_sense_is_tried_again(body: bytes) -> None:
    async with answering(200, body) as azure:
        with pytest.raises(Temporary, match="can't be read"):
            await hours(azure, WORKSPACE, SUB, NOW - DAY, NOW)


async def test_values_that_come_as_texts_are_read() -> None:
    body = (
        b'{"tables": [{"columns": [{"name": "Rows"}, {"name": "Oldest"}, {"name": "Newest"}], '
        b'"rows": [["7", "2026-03-01T10:00:00.1234567Z", "2026-03-01T10:59:59Z"]]}]}'
    )
    async with answering(200, body) as azure:
        (hour,) = await hours(azure, WORKSPACE, SUB, NOW - DAY, NOW)
        assert (hour.rows, hour.oldest.microsecond) == (7, 123457)


@pytest.mark.parametrize(("name", "text"), [("WORKSPACE", "my-workspace"), ("LOGS", "http://api.loganalytics.example")])
def test_a_workspace_that_is_no_guid_and_an_endpoint_without_tls_are_refused(name: str, text: str) -> None:
    said = {"COUNTERSIGN_SUBSCRIPTIONS": SUB, "COUNTERSIGN_EVIDENCE": "memory://"}
    assert Settings.load(said).workspace == ""
    with pytest.raises(Misconfigured, match=f"COUNTERSIGN_{name}"):
        Settings.load({**said, f"COUNTERSIGN_{name}": text})
