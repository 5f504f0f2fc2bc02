"""What is on a fresh Linux machine, as files; and its accounts, read from them."""

import base64
import re
from dataclasses import dataclass
from typing import Any

from sandbox.azure import guest_crypt
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]

_SYSTEM = (
    ("root", 0, "/root", "/bin/bash"),
    ("daemon", 1, "/usr/sbin", "/usr/sbin/nologin"),
    ("bin", 2, "/bin", "/usr/sbin/nologin"),
    ("www-data", 33, "/var/www", "/usr/sbin/nologin"),
    ("sshd", 110, "/run/sshd", "/usr/sbin/nologin"),
    ("nobody", 65534, "/nonexistent", "/usr/sbin/nologin"),
)
_GROUPS = {"root": 0, "daemon": 1, "bin": 2, "adm": 4, "sudo": 27, "www-data": 33, "users": 100, "nogroup": 65534}
_CHANGED = 20000  # the day of every password in a world file, counted from 1970
_PLAIN = re.compile(r"\$plain\$([A-Za-z0-9+/=]*)")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of /etc/passwd with what /etc/shadow has for it."""

    name: str
    uid: int
    home: str
    shell: str
    hash: str
    expired: bool
    keys: tuple[str, ...]
    groups: tuple[str, ...]


def new(seed: str, profile: Json, declared: Json) -> Json:
    """A fresh guest: the users of `declared` besides the administrator whom the osProfile names."""
    people = {str(user["name"]): dict(user) for user in declared.get("users") or ()}
    admin = str(profile.get("adminUsername") or "")
    if admin:
        own: Json = {"hash": profile.get("hash", ""), "keys": profile.get("keys", [])}
        given = people.pop(admin, {})
        own |= {**given, "name": admin, "groups": ["adm", "sudo", *given.get("groups", ())]}
        people = {admin: own, **people}
    files = _base(profile, admin)
    passwd = [f"{name}:x:{uid}:{uid}:{name}:{home}:{shell}" for name, uid, home, shell in _SYSTEM]
    shadow = [f"{name}:*:{_CHANGED}:0:99999:7:::" for name, *_ in _SYSTEM]
    members: dict[str, list[str]] = {name: [] for name in _GROUPS}
    numbers = dict(_GROUPS)
    for uid, (name, user) in enumerate(people.items(), 1000):
        home = str(user.get("home") or ("/root" if name == "root" else f"/home/{name}"))
        word = user.get("hash") or (hashed(str(user["password"]), seed, name) if user.get("password") else "!")
        word = ("!" if user.get("enabled") is False and not word.startswith("!") else "") + word
        if name == "root":
            shadow[0] = f"root:{word}:{_CHANGED}:0:99999:7:::"
        else:
            passwd.append(f"{name}:x:{uid}:{uid}::{home}:{user.get('shell') or '/bin/bash'}")
            shadow.append(f"{name}:{word}:{_CHANGED}:0:99999:7:::")
            numbers[name], members[name] = uid, []
            files[home] = {"dir": True, "mode": "0750"}
        for group in user.get("groups") or ():
            numbers.setdefault(group, 900 + len(numbers))
            members.setdefault(group, []).append(name)
        if user.get("keys"):
            files[f"{home}/.ssh"] = {"dir": True, "mode": "0700"}
            files[f"{home}/.ssh/authorized_keys"] = _file("".join(f"{k}\n" for k in user["keys"]), "0600")
    files["/etc/passwd"] = _file("".join(f"{line}\n" for line in passwd))
    files["/etc/shadow"] = _file("".join(f"{line}\n" for line in shadow), "0640")
    groups = (f"{name}:x:{numbers[name]}:{','.join(names)}\n" for name, names in members.items())
    files["/etc/group"] = _file("".join(groups))
    for name, command in (declared.get("services") or {}).items():
        files |= _unit(name, command)
    for path, text in (declared.get("files") or {}).items():
        files[path] = _file(text, "0755" if str(text).startswith("#!") else "0644")
    kept = {"scanner": declared.get("scanner", ""), "scan_seconds": int(declared.get("scan_seconds", 0))}
    return {"system": "linux", "files": files, **kept}


def accounts(guest: Json, today: int) -> dict[str, Account]:
    """All accounts by name. `today`: days since 1970, for accounts that expire."""
    shadow = {parts[0]: parts for parts in _lines(guest, "/etc/shadow")}
    groups = [(parts[0], parts[3].split(",")) for parts in _lines(guest, "/etc/group") if len(parts) > 3]  # noqa: PLR2004
    found = {}
    for parts in _lines(guest, "/etc/passwd"):
        if len(parts) < 7:  # noqa: PLR2004
            continue
        secret = [*shadow.get(parts[0], []), *[""] * 9]
        expires = secret[7]
        keys = text(guest, f"{parts[5].rstrip('/')}/.ssh/authorized_keys").splitlines()
        found[parts[0]] = Account(
            name=parts[0],
            uid=int(parts[2]),
            home=parts[5],
            shell=parts[6],
            hash=secret[1],
            expired=expires.isdigit() and int(expires) < today,
            keys=tuple(k.strip() for k in keys if k.strip() and not k.startswith("#")),
            groups=tuple(name for name, names in groups if parts[0] in names),
        )
    return found


def text(guest: Json, path: str) -> str:
    """The text of a file, "" when it isn't there. Follows one link."""
    entry = (guest.get("files") or {}).get(path) or {}
    if "link" in entry:
        entry = (guest.get("files") or {}).get(entry["link"]) or {}
    return str(entry.get("text", ""))


