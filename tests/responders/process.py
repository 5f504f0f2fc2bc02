"""Another process at the same evidence: `python -m tests.responders.process WHAT URL WHO`.

Says "ready", waits for a line, does it, and prints a JSON list.
"""

import asyncio
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from responders.evidence import Evidence
from responders.journal import Journal
from tests.azurite import Identity

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RACES = 100
TASKS = 4  # in each process
APPENDS = 25  # of each task
HALF = 2**20  # bytes


async def race(evidence: Evidence, who: str) -> list[int]:
    """Try to be the first at every path. Returns those won."""
    return [i for i in range(RACES) if await evidence.create(f"race/{i:03}", {"by": who, "padding": who * 5000})]


async def append(evidence: Evidence, who: str) -> list[int]:
    """Append from tasks that know nothing of each other. Returns the numbers of the entries made."""

    async def task(name: str) -> list[int]:
        journal = Journal(evidence, "case-1")
        keys = [f"{name}/{i}" for i in range(APPENDS)]
        return [(await journal.append("applied", {"key": key}, by=who, at=NOON, key=key)).n for key in keys]

    return [n for made in await asyncio.gather(*(task(f"{who}/{i}") for i in range(TASKS))) for n in made]


async def same(evidence: Evidence, who: str) -> list[int]:
    """Append what the other process appends, too."""
    journal = Journal(evidence, "case-1")
    return [(await journal.append("applied", {}, by=who, at=NOON, key=f"same/{i}")).n for i in range(RACES)]


async def die(evidence: Evidence, _who: str) -> list[int]:
    """Be killed by the kernel when half of a file is written."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, HALF))
    await evidence.write("big", bytes(2 * HALF))
    return []


@contextmanager
def another(what: str, url: str, who: str) -> Iterator["subprocess.Popen[str]"]:
    """Such a process, waiting for its line."""
    command = [sys.executable, "-m", "tests.responders.process", what, url, who]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:  # noqa: S603
        assert started.stdout
        assert started.stdout.readline() == "ready\n"
        try:
            yield started
        finally:
            started.kill()


def both(what: str, url: str) -> list[list[int]]:
    """What two processes, started together, came to."""
    with another(what, url, "a") as a, another(what, url, "b") as b:
        for one in (a, b):
            assert one.stdin
            one.stdin.write("go\n")
            one.stdin.flush()
        return [json.loads(one.communicate()[0]) for one in (a, b)]


if __name__ == "__main__":
    _, what, url, who = sys.argv
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    act = {"race": race, "append": append, "same": same, "die": die}[what]
    print(json.dumps(asyncio.run(act(Evidence.at(url, Identity()), who))))  # noqa: T201
