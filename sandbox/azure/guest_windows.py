"""What is on a fresh Windows machine, and what the scripts and commands of the sandbox do to it.

{"system": "windows", "name": the computer's, "domain": "" or the one that it is joined to,
 "users": {name: {"sid", "enabled", "hash", "groups": [...], "description"}}, with "made" and "set" (its password, in
          seconds since 1970) of those that a script made or changed; so have files "changed",
 "tasks": {path: {"command", "user"}}, "services": {name: {"path", "start", "state"}},
 "registry": {key: {value: data}}, "files": {path: {"text"}},
 "exclusions": {"paths", "processes", "extensions"}, "realtime": true, "threats": [{"id", "name", "path", "at"}],
 "scanner": "defender" or "", "scan_seconds"}.

Names are looked up in any case, as Windows does: `find`.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sandbox.azure import guest_crypt
from sandbox.azure.guest_linux import hashed
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]

ADMINISTRATORS, REMOTE = "Administrators", "Remote Desktop Users"
SSH_KEYS = r"C:\ProgramData\ssh\administrators_authorized_keys"


def new(seed: str, profile: Json, declared: Json) -> Json:
    """A fresh guest: the users of `declared` besides the administrator (RID 500) whom the osProfile names."""
    admin = str(profile.get("adminUsername") or "Administrator")
    machine = _machine_sid(seed)
    users: dict[str, Json] = {
        admin: {**_user(f"{machine}-500", [ADMINISTRATORS]), "hash": profile.get("hash", "")},
        "Guest": {**_user(f"{machine}-501", ["Guests"]), "enabled": False},
        "DefaultAccount": {**_user(f"{machine}-503", []), "enabled": False},
        "WDAGUtilityAccount": {**_user(f"{machine}-504", []), "enabled": False},
    }
    files = {path: {"text": text} for path, text in (declared.get("files") or {}).items()}
    for user in declared.get("users") or ():
        name = find(users, str(user["name"])) or str(user["name"])
        old = users.get(name) or _user(next_sid(users, machine), [])
        word = hashed(str(user["password"]), seed, name) if user.get("password") else old["hash"]
        groups = [*dict.fromkeys([*old["groups"], *user.get("groups", ())])]
        users[name] = {**old, "hash": word, "groups": groups, "enabled": user.get("enabled", old["enabled"])}
        if user.get("keys"):
            before = files.get(SSH_KEYS, {}).get("text", "")
            files[SSH_KEYS] = {"text": before + "".join(f"{key}\n" for key in user["keys"])}
    services = {
        n: {"path": p, "start": "Automatic", "state": "Running"} for n, p in declared.get("services", {}).items()
    }
    tasks = {name: {"command": command, "user": "SYSTEM"} for name, command in declared.get("tasks", {}).items()}
    return {
        "system": "windows",
        "name": profile.get("computerName") or "WIN",
        "domain": declared.get("domain", ""),
        "users": users,
        "tasks": tasks,
        "services": services,
        "registry": {key: dict(values) for key, values in (declared.get("registry") or {}).items()},
        "files": files,
        "exclusions": {"paths": [], "processes": [], "extensions": []},
        "realtime": True,
        "threats": [],
        "scanner": declared.get("scanner") or "defender",
        "scan_seconds": int(declared.get("scan_seconds", 0)),
    }


def find(names: Mapping[str, Any], name: str) -> str:
    """The name as it is spelled there, or ""."""
    return next((known for known in names if known.lower() == name.lower()), "")


def add_user(guest: Json, name: str, password: str, seed: str) -> None:
    """Make a local user. The caller has seen that there is none."""
    machine = next(iter(guest["users"].values()))["sid"].rpartition("-")[0]
    guest["users"][name] = {**_user(next_sid(guest["users"], machine), ["Users"]), "hash": hashed(password, seed, name)}


def set_password(guest: Json, name: str, password: str, seed: str) -> None:
    """Give a local user another password. Raises KeyError without the user."""
    guest["users"][find(guest["users"], name)]["hash"] = hashed(password, seed, name)


def dated(before: Json, after: Json, now: int) -> None:
    """Note in a guest when that was made or changed which is not as it was before."""
    for name, user in after["users"].items():
        old = before["users"].get(name)
        if old is None:
            user["made"] = now
        if old is None or old["hash"] != user["hash"]:
            user["set"] = now
    for path, entry in after["files"].items():
        if entry.get("text") != before["files"].get(path, {}).get("text"):
            entry["changed"] = now


def opens(user: Json, password: str) -> bool:
    """Whether a password is that of a local user."""
    return bool(user["hash"]) and guest_crypt.matches(password, str(user["hash"]))


def next_sid(users: Mapping[str, Json], machine: str) -> str:
    """The SID of the next user to be made: RIDs from 1000 on are never given twice while their user is there."""
    last = max((int(user["sid"].rpartition("-")[2]) for user in users.values()), default=0)
    return f"{machine}-{max(last + 1, 1000)}"


def _user(sid: str, groups: list[str]) -> Json:
    return {"sid": sid, "enabled": True, "hash": "", "groups": groups, "description": ""}


def _machine_sid(seed: str) -> str:
    number = UUID(made_up_id("machine sid", seed)).int
    return "S-1-5-21-" + "-".join(str(number >> shift & 0xFFFFFFFF) for shift in (96, 48, 0))
