"""Equivalents in Python of the responder's own PowerShell scripts, known by the SHA-256 of their exact text.

There is no PowerShell interpreter in the sandbox. A script of responders/vms/scripts/*.ps1 gets one function here,
which does to the guest what the script does to a machine, and prints what the script prints, byte for byte where the
responder reads it. The digest is pinned: who changes the script looks at its equivalent again.

    @equivalent("9f86d0…", "reset_passwords.ps1")
    def reset_passwords(run: Run) -> str:
        for name, user in run.guest["users"].items(): ...
        return json.dumps(...)

Equivalents are written in modules guest_scripts_<action>.py, which guest_run.py imports.
`run.guest` is changed in place (guest_windows.py says what it holds); `run.parameters` are the named parameters of the
run command, protected ones too; `run.scan()` scans with Defender.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Run:
    """One run of a script on a guest."""

    guest: Json
    parameters: Mapping[str, str]
    seed: str  # for hashes: guest_windows.set_password
    now: int  # the guest's clock, seconds since 1970
    took: int = field(default=0)  # seconds that it would have taken

    def scan(self) -> list[Json]:
        """A full scan with Defender: what it found, in the order of paths. What is excluded is not looked at."""
        guest = self.guest
        self.took += int(guest["scan_seconds"])
        found = []
        for path, entry in sorted(guest["files"].items()):
            mark = next((m for m in _MARKS if m in str(entry.get("text", ""))), "")
            if mark and not _excluded(guest, path):
                name = str(entry["text"]).partition(mark + ":")[2].split()[:1]
                threat = {"id": 2147519003 + len(guest["threats"]), "path": path, "at": self.now}
                found.append({**threat, "name": name[0] if name else "Virus:DOS/EICAR_Test_File"})
        known = {threat["path"] for threat in guest["threats"]}
        guest["threats"] = [*guest["threats"], *(threat for threat in found if threat["path"] not in known)]
        return found


Equivalent = Callable[[Run], str]
_MARKS = ("COUNTERSIGN-SANDBOX-MALWARE", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE")
SCRIPTS: dict[str, tuple[str, Equivalent]] = {}  # digest -> (name of the script, what it does)


def digest(script: str) -> str:
    """SHA-256 of a script's text, whatever its line ends."""
    return sha256(script.replace("\r\n", "\n").strip("\n").encode()).hexdigest()


def equivalent(digest_: str, name: str) -> Callable[[Equivalent], Equivalent]:
    """Register what a script of the responder's does."""

    def register(function: Equivalent) -> Equivalent:
        SCRIPTS[digest_] = (name, function)
        return function

    return register


def _excluded(guest: Json, path: str) -> bool:
    low = path.lower()
    inside = any(low.startswith(p.lower().rstrip("\\")) for p in guest["exclusions"]["paths"])
    return inside or any(low.endswith("." + e.lower().lstrip(".")) for e in guest["exclusions"]["extensions"])
