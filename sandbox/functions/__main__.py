"""Run a function app: `python -m sandbox.functions --app DIR --database FILE --port N --env-file FILE`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from sandbox.functions import BadApp, Host, InUse, verify_with_keys


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.functions", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="folder of function_app.py and host.json")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file; made if it is not there")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; any free one by default")
    parser.add_argument("--env-file", type=Path, help="app settings: lines of NAME=VALUE")
    parser.add_argument("--jwks", help="URL of the keys that sign tokens; sign-in is off without")
    parser.add_argument("--audience", default="", help="whom tokens must be for")
    parser.add_argument("--log-level", default="WARNING", type=str.upper)
    options = parser.parse_args()
    if bool(options.jwks) != bool(options.audience):
        parser.error("--jwks and --audience go together")
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if options.env_file:
        os.environ.update(_settings(options.env_file.read_text("utf-8")))
    verify = verify_with_keys(options.jwks, options.audience) if options.jwks else None
    try:
        asyncio.run(_run(Host(options.app, options.database, verify_token=verify), options.port))
    except (BadApp, InUse, OSError) as error:
        sys.exit(str(error))


async def _run(host: Host, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await host.start(port)
    print(host.url, flush=True)
    try:
        stopped, broken = asyncio.create_task(stop.wait()), asyncio.create_task(host.broken())
        await asyncio.wait((stopped, broken), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        broken.cancel()
        with suppress(asyncio.CancelledError):
            await broken  # raises what broke it
    finally:
        await host.stop()


def _settings(text: str) -> dict[str, str]:
    """Lines of NAME=VALUE; empty ones and those that begin with # are left out, quotes around a value too."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


if __name__ == "__main__":
    main()
