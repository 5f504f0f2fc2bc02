"""Runs the sample app in processes that die, one after the other, until nothing is left to do.

Arguments: database, where to die ("before" or "after"), and at which commit of each process. Prints how many died.
Each process is forked from this one, so that importing is done once; each opens the file anew, and dies by SIGKILL.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from azure.durable_functions import DurableOrchestrationClient
from sandbox.functions import Host
from sandbox.functions.history import Store

SAMPLE = Path(__file__).parent / "sample"


def die_at_commit(number: int, where: str) -> None:
    """Have this process kill itself around its nth commit."""
    commit, left = Store.commit, number

    def counted(store: Store) -> None:
        nonlocal left
        left -= 1
        if where == "after":
            commit(store)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if where == "before":
            commit(store)

    Store.commit = counted  # type: ignore[method-assign]


async def live(database: str) -> None:
    """Start all there is, unless it is there; let time pass until all has ended."""
    async with Host(SAMPLE, database) as host:
        sys.modules["function_app"].failures["a"] = 1  # type: ignore[attr-defined]
        client = DurableOrchestrationClient(host.client())
        for name, argument in (("family", None), ("mixed", None), ("naps", 10), ("countdown", 1)):
            if not await client.get_status(name):
                await client.start_new(name, name, argument)
        for word in ("one", "two"):
            await host.idle()
            if not (status := await client.get_status("countdown")).output and word not in str(status.input_):
                await client.raise_event("countdown", "next", word)
        while due := (await rested(host)).next_timer():
            clock = host._engine._clock  # noqa: SLF001
            clock.set(due)  # type: ignore[attr-defined]
            host.wake()


async def rested(host: Host) -> Host:
    await host.idle()
    return host


def main() -> None:
    database, where, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    deaths = 0
    while True:
        if (child := os.fork()) == 0:
            if number:
                die_at_commit(number, where)
            asyncio.run(live(database))
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        deaths += 1
    print(deaths)  # noqa: T201


if __name__ == "__main__":
    main()
