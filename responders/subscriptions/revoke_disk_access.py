import asyncio
from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes
from responders.subscriptions import former, inventory

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Familiarity, Subject

_KINDS = ("Microsoft.Compute/disks", "Microsoft.Compute/snapshots")
_OPENED = frozenset(f"{kind}/beginGetAccess/action".lower() for kind in _KINDS)
_VERSION = "2023-10-02"


class RevokeDiskAccess:
    """End the exports of disks and snapshots that a suspect began: the address by which anybody reads them dies.

    It ends every export of that disk. What was copied until then is copied. Azure does not say who reads.
    POST …/endGetAccess, api-version 2023-10-02.
    """

    id = "subscriptions.revoke_disk_access"
    permissions = tuple(f"{kind}/{verb}" for kind in _KINDS for verb in ("read", "endGetAccess/action"))
    reversible = False
    undoes = Undoes(operations=tuple(f"{kind}/beginGetAccess/action" for kind in _KINDS))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        deeds: dict[str, Finding] = {}
        for finding in case.findings:
            here = finding.resource.lower().startswith(f"/subscriptions/{subject.id.lower()}/")
            if finding.is_deed and finding.operation.lower() in _OPENED and here:
                deeds.setdefault(finding.resource.lower(), finding)
        odd = [deeds.pop(key) for key in list(deeds) if ResourceId.read(key) is None]
        room = asyncio.Semaphore(inventory.AT_ONCE)

        async def look(deed: Finding) -> tuple[Finding, Json | None]:
            async with room:
                return deed, await inventory.read(azure, deed.resource, _VERSION)

        changes, kept = list[Change](), list[str]()
        for deed, body in await asyncio.gather(*(look(deed) for deed in deeds.values())):
            verdict, state = former.judge(case, deed), _state(body)
            id_ = ResourceId.parse(deed.resource)
            if verdict.familiarity == "familiar":
                kept.append(f"the export of {id_.name}: {'; '.join(verdict.reasons)}")
            elif body is None or not _open(state):
                there = "which is gone" if body is None else f"which is {state}"
                kept.append(f"the export of {id_.name}, {there}: it has ended; what was read until then is copied")
            else:
                changes.append(_change(deed, id_, verdict.familiarity, verdict.reasons, state))
        reason = "" if changes else f"Of {len(deeds)} exports of disks that the suspects began none is open."
        by_hand = (
            f"{deed.resource[:300]!r} has a name not handled here: a Contributor ends its export if it is open."
            for deed in odd
        )
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        if not _open(_state(await inventory.read(azure, change.resource, _VERSION))):
            return Outcome(status="already_so", reason="No export of it is open any more.")
        await azure.arm("POST", f"{change.resource}/endGetAccess", _VERSION)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if _open(_state(await inventory.read(azure, change.resource, _VERSION))):
            raise Temporary(f"An export of {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(
            status="failed", reason="An address that was ended can't be had back: whoever needs one exports it anew."
        )


def _change(deed: Finding, id_: ResourceId, familiarity: "Familiarity", reasons: tuple[str, ...], state: str) -> Change:
    return Change(
        action=RevokeDiskAccess.id,
        resource=id_.text,
        summary=f"end the export of {id_.type} {id_.name}",
        reasons=(deed.reason, *reasons),
        before={"state": state},
        lasting="The address stays dead, also for whoever else exports this disk; what was read is copied.",
        familiarity=familiarity,
    )


def _state(body: Json | None) -> str:
    return str((body or {}).get("properties", {}).get("diskState") or "")


def _open(state: str) -> bool:
    return state.lower().startswith("activesas")
