from typing import TYPE_CHECKING

from responders import memberships, trail
from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.memo import Memo
from responders.model import Change, Json, Outcome, Plan, Undoes, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_GROUP = "#microsoft.graph.group"
_memberships = Memo[frozenset[str]](5)


class RemoveGroupMemberships:
    """Take a user out of the groups that a suspect added him to in the window (DELETE /groups/{id}/members/{id}/$ref).

    Graph has no time for a membership: who added him, and when, is in Entra's audit log. What a group gives ends with
    the tokens that carry it, within hours. Members of groups that a rule or another directory fills, and owners of
    groups (to change those takes a permission over all that groups hold), are told to a person.
    """

    id = "users.remove_group_memberships"
    # The last one is for groups that hold directory roles: only who may give those roles may change their members.
    permissions = (
        *trail.PERMISSIONS,
        "Directory.Read.All",
        "GroupMember.ReadWrite.All",
        "RoleManagement.ReadWrite.Directory",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        held = await _groups(azure, subject.id, "memberOf")
        owned = await _groups(azure, subject.id, "ownedObjects")
        if not held and not owned:
            return Plan(action=self.id, subject=subject, reason="The user is in no group, and owns none.")
        log = await trail.of_target(azure, case, subject.id)
        name = subject.name or subject.id
        changes, kept, by_hand, verdicts = list[Change](), list[str](), list[str](), list[Verdict]()
        for group in held:
            entry = log.last(["Add member to group"], subject.id, group["id"])
            resource, title = f"/groups/{group['id']}/members/{subject.id}", group.get("displayName") or group["id"]
            verdict = trail.absent(case, log, resource)
            if entry is not None:
                verdict = trail.verdict(case, entry, thing=resource, holder=subject.id)
            verdicts.append(verdict)
            if verdict.left_alone:
                kept.append(f"{name} in the group {title}: {'; '.join(verdict.reasons)}")
            elif why := memberships.filled_elsewhere(group):
                by_hand.append(f"{name} came into the group {title} ({'; '.join(verdict.reasons)}). {why}")
            else:
                change = Change(
                    action=self.id,
                    resource=resource,
                    summary=f"take {name} out of the group {title}",
                    reasons=verdict.reasons,
                    before={"group": group["id"], "member": subject.id},
                    principals=(subject.id,),
                    familiarity=verdict.familiarity,
                )
                changes.append(change)
        for group in owned:
            entry = log.last(["Add owner to group"], subject.id, group["id"])
            verdict = trail.absent(case, log, f"/groups/{group['id']}/owners/{subject.id}")
            verdict = trail.verdict(case, entry) if entry else verdict
            verdicts.append(verdict)
            if not verdict.left_alone:
                by_hand.append(
                    f"{name} became an owner of the group {group.get('displayName') or group['id']} "
                    f"({'; '.join(verdict.reasons)}), and can add himself to it again: a Groups Administrator has to "
                    "take that from him."
                )
        reason = "" if changes else "In the window nobody added the user to a group that can be changed here."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
            awaits=trail.awaits(verdicts),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        group, member = change.before["group"], change.before["member"]
        if group not in await _ids(azure, member):
            return Outcome(status="already_so", reason="The user is not in the group.")
        with absent_is_fine():
            await azure.graph("DELETE", memberships.reference(group, member))
        _memberships.forget(azure, member)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if change.before["group"] in await _ids(azure, change.before["member"]):
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        outcome = await memberships.put_back(azure, change)
        _memberships.forget(azure, change.before["member"])
        return outcome


async def _groups(azure: "Azure", user: str, what: str) -> list[Json]:
    """Groups among a user's `memberOf` or `ownedObjects`; none for a user that there is not."""
    found = await azure.graph_list(f"/users/{segment(user)}/{what}", {"$top": "999"})
    return sorted((item for item in found if item.get("@odata.type") == _GROUP), key=lambda group: str(group["id"]))


async def _ids(azure: "Azure", user: str) -> frozenset[str]:
    """Ids of the groups that a user is in himself: one list for all of his changes that are under way."""

    async def read() -> frozenset[str]:
        return frozenset({group["id"] for group in await _groups(azure, user, "memberOf")})

    return await _memberships.get(azure, user, read)
