from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.responders.alerts.fixtures import SUBSCRIPTION
from tests.worker.installing import Unavailable, installed
from tests.worker.process import Worker, running


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has Azure's worker."""
    try:
        return installed()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def worker(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The worker with the app, where no Azure is: whoever wants to sign in finds no identity."""
    settings = {"COUNTERSIGN_SUBSCRIPTIONS": SUBSCRIPTION, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    with running(python, tmp_path_factory.mktemp("worker"), settings) as there:
        yield there
