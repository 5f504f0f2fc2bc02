"""Runs a shell script for real, in a root directory that is thrown away: what the Linux guests of the sandbox are.

The script sees a machine: / holds the guest's own files (guest.py), /usr/bin the host's tools of TOOLS and the shims
of guest_tools/ (useradd, chpasswd, systemctl, clamscan and so on, which work on the guest's files), and nothing else.
It runs as root of a user namespace of its own, which is nobody outside; with a mount namespace whose root is that
directory and nothing of the host but a read-only /usr; without a network; for ten seconds at most; with an empty
environment but for PATH, HOME, LANG and its parameters. Whatever an attacker's script does, it does there.

That takes Linux with unprivileged user namespaces, bash, and util-linux (`unshare`, `pivot_root`). Where there is
none, `available` is False and a run fails, saying so: nothing is ever run outside of a jail.

Not modelled: owners of files (all are root's; chown does nothing), processes (ps, pkill find none), extended
attributes, and time inside a script.
"""

import base64
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SECONDS, MOST = 10, 2_000_000  # how long a script may run; how much a guest may hold, in bytes
SHIMS = Path(__file__).parent / "guest_tools"
SCANNERS = {"clamav": "clamscan", "mdatp": "mdatp"}  # what a world file calls it -> its command
_NOT_COMMANDS = frozenset({"accounts.sh", "signature", *SCANNERS.values()})
TOOLS = """
awk base64 basename bash cat chmod cmp comm cp cut diff dirname du env expr false find flock getent
grep gzip head id install join ln ls md5sum mkdir mktemp mv nl nohup od openssl paste printf pwd
readlink realpath rm rmdir sed seq setsid sh sha256sum sha512sum shuf sleep sort split stat sync tac
tail tar tee test timeout touch tr true truncate uname uniq wc whoami xargs yes umount
""".split()  # noqa: SIM905 - a list of words
_FOLDERS = """
usr/bin usr/sbin usr/local/bin usr/local/lib usr/local/sbin usr/local/share proc dev tmp root home etc/cron.d
etc/cron.daily etc/cron.hourly etc/init.d etc/ld.so.conf.d etc/pam.d etc/systemd/system etc/ssh etc/sudoers.d
etc/profile.d etc/udev/rules.d etc/update-motd.d mnt opt run srv var/lib var/spool/cron/crontabs var/log var/tmp
""".split()  # noqa: SIM905 - a list of words
# What of the root is not the guest's: the host's, or the kernel's.
_OURS = frozenset({".host", "bin", "sbin", "lib", "lib64", "proc", "dev", "usr/lib", "usr/lib64", "run/mount"})
_SETUP = """
set -e
mount --bind "$1" "$1"
cd "$1"
mount --rbind /usr .host/usr
mount -o remount,bind,ro .host/usr
mount -t proc proc proc
for device in null zero urandom; do mount --bind "/dev/$device" "dev/$device"; done
pivot_root . .host/old
exec /bin/bash /.host/start
"""
_START = """
/bin/umount -l /.host/old && rm -f /bin/umount && rmdir /.host/old || exit 126
ulimit -f 4096 -t 10
cd /root
exec /bin/bash /.host/script
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a script."""

    output: str
    error: str
    code: int
    files: Json  # all of the guest's files, afterwards
    took: int = 0  # seconds that it would have taken on a real machine: what its scans take
    timed_out: bool = False


@cache
def available() -> bool:
    """Whether this computer can run a script in a jail."""
    try:
        return run({}, "exit 7", {}, now=0).code == 7  # noqa: PLR2004
    except OSError:
        return False


