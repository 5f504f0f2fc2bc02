from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.api.responder import Responder, responder


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    """One responder with the default settings for all tests: each leaves Azure as it found it."""
    async with responder(tmp_path_factory.mktemp("responder")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_alerts_are_left(its: Responder) -> Iterator[None]:
    """Remove a test's alerts: those that nobody works on would join the next incident of the same actor."""
    yield
    for alert in [one for one in its.sandbox.world if one.type.lower().endswith("/alerts")]:
        its.sandbox.world.delete(alert.id)


@pytest_asyncio.fixture(loop_scope="package")
async def asked(its: Responder) -> AsyncIterator[str]:
    """An incident whose owner was asked. Afterwards all that it would do is rejected."""
    incident = await its.delivered(its.raised())
    yield incident
    await its.ended(incident)


@pytest_asyncio.fixture(loop_scope="package")
async def waiting(its: Responder) -> AsyncIterator[str]:
    """An incident whose gates are open. Afterwards what is still open is rejected, and the attack's world restored."""
    before = its.sandbox.world.snapshot()
    incident = await its.responding(its.raised())
    yield incident
    await its.ended(incident)
    its.restore()
    assert its.sandbox.world.snapshot() == before
