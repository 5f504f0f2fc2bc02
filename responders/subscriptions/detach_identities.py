import asyncio
from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes
from responders.subscriptions import former, identities, resource_graph, whole
from responders.subscriptions.draft import Draft
from responders.subscriptions.identities import Held
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

# What runs code, and so acts as its identities; and can be PATCHed. By api-version.
_TYPES = {
    "Microsoft.App/containerApps": "2024-03-01",
    "Microsoft.Automation/automationAccounts": "2024-10-23",
    "Microsoft.Compute/virtualMachines": "2024-07-01",
    "Microsoft.Compute/virtualMachineScaleSets": "2024-07-01",
    "Microsoft.Web/sites": "2023-12-01",
}
_BY_TYPE = {name.lower(): version for name, version in _TYPES.items()}


class DetachIdentities:
    """Take from familiar resources the managed identities that a suspect attached to them in the window.

    Whoever runs code on a machine, in an account or in an app acts with the rights of its identities. What it had
    before is what Resource Graph has on record; where it has nothing, or a type can't be changed in part, a person is
    told. What is attached to resources of the suspects' own goes with those. Undo attaches the same user-assigned
    identities; a system-assigned one that comes back is another principal.
    """

    id = "subscriptions.detach_identities"
    permissions = (
        *(f"{name}/{verb}" for name in _TYPES for verb in ("read", "write")),
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    )
    reversible = True
    undoes = Undoes(events="events")

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        deeds = _deeds(case, subject.id)
        records = await resource_graph.changes(azure, subject.id, case.since) if deeds else {}
        found = Draft()
        await asyncio.gather(*(self._look(case, azure, deed, records, found) for deed in deeds))
        reason = f"To none of {len(deeds)} resources that the suspects wrote did they attach an identity that it has."
        return found.plan(self.id, subject, reason)

    async def _look(
        self,
        case: Case,
        azure: "Azure",
        deed: Finding,
        records: dict[str, list[resource_graph.Recorded]],
        found: Draft,
    ) -> None:
        id_ = ResourceId.parse(deed.resource)
        known = records.get(id_.key, [])
        theirs = [
            record
            for record in known
            if identities.touched(record.changes) and (not record.by or case.suspect(record.by, record.at))
        ]
        if known and (not theirs or known[0].made):
            return  # it is known what was changed, and that was something else; or all of it is the suspects'
        when = utc(deed.at)
        if id_.type.lower() not in _BY_TYPE:
            found.by_hand += [_elsewhere(id_, when)] * bool(theirs)
            return
        body = await _body(azure, id_)
        now = identities.held(body or {})
        if body is None or not (now or theirs) or _made(body, case):
            return
        if not theirs:
            found.by_hand.append(
                f"The suspect wrote {id_.name} ({id_.type}) at {when}, and Resource Graph has no record of what that "
                f"changed. It has {now} now: an operator finds out whether that was so before."
            )
            return
        was = now
        for record in reversed(theirs):
            was = identities.before(was, record.changes)
        if gone := was.without(now):
            found.by_hand.append(
                f"The suspect took {gone} from {id_.name} ({id_.type}) at {when}: an operator attaches it again."
            )
        events = whole.by_record(case, _all(case, deed), known, id_.type, ("identity",))
        added, verdict = now.without(was), former.judge(case, deed)
        if added and verdict.familiarity == "familiar":
            found.kept.append(f"{added} of {id_.name}: attached by the suspect, but {'; '.join(verdict.reasons)}")
        elif added:
            lost = "A system-assigned identity comes back as another principal, without the roles that it had."
            found.changes.append(
                Change(
                    action=self.id,
                    resource=deed.resource,
                    summary=f"detach {added} from {id_.name} ({id_.type})",
                    reasons=(*verdict.reasons, f"before, by Resource Graph, it had {was or 'no identity'}"),
                    familiarity=verdict.familiarity,
                    before={"now": _plain(now), "added": _plain(added), "events": [] if gone else events},
                    lasting=lost if added.system else "",
                )
            )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        id_, added = ResourceId.parse(change.resource), _read(change, "added")
        now = await _now(azure, id_)
        if now is None or not now.both(added):
            return Outcome(status="already_so", reason="It has none of them any more.")
        # Only those are named that are to go: what else was attached or detached after the plan stays so.
        gone = now.both(added)
        await azure.arm("PATCH", id_.text, _BY_TYPE[id_.type.lower()], body=identities.patch(now, gone=gone))
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        now = await _now(azure, ResourceId.parse(change.resource))
        if now and now.both(_read(change, "added")):
            raise Temporary(f"It still shows: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        id_, added = ResourceId.parse(change.resource), _read(change, "added")
        now = await _now(azure, id_)
        if now is None:
            return Outcome(status="failed", reason="The resource is gone.")
        if not added.without(now):
            return Outcome(status="already_so", reason="It has them.")
        await azure.arm("PATCH", id_.text, _BY_TYPE[id_.type.lower()], body=identities.patch(now, more=added))
        return Outcome(status="done", reason=f"Attached again: {added}. {change.lasting}".strip())


def _deeds(case: Case, subscription: str) -> list[Finding]:
    """The suspects' first write of each resource, if it is of a type that may have identities."""
    first: dict[str, Finding] = {}
    for finding in sorted(case.findings, key=lambda f: f.at):
        kind, _, verb = finding.operation.lower().rpartition("/")
        wrote = finding.is_deed and verb == "write" and kind.count("/") == 1
        id_ = ResourceId.read(finding.resource) if wrote else None
        if id_ and id_.type.lower() == kind and id_.subscription == subscription.lower():
            first.setdefault(finding.resource.lower(), finding)
    return list(first.values())


def _all(case: Case, first: Finding) -> list[Finding]:
    """What suspects did of that kind to that resource."""
    same = (f for f in case.findings if f.is_deed and f.operation == first.operation)
    return [f for f in same if f.resource.lower() == first.resource.lower()]


def _elsewhere(id_: ResourceId, when: str) -> str:
    return (
        f"The suspect changed the identities of {id_.name} ({id_.type}) at {when}: an operator compares them with what "
        "they should be."
    )


async def _body(azure: "Azure", id_: ResourceId) -> Json | None:
    return await azure.arm_read(id_.text, _BY_TYPE[id_.type.lower()])


async def _now(azure: "Azure", id_: ResourceId) -> Held | None:
    body = await _body(azure, id_)
    return None if body is None else identities.held(body)


def _made(body: Json, case: Case) -> bool:
    """Whether the resource itself was made in the window: then it is for `subscriptions.delete_resources`."""
    properties, stamps = body.get("properties") or {}, body.get("systemData") or {}
    made = time_of(properties.get("timeCreated") or stamps.get("createdAt"))
    return made is not None and made >= case.since


def _plain(held: Held) -> Json:
    return {"system": held.system, "users": sorted(held.users.values())}


def _read(change: Change, part: str) -> Held:
    return Held(change.before[part]["system"], {id_.lower(): id_ for id_ in change.before[part]["users"]})
