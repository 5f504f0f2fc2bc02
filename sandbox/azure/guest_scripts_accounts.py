"""What responders/vms/scripts/list_accounts.ps1, set_passwords.ps1 and remove_account.ps1 do in a Windows guest."""

import base64
import hashlib
import re
from typing import Any

from sandbox.azure import guest_windows
from sandbox.azure.guest_powershell import Run, equivalent

Json = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,19}")
_KEY = re.compile(r"(AAAA[A-Za-z0-9+/=]+)\s?(.{0,24})")
_LONG_AGO = 20000 * 86400  # when every password of a world file was set


@equivalent("76f2df2cd8dc94f94d1ce759e733dc6562eb060db61f22adad61657e0d597863", "list_accounts.ps1")
def list_accounts(run: Run) -> str:
    """Enabled accounts, and the keys of files that were changed since SINCE."""
    since, lines = int(run.parameters["SINCE"]), list[str]()
    if run.guest["domain"]:
        lines.append(f"d\t{_word(run.guest['domain'])}")
    for name, user in run.guest["users"].items():
        if user["enabled"]:
            made = int(user.get("made", 0))
            born = made if made >= since else "before"
            day = int(user.get("set", _LONG_AGO)) // 86400
            lines.append(f"u\t{_word(name)}\t{user['sid'].rpartition('-')[2]}\t{day}\t{born}")
    for name, path in sorted(_files(run.guest).items()):
        changed = int(run.guest["files"][path].get("changed", 0))
        found = [match for line in _lines(run.guest, path) if (match := _key_in(line))]
        if changed < since:
            lines += [f"f\t{_word(name)}\t{_print(match[1])}" for match in found]
            continue
        for match in found:
            comment = base64.b64encode(match[2].strip().encode()).decode()
            lines.append(f"k\t{_word(name)}\t{_print(match[1])}\t{changed}\t{comment}")
    return "\r\n".join(["accounts", *lines, "end", ""])


@equivalent("839850159872c87720dbeea6b760ef64f1488e0aa3096c3cfc33684f16a1e12e", "set_passwords.ps1")
def set_passwords(run: Run) -> str:
    """Another password for each of PAIRS that is enabled still."""
    lines, given, users = list[str](), set[str](), run.guest["users"]
    count = 0
    for pair in run.parameters["PAIRS"].split(";"):
        name, _, password = pair.partition(":")
        given.add(name.lower())
        known = guest_windows.find(users, name)
        if not known or not users[known]["enabled"]:
            lines.append(f"closed {name}")
            continue
        guest_windows.set_password(run.guest, known, password, run.seed)
        count += 1
    lines += [f"new {name}" for name, user in users.items() if user["enabled"] and name.lower() not in given]
    return "\r\n".join([*lines, f"set {count}", ""])


@equivalent("73662aa4ab5782d91d72a3a8103e845c82fc1661f76c6c3d39d6caaaea7fb3b9", "remove_account.ps1")
def remove_account(run: Run) -> str:
    """One account less, or one key."""
    name, key = run.parameters["NAME"], run.parameters["KEY"]
    if key == "-":
        known = guest_windows.find(run.guest["users"], name)
        run.guest["users"].pop(known, None)
        return "removed\r\n" if known else "gone\r\n"
    path = _files(run.guest).get(name, "")
    if not path:
        return "gone\r\n"
    rest = [line for line in _lines(run.guest, path) if not ((m := _key_in(line)) and _print(m[1]) == key)]
    run.guest["files"][path] = {**run.guest["files"][path], "text": "".join(f"{line}\n" for line in rest)}
    return "removed\r\n"


def _files(guest: Json) -> dict[str, str]:
    """Files of keys that are there, by whose they are."""
    found = {"Administrators": guest_windows.SSH_KEYS}
    for path in guest["files"]:
        if match := re.fullmatch(r"C:\\Users\\([^\\]+)\\\.ssh\\authorized_keys", path, re.IGNORECASE):
            found[match[1]] = path
    return {name: path for name, path in found.items() if path in guest["files"]}


def _lines(guest: Json, path: str) -> list[str]:
    return str(guest["files"][path].get("text", "")).splitlines()


def _key_in(line: str) -> re.Match[str] | None:
    return None if line.startswith("#") else _KEY.search(line)


def _print(key: str) -> str:
    return hashlib.sha256(base64.b64decode(key)).hexdigest()[:32]


def _word(name: str) -> str:
    return name if _NAME.fullmatch(name) else "=" + base64.b64encode(name[:24].encode()).decode()
