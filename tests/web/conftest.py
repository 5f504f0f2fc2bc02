from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.responder import Responder, responder

KEY = "0123456789abcdef" * 2
URL = "https://countersign.example"
CHANNEL = "n0b0dysS3cret"  # of a channel where nobody listens
SETTINGS = {
    "COUNTERSIGN_LINK_KEY": KEY,
    "COUNTERSIGN_URL": URL,
    "COUNTERSIGN_MAIL_FROM": "soc@contoso.example",
    "COUNTERSIGN_CHANNELS": f"json://127.0.0.1:1/{CHANNEL}",
}


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    """A responder that sends mails with links."""
    async with responder(tmp_path_factory.mktemp("responder"), SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="package")
async def asked(its: Responder) -> AsyncIterator[str]:
    """An incident whose owner was asked. Afterwards all that it would do is rejected, and its alerts are gone."""
    incident = await its.delivered(its.raised())
    yield incident
    await its.ended(incident)
    its.restore()
    for alert in [one for one in its.sandbox.world if one.type.lower().endswith("/alerts")]:
        its.sandbox.world.delete(alert.id)
