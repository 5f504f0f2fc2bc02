"""Programs of the npm registry that tests run, installed once into .sandbox/."""

import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".sandbox"


class Unavailable(Exception):  # noqa: N818
    """Something that a test runs can't run here; the message says why."""


def installed(package: str, version: str) -> Path:
    """The folder of that version of a package. Raises Unavailable where it can't be installed."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Unavailable(f"{package} needs node and npm, which are not here.")
    cache = CACHE / f"{package.rpartition('/')[2]}-{version}"
    if not cache.exists():
        # Installed aside and renamed: tests in parallel, or one that was killed, leave no half of it.
        aside = cache.with_name(f"{cache.name}.{os.getpid()}")
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--loglevel=error")
        command = [npm, "install", "--prefix", str(aside), *quiet, f"{package}@{version}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
        try:
            if done.returncode:
                why = "; ".join(line for line in done.stderr.splitlines() if line.startswith("npm error"))
                raise Unavailable(f"npm could not install {package}: {why[:200]}")
            try:
                aside.rename(cache)
            except OSError:
                if not cache.exists():  # another was faster
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return cache / "node_modules" / package
