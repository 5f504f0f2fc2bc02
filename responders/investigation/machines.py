"""Machines that suspects got into without running anything in them by name: by a scale set's model, by another OS disk.

What is in a set's model runs in each of its machines; and who gives a machine a system of his own needs no password.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from responders.azure import absent_is_fine, explained
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Case, Json, Subject
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

SET, VM = "Microsoft.Compute/virtualMachineScaleSets", "Microsoft.Compute/virtualMachines"
PERMISSIONS = (f"{VM}/read", f"{SET}/read", f"{SET}/virtualMachines/read")
_VERSION = "2024-07-01"
# What puts a suspect's code into the machines of a set.
_RAN = frozenset(f"{SET}/{what}".lower() for what in ("extensions/write", "manualupgrade/action"))


async def look(azure: "Azure", case: Case) -> tuple[Case, tuple[str, ...]]:
    """The case with these machines, and in sentences what could not be read.

    Those of a set that a suspect made are not among them: it goes as a whole.
    """
    found, unread = list[Subject](), list[str]()
    for set_, reason in _sets(case).items():
        try:
            with explained(f"listing the machines of {set_}"), absent_is_fine():
                made = time_of((await azure.arm("GET", set_, _VERSION))["properties"].get("timeCreated"))
                if case.wrote(set_) and made and made >= case.since:
                    continue
                async for vm in azure.arm_pages(f"{set_}/virtualMachines", _VERSION):
                    name = str(vm.get("name") or ResourceId.parse(vm["id"]).name)
                    found.append(Subject(kind="vm", id=vm["id"], name=name, reason=reason))
        except Permanent as error:
            unread.append(f"{error} What runs in them is unknown: look at each (a Virtual Machine Contributor).")
    for at in _written(case):
        try:
            with explained(f"reading {at.text}"):
                disk = _disk(await _read(azure, at.text))
        except Permanent as error:
            unread.append(f"{error} Whether a suspect gave it another system is unknown: look at its OS disk.")
            continue
        if case.wrote(disk):
            why = f"a suspect wrote it, and its OS disk {ResourceId.parse(disk).name} is one that he wrote"
            found.append(Subject(kind="vm", id=at.text, name=at.name, reason=why))
    return case.having(machines=tuple(found)), tuple(unread)


def _sets(case: Case) -> dict[str, str]:
    """The scale sets that the alert names, or that a suspect gave code to, each with the reason."""
    named = ((r, "the alert names its scale set") for a in (case.alert, *case.joined) for r in a.resources)
    deeds = ((f.resource, f.reason) for f in case.findings if f.is_deed and f.operation.lower() in _RAN)
    sets: dict[str, tuple[str, str]] = {}
    for text, reason in (*named, *deeds):
        id_ = ResourceId.read(text)
        if id_ and _ours(case, id_) and id_.type.lower() in {SET.lower(), f"{SET}/extensions".lower()}:
            home = f"/subscriptions/{id_.subscription}/resourceGroups/{id_.group}/providers/{SET}/{id_.names[0]}"
            sets.setdefault(home.lower(), (home, reason))
    return dict(sets.values())


def _written(case: Case) -> Iterator[ResourceId]:
    """The machines that suspects wrote."""
    for resource in case.deeds(f"{VM}/write"):
        if (id_ := ResourceId.read(resource)) and _ours(case, id_) and id_.is_type(VM):
            yield id_


async def _read(azure: "Azure", id_: str) -> Json:
    with absent_is_fine():
        return await azure.arm("GET", id_, _VERSION)
    return {}


def _disk(vm: Json) -> str:
    """The id of a machine's OS disk; "" where it has none that is a resource."""
    disk: Any = ((vm.get("properties") or {}).get("storageProfile") or {}).get("osDisk") or {}
    return str((disk.get("managedDisk") or {}).get("id") or "")


def _ours(case: Case, id_: ResourceId) -> bool:
    return id_.subscription in {case.subscription, *(s.id for s in case.others)}
