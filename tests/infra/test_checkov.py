"""A scanner of others' looks at infra/. It sees what a deployment would make, file by file."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.bicep import GRAPH, INFRA
from tests.infra.findings import LEFT
from tests.npm import CACHE, Unavailable

PINS = Path(__file__).with_name("checkov.txt")


def checkov() -> Path:
    """Checkov in an environment of its own, made once for each state of its pins: it needs older packages than ours."""
    version = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    there = CACHE / f"checkov-{version}"
    CACHE.mkdir(exist_ok=True)
    uv = Path(sys.executable).with_name("uv")
    with there.with_name(f"{there.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (there / "made").exists():
            shutil.rmtree(there, ignore_errors=True)
            _run(str(uv), "venv", "--quiet", "--python", sys.executable, str(there))
            _run(str(uv), "pip", "install", "--quiet", "--python", str(there / "bin/python"), "-r", str(PINS))
            (there / "made").touch()
    return there / "bin/checkov"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
    if done.returncode:
        raise Unavailable(f"checkov could not be installed: {done.stderr[-300:]}")


def test_checkov_reads_everything_and_finds_only_what_is_explained() -> None:
    try:
        program = checkov()
    except Unavailable as error:
        pytest.skip(str(error))
    # Nothing is asked of its service. The file with an extension it can't read at all, and would pass over in silence.
    options = ["--framework", "bicep", "--skip-download", "--skip-path", GRAPH.name, "--output", "json"]
    command = [str(program), "--directory", str(INFRA), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    said = json.loads(done.stdout)
    assert said["summary"]["parsing_errors"] == 0
    assert said["summary"]["resource_count"] > 50
    found = {(one["check_id"], one["resource"].rpartition(".")[0]) for one in said["results"]["failed_checks"]}
    assert found == set(LEFT)
