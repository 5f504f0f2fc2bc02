from typing import TYPE_CHECKING

from responders.azure import fine
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.vms import locked, machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_ITEMS = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems"
_VERSION = "2023-04-01"
_STOPPED = "ProtectionStopped"


class RetainBackups:
    """Keep a machine's recovery points from expiring: its backup is stopped, and what there is of it is retained.

    Azure keeps the points of a stopped backup until somebody deletes them, and new ones, with the intruder in them,
    push none of the old ones out. Undo goes on with the same policy. Recovery Services, api-version 2023-04-01: PUT of
    the protected item.
    """

    id = "vms.retain_backups"
    permissions = (
        *machine.PERMISSIONS,
        *locked.PERMISSIONS,
        "Microsoft.RecoveryServices/locations/backupStatus/action",
        f"{_ITEMS}/read",
        f"{_ITEMS}/write",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=self.id, subject=subject, reason=vm)
        if vm.instance:
            return Plan(action=self.id, subject=subject, reason=f"{vm.name} is in a scale set: there are no backups.")
        with fine(locked.REFUSED) as refused:
            id_ = await _item_of(azure, vm)
        if refused:
            how = "Take that lock off, and run the incident again (an Owner)."
            todo = f"Which vault keeps backups of {vm.name} can't be seen: {refused[locked.REFUSED]} {how}"
            return Plan(action=self.id, subject=subject, reason="It can't be seen now.", by_hand=(todo,))
        item = await _read(azure, id_) if id_ else None
        if item is None:
            return Plan(action=self.id, subject=subject, reason=f"No vault protects {vm.name}.")
        if item["properties"].get("protectionState") == _STOPPED:
            return Plan(action=self.id, subject=subject, reason=f"The backups of {vm.name} are retained already.")
        change = Change(
            action=self.id,
            resource=item["id"],
            summary=f"keep the backups of {vm.name} from expiring: stop its backup and retain what there is",
            reasons=(
                subject.reason,
                "a recovery point older than the intruder may be what it is rebuilt from",
                "no new backups are made until this is undone",
            ),
            before={k: item[k] for k in ("properties", "location") if item.get(k)},
        )
        change = await locked.through(azure, case, change, (change.resource,))
        return Plan(action=self.id, subject=subject, changes=(change,))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        item, before = await _read(azure, change.resource), change.before["properties"]
        if item is None:
            return Outcome(status="drifted", reason="The vault does not protect the machine any more.")
        if item["properties"].get("protectionState") == _STOPPED:
            return Outcome(status="already_so", reason="It is stopped already.")
        if item["properties"].get("policyId") != before.get("policyId"):
            return Outcome(status="drifted", reason="It has another policy than when the plan was made.")
        kept = {k: v for k, v in before.items() if k in {"protectedItemType", "sourceResourceId"}}
        await _put(azure, change, {**kept, "protectionState": _STOPPED})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        item = await _read(azure, change.resource)
        if item is None or item["properties"].get("protectionState") != _STOPPED:
            raise Temporary(f"{change.resource} does not show as stopped yet.")
        return Outcome(status="done")

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        item = await _read(azure, change.resource)
        if item is None:
            return Outcome(status="failed", reason="The vault does not protect the machine any more.")
        if item["properties"].get("protectionState") != _STOPPED:
            return Outcome(status="already_so", reason="It goes on already.")
        await _put(azure, change, change.before["properties"])
        return Outcome(status="done")


async def _item_of(azure: "Azure", vm: machine.Machine) -> str:
    """The id of what a vault has of a machine (POST backupStatus, which reads); "" for nothing."""
    region = vm.location.lower().replace(" ", "")
    scope = f"/subscriptions/{vm.resource.subscription}/providers/Microsoft.RecoveryServices/locations/{region}"
    body = {"resourceType": "VM", "resourceId": vm.id}
    said = await azure.arm("POST", f"{scope}/backupStatus", _VERSION, body=body)
    if said.get("protectionStatus") != "Protected" or not said.get("vaultId"):
        return ""
    path = f"{said['vaultId']}/backupFabrics/{said['fabricName']}/protectionContainers/{said['containerName']}"
    return f"{path}/protectedItems/{said['protectedItemName']}"


async def _read(azure: "Azure", id_: str) -> Json | None:
    return await azure.arm_read(id_, _VERSION)


async def _put(azure: "Azure", change: Change, properties: Json) -> None:
    head = {k: v for k, v in change.before.items() if k == "location"}
    await azure.arm("PUT", change.resource, _VERSION, body={**head, "properties": properties})
