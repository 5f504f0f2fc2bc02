import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from responders import locks
from responders.azure import absent_is_fine, fine
from responders.errors import Permanent, Temporary
from responders.ids import ResourceId, within
from responders.model import Case, Change, Json, Outcome, Plan, Undoes
from responders.subscriptions import definition, deletion_order, doomed, inventory, redeploy
from responders.subscriptions.doomed import Unit
from responders.subscriptions.redeploy import current, state_of
from responders.subscriptions.resource_types import AFTERWARDS, LOST, NEVER_AGAIN, RECOVERABLE

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

# How Azure says that something is still used. Who uses it is in the message.
_IN_USE = (
    "NicInUse",
    "PublicIPAddressCannotBeDeleted",
    "InUseNetworkSecurityGroupCannotBeDeleted",
    "InUseRouteTableCannotBeDeleted",
    "InUseSubnetCannotBeDeleted",
    "ServiceResourceNotEmptyWithContainerDetails",
)
_LOCKED, _NESTED = "ScopeLocked", "CannotDeleteResource"


class DeleteResources:
    """Delete the resources of any type that a suspect made in the window, each after those that use it.

    A group that he made, with nothing else in it, goes as a whole; a machine goes with the disks that were made with
    it; access to a disk by address (SAS) ends before. Those of the window that nobody is known to answer for are
    offered by name. Locks in the way are taken off for as long as it takes, and put back on what stays. Definitions
    are kept as evidence, and undo makes the resources anew from them; what Azure keeps after a delete is recovered.
    Nothing is purged.
    """

    id = "subscriptions.delete_resources"
    permissions = (
        "*/read",
        "*/delete",
        f"{inventory.GROUPS}/exportTemplate/action",
        "Microsoft.Compute/*/endGetAccess/action",
        *redeploy.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes(gone=True, along=("parts",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        found = await doomed.find(case, azure, subject.id)
        children = await _children(azure, found.units)
        order = deletion_order.ordered([[part["body"] for part in unit.parts] for unit in found.units])
        changes = []
        for n, earlier in order:
            users = [found.units[m].parts[0] for m in earlier]
            changes.append(_change(case, found.units[n], found.locks, children[n], users))
        reason = "" if changes else f"None of {found.looked_at} resources was made by a suspect in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(found.kept),
            by_hand=tuple(found.by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        there = [(p, now) for p, now in await current(azure, _outermost(change.before["parts"])) if now is not None]
        if not there:
            await locks.ensure(azure, change.before["locks"]["above"])
            return Outcome(status="already_so", reason="It is gone already.")
        if now := await _changed(azure, change, there):
            reason = f"{now['id']} is not what was approved any more."
            return Outcome(status="drifted", reason=reason, after=definition.evidence(now))
        if why := await _used(azure, change):
            return Outcome(status="failed", reason=why)
        for n, (part, body) in enumerate(there):
            # What goes along with a machine may be gone with it.
            if n and await inventory.read(azure, part["id"], part["version"]) is None:
                continue
            if state_of(body) != "deleting" and (outcome := await _delete(azure, change, part)):
                return outcome
            if n + 1 < len(there) and await inventory.read(azure, part["id"], part["version"]):
                raise Temporary(f"{part['id']} is being deleted; then what goes with it.")
        if rewritten := definition.rewritten([(now, part["body"]) for part, now in there]):
            said = (
                "Azure has begun to delete it. It was written to after the plan: undo makes it as it was before that."
            )
            return Outcome(status="done", reason=said, after={"definitions": rewritten})
        return Outcome(status="done", reason="Azure has begun to delete it.")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        for part in _outermost(change.before["parts"]):
            if (now := await inventory.read(azure, part["id"], part["version"])) is None:
                continue
            if state_of(now) == "failed":
                raise Permanent(f"Azure could not delete {part['id']}, and calls it failed: look at it in the portal.")
            raise Temporary(f"{part['id']} still shows ({state_of(now) or 'in no known state'}).")
        await locks.ensure(azure, change.before["locks"]["above"])
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return await redeploy.redeploy(azure, change)


async def _children(azure: "Azure", units: list[Unit]) -> list[list[Json] | None]:
    """What Azure exports of each unit besides its parts; None where it exports nothing. One export a group."""
    groups: dict[str, list[int]] = {}
    for n, unit in enumerate(units):
        id_ = ResourceId.parse(unit.id)
        if id_.group and unit.exported:
            groups.setdefault(f"/subscriptions/{id_.subscription}/resourceGroups/{id_.group}".lower(), []).append(n)
    found: list[list[Json] | None] = [[] if unit.exported else None for unit in units]
    room = asyncio.Semaphore(inventory.AT_ONCE)

    async def one(numbers: list[int]) -> None:
        head = ResourceId.parse(units[numbers[0]].id)
        group = f"/subscriptions/{head.subscription}/resourceGroups/{head.group}"
        wanted = [part["id"] for n in numbers for part in units[n].parts if ResourceId.parse(part["id"]).type]
        if units[numbers[0]].is_group and len(wanted) <= inventory.MOST_EXPORTED:
            wanted = ["*"]
        async with room:
            entries = await inventory.export(azure, group, wanted)
        try:
            parts = [definition.exported(group, definition.evidence(entry)) for entry in entries or ()]
        except Permanent:  # an intruder may name something in it as we don't handle: it shows in no definition then
            parts, entries = [], None
        for n in numbers:
            own = {part["id"].lower() for part in units[n].parts}
            its = [p for p in parts if p["id"].lower() not in own and any(within(p["id"], id_) for id_ in own)]
            found[n] = its if entries is not None else None

    await asyncio.gather(*(one(numbers) for numbers in groups.values()))
    return found


def _change(case: Case, unit: Unit, held: list[Json], children: list[Json] | None, users: list[Json]) -> Change:
    head, *rest = unit.parts
    if unit.is_group:
        inner = deletion_order.ordered([[part["body"]] for part in rest])
        rest = [rest[n] for n, _ in inner]
    own, above = locks.in_the_way(held, [part["id"] for part in unit.parts])
    id_ = ResourceId.parse(unit.id)
    what = f"the resource group {id_.name}" if unit.is_group else f"{id_.type} {id_.name} of {id_.group or 'no group'}"
    how = list(_ways(unit, rest, own, above))
    before = {
        "parts": [head, *rest],
        "children": children or [],
        "locks": {"own": own, "above": above},
        "users": [{"id": user["id"], "version": user["version"]} for user in users],
    }
    verdict = locks.respected(case, unit.verdict, own)
    return Change(
        action=DeleteResources.id,
        resource=unit.id,
        summary="; ".join([f"delete {what}", *how]),
        reasons=verdict.reasons,
        before=before,
        lasting=_lasting([head, *rest], exported=children is not None),
        familiarity=verdict.familiarity,
        follows=tuple(user["id"] for user in users),
    )


def _ways(unit: Unit, rest: list[Json], own: list[Json], above: list[Json]) -> Iterator[str]:
    """What an approver has to know besides."""
    names = [ResourceId.parse(part["id"]).name for part in rest]
    if unit.is_group:
        yield f"with all {len(rest)} resources in it: {', '.join(names)}" if rest else "which is empty"
    elif rest:
        yield f"with {', '.join(names)}"
    if own:
        yield f"with {', '.join(locks.label(lock) for lock in own)}"
    if above:
        yield f"{', '.join(locks.label(lock) for lock in above)}: taken off for that, and put back"
    for part in (unit.parts[0], *rest):
        body = part["body"]
        if left := AFTERWARDS.get(str(body["type"]).lower()):
            yield left
        if recovery := RECOVERABLE.get(str(body["type"]).lower()):
            properties = body.get("properties") or {}
            days = properties.get("softDeleteRetentionInDays") or recovery.days
            purge = "nobody can purge it before" if properties.get("enablePurgeProtection") else "it is not purged"
            yield f"Azure keeps {body['name']} for {days} days to be recovered, and {purge}"


def _lasting(parts: list[Json], *, exported: bool) -> str:
    kinds = dict.fromkeys(str(part["body"]["type"]).lower() for part in parts)
    lost = ["who made it, and when", "ids that Azure gave it", "role assignments and diagnostic settings on it"]
    if any("SystemAssigned" in str((part["body"].get("identity") or {}).get("type")) for part in parts):
        lost.append("the principal of its own identity, with what that was given")
    lost += [f"of {kind}: {LOST[kind]}" for kind in kinds if kind in LOST]
    lost += [f"{kind}, since {NEVER_AGAIN[kind]}" for kind in kinds if kind in NEVER_AGAIN]
    if not exported:
        lost.append("what is in it and shows in no definition, since Azure exported no template")
    if definition.hides(parts):
        lost.append("secrets in its definition, which are not kept")
    return "Undo can't bring back " + "; ".join(lost) + "."


def _outermost(parts: list[Json]) -> list[Json]:
    """The parts that lie in no other of them: with these the others go."""
    return [p for p in parts if not any(within(p["id"], o["id"]) for o in parts if o is not p)]


async def _changed(azure: "Azure", change: Change, there: list[tuple[Json, Json]]) -> Json | None:
    """The first that is not what was approved: another thing or lock, or something new in a group."""
    for part, now in there:
        if ResourceId.parse(part["id"]).type:
            if not definition.same(now, part["body"]):
                return now
            continue
        known = [p["id"] for p in change.before["parts"] if p is not part]
        async for entry in azure.arm_pages(f"{part['id']}/resources", inventory.VERSION):
            if not any(within(entry["id"], id_) for id_ in known):
                return entry
    held = change.before["locks"]
    return await locks.changed(azure, [*held["above"], *held["own"]])


async def _used(azure: "Azure", change: Change) -> str:
    """Why it can't be deleted: what uses it stays. Raises Temporary while that is being deleted."""
    for user in change.before["users"]:
        now = await inventory.read(azure, user["id"], user["version"])
        if now and state_of(now) == "deleting":
            raise Temporary(f"{change.resource} is used by {user['id']}, which is being deleted.")
        if now:
            return f"It is used by {user['id']}, which was not deleted. Approve both, or detach it by hand."
    return ""


async def _delete(azure: "Azure", change: Change, part: Json) -> Outcome | None:
    """Ask Azure to delete one part. None when it has taken that on."""
    own, above = locks.in_the_way([*change.before["locks"]["own"], *change.before["locks"]["above"]], [part["id"]])
    with fine(*_IN_USE, _LOCKED, _NESTED) as refused:
        async with locks.lifted(azure, above, own):
            await _revoke(azure, change, part)
            with absent_is_fine():
                await azure.arm("DELETE", part["id"], part["version"])
    if not refused:
        return None
    code, message = next(iter(refused.items()))
    if code == _LOCKED:
        return Outcome(status="drifted", reason=f"Another lock was put there after the plan: {message}")
    if code == _NESTED:
        nested = [p for p in (*change.before["parts"], *change.before["children"]) if p["id"] != part["id"]]
        for inner in sorted((p for p in nested if within(p["id"], part["id"])), key=lambda p: -len(p["id"])):
            await azure.arm("DELETE", inner["id"], inner["version"])
        raise Temporary(f"What is in {part['id']} is being deleted before it.")
    reason = f"{message} Delete or detach what uses it, if that is right, then run the incident again."
    return Outcome(status="failed", reason=reason)


async def _revoke(azure: "Azure", change: Change, part: Json) -> None:
    """End the access by address (SAS) to the disks and snapshots that are deleted with a part: Azure keeps them else.

    POST {disk}/endGetAccess. Raises Temporary while it lasts.
    """
    for disk in change.before["parts"]:
        if within(disk["id"], part["id"]) and _lent(disk["body"]):
            now = await inventory.read(azure, disk["id"], disk["version"])
            if now and _lent(now):
                await azure.arm("POST", f"{disk['id']}/endGetAccess", disk["version"])
                now = await inventory.read(azure, disk["id"], disk["version"])
            if now and _lent(now):
                raise Temporary(f"The access by address to {disk['id']} is being revoked; then it is deleted.")


def _lent(body: Json) -> bool:
    """Whether anybody who has the address may read it. One that is lent out after the plan is refused by Azure."""
    return str((body.get("properties") or {}).get("diskState")) == "ActiveSAS"
