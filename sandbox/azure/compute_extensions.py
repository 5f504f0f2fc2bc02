"""Extensions: VMAccess sets passwords and keys, CustomScript runs a command, antimalware takes exclusions.

Other types are installed and do nothing. A machine takes one extension of a type. What one did to the machine stays
when it is removed.
"""

import base64
import binascii
import gzip
import shlex
from copy import deepcopy
from typing import Any

from sandbox.azure import compute_children, guest, guest_run, guest_windows, operations
from sandbox.azure.clock import Clock, stamp
from sandbox.azure.compute_children import need_agent, need_running
from sandbox.azure.compute_store import MACHINES, machine, need_location, ran, room, shown
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need
from sandbox.azure.router import Call, Reply
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

# What VMAccessForLinux does, by its protected settings, which it has as its environment.
_ACCESS = """
set -e
if [ -n "${remove_user:-}" ]; then userdel -r "$remove_user" || true; fi
if [ -n "${username:-}" ]; then
  id -u "$username" > /dev/null 2>&1 || useradd -m -s /bin/bash "$username"
  if [ -n "${password:-}" ]; then printf '%s:%s\\n' "$username" "$password" | chpasswd; fi
  chage -E "${expiration:--1}" "$username"
  home=$(getent passwd "$username" | cut -d: -f6)
  if [ -n "${ssh_key:-}" ]; then
    mkdir -p "$home/.ssh" && chmod 0700 "$home/.ssh"
    if [ "${remove_prior_keys:-}" = True ]; then : > "$home/.ssh/authorized_keys"; fi
    printf '%s\\n' "$ssh_key" >> "$home/.ssh/authorized_keys" && chmod 0600 "$home/.ssh/authorized_keys"
  fi
  usermod -aG sudo "$username"
  grep -qs "^$username " /etc/sudoers.d/waagent || echo "$username ALL = (ALL) NOPASSWD: ALL" >> /etc/sudoers.d/waagent
  if [ -n "${password:-}" ]; then
    sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' /etc/ssh/sshd_config
  fi
fi
if [ "${reset_ssh:-}" = True ]; then
  printf '%s yes\\n' PubkeyAuthentication PasswordAuthentication UsePAM > /etc/ssh/sshd_config
fi
"""


async def put(call: Call) -> Reply:
    """Install or run an extension."""
    vm, body = machine(call), need_location(call)
    need_running(vm)
    properties = body.get("properties") or {}
    handler = (str(properties.get("publisher")).lower(), str(properties.get("type")).lower())
    for other in call.world.beneath(vm.id, f"{vm.type}/extensions"):
        if _handler(other) == handler and other.key != call.path.lower():
            message = (
                f"Multiple VMExtensions per handler not supported for OS type '{guest.system(vm)}'. "
                f"VMExtension '{call.params['name']}' with handler '{properties.get('publisher')}."
                f"{properties.get('type')}' already added or specified in input."
            )
            raise ApiError(400, "BadRequest", message)
    return compute_children.put(call, "compute.extension", body)


@operations.effect("compute.extension")
def _installed(world: World, clock: Clock, args: Json) -> None:
    extension, secrets = world.get(args["id"]), args.pop("secrets")
    vm = world.get(args["id"].rpartition("/extensions/")[0])
    if extension is None or vm is None:
        return
    p = extension.properties
    try:
        need_agent(world, vm, extension.name)
        code, message = _act(world, clock, vm, p, secrets.get("protectedSettings") or {})
    except ApiError:
        compute_children.done(world, extension, "Failed")
        raise
    note = {
        "vm": vm.id,
        "at": stamp(clock.now()),
        "by": f"extension {p.get('publisher')}.{p.get('type')}",
        "code": code,
    }
    ran(world, note)
    compute_children.done(
        world, extension, "Failed" if code else "Succeeded", {"message": message} if message else None
    )
    if code:
        message = (
            f"VM has reported a failure when processing extension '{extension.name}' (publisher '{p.get('publisher')}' "
            f"and type '{p.get('type')}'). Error message: '{message}'."
        )
        raise ApiError(409, "VMExtensionProvisioningError", message)


