import asyncio
from typing import TYPE_CHECKING, NamedTuple

from responders import locks
from responders.azure import fine, rest
from responders.errors import Temporary
from responders.ids import within
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.subscriptions import assignments, pim

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_VERSION = "2022-04-01"
_DELETE = "Microsoft.Authorization/roleAssignments/delete"
_EVERYONE = "00000000-0000-0000-0000-000000000000"
# What makes an assignment the one that was approved, and what a PUT can bring back.
_KEPT = (
    "roleDefinitionId",
    "principalId",
    "principalType",
    "condition",
    "conditionVersion",
    "description",
    "delegatedManagedIdentityResourceId",
)


class _Obstacles(NamedTuple):
    """What may keep an assignment from being deleted."""

    locks: list[Json]
    denials: list[Json]
    by_pim: frozenset[tuple[str, str, str]]  # by `pim.ends`


class StripRoleAssignments:
    """Delete the role assignments that a suspect made in the window, at every scope of the subscription.

    Those of the window that nobody is known to answer for, and those of the suspects of which Azure does not say who
    made them, are offered by name. The suspects' other assignments (older, made by someone known) are shown and left
    alone; what they inherit is the business of subscriptions.strip_inherited_assignments, and what Privileged Identity
    Management gives that of subscriptions.remove_eligible_roles. Locks in the way are lifted for as long as it takes.
    Azure ends the access within ten minutes. Who made an assignment, and when, is lost with it; the evidence keeps
    both. Microsoft.Authorization/roleAssignments, api-version 2022-04-01.
    """

    id = "subscriptions.strip_role_assignments"
    permissions: tuple[str, ...] = (
        "Microsoft.Authorization/roleAssignments/read",
        _DELETE,
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleDefinitions/read",
        "Microsoft.Authorization/denyAssignments/read",
        "Microsoft.Authorization/locks/read",
        "Microsoft.Authorization/locks/delete",
        "Microsoft.Authorization/locks/write",
        "Directory.Read.All",
    )
    reversible = True
    undoes = Undoes(operations=("Microsoft.Authorization/roleAssignments/write",))

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        judged = await assignments.judge(case, subject, azure)
        if not judged.doubtful and not judged.kept:
            return Plan(action=self.id, subject=subject, reason="The suspects neither made nor hold assignments here.")
        found, way = await asyncio.gather(
            assignments.describe(self.id, judged, subject.id, azure),
            _obstacles(azure, subject.id) if judged.doubtful else _nothing(),
        )
        changes, kept, by_hand = list[Change](), list(found.kept), list[str]()
        for change in found.changes:
            label, where = found.labels[change.resource], change.before["properties"]["scope"]
            denial = next((d for d in way.denials if _covers(d, where)), None)
            _, above = locks.in_the_way(way.locks, [change.resource])
            if pim.ends(change.before) in way.by_pim:
                kept.append(
                    f"{label}: Privileged Identity Management gives it, see subscriptions.remove_eligible_roles"
                )
            elif denial:
                by_hand.append(_denied(label, change, denial))
            elif above:
                lifted = f"{', '.join(locks.label(lock) for lock in above)} is lifted for it and put back"
                changes.append(assignments.because(change, lifted, locks=above))
            else:
                changes.append(change)
        reason = "" if changes else "No assignment here was made by a suspect in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now, held = await _read(azure, change), change.before.get("locks", [])
        if now is None:
            await locks.ensure(azure, held)
            return Outcome(status="already_so", reason="The assignment is gone already.")
        if _ends(now) != _ends(change.before):
            return Outcome(status="drifted", reason="Another assignment has its name now.", after=now)
        if other := await locks.changed(azure, held):
            return Outcome(status="drifted", reason="A lock in the way is another one now.", after=other)
        async with locks.lifted(azure, held, []):
            with fine("AuthorizationFailed") as refused:
                await azure.arm("DELETE", change.resource, _VERSION)
            # A try whose answer was lost may have taken it: of what is gone Azure can't tell what our condition allows.
            if refused and await _read(azure, change) is not None:
                await azure.arm("DELETE", change.resource, _VERSION)
        if _essence(now) != _essence(change.before):
            return Outcome(
                status="done", reason="Its condition or description was rewritten after the plan.", after=now
            )
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change) is not None:
            raise Temporary(f"The role assignment {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now, held = await _read(azure, change), change.before.get("locks", [])
        if now is not None:
            await locks.ensure(azure, held)
            same = _essence(now) == _essence(change.before)
            reason = "It is there again already." if same else "Another assignment has its name now."
            return Outcome(status="already_so" if same else "failed", reason=reason)
        body = {"properties": _essence(change.before)}
        async with locks.lifted(azure, [lock for lock in held if lock["properties"]["level"] == "ReadOnly"], []):
            await azure.arm("PUT", change.resource, _VERSION, body=body)
        return Outcome(status="done", reason="Who first made it, and when, is in the evidence only.")


async def _obstacles(azure: "Azure", subscription: str) -> _Obstacles:
    """All of a subscription."""
    scope = f"/subscriptions/{subscription}"
    held, denials, timed = await asyncio.gather(
        locks.read(azure, scope), _denials(azure, subscription), pim.listed(azure, pim.SCHEDULES["active"], scope)
    )
    return _Obstacles(held, denials, frozenset(pim.ends(schedule) for schedule in timed if pim.managed(schedule)))


async def _nothing() -> _Obstacles:
    """Where nothing is to be deleted, nothing is in the way, and nothing is asked."""
    return _Obstacles([], [], frozenset())


async def _read(azure: "Azure", change: Change) -> Json | None:
    return await azure.arm_read(change.resource, _VERSION)


async def _denials(azure: "Azure", subscription: str) -> list[Json]:
    """The deny assignments that keep us from deleting assignments in the subscription."""
    own = await azure.own_id()
    found = []
    async for model in azure.authorization(subscription).deny_assignments.list():
        item = rest(model)
        properties = item["properties"]
        denied, spared = (
            {str(p.get("id")).lower() for p in properties.get(name) or ()}
            for name in ("principals", "excludePrincipals")
        )
        hit = denied & {own, _EVERYONE} and own not in spared
        if hit and assignments.allows(properties.get("permissions") or (), [_DELETE]):
            found.append(item)
    return found


def _covers(denial: Json, scope: str) -> bool:
    properties = denial["properties"]
    at = str(properties["scope"])
    # Of those above the subscription only such as reach down to it are listed.
    here = within(scope, at) or not at.lower().startswith("/subscriptions/")
    return here and (scope.lower() == at.lower() or not properties.get("doNotApplyToChildScopes"))


def _denied(label: str, change: Change, denial: Json) -> str:
    name = denial["properties"].get("denyAssignmentName") or denial.get("name")
    return (
        f"{label} ({'; '.join(change.reasons)}): the deny assignment {name} at {denial['properties']['scope']} forbids "
        "to take it. Azure made it for a managed application or a deployment stack: their owner has to change that, or "
        "to take the assignment himself; then run the incident again."
    )


def _ends(item: Json) -> tuple[str, ...]:
    """Who has which role where: the rest of it may be rewritten, and it is the same assignment."""
    return tuple(str(item["properties"].get(name)).lower() for name in ("principalId", "roleDefinitionId", "scope"))


def _essence(item: Json) -> Json:
    return {name: item["properties"][name] for name in _KEPT if item["properties"].get(name) is not None}
