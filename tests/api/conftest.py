from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.responder import Responder, responder


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    """One responder, with the default settings, for all tests: each leaves Azure as it found it."""
    async with responder(tmp_path_factory.mktemp("responder")) as running:
        yield running
