"""Accounts and keys of a machine, as a script in it lists them: text from outside, of which only plain names are taken.

What was made in the window is told by what the machine itself says: whoever was root in it may have forged that. For
certain a machine is only clean when it was rebuilt.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.ids import within
from responders.model import Case, Json, Verdict
from responders.utc import utc
from responders.vms import commands

if TYPE_CHECKING:
    from responders.vms.machine import Machine

NAMES = {
    "Linux": re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"),
    "Windows": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,19}"),
}
MOST = 4096  # bytes of output that Azure shows: a list that was longer has lost its beginning
_PRINT = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"AAAA[A-Za-z0-9+/=]+")
_FIELDS = {"u": 5, "k": 5, "f": 3, "d": 2, "c": 1}


class Account(Struct, frozen=True, kw_only=True):
    """An account that a password opens."""

    name: str
    number: int  # uid or RID
    day: int  # when its password was set, in days since 1970
    born: datetime | None  # when it was made, as far as the machine knows
    before: bool  # whether the machine's log reaches back beyond the window, and has nothing of its making


class Key(Struct, frozen=True, kw_only=True):
    """An SSH key in a file that was changed in the window."""

    user: str
    print: str  # first half of the SHA-256 of the key, in hex
    changed: datetime  # its file
    comment: str


class Accounts(Struct, frozen=True, kw_only=True):
    """What a machine says."""

    accounts: tuple[Account, ...]
    keys: tuple[Key, ...]
    settled: tuple[Key, ...]  # those in files that were not changed
    domain: str  # that a Windows machine is joined to
    controller: bool  # a domain controller has no local accounts
    odd: tuple[str, ...]  # names that are none, escaped
    broken: str  # why the list can't be used; "" when it can


def text_of(name: str, system: str) -> str:
    """The text of a script about accounts, for Linux or Windows."""
    if system == "Windows":
        return commands.script(f"{name}.ps1")
    return "#!/bin/sh\n" + commands.script("accounts.sh") + "\n" + commands.script(f"{name}.sh")


def listing(case: Case, vm: "Machine") -> str:
    """The name of the run command that lists a machine's accounts for an incident."""
    mark = hashlib.sha256(f"{case.incident} {vm.vm_id}".encode()).hexdigest()[:12]
    return f"{commands.PREFIX}accounts-{mark}"


def parsed(view: Json, system: str) -> Accounts:
    """What the instance view of a listing says."""
    output = str(view.get("output") or "").strip("\n")
    lines = [line.rstrip("\r") for line in output.split("\n")]
    broken = ""
    if view.get("executionState") != "Succeeded":
        broken = f"the script that lists them came to {view.get('executionState') or 'nothing'}"
    elif lines[0] != "accounts" or lines[-1] != "end":
        broken = f"there are more of them than the {MOST} bytes hold that Azure shows of a script's output"
    found: dict[str, list[list[str]]] = {kind: [] for kind in _FIELDS}
    for line in () if broken else lines[1:-1]:
        parts = line.split("\t")
        if len(parts) != _FIELDS.get(parts[0]):
            broken = f"the list holds a line that the script does not write: {line[:80]!r}"
            break
        found[parts[0]].append(parts)
    plain = NAMES[system]
    odd = [p[1] for kind in ("u", "k", "f") for p in found[kind] if not plain.fullmatch(p[1])]
    return Accounts(
        accounts=tuple(
            Account(name=p[1], number=_number(p[2]), day=_number(p[3]), born=_moment(p[4]), before=p[4] == "before")
            for p in found["u"]
            if plain.fullmatch(p[1])
        ),
        keys=_keys(found["k"], plain),
        settled=_keys([[*p, "", ""] for p in found["f"]], plain),
        domain=found["d"][0][1][:80] if found["d"] else "",
        controller=bool(found["c"]),
        odd=tuple(dict.fromkeys(_shown(name.removeprefix("=")) if name[:1] == "=" else repr(name) for name in odd)),
        broken=broken,
    )


