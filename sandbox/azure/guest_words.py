r"""What an attacker's commands do to a Windows guest: one a line, of these, and nothing else.

    net user NAME PASSWORD /add            net user NAME PASSWORD           net user NAME /delete
    net user NAME /active:yes|no           net localgroup GROUP NAME /add   net localgroup GROUP NAME /delete
    net user                               whoami
    schtasks /create /tn NAME /tr COMMAND [/ru USER] […]                    schtasks /delete /tn NAME /f
    sc create NAME binPath= PATH […]       sc delete NAME
    reg add KEY /v VALUE /d DATA […]       reg delete KEY /v VALUE /f
    New-Item [-Path] PATH […]              Set-Content | Add-Content [-Path] PATH [-Value] TEXT
    Remove-Item [-Path] PATH […]           New-LocalUser NAME -NoPassword   Enable-LocalUser | Disable-LocalUser NAME
    Add-MpPreference -ExclusionPath | -ExclusionProcess | -ExclusionExtension VALUE
    Set-MpPreference -DisableRealtimeMonitoring $true|$false
    New-ItemProperty | Set-ItemProperty -Path KEY -Name VALUE -Value DATA […]
    Invoke-WebRequest …, curl … (there is no network)

Words are parted by blanks; 'single' and "double" quotes hold blanks. A line beginning with # is a comment.
"""

import re
from collections.abc import Callable
from typing import Any

from sandbox.azure.guest_windows import add_user, find, set_password

Json = dict[str, Any]

_WORD = re.compile(r"""'((?:[^']|'')*)'|"([^"]*)"|(\S+)""")


class Unknown(Exception):  # noqa: N818 - an answer, not an error: this line isn't modelled
    """No command that the sandbox has."""


class Failed(Exception):  # noqa: N818 - what the command itself says
    """The command answers with an error."""


def run(guest: Json, script: str, seed: str) -> tuple[str, str, int]:
    """Run a script on a guest, which it changes. Output, errors, exit code; 127 when a line isn't modelled."""
    printed: list[str] = []
    errors: list[str] = []
    for line in (text.strip().rstrip(";") for text in script.splitlines()):
        if not line or line.startswith("#"):
            continue
        words = [
            m[1].replace("''", "'") if m[1] is not None else m[2] if m[2] is not None else m[3]
            for m in _WORD.finditer(line)
        ]
        try:
            printed.append(_command(guest, words, seed))
        except Unknown:
            return "\n".join(printed), f"The sandbox does not model this in Windows: {line[:200]}", 127
        except Failed as error:
            errors.append(str(error))
    return "\n".join(filter(None, printed)), "\n".join(errors), 1 if errors else 0


def _command(guest: Json, words: list[str], seed: str) -> str:
    name = words[0].lower().removesuffix(".exe")
    handler = _COMMANDS.get(name) or _COMMANDS.get(" ".join([name, *(w.lower() for w in words[1:2])]))
    if handler is None:
        raise Unknown
    return handler(guest, words, seed)


def _net_user(guest: Json, words: list[str], seed: str) -> str:
    plain = [w for w in words[2:] if not w.startswith("/")]
    flags = {w.lower() for w in words[2:] if w.startswith("/")}
    if not plain:
        return "\n".join(guest["users"])
    name, users = plain[0], guest["users"]
    known = find(users, name)
    if "/add" in flags:
        if known:
            raise Failed("The account already exists.")
        add_user(guest, name, plain[1] if len(plain) > 1 else "", seed)
    elif not known:
        raise Failed("The user name could not be found.")
    elif flags & {"/delete", "/del"}:
        del users[known]
    elif len(plain) > 1:
        set_password(guest, known, plain[1], seed)
    for flag in flags & {"/active:yes", "/active:no"}:
        users[find(users, name)]["enabled"] = flag.endswith("yes")
    return "The command completed successfully."


