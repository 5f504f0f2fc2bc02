"""The deployment package: what .funcignore leaves of the repository, and a Python that has requirements.txt alone."""

import fcntl
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.infra.bicep import ROOT
from tests.npm import CACHE, Unavailable


def contents() -> list[str]:
    """Paths of all that is deployed, as git understands .funcignore."""
    listing = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    left_out = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--ignored", "--exclude-from=.funcignore"]
    there, ignored = (set(_told(command).splitlines()) for command in (listing, left_out))
    return sorted(path for path in there - ignored if (ROOT / path).is_file())


def built(folder: Path) -> Path:
    """The package, unpacked in a folder."""
    for path in contents():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    return folder


def clean_python() -> Path:
    """An interpreter that has requirements.txt and nothing else, made once for each state of it."""
    pins = ROOT / "requirements.txt"
    version = sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    there = CACHE / f"package-{version}"
    CACHE.mkdir(exist_ok=True)
    with there.with_name(f"{there.name}.lock").open("w") as lock:  # test processes make it one at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there.exists():
            aside = there.with_name(f"{there.name}.part")
            shutil.rmtree(aside, ignore_errors=True)
            _told([sys.executable, "-I", "-m", "venv", str(aside)])
            quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1"]
            _told([str(aside / "bin/python"), "-I", "-m", "pip", "install", *quiet, "-r", str(pins)])
            aside.rename(there)
    return there / "bin/python"


def _told(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:4])}: {done.stderr[-300:]}")
    return done.stdout
