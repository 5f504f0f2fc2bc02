import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.durable_functions import DurableOrchestrationClient

from sandbox.functions import Host

SAMPLE = Path(__file__).parent / "sample"


class StandingClock:
    """Moves only when told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by

    def set(self, at: datetime) -> None:
        self.at = at


class Bench:
    """A running host, its client, and the app's own notes."""

    def __init__(self, host: Host, clock: StandingClock) -> None:
        self.host, self.clock = host, clock
        self.client = DurableOrchestrationClient(host.client())
        self.app: Any = sys.modules["function_app"]

    async def run(self, name: str, argument: Any = None, instance: str = "it") -> Any:
        """Start an orchestration and wait until there is nothing to do but to wait."""
        await self.client.start_new(name, instance, argument)
        return await self.rest(instance)

    async def rest(self, instance: str = "it") -> Any:
        await self.host.idle()
        return await self.client.get_status(instance, show_history=True, show_history_output=True, show_input=True)

    async def later(self, **by: float) -> Any:
        """Let time pass."""
        self.clock.advance(timedelta(**by))
        self.host.wake()
        return await self.rest()


Benches = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def benches(tmp_path: Path, clock: StandingClock) -> Benches:
    """Makes hosts on one file, one after the other."""

    @asynccontextmanager
    async def make(app: Any = SAMPLE, **options: Any) -> AsyncIterator[Bench]:
        async with Host(app, tmp_path / "history.db", clock=clock, **options) as host:
            yield Bench(host, clock)

    return make


@pytest.fixture
async def bench(benches: Benches) -> AsyncIterator[Bench]:
    async with benches() as made:
        yield made