def run(files: Json, script: str, environment: Mapping[str, str], *, now: int, scanner: str = "", scan: int = 0) -> Ran:
    """Run a script over a guest's files, as root.

    `files`: path -> {"mode", "lastModifiedTime" (seconds), and "text", "base64", "link" or "dir"}.
    `environment`: the script's parameters. `now`: the guest's clock, in seconds since 1970. `scanner`: one of SCANNERS
    or ""; `scan`: the seconds that a scan takes.
    """
    with tempfile.TemporaryDirectory(prefix="countersign-guest-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        root = Path(folder, "root")
        commands = _build(root, scanner)
        # Directories last: one that nobody may write to still gets its files.
        for path, entry in sorted(files.items(), key=lambda item: "dir" in item[1]):
            _write(root, path, entry)
        host = root / ".host"
        for name, text in (("script", script), ("now", str(now)), ("scan_seconds", str(scan)), ("start", _START)):
            (host / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        (host / "took").touch()
        output, error, code, timed_out = _jailed(
            root, {k: v for k, v in environment.items() if "\0" not in k + v and "=" not in k}
        )
        left = _read(root, commands)
        found = {path: _dated(files.get(path), entry, now) for path, entry in left.items()}
        took = sum(int(n) for n in (host / "took").read_text(errors="replace").split() if n.isdigit())
        return Ran(output, error, code, found, took, timed_out)


@cache
def _memory() -> str | None:
    """Where a root is made: in memory, where programs may lie there; else wherever temporary files are."""
    shared = "/dev/shm"  # noqa: S108 - a name of its own is made in it
    fits = os.access(shared, os.W_OK) and not os.statvfs(shared).f_flag & os.ST_NOEXEC
    return shared if fits else None


def _jailed(root: Path, environment: Mapping[str, str]) -> tuple[str, str, int, bool]:
    spaces = ("--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
    unshare = shutil.which("unshare")
    if unshare is None:
        raise FileNotFoundError("There is no unshare.")
    own = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    command = (unshare, *spaces, "/bin/bash", "-c", _SETUP, "setup", str(root))
    process = subprocess.Popen(  # noqa: S603 - the jail is the point
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, **own},
        start_new_session=True,
    )
    try:
        output, error = process.communicate(timeout=SECONDS)
        timed_out = False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, error = process.communicate()
        timed_out = True
    return output.decode(errors="replace"), error.decode(errors="replace"), process.returncode, timed_out


def _build(root: Path, scanner: str) -> frozenset[str]:
    """Make what every machine has; the paths of its commands."""
    for name in ("old", "usr", "tools"):
        (root / ".host" / name).mkdir(parents=True)
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    links = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": ".host/usr/lib", "lib64": ".host/usr/lib64"}
    links |= {"usr/lib": "../.host/usr/lib", "usr/lib64": "../.host/usr/lib64"}
    links |= {f"usr/bin/{tool}": f"/.host{path}" for tool, path in _tools().items()}
    for name, target in links.items():
        (root / name).symlink_to(target)
    for name in ("null", "zero", "urandom"):
        (root / "dev" / name).touch()
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (root / "dev" / name).symlink_to(target)
    commands = {f"usr/bin/{tool}" for tool in _tools()}
    for shim in SHIMS.iterdir():
        shutil.copy(shim, root / ".host" / "tools" / shim.name)
        (root / ".host" / "tools" / shim.name).chmod(0o755)
        if shim.name not in _NOT_COMMANDS or shim.name == SCANNERS.get(scanner):
            place = f"usr/bin/{shim.name}"
            (root / place).unlink(missing_ok=True)
            (root / place).symlink_to(f"/.host/tools/{shim.name}")
            commands.add(place)
    return frozenset(commands)


@cache
def _tools() -> dict[str, str]:
    # A tool may be an alternative (awk): its real file is what the jail has.
    found = {tool: os.path.realpath(path) for tool in TOOLS if (path := shutil.which(tool, path="/usr/bin:/bin"))}
    return {tool: path for tool, path in found.items() if path.startswith("/usr/")}


def _write(root: Path, path: str, entry: Json) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if "link" in entry:
        place.symlink_to(entry["link"])
        return
    if entry.get("dir"):
        place.mkdir(parents=True, exist_ok=True)
    elif "base64" in entry:
        place.write_bytes(base64.b64decode(entry["base64"]))
    else:
        place.write_bytes(str(entry.get("text", "")).encode())
    place.chmod(int(entry.get("mode", "0644"), 8))
    written = int(entry.get("lastModifiedTime", 0))
    os.utime(place, (written, written))


def _read(root: Path, commands: frozenset[str]) -> Json:
    """All files that are the guest's; directories only where they are not 0755: an empty one says nothing."""
    found: Json = {}
    size = 0
    for folder, inner, names in os.walk(root, topdown=True):
        here = os.path.relpath(folder, root)
        prefix = "" if here == "." else here + "/"
        inner[:] = [name for name in inner if prefix + name not in _OURS]
        for name in list(inner):
            place = Path(folder, name)
            if place.is_symlink():
                names.append(name)
                inner.remove(name)
                continue
            mode = stat.S_IMODE(place.stat().st_mode)
            place.chmod(mode | 0o700)
            if mode != 0o755:  # noqa: PLR2004
                found[f"/{prefix}{name}"] = {"dir": True, "mode": f"{mode:04o}"}
        for name in names:
            place, path = Path(folder, name), prefix + name
            if path in _OURS or (path in commands and place.is_symlink()):
                continue
            kept = _entry(place)
            if kept is not None:
                found["/" + path] = kept
                size += len(str(kept.get("text") or kept.get("base64") or ""))
    if size > MOST:
        raise ValueError(f"The script left {size} bytes in the guest; it holds {MOST} at most.")
    return found


def _dated(old: Json | None, new: Json, now: int) -> Json:
    # A world's snapshots leave lastModifiedTime away: what is written back as it was is as it was.
    same = old is not None and {k: v for k, v in old.items() if k != "lastModifiedTime"} == new
    return old if old and same else {**new, "lastModifiedTime": now}


def _entry(place: Path) -> Json | None:
    if place.is_symlink():
        return {"link": str(place.readlink())}
    status = place.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o400:
        place.chmod(0o600)
    content = place.read_bytes()
    entry: Json = {"mode": f"{mode:04o}"}
    try:
        return {**entry, "text": content.decode()}
    except UnicodeDecodeError:
        return {**entry, "base64": base64.b64encode(content).decode()}
