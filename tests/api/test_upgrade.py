"""A run that waits while the code is changed goes on with the code that it began with; new runs take the new."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from playbooks import run, versions
from sandbox.host import APP, Host
from sandbox.stage import environment
from tests.api.responder import Json, Responder, responder

BEFORE = '    asked = yield from _call(context, "ask", order)\n'
# As a change that no waiting run could bear: something is done before the owner is asked.
AFTER = f'    yield from _call(context, "contain", order)\n{BEFORE}'

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    async with responder(tmp_path_factory.mktemp("upgrade")) as running:
        yield running
        await running.host.stop()  # the last one: the first is stopped by whoever started it


def upgraded(folder: Path, *, keeping: bool) -> Path:
    """The next version of the app; `keeping` the code of this one, or not."""
    for name in ("function_app.py", "host.json"):
        shutil.copy(APP / name, folder / name)
    for name in ("playbooks", "responders"):
        shutil.copytree(APP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    books, host_json = folder / "playbooks", json.loads((folder / "host.json").read_text())
    old = (books / "run.py").read_text()
    assert old.count(BEFORE) == 1
    (books / "run.py").write_text(old.replace(BEFORE, AFTER))
    if keeping:
        version = host_json["extensions"]["durableTask"]["defaultVersion"]
        (books / "run_earlier.py").write_text(old)
        told = (books / "versions.py").read_text()
        held = f"EARLIER: Mapping[str, ModuleType] = {{{version!r}: run_earlier}}"
        told = re.sub(r"^EARLIER: .*$", held, told, flags=re.MULTILINE)
        told = told.replace("from playbooks import run\n", "from playbooks import run, run_earlier\n")
        (books / "versions.py").write_text(told)
        host_json["extensions"]["durableTask"]["defaultVersion"] = "99.0.0"
        (folder / "host.json").write_text(json.dumps(host_json))
    return folder


async def moved(its: Responder, app: Path) -> None:
    """Stop the host, and start one with another app on what it left."""
    folder = its.evidence.parent
    await its.host.stop()
    its.host = Host(folder, environment(its.scene, its.sandbox, folder), its.sandbox, app=app)
    await its.host.start()


async def instance(its: Responder, incident: str) -> Json:
    key = await its.host.key("durabletask_extension")
    url = f"{its.host.url}/runtime/webhooks/durabletask/instances/{incident}?code={key}&showHistory=true"
    headers = {"Authorization": f"Bearer {its.token('soc')}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return dict(await answer.json())


def called(found: Json) -> list[str]:
    """The activities of a run, in their order."""
    done = [one for one in found["historyEvents"] if one["EventType"] == "TaskCompleted"]
    return [one["FunctionName"] for one in done]


async def test_a_waiting_run_goes_on_with_its_code_and_a_new_one_takes_the_new(its: Responder, tmp_path: Path) -> None:
    waiting = await its.delivered(its.raised())

    await moved(its, upgraded(tmp_path, keeping=True))
    try:
        await its.answered(waiting, expected=False)
        ended = await its.ended(waiting)
        fresh = await its.delivered(its.raised(its.account("mallory")))
        await its.answered(fresh, expected=True)

        assert ended["status"] == "closed"
        old, new = await instance(its, waiting), await instance(its, fresh)
        assert [old["runtimeStatus"], new["runtimeStatus"]] == ["Completed", "Completed"]
        assert called(old)[:4] == ["examine", "ask", "hear", "contain"]
        assert called(new)[:4] == ["examine", "contain", "ask", "hear"]
    finally:
        its.restore()
        await moved(its, APP)


async def test_without_the_earlier_code_a_waiting_run_breaks(its: Responder, tmp_path: Path) -> None:
    waiting = await its.delivered(its.raised())

    await moved(its, upgraded(tmp_path, keeping=False))
    try:
        await its.answered(waiting, expected=False)

        found = await instance(its, waiting)
        assert found["runtimeStatus"] == "Failed"
        assert "Non-Deterministic" in found["output"]
    finally:
        await moved(its, APP)


@pytest.mark.asyncio(loop_scope="module")
async def test_released_code_is_not_changed_under_its_version() -> None:
    version = json.loads((APP / "host.json").read_text())["extensions"]["durableTask"]["defaultVersion"]

    released = versions.RELEASED.get(version, versions.fingerprint())
    assert released == versions.fingerprint(), f"{run.__file__} is not what version {version} was: see versions.py."
