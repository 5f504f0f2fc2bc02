import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from responders import familiarity
from responders.azure import absent_is_fine, fine
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.memo import Memo
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.vms import locked, machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_BASTIONS, _VERSION = "Microsoft.Network/bastionHosts", "2024-05-01"
_CREATE = f"{_BASTIONS}/createShareableLinks/action"

# The machines of an incident are looked at side by side.
_bastions = Memo[list[str]](60)


class RemoveShareableLinks:
    """Take back the links of Azure Bastion by which whoever knows a password gets to a machine, without any account.

    Those of the window; older ones are shown. While the machine is cut off they lead nowhere, and afterwards they would
    again. Where a ReadOnly lock has shut a bastion since before the window, none was made in it.
    Irreversible: a new link has another address. Microsoft.Network/bastionHosts, api-version 2024-05-01.
    """

    id = "vms.remove_shareable_links"
    permissions = (
        *machine.PERMISSIONS,
        locked.READ,
        f"{_BASTIONS}/read",
        f"{_BASTIONS}/getShareableLinks/action",
        f"{_BASTIONS}/deleteShareableLinks/action",
    )
    reversible = False
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.read(azure, subject.id)
        if vm is None:
            return Plan(action=self.id, subject=subject, reason=f"There is no virtual machine {subject.id}.")
        changes, kept, by_hand = list[Change](), list[str](), list[str]()
        bastions = await _all(azure, vm.resource.subscription)
        for id_, link in zip(bastions, await asyncio.gather(*(_seen(azure, b, vm.id) for b in bastions)), strict=True):
            if link is None:
                continue
            if isinstance(link, str):
                if not await locked.shut(azure, case, id_):
                    todo = "Take that lock off, and run the incident again (an Owner)."
                    by_hand.append(f"Whether {id_} has a shareable link to {vm.name} can't be seen: {link} {todo}")
                continue
            label = f"the shareable link of the bastion {ResourceId.parse(id_).name} to {vm.name}"
            made = datetime.fromisoformat(link["createdAt"]) if link.get("createdAt") else None
            deed = case.did(_CREATE, id_)
            verdict = familiarity.judge(case, deed.caller if deed else None, made, deed)
            if verdict.familiarity == "familiar":
                kept.append(f"{label}: {'; '.join(verdict.reasons)}")
                continue
            changes.append(
                Change(
                    action=self.id,
                    resource=id_,
                    summary=f"take back {label}",
                    reasons=verdict.reasons,
                    before={"machine": vm.id, "createdAt": link.get("createdAt")},
                    lasting="A new link would have another address.",
                    familiarity=verdict.familiarity,
                )
            )
        reason = "" if changes else f"No link to {vm.name} was made in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        link = await _link(azure, change.resource, change.before["machine"])
        if link is None:
            return Outcome(status="already_so", reason="There is no link any more.")
        # One that was made anew after the plan opens the same machine.
        body = _about(change.before["machine"])
        await azure.arm("POST", f"{change.resource}/deleteShareableLinks", _VERSION, body=body)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _link(azure, change.resource, change.before["machine"]) is not None:
            raise Temporary(f"The link of {change.resource} to {change.before['machine']} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


async def _all(azure: "Azure", subscription: str) -> list[str]:
    """The ids of all Bastions of a subscription."""

    async def read() -> list[str]:
        scope = f"/subscriptions/{subscription}/providers/{_BASTIONS}"
        return [str(bastion["id"]) async for bastion in azure.arm_pages(scope, _VERSION)]

    return await _bastions.get(azure, subscription, read)


async def _seen(azure: "Azure", bastion: str, vm: str) -> Json | str | None:
    """The same, or the message of Azure's refusal by a ReadOnly lock, which forbids to look, too."""
    with fine(locked.REFUSED) as refused:
        return await _link(azure, bastion, vm)
    return refused[locked.REFUSED]


async def _link(azure: "Azure", bastion: str, vm: str) -> Json | None:
    """The link of a bastion to a machine, without its address, which opens it; None for none."""
    found: list[Json] = []
    with absent_is_fine():
        answer = await azure.arm("POST", f"{bastion}/getShareableLinks", _VERSION, body=_about(vm))
        found = [entry for entry in answer.get("value") or () if str(entry["vm"]["id"]).lower() == vm.lower()]
    return {"createdAt": found[0].get("createdAt")} if found else None


def _about(vm: str) -> Json:
    return {"vms": [{"vm": {"id": vm}}]}
