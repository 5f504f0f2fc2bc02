"""Each peer in an environment of its own, beside ours: what they need is not ours to need."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


class MissingError(Exception):
    """A peer's environment can't be made. The message says which, and why."""


def program(peer: str, name: str) -> str:
    """The path of a program in a peer's environment, which is made first if it is not there, or was made otherwise.

    Raises MissingError when that can't be: most often there is no way to a package index.
    """
    folder, pins = _ROOT / f".venv-{peer}", Path(__file__).with_name(f"{peer}.txt")
    made, wanted = folder / "made", hashlib.sha256(pins.read_bytes()).hexdigest()
    if not made.exists() or made.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _run(peer, [sys.executable, "-m", "venv", str(folder)])
        _run(
            peer,
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(pins)],
        )
        made.write_text(wanted)
    return str(folder / "bin" / name)


def _run(peer: str, command: list[str]) -> None:
    print(f"{peer}: {' '.join(command)}", file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "it said nothing")
        why = f"The environment of {peer} can't be made, so it is not measured. Without a way to a package index it "
        raise MissingError(f"{why}never can. The command was {' '.join(command)}, and its last words: {last.strip()}")
