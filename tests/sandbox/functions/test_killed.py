"""A host that dies at any moment, and one that is run as its own process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from sandbox.functions import Host

from .conftest import SAMPLE

ROOT = Path(__file__).parents[3]


async def killed(folder: Path, where: str, number: int) -> tuple[int, list[Any], list[str]]:
    """How many processes died, how all instances ended, and all that activities did."""
    environment = {**os.environ, "LEDGER": str(folder / "ledger"), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    arguments = (str(Path(__file__).parent / "killed.py"), str(folder / "db"), where, str(number))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment, stdout=-1)
    out, _ = await process.communicate()
    assert process.returncode == 0
    async with (
        Host(SAMPLE, folder / "db") as host,
        ClientSession() as http,
        http.get(f"{host.url}/durabletask/instances/") as answer,
    ):
        found = await answer.json()
    ends = [(one["name"], one["runtimeStatus"], one["customStatus"], one["output"]) for one in found]
    ends = [(n, s, c, o // 86400 if n == "naps" else o) for n, s, c, o in ends]  # days: real time goes on besides
    ledger = (folder / "ledger").read_text("utf-8")
    return int(out), sorted(ends, key=str), ledger.splitlines()


@pytest.mark.parametrize(("where", "number"), [("after", 1), ("before", 2)])
async def test_killed_around_every_commit_all_ends_as_if_nothing_had_been(
    tmp_path: Path, where: str, number: int
) -> None:
    unhurt, hurt = tmp_path / "unhurt", tmp_path / "hurt"
    unhurt.mkdir()
    hurt.mkdir()
    _, ends, done = await killed(unhurt, where, 0)
    deaths, killed_ends, killed_done = await killed(hurt, where, number)
    assert deaths >= 40
    assert killed_ends == ends
    assert {status for _, status, _, _ in ends} == {"Completed"}
    assert set(killed_done) == set(done)  # each at least once, and again only where a process died
    assert len(killed_done) - len(done) <= deaths
    if where == "after":
        assert sorted(killed_done).count("round 1") == 1  # what was recorded is never done again


@pytest.fixture
def process(tmp_path: Path) -> Callable[[signal.Signals], AbstractAsyncContextManager[str]]:
    """Run the command; gives its URL, and ends it by a signal."""

    @asynccontextmanager
    async def run(end: signal.Signals) -> AsyncIterator[str]:
        env_file = tmp_path / "env"
        env_file.write_text(f'# settings\nLEDGER="{tmp_path / "ledger"}"\n', "utf-8")
        command = ("-m", "sandbox.functions", "--app", str(SAMPLE), "--database", str(tmp_path / "db"))
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--env-file", str(env_file), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout
        url = (await child.stdout.readline()).decode().strip()
        assert url.startswith("http://127.0.0.1:")
        yield url
        child.send_signal(end)
        assert await child.wait() == (0 if end is signal.SIGTERM else -end)

    return run


async def test_a_killed_process_goes_on_where_it_was_and_in_the_same_time(process: Any) -> None:
    async with process(signal.SIGKILL) as url, ClientSession(url) as http:
        async with http.post("/durabletask/orchestrators/approval/it", json="2") as answer:
            assert answer.status == 202
        async with http.post("/host/clock", json={"advance": 3600}), http.get("/host/idle") as answer:
            before = await answer.json()
        async with http.get("/host/keys") as answer:
            keys = await answer.json()
    async with process(signal.SIGTERM) as url, ClientSession(url) as http:
        async with http.get("/host/idle") as answer:
            after = await answer.json()
        async with http.get("/host/keys") as answer:
            assert await answer.json() == keys
        assert after["next_timer"] == before["next_timer"]
        assert after["now"] > before["now"]
        async with http.post("/host/clock", json={"now": after["next_timer"]}), http.get("/host/idle"):
            pass
        async with http.get("/durabletask/instances/it") as answer:
            assert (await answer.json())["output"] == "silence is no"