def entered(case: Case, vm: "Machine") -> datetime | None:
    """When a suspect first did something to a machine that did not fail; None where nothing is known of it."""
    did = (f.at for f in case.findings if f.is_deed and within(f.resource, vm.id))
    return min(did, default=None)


def made(case: Case, vm: "Machine", account: Account) -> Verdict:
    """Whether an account was there before: a machine's own administrator is, and whoever was made before the window."""
    if account.name.lower() == administrator(vm).lower() or account.number in _BUILT_IN[vm.system]:
        return Verdict(familiarity="familiar", reasons=("it belongs to the machine",))
    if account.born is not None and account.born < case.since:
        return Verdict(familiarity="familiar", reasons=(f"it was made {utc(account.born)}",))
    if account.before:
        why = "the security log of the machine reaches back beyond the window, and has nothing of its making"
        return Verdict(familiarity="familiar", reasons=(why,))
    since = case.since - timedelta(days=1)  # days, and perhaps of another time zone
    if vm.system == "Linux" and account.day < (since - datetime.fromtimestamp(0, UTC)).days:
        return Verdict(familiarity="familiar", reasons=("its password is older than the window",))
    if account.born is None:
        return Verdict(familiarity="unknown", reasons=("the machine does not say when it was made",))
    return _in_window(case, vm, f"it was made {utc(account.born)}", account.born)


def added(case: Case, vm: "Machine", key: Key, settled: Iterable[Key]) -> Verdict:
    """Whether a key was there before. Those in the machine's own model were, and those that others had all along."""
    if key.print in _of_model(vm):
        return Verdict(familiarity="familiar", reasons=("the machine was made with it",))
    if other := next((k for k in settled if k.print == key.print), None):
        why = f"{other.user} has it too, in a file that was not changed in the window"
        return Verdict(familiarity="familiar", reasons=(why,))
    return _in_window(case, vm, f"the file with it was changed {utc(key.changed)}", key.changed)


def administrator(vm: "Machine") -> str:
    """The name of the account that the machine was made with; "" where Azure does not know."""
    return str((vm.body["properties"].get("osProfile") or {}).get("adminUsername") or "")


_BUILT_IN = {"Linux": frozenset[int](), "Windows": frozenset({500})}


def _in_window(case: Case, vm: "Machine", what: str, at: datetime) -> Verdict:
    entry = entered(case, vm)
    if entry is not None and at >= entry - timedelta(minutes=1):
        why = f"after a suspect first did something to the machine ({utc(entry)})"
        return Verdict(familiarity="unfamiliar", reasons=(f"{what}, {why}",))
    return Verdict(familiarity="unknown", reasons=(f"{what}, in the window, and no suspect is seen there before",))


def _keys(lines: Iterable[list[str]], plain: re.Pattern[str]) -> tuple[Key, ...]:
    return tuple(
        Key(user=p[1], print=p[2], changed=_moment(p[3]) or datetime.fromtimestamp(0, UTC), comment=_shown(p[4]))
        for p in lines
        if plain.fullmatch(p[1]) and _PRINT.fullmatch(p[2])
    )


def _of_model(vm: "Machine") -> frozenset[str]:
    profile = vm.body["properties"].get("osProfile") or {}
    ssh = (profile.get("linuxConfiguration") or {}).get("ssh") or {}
    found = set()
    for entry in ssh.get("publicKeys") or ():
        if match := _KEY.search(str(entry.get("keyData", ""))):
            try:
                found.add(hashlib.sha256(base64.b64decode(match[0] + "==")).hexdigest()[:32])
            except binascii.Error:
                continue  # no key then, and no key in the machine is this one
    return frozenset(found)


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 12 else 0  # noqa: PLR2004


def _moment(text: str) -> datetime | None:
    seconds = _number(text)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _shown(encoded: str) -> str:
    """What is in base64, as it may be shown: whatever isn't printable ASCII is escaped."""
    try:
        return ascii(base64.b64decode(encoded, validate=True).decode(errors="replace").strip())[1:-1]
    except (binascii.Error, ValueError):
        return "?"
