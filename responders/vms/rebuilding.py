"""What both ways of rebuilding a machine share: what hinders it, what the approver reads, and when it is up again."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Change, Json, Undoes
from responders.vms import machine, rebuilt, scanning, snapshots

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case
    from responders.vms.machine import Machine
    from responders.vms.sources import Source

# What ran in the system that it had. Extensions and managed run commands stay in its model, and run in the new one.
UNDOES = Undoes(
    operations=(
        *(f"{kind}/{what}/action" for kind in machine.KINDS for what in ("runCommand", "restart")),
        "Microsoft.SerialConsole/serialPorts/connect/action",
    )
)


async def hindrance(azure: "Azure", case: "Case", vm: "Machine") -> str:
    """Why a machine can't be rebuilt now, and what a person must do; "" when it can."""
    if why := vm.hindrance("rebuild"):
        return why
    if vm.security == "ConfidentialVM":
        return (
            f"{vm.name} is a confidential machine: its state is sealed with its disk. Make it anew, or restore it from "
            "a backup (a Virtual Machine Contributor)."
        )
    if missing := await snapshots.missing(azure, case.incident, vm):
        return f"{vm.name} is not rebuilt before there is evidence. {missing}"
    return ""


def by_hand(vm: "Machine", rejected: list[str]) -> str:
    """What a person must do where there is no source."""
    return (
        f"{vm.name} has no source to rebuild it from that is known to be clean: {'; '.join(rejected) or 'none'}. "
        "Restore it from a backup from before, make it anew, or name an image version in COUNTERSIGN_IMAGES and run "
        "the incident again (a Virtual Machine Contributor)."
    )


def explained(change: Change, source: "Source", rejected: list[str], scan: Json | None) -> Change:
    """The change with all that an approver should know: why the source is clean, and what the scan came to."""
    said = scanning.told(scan) if scan else "The system that it has now was not scanned."
    reasons = (*change.reasons, f"{source.what} is held to be clean: {source.why}", said)
    return replace(change, reasons=(*reasons, *(f"not taken: {why}" for why in rejected)))


def untouched(vm: "Machine") -> tuple[str, ...]:
    """What a rebuild leaves as it is: whatever an intruder did to it, he did to stay."""
    kept = [
        f"the data disk {ResourceId.parse(disk).name} of {vm.name} is not rebuilt: what an intruder left there stays"
        for disk in vm.data_disks
    ]
    kept += [f"the network interface {ResourceId.parse(nic).name} and its addresses stay" for nic in vm.interfaces]
    identity = vm.body.get("identity") or {}
    if identity.get("type") and identity["type"] != "None":
        kept.append(
            f"the identity of {vm.name} and its roles stay: what the machine may do, a thief of its tokens could"
        )
    kept += [f"the extension {e['name']} stays in the model of {vm.name}" for e in vm.body.get("resources") or ()]
    if vm.body["properties"].get("userData") or vm.body["properties"].get("osProfile"):
        kept.append(
            "custom data, user data and the administrator's first password stay: the passwords are changed next"
        )
    return tuple(kept)


async def reimage(azure: "Azure", vm: "Machine", change: Change) -> None:
    """Begin a reimage (POST …/reimage), known again in the Activity Log by the change's own request id."""
    at, version = vm.resource, change.before["version"]
    body: Json = ({"exactVersion": version} if version else {}) | ({"tempDisk": True} if vm.ephemeral else {})
    headers = {"x-ms-client-request-id": rebuilt.request_id(change)}
    compute: Any = azure.compute(at.subscription)  # its signatures know no plain bodies
    machines = compute.virtual_machine_scale_set_vms if vm.instance else compute.virtual_machines
    await machines.begin_reimage(at.group, *at.names, body, polling=False, headers=headers)


def up(vm: "Machine", before: str) -> None:
    """Raise Temporary until a machine runs and its agent, if it has one, reports in; one that was off may stay so."""
    if vm.power == before == "deallocated":
        return
    if vm.power != "running" or not (vm.ready or vm.agentless):
        raise Temporary(
            f"{vm.name} is {vm.power}, and its agent {'reports in' if vm.ready else 'does not report in yet'}."
        )


def health(vm: "Machine") -> str:
    """What of a machine's extensions did not come up again, in a sentence; "" when all did."""
    view = vm.body["properties"].get("instanceView") or {}
    ill = [
        str(e.get("name"))
        for e in view.get("extensions") or ()
        if any("failed" in str(s.get("code", "")).lower() for s in e.get("statuses") or ())
    ]
    return f"Extensions that did not come up again, for an operator to look at: {', '.join(ill)}." if ill else ""
