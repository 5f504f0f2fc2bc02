"""Whether somebody gets into a machine: what an exercise proves with. By SSH or remote desktop, password or key.

    entry(world, clock, "/subscriptions/…/virtualMachines/web", "mallory", password="…")        -> Entry(True, "…")
    entry(world, clock, id, "azureuser", key="ssh-ed25519 AAAA… thief", source="198.51.100.7")  -> Entry(False, "…")

It looks at what decides on a real machine: whether it runs, whether the security groups let the source reach port 22 or
3389, whether the account is there, may log in, is locked, disabled or expired, and whether the secret is right.
"""

from dataclasses import dataclass
from typing import Literal

from sandbox.azure import guest, guest_linux, guest_windows, network_rules
from sandbox.azure.clock import Clock
from sandbox.azure.compute_store import power
from sandbox.azure.guest_crypt import matches
from sandbox.azure.world import Resource, World

INSIDE = "10.0.0.4"  # a neighbor in the virtual network, whom security groups let in by default
_PORTS = {"ssh": 22, "rdp": 3389}
_NO_LOGIN = frozenset({"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of an attempt to log in."""

    ok: bool
    why: str


def entry(
    world: World,
    clock: Clock,
    machine: str,
    user: str,
    *,
    password: str = "",
    key: str = "",
    by: Literal["ssh", "rdp"] = "ssh",
    source: str = INSIDE,
) -> Entry:
    """Try to log in. `key`: the public key of the pair that the caller has. Raises LookupError without the machine.

    `source`: the address from where; "" asks whether he would get in if it ran and nothing stood in the way.
    """
    vm = world.get(machine)
    if vm is None:
        raise LookupError(f"The world has no machine {machine}.")
    if power(vm) != "running" and source:
        return Entry(ok=False, why=f"{vm.name} is {power(vm)}.")
    if source and not network_rules.allowed(world, vm, "Inbound", source, _PORTS[by]):
        return Entry(ok=False, why=f"No security group lets {source} reach port {_PORTS[by]} of {vm.name}.")
    if guest.of(world, vm).get("system") == "windows":
        return _windows(world, vm, user, password, key, by)
    if by == "rdp":
        return Entry(ok=False, why=f"{vm.name} runs Linux: nothing answers at port 3389.")
    return _linux(world, clock, vm, user, password, key)


def _linux(world: World, clock: Clock, vm: Resource, user: str, password: str, key: str) -> Entry:
    inside = guest.of(world, vm)
    account = guest_linux.accounts(inside, int(clock.now().timestamp()) // 86400).get(user)
    sshd = {k.lower(): v.lower() for k, _, v in (line.partition(" ") for line in _lines(inside))}
    why = ""
    if account is None:
        why = f"There is no account {user}."
    elif account.shell in _NO_LOGIN:
        why = f"{user} has no shell."
    elif account.expired:
        why = f"The account {user} has expired."
    elif key:
        blob = key.split()[1:2] or [key]
        if not any(blob[0] in line.split() for line in account.keys):
            why = f"The key is not among {user}'s."
        elif sshd.get("pubkeyauthentication") == "no" or (user == "root" and sshd.get("permitrootlogin") == "no"):
            why = "The server takes no keys."
    elif sshd.get("passwordauthentication", "yes") == "no" or (user == "root" and sshd.get("permitrootlogin") != "yes"):
        why = f"The server takes no passwords of {user}."
    elif account.hash[:1] in {"!", "*"}:
        why = f"The password of {user} is locked."
    elif not account.hash or not matches(password, account.hash):
        why = f"The password is not {user}'s."
    return Entry(ok=not why, why=why or f"{user} is in {vm.name}.")


def _windows(world: World, vm: Resource, user: str, password: str, key: str, by: str) -> Entry:
    inside = guest.of(world, vm)
    name = guest_windows.find(inside["users"], user)
    account = inside["users"].get(name)
    why = ""
    if account is None:
        why = f"There is no account {user}."
    elif not account["enabled"]:
        why = f"The account {user} is disabled."
    elif by == "rdp" and not {guest_windows.ADMINISTRATORS, guest_windows.REMOTE} & set(account["groups"]):
        why = f"{user} may not use remote desktop."
    elif key:
        text = str(inside["files"].get(guest_windows.SSH_KEYS, {}).get("text", ""))
        blob = (key.split()[1:2] or [key])[0]
        admin = guest_windows.ADMINISTRATORS in account["groups"]
        if not admin or not any(blob in line.split() for line in text.splitlines()):
            why = f"The key is not among those of {vm.name}'s administrators."
    elif not guest_windows.opens(account, password):
        why = f"The password is not {user}'s."
    return Entry(ok=not why, why=why or f"{name} is in {vm.name}.")


def _lines(inside: dict[str, object]) -> list[str]:
    text = guest_linux.text(inside, "/etc/ssh/sshd_config")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