def _net_localgroup(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    group, name, verb = words[2], words[3], words[4].lower()
    known = find(guest["users"], name.rpartition("\\")[2])
    if not known:
        raise Failed(f"There is no such global user or group: {name}.")
    others = [g for g in guest["users"][known]["groups"] if g.lower() != group.lower()]
    guest["users"][known]["groups"] = [*others, group] if verb == "/add" else others
    return "The command completed successfully."


def _tasks(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    name = _after(words, "/tn").lstrip("\\")
    if "/create" in (w.lower() for w in words):
        guest["tasks"][name] = {"command": _after(words, "/tr"), "user": _after(words, "/ru") or "SYSTEM"}
        return f'SUCCESS: The scheduled task "{name}" has successfully been created.'
    if "/delete" in (w.lower() for w in words):
        if not find(guest["tasks"], name):
            raise Failed("ERROR: The system cannot find the file specified.")
        del guest["tasks"][find(guest["tasks"], name)]
        return f'SUCCESS: The scheduled task "{name}" was successfully deleted.'
    raise Unknown


def _service(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    if words[1].lower() == "create":
        guest["services"][words[2]] = {"path": _after(words, "binPath="), "start": "Automatic", "state": "Running"}
    else:
        guest["services"].pop(find(guest["services"], words[2]), None)
    return f"[SC] {words[1].capitalize()}Service SUCCESS"


def _registry(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    key, value = _key(words[2]), _after(words, "/v")
    if words[1].lower() == "add":
        guest["registry"].setdefault(key, {})[value] = _after(words, "/d")
    else:
        _take(guest, key, value)
    return "The operation completed successfully."


def _item(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    path = _after(words, "-Path") or words[1]
    if words[0].lower() == "remove-item":
        guest["files"].pop(find(guest["files"], path), None)
    elif "directory" not in (w.lower() for w in words):
        guest["files"].setdefault(find(guest["files"], path) or path, {"text": _after(words, "-Value")})
    return ""


def _content(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    path, text = _after(words, "-Path") or words[1], _after(words, "-Value") or words[-1]
    path = find(guest["files"], path) or path
    before = guest["files"].get(path, {}).get("text", "") if words[0].lower() == "add-content" else ""
    guest["files"][path] = {"text": f"{before}{text}\n"}
    return ""


def _property(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    key, value = _key(_after(words, "-Path") or words[1]), _after(words, "-Name")
    guest["registry"].setdefault(key, {})[value] = _after(words, "-Value")
    return ""


def _exclude(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    kinds = {"-exclusionpath": "paths", "-exclusionprocess": "processes", "-exclusionextension": "extensions"}
    kind = kinds.get(words[1].lower())
    if kind is None:
        raise Unknown
    guest["exclusions"][kind] = [*dict.fromkeys([*guest["exclusions"][kind], *words[2].split(",")])]
    return ""


def _preference(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    if words[1].lower() != "-disablerealtimemonitoring":
        raise Unknown
    guest["realtime"] = words[2].lower() not in {"$true", "1", "true"}
    return ""


def _local_user(guest: Json, words: list[str], seed: str) -> str:
    name = _after(words, "-Name") or words[1]
    known, verb = find(guest["users"], name), words[0].lower().partition("-")[0]
    if verb == "new":
        add_user(guest, name, "", seed)
    elif not known:
        raise Failed(f"User {name} was not found.")
    else:
        guest["users"][known]["enabled"] = verb == "enable"
    return ""


def _no_network(guest: Json, words: list[str], seed: str) -> str:  # noqa: ARG001
    raise Failed("The remote name could not be resolved.")


def _after(words: list[str], flag: str) -> str:
    """The word after a flag, or ""."""
    lower = [w.lower() for w in words]
    place = lower.index(flag.lower()) + 1 if flag.lower() in lower else len(words)
    return words[place] if place < len(words) else ""


def _key(text: str) -> str:
    hive, _, rest = text.replace("HKEY_LOCAL_MACHINE", "HKLM").partition("\\")
    return f"{hive.rstrip(':')}:\\{rest}"


def _take(guest: Json, key: str, value: str) -> None:
    known = find(guest["registry"], key)
    values = guest["registry"].get(known, {})
    if not find(values, value):
        raise Failed("ERROR: The system was unable to find the specified registry key or value.")
    del values[find(values, value)]
    if not values:
        del guest["registry"][known]


_COMMANDS: dict[str, Callable[[Json, list[str], str], str]] = {
    "net user": _net_user,
    "net localgroup": _net_localgroup,
    "whoami": lambda _guest, _words, _seed: "nt authority\\system",
    "schtasks": _tasks,
    "sc create": _service,
    "sc delete": _service,
    "reg add": _registry,
    "reg delete": _registry,
    "new-item": _item,
    "remove-item": _item,
    "set-content": _content,
    "add-content": _content,
    "new-itemproperty": _property,
    "set-itemproperty": _property,
    "add-mppreference": _exclude,
    "set-mppreference": _preference,
    "new-localuser": _local_user,
    "enable-localuser": _local_user,
    "disable-localuser": _local_user,
    "invoke-webrequest": _no_network,
    "curl": _no_network,
}