def hashed(password: str, *seed: str) -> str:
    """The shadow hash of a password, the same for the same seed."""
    return guest_crypt.crypt(password, made_up_id("salt", *seed).replace("-", "")[:16])


def sealed(files: Json, seed: str) -> Json:
    """The files with the clear passwords that chpasswd left in /etc/shadow hashed."""
    shadow = files.get("/etc/shadow") or {}
    if "$plain$" not in str(shadow.get("text", "")):
        return files

    def seal(match: re.Match[str]) -> str:
        return hashed(base64.b64decode(match[1]).decode(errors="replace"), seed, str(match.start()))

    return {**files, "/etc/shadow": {**shadow, "text": _PLAIN.sub(seal, shadow["text"])}}


def _lines(guest: Json, path: str) -> list[list[str]]:
    return [line.split(":") for line in text(guest, path).splitlines() if ":" in line]


def _file(content: str, mode: str = "0644") -> Json:
    return {"mode": mode, "text": content}


def _unit(name: str, command: str) -> Json:
    unit, path = name if "." in name else f"{name}.service", "/etc/systemd/system"
    body = f"[Unit]\nDescription={name}\n\n[Service]\nExecStart={command}\n\n[Install]\nWantedBy=multi-user.target\n"
    wants = {"link": f"{path}/{unit}"}
    return {
        f"{path}/{unit}": _file(body),
        f"{path}/multi-user.target.wants/{unit}": wants,
        f"/run/systemd/units/{unit}": _file(""),
    }


def _base(profile: Json, admin: str) -> Json:
    passwords = "no" if profile.get("disablePasswordAuthentication") else "yes"
    sshd = (
        f"PubkeyAuthentication yes\nPasswordAuthentication {passwords}\nPermitRootLogin prohibit-password\nUsePAM yes\n"
    )
    files = {
        "/etc/hostname": _file(f"{profile.get('computerName') or 'localhost'}\n"),
        "/etc/os-release": _file('ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n'),
        "/etc/nsswitch.conf": _file("passwd: files\ngroup: files\nshadow: files\n"),
        "/etc/login.defs": _file("UID_MIN 1000\nUID_MAX 60000\nENCRYPT_METHOD SHA512\n"),
        "/etc/shells": _file("/bin/sh\n/bin/bash\n/usr/bin/bash\n"),
        "/etc/crontab": _file("17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"),
        "/etc/ssh/sshd_config": _file(sshd, "0600"),
        "/etc/sudoers": _file("root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", "0440"),
        "/etc/sudoers.d": {"dir": True, "mode": "0750"},
        "/root": {"dir": True, "mode": "0700"},
        "/tmp": {"dir": True, "mode": "1777"},  # noqa: S108 - the guest's
    }
    if admin:
        files["/etc/sudoers.d/90-cloud-init-users"] = _file(f"{admin} ALL=(ALL) NOPASSWD:ALL\n", "0440")
    return files
