"""What a score sees of machines: whether one is cut off, what is in it, and what a response may change in it.

A machine that is to be evicted stays what it is, or goes back to what it was before the attack. What may have happened
to it: it was stopped, or its interfaces have a security group that lets nothing through; its users have other
passwords; users and keys that the attacker had in it (`locked_out`) are gone. All else in it counts as kept. Or it was
rebuilt: it has another system, in which a scanner would find nothing, and the OS disk that it had is there as it was,
unless that is one that nobody can keep.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sandbox.azure import guest, guest_windows, network_rules
from sandbox.azure.world import Resource, World
from sandbox.exercise import LogIn

Json = dict[str, Any]
State = Mapping[str, Json]

INSIDE, GUESTS = "sandbox", "/guests"  # where a state has what lies inside a machine: its power, and its files
_TAG = "countersign-incident"  # on what a response makes beside a machine
_GROUPS = "microsoft.network/networksecuritygroups"
_OUTSIDE, _NEIGHBOR = "198.51.100.7", "10.0.0.4"
_DEFENDERS = "/var/opt/microsoft/mdatp"
_PORTS = (22, 443, 445, 3389)


def show(world: World, found: dict[str, Json]) -> None:
    """Put into a snapshot what a score sees of machines: their guests have keys of their own."""
    for kind in (guest.VM, guest.INSTANCE):
        for vm in world.list(kind, lag=False):
            inside = {"power": "running", **found[vm.key].get(INSIDE, {}), "isolated": _isolated(world, vm)}
            found[vm.key] = {**found[vm.key], INSIDE: inside}
            holder = guest.holder(world, vm)
            has = dict(found[holder.key].get(INSIDE) or {})
            if (held := has.pop("guest", None)) is not None:
                found[GUESTS + vm.key] = {"type": "guest", **held}
                rest = {k: v for k, v in found[holder.key].items() if k != INSIDE}
                found[holder.key] = {**rest, INSIDE: has} if has else rest
            if kind == guest.INSTANCE and holder.key != vm.key:
                del found[holder.key]  # an instance's OS disk comes and goes with it


def at_rest(before: Json, after: Json) -> bool:
    """Whether all that differs of a machine is that it was stopped and is deallocated: only a start undoes that."""
    powers = [side.get(INSIDE, {}).get("power") for side in (before, after)]
    rest = [{**side, INSIDE: {**side.get(INSIDE, {}), "power": ""}} for side in (before, after)]
    return powers == ["stopped", "deallocated"] and rest[0] == rest[1]


def harmless(vm: Json) -> bool:
    """Whether nothing on a machine runs, or it reaches nobody and nobody it."""
    inside = vm.get(INSIDE, {})
    return inside.get("power") in {"deallocated", "stopped"} or bool(inside.get("isolated"))


def rebuilt(before: State, after: State, vm: str) -> bool:
    """Whether a machine (key) has another system than before, and runs."""
    old, new = before.get(vm, {}), after.get(vm, {})
    marks = [(_disk(side), side.get(INSIDE, {}).get("rebuilt")) for side in (old, new)]
    return bool(old and new) and marks[0] != marks[1] and new.get(INSIDE, {}).get("power") == "running"


def infected(after: State, vm: str) -> tuple[str, ...]:
    """What a scanner would name in a machine (key)."""
    return guest.malware(dict(after.get(GUESTS + vm, {})))


def spared(
    before: State, after: State, machines: Iterable[str], locked_out: Iterable[LogIn]
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Both states without what a response may change of these machines (keys)."""
    sides = dict(before), dict(after)
    wanted, machines = list(locked_out), list(machines)
    made = set[str]()
    for side in sides:
        _spare_backups(side, machines)
    for vm in machines:
        for card in _interfaces(before.get(vm, {})):
            made.add(_group(after.get(card, {})))
            for side in sides:
                if card in side:
                    side[card] = _without_group(side[card])
        if rebuilt(before, after, vm):
            _spare_system(sides, vm)
        key, its = GUESTS + vm, [one for one in wanted if one.machine.lower() == vm]
        if vm in before and vm not in after:
            sides[0].pop(key, None)  # with a machine goes what is in it
        there = _users(after.get(key, {}))
        for side in sides:
            if key in side:
                side[key] = essence(side[key], {one.user for one in its} - there, [o.key for o in its if o.key])
    _spare_groups(sides[1], made - before.keys())
    return sides


def unscanned(inside: Json) -> Json:
    """What is in a machine, but for what a scanner of Defender does by its own policy: it notes, and sets aside."""
    ill = guest.malware(inside)
    files = {k: v for k, v in (inside.get("files") or {}).items() if not (k in ill or k.startswith(_DEFENDERS))}
    return {**inside, "files": files, "threats": []} if "threats" in inside else {**inside, "files": files}


def _spare_backups(side: dict[str, Json], machines: list[str]) -> None:
    """Leave away whether the backups of these machines go on, or are kept as they are."""
    for key, body in side.items():
        properties = body.get("properties") or {}
        if "protectionState" in properties and str(properties.get("sourceResourceId")).lower() in machines:
            rest = {k: v for k, v in properties.items() if k not in {"policyId", "policyName", "protectionState"}}
            side[key] = {**body, "properties": rest}


