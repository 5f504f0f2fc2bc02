"""Which system a machine has, and whether we gave it to it: by its OS disk, or by the Activity Log.

An ephemeral OS disk is no resource that could be told from the one before: there the log alone knows of a rebuild, some
minutes late.
"""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_OID, uuid5

from responders import activity_log
from responders.model import digest

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Change
    from responders.vms.machine import Machine

PERMISSIONS = activity_log.PERMISSIONS
_REIMAGE = "/reimage/action"


async def system(azure: "Azure", vm: "Machine", since: datetime) -> str:
    """What tells the machine's system of now from any other that it had or will have."""
    if vm.os_disk:
        return vm.os_disk.lower()
    done = [event for event in await activity_log.done(azure, vm.id, _REIMAGE, since) if activity_log.succeeded(event)]
    return str(max(done, key=lambda e: str(e["eventTimestamp"]))["correlationId"]) if done else ""


async def by_us(azure: "Azure", vm: "Machine", case: "Case") -> bool:
    """Whether the system that a machine has now is one that the responder gave it in this incident."""
    if vm.os_disk.lower().endswith(f"/disks/{disk_name(vm, case.incident)}".lower()):
        return True
    own = await azure.own_id()
    mine = [
        event
        for event in await activity_log.done(azure, vm.id, _REIMAGE, case.since)
        if activity_log.succeeded(event)
        and str((event.get("claims") or {}).get(activity_log.OBJECT_ID, "")).lower() == own
    ]
    later = max((f.at for f in case.findings if f.suspect and f.resource.lower() == vm.id.lower()), default=case.since)
    return any(datetime.fromisoformat(event["eventTimestamp"]) > later for event in mine)


def disk_name(vm: "Machine", incident: str) -> str:
    """The name of the OS disk that takes the place of a machine's own in an incident."""
    return f"{vm.resource.name[:50]}-clean-{digest([incident, vm.vm_id])[:12]}"


def request_id(change: "Change") -> str:
    """What the rebuild of a change is sent with: the log shows it as httpRequest.clientRequestId."""
    return str(uuid5(NAMESPACE_OID, change.id))


async def begun(azure: "Azure", change: "Change") -> str:
    """What the log has of a change's rebuild: "", Started, Accepted, Succeeded or Failed.

    What Azure refused before it took it on (a lock, another operation on the machine) was no rebuild.
    """
    found = await activity_log.done(azure, change.resource, _REIMAGE, datetime.fromisoformat(change.before["since"]))
    wanted = request_id(change)
    # Not every event of one operation says what it was asked with.
    mine = {e["correlationId"] for e in found if (e.get("httpRequest") or {}).get("clientRequestId") == wanted}
    told = [{activity_log.value(e, "status") for e in found if e["correlationId"] == one} for one in mine]
    states = {state for one in told if "Accepted" in one or "Failed" not in one for state in one}
    return next((s for s in ("Succeeded", "Failed", "Accepted", "Started") if s in states), "")
