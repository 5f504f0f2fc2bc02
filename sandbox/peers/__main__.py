"""`python -m sandbox.peers`: ours beside others' on the same sandbox, each in an environment of its own."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from sandbox.peers import cli, stripping
from sandbox.peers.cli import Compared
from sandbox.peers.environments import MissingError
from sandbox.peers.stripping import Stripped


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print. Returns 1 when an environment can't be made, or the CLI and the sandbox disagree."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.peers", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    as_json = parser.parse_args(arguments).json
    return asyncio.run(_compare(as_json=as_json))


async def _compare(*, as_json: bool) -> int:
    missing: list[str] = []
    stripped, compared = [await stripping.ours()], list[Compared]()
    try:
        stripped += await stripping.custodian()
    except MissingError as error:
        missing.append(str(error))
    try:
        compared = await cli.compare()
    except MissingError as error:
        missing.append(str(error))
    if as_json:
        figures = {"stripping": stripped, "cli": compared, "missing": missing}
        print(json.dumps(msgspec.to_builtins(figures), indent=2))
    else:
        console = Console()
        console.print(_stripping(stripped))
        console.print(_cli(compared))
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing or not all(one.agree and one.gone for one in compared) else 0


def _stripping(rows: Sequence[Stripped]) -> Table:
    title = f"{rows[0].planted} role assignments of an intruder taken back, among {rows[0].among}"
    table = Table("", "seconds", "calls", "left", "wrongly touched", "it says", title=title)
    for one in rows:
        counts = (str(one.calls), str(one.left), str(one.touched))
        table.add_row(one.who, f"{one.seconds:.1f}", *counts, one.said)
    return table


def _cli(rows: Sequence[Compared]) -> Table:
    table = Table("", "listed", "there", "the same", "deleted", "just these gone", "seconds", title="The Azure CLI")
    for one in rows:
        counts = (str(one.listed), str(one.there), "yes" if one.agree else "NO", str(one.deleted))
        table.add_row(one.what, *counts, "yes" if one.gone else "NO", f"{one.seconds:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
