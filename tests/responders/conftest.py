"""Every kind of evidence store, empty."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from responders.evidence import Evidence
from tests.azurite import Azurite, Identity, running
from tests.npm import Unavailable
from tests.responders.story import Story

Opener = Callable[[], Evidence]  # opens the same store anew, as another process would


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    try:
        with running(tmp_path_factory.mktemp("azurite")) as there:
            yield there
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def container(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty container's URL; who connects to it trusts its certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(azurite.ca))
    return azurite.container(f"evidence-{uuid4()}")


@pytest.fixture(params=["folder", "azurite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store that several processes can open."""
    if request.param == "folder":
        return (tmp_path / "evidence").as_uri()
    return str(request.getfixturevalue("container"))


@pytest.fixture(params=["memory", "folder", "azurite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "memory":
        one = Evidence.at("memory://")
        return lambda: one
    if request.param == "folder":
        return lambda: Evidence.at(str(tmp_path / "evidence"))
    url = str(request.getfixturevalue("container"))
    return lambda: Evidence.at(url, Identity())


@pytest.fixture
def evidence(reopen: Opener) -> Evidence:
    return reopen()


@pytest.fixture
def store() -> Evidence:
    return Evidence.at("memory://")


@pytest.fixture
def story(store: Evidence) -> Story:
    return Story(store)