def _spare_groups(after: dict[str, Json], made: set[str]) -> None:
    """Leave away the security groups that cut machines off."""
    for key in made:
        body = after.get(key, {})
        if str(body.get("type", "")).lower() == _GROUPS and _TAG in (body.get("tags") or {}):
            after.pop(key, None)


def _spare_system(sides: tuple[dict[str, Json], dict[str, Json]], vm: str) -> None:
    """Leave away the two systems of a machine that was rebuilt, and the disk of the first if it is as it was."""
    old, new = (_disk(side[vm]) for side in sides)
    inside = [side.pop(GUESTS + vm, {}) for side in sides]
    for side in sides:
        properties = side[vm]["properties"]
        storage = {k: v for k, v in properties["storageProfile"].items() if k not in {"osDisk", "imageReference"}}
        own = {k: v for k, v in side[vm].get(INSIDE, {}).items() if k not in {"provision", "rebuilt"}}
        side[vm] = {**side[vm], "properties": {**properties, "storageProfile": storage}, INSIDE: own}
    if old != new:
        kept = (sides[1].get(old, {}).get(INSIDE) or {}).get("guest", {})
        if unscanned({"type": "guest", **kept}) == unscanned(inside[0]):
            sides[0].pop(old, None)
            sides[1].pop(old, None)
        sides[1].pop(new, None)


def _disk(vm: Json) -> str:
    disk = ((vm.get("properties") or {}).get("storageProfile") or {}).get("osDisk") or {}
    return str((disk.get("managedDisk") or {}).get("id") or "").lower()


def _isolated(world: World, vm: Resource) -> bool:
    return not any(
        network_rules.allowed(world, vm, direction, address, port)
        for direction in ("Inbound", "Outbound")
        for address in (_OUTSIDE, _NEIGHBOR)
        for port in _PORTS
    )


def _interfaces(vm: Json) -> list[str]:
    profile = (vm.get("properties") or {}).get("networkProfile") or {}
    return [str(nic["id"]).lower() for nic in profile.get("networkInterfaces") or ()]


def _group(card: Json) -> str:
    return str(((card.get("properties") or {}).get("networkSecurityGroup") or {}).get("id") or "").lower()


def _without_group(card: Json) -> Json:
    return {**card, "properties": {k: v for k, v in card["properties"].items() if k != "networkSecurityGroup"}}


def _users(inside: Json) -> set[str]:
    if inside.get("system") == "windows":
        return set(inside["users"])
    return {line.partition(":")[0] for line in _text(inside, "/etc/passwd").splitlines()}


def essence(inside: Json, gone: Collection[str] = (), keys: Iterable[str] = ()) -> Json:
    """What is in a machine, without passwords, these users and these keys, and what a scanner does there."""
    inside = unscanned(inside)
    files = {path: _lines(path, entry, gone, keys) for path, entry in (inside.get("files") or {}).items()}
    found = {**inside, "files": files}
    if inside.get("system") == "windows":
        users = {name: _fixed(user) for name, user in inside["users"].items() if name not in gone}
        files = {path: {k: v for k, v in entry.items() if k != "changed"} for path, entry in files.items()}
        return {**found, "files": files, "users": users}
    return found


def _fixed(user: Json) -> Json:
    return {k: v for k, v in user.items() if k not in {"hash", "set"}}


def _lines(path: str, entry: Json, gone: Collection[str], keys: Iterable[str]) -> Json:
    if "text" not in entry:
        return entry
    lines = str(entry["text"]).splitlines()
    if path in {"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"}:
        parts = [line.split(":") for line in lines if line.partition(":")[0] not in gone]
        if path == "/etc/shadow":
            parts = [[name, *rest[2:]] for name, _hash, *rest in parts]
        elif path != "/etc/passwd":
            parts = [[*p[:-1], ",".join(m for m in p[-1].split(",") if m not in gone)] for p in parts]
        lines = [":".join(map(str, p)) for p in parts]
    elif path.endswith("/authorized_keys") or path == guest_windows.SSH_KEYS:
        blobs = {(key.split()[1:2] or [key])[0] for key in keys}
        lines = [line for line in lines if not blobs & set(line.split())]
    return {**entry, "text": "\n".join(lines)}


def _text(inside: Json, path: str) -> str:
    return str(((inside.get("files") or {}).get(path) or {}).get("text", ""))


def freed(before: State, after: State, evicted: Collection[str]) -> State:
    """The world before, with disks in no machine that were in one that was to go, and is gone."""
    gone = {key for key in evicted if key not in after}

    def free(body: Json) -> Json:
        if str(body.get("managedBy") or "").lower() not in gone:
            return body
        rest = {name: value for name, value in body.items() if name != "managedBy"}
        return {**rest, "properties": {**body["properties"], "diskState": "Unattached"}}

    return {key: free(body) if after.get(key) == free(body) else body for key, body in before.items()}
