"""The runtime that the app has in Azure: Python 3.13, Azure's worker for it, and the app's pins."""

import fcntl
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKER = ("azure-functions-runtime==1.3.0", "azurefunctions-extensions-base==1.2.0")


class Unavailable(Exception):  # noqa: N818
    """The worker can't run here; the message says why."""


def installed() -> Path:
    """The interpreter of a virtual environment with the worker in it, made once for each state of requirements.txt."""
    base, pins = _python(), ROOT / "requirements.txt"
    version = sha256(pins.read_bytes() + "".join(WORKER).encode()).hexdigest()[:12]
    there = ROOT / ".sandbox" / f"worker-3.13-{version}"
    there.parent.mkdir(exist_ok=True)
    # Test processes make it one at a time; the lock goes with the process, however that ends. Renamed when whole: of
    # one that was killed nothing counts. Only the scripts in bin/ would mind, and they are not used.
    with there.with_name(f"{there.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there.exists():
            aside = there.with_name(f"{there.name}.part")
            shutil.rmtree(aside, ignore_errors=True)
            _run(base, "-I", "-m", "venv", str(aside))
            quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1")
            _run(aside / "bin/python", "-I", "-m", "pip", "install", *quiet, "-r", str(pins), *WORKER)
            aside.rename(there)
    return there / "bin/python"


def _python() -> Path:
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python"))
    for candidate in filter(None, (sys.executable, shutil.which("python3.13"), *map(str, pyenv))):
        # Asked, since a shim of that name may have nothing behind it.
        command = [candidate, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout == "3 13\n":  # noqa: S603
            return Path(candidate)
    raise Unavailable("Azure's worker needs Python 3.13, and there is no python3.13 here.")


def _run(python: Path, *arguments: str) -> None:
    try:
        done = subprocess.run([python, *arguments], capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Azure's worker could not be installed in {error.timeout:.0f} seconds.") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).splitlines()
        why = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no reason given")
        raise Unavailable(f"Azure's worker could not be installed: {why[:300]}")
