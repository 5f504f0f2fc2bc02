"""Channels, told by Apprise over real HTTP: what arrives, what a failure comes to, and that no secret comes out."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from responders import notify
from responders.settings import Settings

SECRET = "T0PS3CRET"
SETTINGS = Settings(subscriptions=(), evidence="memory://")


class Receiver:
    """A service at the other end of a channel."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status, self.release = 200, asyncio.Event()
        self.release.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{SECRET}"

    async def take(self, request: web.Request) -> web.Response:
        await self.release.wait()
        self.got.append(await request.json())
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    there, app = Receiver(), web.Application()
    app.router.add_post(f"/{SECRET}", there.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.port = runner.addresses[0][1]
    yield there
    there.release.set()
    await runner.cleanup()


async def told(*urls: str, text: str = "Was that expected?", patience: float = 15) -> str:
    settings = msgspec.structs.replace(SETTINGS, channels=" ".join(urls))
    return await notify.channels(settings, "Incident 1", text, patience)


async def test_without_channels_nothing_is_told() -> None:
    assert await told() == ""


async def test_every_channel_is_told(receiver: Receiver) -> None:
    assert await told(receiver.url, receiver.url) == "channel 1 (JSON) told; channel 2 (JSON) told"
    assert [(got["title"], got["message"]) for got in receiver.got] == [("Incident 1", "Was that expected?")] * 2


@pytest.mark.parametrize(
    "text", ["<b>@everyone</b> *x* [a](http://x)", "a\\n{title} %s $HOME", "\u202egnp.exe", "x" * 20000]
)
async def test_what_an_alert_says_arrives_as_text(receiver: Receiver, text: str) -> None:
    await told(receiver.url, text=text)
    assert "".join(got["message"] for got in receiver.got) == text


async def test_a_channel_that_refuses_is_said_and_stops_no_other(receiver: Receiver) -> None:
    receiver.status = 403
    closed = f"json://127.0.0.1:1/{SECRET}"
    said = await told(receiver.url, closed, f"https://{SECRET}.example/nothing/we/know", f"nonsense {SECRET}")
    refused = "not told: it refused, or can't be reached"
    unknown = "not told: Apprise does not understand its URL"
    assert said == (
        f"channel 1 (JSON) {refused}; channel 2 (JSON) {refused}; "
        f"channel 3 {unknown}; channel 4 {unknown}; channel 5 {unknown}"
    )


async def test_a_channel_that_does_not_answer_is_waited_for_no_longer_than_that(receiver: Receiver) -> None:
    receiver.release.clear()
    began = time.monotonic()
    assert await told(receiver.url, patience=0.2) == "channel 1 (JSON) not told: no answer within 0.2 s"
    assert time.monotonic() - began < 3


async def test_no_secret_comes_out(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.status = 500
    said = await told(receiver.url, f"slack://{SECRET}", f"json://127.0.0.1:1/{SECRET}", f"bad://{SECRET}", SECRET)
    assert SECRET not in said
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp")]
    assert not any(SECRET in message for message in ours)


def test_settings_show_no_secrets() -> None:
    settings = msgspec.structs.replace(SETTINGS, channels=f"slack://{SECRET}", link_key=SECRET * 4)
    assert SECRET not in f"{settings!r} {settings}"
