"""Runs the sample app in processes that die, one after the other, until nothing is left to do.

Arguments: database, where to die ("before" or "after"), and at which commit of each process. Prints how many died.
Each process is forked from this one, so that importing is done once; each opens the file anew, and dies by SIGKILL.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import ClientSession
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

    Store.commit = counted  # type: ignore[method-assign, assignment]


async def live(database: str) -> None:
    """Start all there is, unless it is there; answer, and let time pass, until all has ended."""
    async with Host(SAMPLE, database) as host:
        sys.modules["function_app"].failures["a"] = 0 if tried() else 1  # fails the first time ever
        client = DurableOrchestrationClient(host.client())
        for name, argument in (("family", None), ("mixed", None), ("naps", 10), ("rounds", 2), ("approval", None)):
            if not await client.get_status(name):
                await client.start_new(name, name, argument)
        await host.idle()
        if not (await client.get_status("approval")).output:
            await client.raise_event("approval", "approval", "yes")
        await host.idle()
        while due := host.next_timer():
            async with ClientSession() as http, http.post(f"{host.url}/host/clock", json={"now": due.isoformat()}):
                await host.idle()


def tried() -> bool:
    """Whether the activity "a" was run before, in whichever process."""
    ledger = Path(os.environ["LEDGER"])
    return ledger.is_file() and "a" in ledger.read_text("utf-8").splitlines()


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