async def get(call: Call) -> Reply:
    """Read one, with $expand=instanceView what came of it."""
    found = need(call)
    body = shown(found)
    if call.query.get("$expand", "").lower() == "instanceview":
        state = str(found.properties.get("provisioningState", "Succeeded"))
        code = f"ProvisioningState/{state.lower()}"
        status = {"code": code, "level": "Error" if state == "Failed" else "Info"}
        status |= {"displayStatus": f"Provisioning {state.lower()}", "message": found.hidden.get("message", "")}
        p = found.properties
        view = {"name": found.name, "type": f"{p.get('publisher')}.{p.get('type')}", "statuses": [status]}
        body["properties"]["instanceView"] = view
    return Reply(200, body)


async def patch(call: Call) -> Reply:
    """Change one, and run it anew."""
    return await compute_children.patch(call, "compute.extension")


def _act(world: World, clock: Clock, vm: Resource, p: Json, secrets: Json) -> tuple[int, str]:
    """Do what the extension does in the machine: its exit code, and what it says."""
    settings = {**(p.get("settings") or {}), **secrets}
    kind = str(p.get("type", "")).lower()
    if kind == "vmaccessforlinux":
        given = [{"name": k, "value": str(v)} for k, v in settings.items()]
        result = guest_run.run(world, clock, vm, _ACCESS, given)
        return result.code, result.error
    if kind == "vmaccessagent":
        return _windows_access(world, clock, vm, {k.lower(): str(v) for k, v in settings.items()})
    if kind in {"customscript", "customscriptextension", "customscriptforlinux"}:
        script = _script(settings)
        result = guest_run.run(world, clock, vm, script)
        return result.code, f"[stdout]\n{result.output}\n[stderr]\n{result.error}"
    if kind == "iaasantimalware":
        return _antimalware(world, vm, settings)
    return 0, ""


def _windows_access(world: World, clock: Clock, vm: Resource, settings: dict[str, str]) -> tuple[int, str]:
    seed = f"{vm.key}{clock.now()}"
    inside = deepcopy(guest.of(world, vm))
    name, password = settings.get("username", ""), settings.get("password", "")
    if not name:
        return 0, ""  # resets remote desktop
    if not (known := guest_windows.find(inside["users"], name)):
        guest_windows.add_user(inside, name, password, seed)
        known = name
    elif password:
        guest_windows.set_password(inside, known, password, seed)
    user = inside["users"][known]
    user |= {"enabled": True, "groups": [*dict.fromkeys([*user["groups"], guest_windows.ADMINISTRATORS])]}
    guest_windows.dated(guest.of(world, vm), inside, int(clock.now().timestamp()))
    guest.keep(world, vm, inside)
    return 0, ""


def _antimalware(world: World, vm: Resource, settings: Json) -> tuple[int, str]:
    if str(settings.get("AntimalwareEnabled", "true")).lower() == "false":
        return 1, "AntimalwareEnabled can't be false."
    inside = guest.of(world, vm)
    given = settings.get("Exclusions") or {}
    for name in ("Paths", "Processes", "Extensions"):
        inside["exclusions"][name.lower()] = [e for e in str(given.get(name) or "").split(";") if e]
    inside["realtime"] = str(settings.get("RealtimeProtectionEnabled", "true")).lower() != "false"
    guest.keep(world, vm, inside)
    return 0, "Microsoft Antimalware enabled"


def _script(settings: Json) -> str:
    if encoded := settings.get("script"):
        try:
            content = base64.b64decode(str(encoded), validate=True)
            return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
        except (binascii.Error, OSError, UnicodeDecodeError):
            return "echo 'failed to decode script' >&2; exit 1"
    if settings.get("fileUris"):
        names = shlex.quote(" ".join(map(str, settings["fileUris"])))
        return f"echo The sandbox has no network to fetch {names} from >&2; exit 1"
    return str(settings.get("commandToExecute") or "")


def _handler(extension: Resource) -> tuple[str, str]:
    p = extension.properties
    return str(p.get("publisher")).lower(), str(p.get("type")).lower()


for _path, _kind in MACHINES:
    _EXTENSION, _EXTENSIONS = _path + "/extensions/{name}", f"{_kind}/extensions"
    room.on("PUT", _EXTENSION, f"{_EXTENSIONS}/write")(put)
    room.on("GET", _EXTENSION, f"{_EXTENSIONS}/read")(get)
    room.on("PATCH", _EXTENSION, f"{_EXTENSIONS}/write")(patch)
    room.on("DELETE", _EXTENSION, f"{_EXTENSIONS}/delete")(compute_children.delete)
    room.on("GET", _path + "/extensions", f"{_EXTENSIONS}/read")(compute_children.list_)
