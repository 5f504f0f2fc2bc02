"""Guests: a small model of what is inside a virtual machine, on which run commands and extensions have effect.

What a guest is
---------------
Plain JSON on the OS disk, in its body's "sandbox"."guest": no answer shows it, every snapshot of the world holds it, a
copied, snapshotted or restored disk brings its own along. (On the machine itself where that has no disk: ephemeral.)

Linux is its files, nothing else: {"system": "linux", "files": {"/etc/shadow": {"mode": "0640", "text": "…"}, …},
"scanner": "" | "clamav" | "mdatp", "scan_seconds": 3600}. An entry has "text", "base64", "link" or "dir", and its
"lastModifiedTime" when a script wrote it.
Of either system, "agent": "not ready" where somebody ended the agent that reports in.
A unit is enabled when multi-user.target wants it, and runs when /run/systemd/units has its name.
Windows is a few tables, see guest_windows.py: users with SIDs, tasks, services, registry values, files, Defender.

How scripts have effect
-----------------------
* **Linux**: real bash over the guest's files, as root of a throw-away jail (guest_jail.py): the responder's script,
  unchanged, and the attacker's. A script needs no prefix and no --root: / is the machine. It has the tools of
  `guest_jail.TOOLS` and the shims of guest_tools/ (useradd, usermod, userdel, groupadd, gpasswd, chpasswd [-e], passwd
  -l -u -d -S, chage, crontab, systemctl, clamscan, mdatp, getent, id, …); another command is "not found". It may set
  PATH to the usual places. Named parameters, protected ones too, are environment variables, nameless ones arguments:
  as the real handler does. Passwords that chpasswd and passwd set are hashed as $6$ when the script has ended.
  A process in the background ends with its script: what takes hours is run with asyncExecution, not with nohup.
* **Windows**: no interpreter. A script of the responder's is known by the SHA-256 of its exact text, and has an
  equivalent in Python, registered with guest_powershell.py. What an attacker runs is read line by line as one of a few
  commands (guest_words.py). Anything else fails with exit code 127, and the error stream says that it isn't modelled.
* How long a scan takes is the guest's `scan_seconds`: a run command that scanned is Running for as long by the
  sandbox's clock, and times out like a real one. Its output shows at the end; what it did is done at the beginning.
* Malware is a file that holds COUNTERSIGN-SANDBOX-MALWARE or COUNTERSIGN-SANDBOX-MALWARE:<name>, or EICAR's words.
* Who can get in by which password or key: guest_login.py.

How a world file says it: `machines`, see sandbox/world_file.py and `declare`. A machine without gets a plain guest.
"""

from typing import Any

from sandbox.azure import guest_linux, guest_windows
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import Resource, World

Json = dict[str, Any]

VM = "Microsoft.Compute/virtualMachines"
INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"


def of(world: World, vm: Resource) -> Json:
    """What is inside a machine: a copy. {} for one whose disk has never been written."""
    return dict(holder(world, vm).hidden.get("guest") or {})


def keep(world: World, vm: Resource, guest: Json) -> None:
    """Change what is inside a machine."""
    place(world, holder(world, vm), guest)


def place(world: World, on: Resource, guest: Json) -> None:
    """Put a guest on a disk, or on a machine without one."""
    inside = {**on.hidden, "guest": guest}
    world.put(on.id, {**on.body, "sandbox": inside})


def new(system: str, seed: str, profile: Json, declared: Json | None = None) -> Json:
    """A fresh guest of an image, provisioned for an osProfile. `system`: Linux or Windows; `seed`: for salts, SIDs."""
    declared = declared or {}
    build = guest_windows.new if system.lower() == "windows" else guest_linux.new
    return build(seed, profile, declared)


def provisioning(profile: Json, seed: str) -> Json:
    """What the platform remembers of an osProfile to provision from again, its password only as a hash."""
    linux = profile.get("linuxConfiguration") or {}
    keys = [key.get("keyData", "") for key in (linux.get("ssh") or {}).get("publicKeys") or ()]
    found = {name: profile[name] for name in ("computerName", "adminUsername", "customData") if profile.get(name)}
    if profile.get("adminPassword"):
        found["hash"] = guest_linux.hashed(str(profile["adminPassword"]), seed)
    off = bool(linux.get("disablePasswordAuthentication"))
    return {**found, "keys": keys, **({"disablePasswordAuthentication": True} if off else {})}


def unprovisioned(system: str) -> Json:
    """A disk made straight from a generalised image: nobody has set it up, and its agent never gets ready."""
    return {"system": system.lower(), "files": {}, "provisioned": False}


def ready(world: World, vm: Resource) -> bool:
    """Whether the machine's agent reports in: it was provisioned, with one, and nothing is said against it."""
    profile, inside = vm.properties.get("osProfile") or {}, of(world, vm)
    if any(
        (profile.get(f"{name}Configuration") or {}).get("provisionVMAgent") is False for name in ("linux", "windows")
    ):
        return False
    return inside.get("agent", "ready") == "ready" and bool(inside.get("provisioned", True))


def malware(guest: Json) -> tuple[str, ...]:
    """Paths of the files that a scanner would name."""
    marks = ("COUNTERSIGN-SANDBOX-MALWARE", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE")
    files = guest.get("files") or {}
    return tuple(sorted(path for path, entry in files.items() if any(m in str(entry.get("text", "")) for m in marks)))


def declare(world: World, entry: Json) -> None:
    """Say what is inside a machine: an entry of a world file's `machines`. Raises LookupError without the machine."""
    vm = world.get(str(entry["id"]))
    if vm is None:
        raise LookupError(f"The world has no machine {entry['id']}.")
    # An agent that was ended comes back with another system.
    agent = {"agent": entry["agent"]} if entry.get("agent", "ready") != "ready" else {}
    keep(world, vm, {**new(system(vm), vm.key, vm.properties.get("osProfile") or {}, entry), **agent})


def furnish(world: World) -> None:
    """Give every machine that has no guest a plain one: after a world file was read."""
    for kind in (VM, INSTANCE):
        for vm in world.list(kind, lag=False):
            if not of(world, vm):
                keep(world, vm, new(system(vm), vm.key, vm.properties.get("osProfile") or {}))


def system(vm: Resource) -> str:
    """Linux or Windows."""
    disk = (vm.properties.get("storageProfile") or {}).get("osDisk") or {}
    profile = vm.properties.get("osProfile") or {}
    windows = str(disk.get("osType", "")).lower() == "windows" or "windowsConfiguration" in profile
    return "Windows" if windows else "Linux"


def salt(*seed: str) -> str:
    """Sixteen characters that are the same for the same things."""
    return made_up_id("salt", *seed).replace("-", "")[:16]


def holder(world: World, vm: Resource) -> Resource:
    """What has the guest of a machine: its OS disk, or itself where it has none."""
    disk = (vm.properties.get("storageProfile") or {}).get("osDisk") or {}
    return world.get(str((disk.get("managedDisk") or {}).get("id") or "")) or vm
