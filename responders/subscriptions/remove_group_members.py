import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from responders import directory, memberships, trail
from responders.azure import absent_is_fine, rest, segment
from responders.errors import Temporary
from responders.ids import is_guid
from responders.memo import Memo
from responders.model import Change, Json, Outcome, Plan, Undoes

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject
    from responders.trail import Entry

_ADDED = "Add member to group"
_GROUP = "Group.ObjectID"
_members = Memo[frozenset[str]](5)


class RemoveGroupMembers:
    """Take whom a suspect added in the window out of the groups that hold roles in the subscription.

    The group keeps its roles, since they are others' too (DELETE /groups/{id}/members/{id}/$ref). Groups count that
    lie in one that holds a role. Who added whom, and when, is in Entra's audit log. Suspects' own memberships are taken
    by users.remove_group_memberships. Members of groups that a rule or another directory fills are told to a person.
    """

    id = "subscriptions.remove_group_members"
    # The last one is for groups that hold directory roles: only who may give those roles may change their members.
    permissions = (
        *trail.PERMISSIONS,
        "Microsoft.Authorization/roleAssignments/read",
        "Directory.Read.All",
        "GroupMember.ReadWrite.All",
        "RoleManagement.ReadWrite.Directory",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        holding = await _holding(azure, subject.id)
        if not holding:
            return Plan(action=self.id, subject=subject, reason="No group holds a role in the subscription.")
        log = await trail.of_activity(azure, case, _ADDED)
        added: dict[tuple[str, str], Entry] = {}  # the newest, by group and member
        for entry in log.entries:
            group = entry.new.get(_GROUP, "").lower()
            for member in (id_ for id_ in entry.about if is_guid(id_) and id_ != group):
                added.setdefault((group, member), entry)
        touched = sorted({group for group, _ in added if is_guid(group)})
        found = dict(zip(touched, await asyncio.gather(*(_reaches(azure, g, holding) for g in touched)), strict=True))
        groups = [group for group in touched if found[group]]
        inside = dict(zip(groups, await asyncio.gather(*(_ids(azure, g) for g in groups)), strict=True))
        ids = {*groups, *(h for g in groups for h in found[g]), *(m for g, m in added if g in inside)}
        names = await directory.names(azure, ids) if ids else {}
        bodies = dict(zip(groups, await asyncio.gather(*(_group(azure, g) for g in groups)), strict=True))
        changes, kept, by_hand = list[Change](), list[str](), list[str]()
        for (group, member), entry in sorted(added.items(), key=lambda pair: pair[0]):
            if member not in inside.get(group, ()) or case.suspect(member):
                continue
            resource = f"/groups/{group}/members/{member}"
            verdict = trail.verdict(case, entry, thing=resource, holder=member)
            who, title = names.get(member, member), names.get(group, group)
            above = ", ".join(names.get(g, g) for g in found[group] if g != group)
            roles = "the group holds a role in the subscription" + (f", being in {above}" if above else "")
            if verdict.familiarity == "familiar":
                kept.append(f"{who} in the group {title}: {'; '.join(verdict.reasons)}")
            elif why := memberships.filled_elsewhere(bodies[group]):
                by_hand.append(f"{who} came into the group {title} ({'; '.join(verdict.reasons)}). {why}")
            else:
                change = Change(
                    action=self.id,
                    resource=resource,
                    summary=f"take {who} out of the group {title}",
                    reasons=(*verdict.reasons, roles),
                    before={"group": group, "member": member},
                    principals=(member,),
                    familiarity=verdict.familiarity,
                )
                changes.append(change)
        if log.unread:
            by_hand.append(f"{log.unread}: look through the members of the groups that hold roles in {subject.id}.")
        reason = "" if changes else "In the window nobody but suspects was added to a group that holds a role here."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
            awaits=trail.still(case, log, f"/subscriptions/{subject.id}/groups"),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        group, member = change.before["group"], change.before["member"]
        if member not in await _ids(azure, group):
            return Outcome(status="already_so", reason="The group does not have that member.")
        with absent_is_fine():
            await azure.graph("DELETE", memberships.reference(group, member))
        _members.forget(azure, group)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if change.before["member"] in await _ids(azure, change.before["group"]):
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        outcome = await memberships.put_back(azure, change)
        _members.forget(azure, change.before["group"])
        return outcome


async def _holding(azure: "Azure", subscription: str) -> set[str]:
    """The groups that hold a role at a scope of the subscription, or above it."""
    listed = azure.authorization(subscription).role_assignments.list_for_subscription()
    grants = [rest(model)["properties"] async for model in listed]
    return {str(p["principalId"]).lower() for p in grants if p.get("principalType") == "Group"}


async def _reaches(azure: "Azure", group: str, holding: Collection[str]) -> list[str]:
    """Those of the holding groups that a group is, or lies in, at any depth."""
    found, seen, todo = list[str](), {group}, [group]
    while todo:
        one = todo.pop()
        found += [one] if one in holding else []
        above = await azure.graph_list(f"/groups/{segment(one)}/memberOf", {"$select": "id"})
        ids = {str(g["id"]).lower() for g in above if g.get("@odata.type") == "#microsoft.graph.group"}
        todo += sorted(ids - seen)
        seen |= ids
    return found


async def _ids(azure: "Azure", group: str) -> frozenset[str]:
    """Ids of a group's own members: one list for all of its changes that are under way."""

    async def read() -> frozenset[str]:
        path, query = f"/groups/{segment(group)}/members", {"$select": "id", "$top": "999"}
        with absent_is_fine():
            return frozenset({str(member["id"]).lower() async for member in azure.graph_pages(path, query)})
        return frozenset()

    return await _members.get(azure, group, read)


async def _group(azure: "Azure", group: str) -> Json:
    query = {"$select": "id,groupTypes,onPremisesSyncEnabled"}
    return await azure.graph_read(f"/groups/{segment(group)}", query) or {}
