from datetime import datetime
from typing import TYPE_CHECKING

from responders import directory, familiarity
from responders.azure import absent_is_fine, rest, segment
from responders.errors import Temporary
from responders.ids import ResourceId, within
from responders.model import Change, Json, Outcome, Plan, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_WRITE = "Microsoft.Authorization/roleAssignments/write"
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


class StripRoleAssignments:
    """Delete the role assignments that a suspect made in the window, at every scope of the subscription.

    Those of the window that nobody is known to answer for, and those of the suspects of which Azure does not say who
    made them, are offered by name. The suspects' other assignments (inherited, older, made by someone known) are shown
    and left alone. Azure ends the access within ten minutes. Who made an assignment, and when, is lost with it; the
    evidence keeps both.
    Microsoft.Authorization/roleAssignments, api-version 2022-04-01.
    """

    id = "subscriptions.strip_role_assignments"
    permissions = (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleDefinitions/read",
        "Directory.Read.All",
    )
    reversible = True

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        scope = f"/subscriptions/{subject.id}"
        client = azure.authorization(subject.id)
        doubtful: list[tuple[Json, Verdict]] = []  # planted, or perhaps so
        kept: list[tuple[Json, Verdict]] = []
        async for model in client.role_assignments.list_for_subscription():
            item = rest(model)
            properties = item["properties"]
            if not within(properties["scope"], scope):
                continue
            made = datetime.fromisoformat(properties["createdOn"]) if properties.get("createdOn") else None
            maker, deed = properties.get("createdBy"), case.did(_WRITE, item["id"])
            # What an undo put back has our mark on it: the log still knows who first made it.
            if deed and not case.suspect(maker):
                maker, made = deed.caller, deed.at
            holder = properties["principalId"]
            said = familiarity.vouched(case, item["id"])
            own = said and said.by and await _through(azure, said.by, properties)
            verdict = familiarity.judge(
                case, maker, made, deed, thing=item["id"], holder=said.by if said and own else ""
            )
            theirs = case.suspect(holder) or case.suspect(maker, made)
            if verdict.familiarity != "familiar" and (theirs or made is None or made >= case.since):
                doubtful.append((item, verdict))
            elif theirs or said:
                kept.append((item, verdict))
        if not doubtful and not kept:
            return Plan(action=self.id, subject=subject, reason="The suspects neither made nor hold assignments here.")
        roles = {d.id.lower(): d.role_name async for d in client.role_definitions.list(scope.lstrip("/"))}
        names = await directory.names(azure, {i["properties"]["principalId"] for i, _ in (*doubtful, *kept)})

        def label(item: Json) -> str:
            properties = item["properties"]
            role = next((n for i, n in roles.items() if i.endswith(_last(properties["roleDefinitionId"]))), "a role")
            return (
                f"{role} of {names.get(properties['principalId'], properties['principalId'])} on {properties['scope']}"
            )

        changes = tuple(
            Change(
                action=self.id,
                resource=item["id"],
                summary=f"delete the role assignment {label(item)}",
                reasons=verdict.reasons,
                before=item,
                principals=(item["properties"]["principalId"],),
                familiarity=verdict.familiarity,
            )
            for item, verdict in sorted(doubtful, key=lambda pair: str(pair[0]["id"]).lower())
        )
        left = tuple(f"{label(item)}: {'; '.join(verdict.reasons)}" for item, verdict in kept)
        reason = "" if changes else "No assignment here was made by a suspect in the window."
        return Plan(action=self.id, subject=subject, changes=changes, reason=reason, kept=left)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="The assignment is gone already.")
        if _essence(now) != _essence(change.before):
            return Outcome(status="drifted", reason="The assignment is not what was approved any more.", after=now)
        client = azure.authorization(ResourceId.parse(change.resource).subscription)
        await client.role_assignments.delete_by_id(change.resource)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change) is not None:
            raise Temporary(f"The role assignment {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is not None:
            same = _essence(now) == _essence(change.before)
            reason = "It is there again already." if same else "Another assignment has its name now."
            return Outcome(status="already_so" if same else "failed", reason=reason)
        body = {"properties": _essence(change.before)}
        await azure.arm("PUT", change.resource, "2022-04-01", body=body)
        return Outcome(status="done", reason="Who first made it, and when, is in the evidence only.")


async def _read(azure: "Azure", change: Change) -> Json | None:
    client = azure.authorization(ResourceId.parse(change.resource).subscription)
    with absent_is_fine():
        return rest(await client.role_assignments.get_by_id(change.resource))
    return None


async def _through(azure: "Azure", person: str, grant: Json) -> bool:
    """Whether that person has his rights by an assignment: then his word on it does not count."""
    if str(grant.get("principalType")) != "Group":
        return bool(grant["principalId"].lower() == person.lower())
    path = f"/users/{segment(person)}/checkMemberGroups"
    return bool((await azure.graph("POST", path, body={"groupIds": [grant["principalId"]]}))["value"])


def _essence(item: Json) -> Json:
    return {name: item["properties"][name] for name in _KEPT if item["properties"].get(name) is not None}


def _last(path: str) -> str:
    return path.lower().rsplit("/", 1)[-1]
