"""`python -m sandbox`: rehearse on an embedded Azure."""

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sandbox.score import Score

OK, FAILED, BAD_FILE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 when an expectation fails, 2 for a bad file."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="print the JSON Schema of an exercise file")
    schema.add_argument("--write", action="store_true", help="bring the stored schema and docs/exercises.md up to date")
    exercise = commands.add_parser("exercise", help="perform exercises and score the response")
    exercise.add_argument("files", nargs="+", type=Path, metavar="FILE")
    exercise.add_argument("--json", action="store_true", help="print the scores as a JSON list")
    exercise.add_argument("--keep", type=Path, metavar="DIR", help="keep report, evidence and logs in DIR/<id>")
    exercise.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many side by side")
    demo = commands.add_parser("demo", help="perform an attack and the response to it, and tell it as it happens")
    demo.add_argument("--plain", action="store_true", help="without colors")
    demo.add_argument("--keep", type=Path, default=Path(".sandbox"), metavar="DIR", help="where the report is left")
    serve = commands.add_parser(
        "serve", help="keep the sandbox up after an attack, with an incident that waits for you"
    )
    serve.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the exercise; the demo's unless told")
    serve.add_argument("--keep", type=Path, default=Path(".sandbox"), metavar="DIR", help="where it keeps its files")
    commands.add_parser("bench", help="measure time and calls of a response, cold start, redelivery")
    given = parser.parse_args(arguments)
    if given.command == "bench":
        from sandbox.bench.everything import bench

        return asyncio.run(bench())
    if given.command == "serve":
        from sandbox.serve import serve as keep_up

        return asyncio.run(keep_up(given.file, given.keep))
    if given.command == "demo":
        from sandbox.demo import demo as perform_demo

        return asyncio.run(perform_demo(given.keep, plain=given.plain))
    if given.command == "schema":
        return _schema(write=given.write)
    return _exercise(given.files, as_json=given.json, keep=given.keep, jobs=given.jobs)


def _schema(*, write: bool) -> int:
    from sandbox import exercise, fields

    text = json.dumps(exercise.schema(), indent=2, ensure_ascii=False) + "\n"
    if write:
        fields.SCHEMA.write_text(text, encoding="utf-8")
        fields.PAGE.write_text(fields.page(), encoding="utf-8")
    else:
        print(text, end="")
    return OK


def _exercise(files: Sequence[Path], *, as_json: bool, keep: Path | None, jobs: int) -> int:
    from sandbox.reading import BadFile
    from sandbox.scene import load
    from sandbox.stage import build

    mistakes: list[str] = []
    for file in files:
        try:
            build(load(file))
        except BadFile as error:
            mistakes += error.mistakes
    if mistakes:
        print("\n".join(mistakes), file=sys.stderr)
        return BAD_FILE
    scores = []
    try:
        for score in _scores(files, keep, jobs):
            scores.append(score)
            if not as_json:
                print(_line(score), file=sys.stderr, flush=True)
    except FileExistsError as error:
        print(error, file=sys.stderr)
        return BAD_FILE
    if as_json:
        print(json.dumps(msgspec.to_builtins(scores), indent=2, ensure_ascii=False))
    else:
        _table(scores)
    return OK if all(score.passed for score in scores) else FAILED


def _scores(files: Sequence[Path], keep: Path | None, jobs: int) -> "Iterator[Score]":
    """The scores in the order of the files, made in processes side by side: each has an Azure of its own."""
    from sandbox.drill import perform_file

    if jobs <= 1 or len(files) == 1:
        yield from (perform_file(file, keep) for file in files)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(jobs, len(files)), mp_context=context) as pool:
        yield from pool.map(perform_file, files, [keep] * len(files))


def _line(score: "Score") -> str:
    return f"{'ok ' if score.passed else 'BAD'} {score.id} in {score.seconds:.1f} s"


def _table(scores: "Sequence[Score]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "exercise", "evicted", "kept", "alert", "approvals", "named", "calls", "seconds", "undone")
    for score in scores:
        undone = "" if score.undone is None else "yes" if score.undone else "no"
        figures = (score.evicted, score.kept, score.alert, str(score.approvals), str(score.named), str(score.calls))
        table.add_row("✓" if score.passed else "✗", score.id, *figures, f"{score.seconds:.1f}", undone)
    console = Console()
    console.print(table)
    for score in scores:
        for failure in score.failures:
            console.print(f"{score.id}: {failure}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
