import asyncio
from typing import TYPE_CHECKING, Any

from responders import familiarity
from responders.azure import absent_is_fine, rest
from responders.errors import Temporary
from responders.ids import ResourceId, within
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.subscriptions import pim
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_LASTING = "A canceled request can't be opened again: whoever needs the role asks anew."


class CancelRoleRequests:
    """Cancel what the suspects asked of Privileged Identity Management and what waits for somebody's approval.

    A request that is approved by habit would give the role after all else was taken.
    POST …/roleAssignmentScheduleRequests/{name}/cancel and …/roleEligibilityScheduleRequests/{name}/cancel, api-version
    2020-10-01.
    """

    id = "subscriptions.cancel_role_requests"
    permissions = (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/write",
    )
    reversible = False
    undoes = Undoes(operations=tuple(f"{name}/write" for name in pim.TYPES.values()))

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        scope = f"/subscriptions/{subject.id}"
        lists = await asyncio.gather(*(pim.listed(azure, what, scope) for what in pim.REQUESTS.values()))
        changes, kept = list[Change](), list[str]()
        for request in (
            r for found in lists for r in found if _waits(r) and within(str(r["properties"].get("scope")), scope)
        ):
            p = request["properties"]
            asked, whom = p.get("requestorId"), str(p.get("principalId") or "")
            at = time_of(p.get("createdOn"))
            deed = case.did(f"{request['type']}/write", request["id"])
            verdict = familiarity.judge(case, asked, at, deed, thing=request["id"], holder=whom)
            theirs = case.suspect(asked) or case.suspect(whom)
            if verdict.familiarity == "familiar" or not theirs:
                kept += [f"{_title(request)}: {'; '.join(verdict.reasons)}"] if theirs else []
                continue
            change = Change(
                action=self.id,
                resource=request["id"],
                summary=f"cancel {_title(request)}",
                reasons=verdict.reasons,
                before=request,
                principals=tuple(dict.fromkeys(filter(None, (whom, asked)))),
                lasting=_LASTING,
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else "No request of a suspect waits for approval."
        return Plan(action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _now(azure, change)
        if now is None or not _waits(now):
            status = now["properties"]["status"] if now else "gone"
            return Outcome(status="already_so", reason=f"The request does not wait any more: it is {status}.")
        at = ResourceId.parse(change.resource)
        await _client(azure, change).cancel(at.scope, at.name)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        now = await _now(azure, change)
        if now is not None and _waits(now):
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=_LASTING)


async def _now(azure: "Azure", change: Change) -> Json | None:
    at = ResourceId.parse(change.resource)
    with absent_is_fine():
        return rest(await _client(azure, change).get(at.scope, at.name))
    return None


def _client(azure: "Azure", change: Change) -> Any:
    """One of two of the SDK's, which are alike."""
    kind: pim.Kind = "eligible" if change.before["type"] == pim.TYPES["eligible"] else "active"
    return getattr(azure.authorization(ResourceId.parse(change.resource).subscription), pim.REQUESTS[kind])


def _waits(request: Json) -> bool:
    status = str(request["properties"].get("status"))
    return status.startswith("Pending") and status != "PendingRevocation"


def _title(request: Json) -> str:
    p = request["properties"]
    known = p.get("expandedProperties") or {}
    role = (known.get("roleDefinition") or {}).get("displayName") or p.get("roleDefinitionId")
    who = (known.get("principal") or {}).get("displayName") or p.get("principalId")
    kind, scope = p.get("requestType"), p.get("scope")
    return f"the request ({kind}) for {role} on {scope} of {who}, which waits ({p.get('status')})"
