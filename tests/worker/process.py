"""Azure's worker as a process of its own, and the calls that the host would make to it."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from sandbox.functions.sign_in import principal

Json = dict[str, Any]
DRIVER = Path(__file__).with_name("drive.py")


class Came(NamedTuple):
    """What came of an invocation."""

    failed: str  # error and traceback; "" for none
    result: Any
    durable: list[Json]  # what Durable Functions was asked for: {"start", "id", "input"} or {"event", "id"}


class Person(NamedTuple):
    """Somebody who is signed in."""

    id: str
    roles: tuple[str, ...] = ()


class Worker:
    """`said` is what the worker told of the app: {"python", "failed", "functions": bindings by name}."""

    def __init__(self, process: "subprocess.Popen[str]", log: IO[str], evidence: Path) -> None:
        self._process, self._log, self.evidence = process, log, evidence
        self.said = self._read()

    def request(
        self,
        function: str,
        by: Person | None = None,
        *,
        id_: str = "",
        body: object = None,
        running: tuple[str, ...] = (),
    ) -> Came:
        """An HTTP request, signed in or not."""
        trigger = next(b for b in self.said["functions"][function] if b["type"] == "httpTrigger")
        claims = {"oid": by.id, "name": by.id, "roles": list(by.roles)} if by else {}
        data = {
            "method": trigger["methods"][0],
            "params": {"id": id_} if "{id}" in trigger["route"] else {},
            "headers": {"Content-Type": "application/json", **(principal(claims) if by else {})},
            "body": "" if body is None else json.dumps(body),
        }
        return self.invoke(function, data, running=running)

    def invoke(self, function: str, data: object, **wanted: Any) -> Came:
        """Invoke a function with the data of its trigger."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"function": function, "data": data, **wanted}) + "\n")
        self._process.stdin.flush()
        return Came(**self._read())

    def _read(self) -> Json:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            said: Json = json.loads(line)
            return said
        self._log.seek(0)
        raise AssertionError(f"Azure's worker ended: {self._log.read()[-3000:]}")


@contextmanager
def running(python: Path, folder: Path, settings: Mapping[str, str]) -> Iterator[Worker]:
    """The worker with these settings and nothing else of our environment; it keeps evidence in `folder`."""
    evidence = folder / "evidence"
    fixed = {"WEBSITE_AUTH_ENABLED": "True", "COUNTERSIGN_EVIDENCE": str(evidence), "HOME": str(folder)}
    with (
        (folder / "worker.log").open("w+") as log,
        subprocess.Popen(  # noqa: S603
            [python, "-I", DRIVER],
            env={**settings, **fixed},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Worker(process, log, evidence)
        finally:
            process.kill()
