import asyncio
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from responders.azure import fine, odata
from responders.ids import ResourceId
from responders.model import Change, Json, Plan, Undoes
from responders.subscriptions import assignments
from responders.subscriptions.strip_role_assignments import StripRoleAssignments

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_CHANGING = ("Microsoft.Authorization/roleAssignments/delete", "Microsoft.Authorization/roleAssignments/write")
_ROOT = "/"


class StripInheritedAssignments(StripRoleAssignments):
    """Delete the role assignments that a suspect made in the window above the subscription: at management groups, at /.

    User Access Administrator at / is what elevateAccess gives a Global Administrator. As
    subscriptions.strip_role_assignments; but what is taken away up there ends in every subscription beneath. Where the
    responder's identity may change no assignments, the command and who can run it are said instead.
    Microsoft.Authorization/roleAssignments, api-version 2022-04-01.
    """

    id = "subscriptions.strip_inherited_assignments"
    undoes = Undoes(operations=StripRoleAssignments.undoes.operations, events="elevations")
    permissions = (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleDefinitions/read",
        "Directory.Read.All",
    )

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        judged = await assignments.judge(case, subject, azure, above=True)
        if not judged.doubtful and not judged.kept:
            reason = "The suspects neither made nor hold assignments that the subscription inherits."
            return Plan(action=self.id, subject=subject, reason=reason)
        scopes = {str(item["properties"]["scope"]) for item, _ in judged.doubtful}
        found, held = await asyncio.gather(
            assignments.describe(self.id, judged, subject.id, azure), _held(azure, scopes)
        )
        ours = {scope for scope, items in held.items() if _changeable(items, found.roles)}
        changes, kept, by_hand = list[Change](), list(found.kept), list[str]()
        for change in found.changes:
            label, scope = found.labels[change.resource], str(change.before["properties"]["scope"])
            if scope in ours:
                changes.append(
                    assignments.because(
                        change,
                        f"it is inherited from {_place(scope)}, with all beneath it",
                        elevations=assignments.elevations(case, change.before),
                    )
                )
            elif change.familiarity == "unfamiliar":
                by_hand.append(f"{label} ({'; '.join(change.reasons)}): {_way_out(change)}")
            else:
                kept.append(f"{label}: {'; '.join(change.reasons)}. If it is not known to be good: {_way_out(change)}")
        reason = (
            "" if changes else "No inherited assignment was made by a suspect in the window, or none can be changed."
        )
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )


async def _held(azure: "Azure", scopes: Iterable[str]) -> dict[str, list[Json]]:
    """Our own role assignments by scope: at each of these, and above it."""
    only = {"$filter": f"atScope() and assignedTo({odata(await azure.own_id())})"}

    async def held(scope: str) -> list[Json]:
        with fine("AuthorizationFailed"):  # whoever may not even read there has nothing there
            path = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments"
            return [item async for item in azure.arm_pages(path, "2022-04-01", only)]
        return []

    asked = sorted(scopes)
    return dict(zip(asked, await asyncio.gather(*map(held, asked)), strict=True))


def _changeable(held: Iterable[Json], roles: dict[str, Json]) -> bool:
    """Whether one of the assignments that we hold changes role assignments."""
    given = (roles.get(assignments.role(item["properties"]), {}) for item in held)
    return any(assignments.allows(role.get("permissions") or (), _CHANGING) for role in given)


def _way_out(change: Change) -> str:
    """What a person has to run, and who can. Only ids are in the command."""
    properties = change.before["properties"]
    scope = str(properties["scope"])
    where = scope if scope == _ROOT else ResourceId.parse(scope).text
    words = {"assignee": properties["principalId"], "role": assignments.role(properties), "scope": where}
    command = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in words.items())
    return (
        f"the responder's identity may change no role assignments at {_place(scope)}. {_who(scope)} runs: az role "
        f"assignment delete {command}"
    )


def _place(scope: str) -> str:
    return "the root (/)" if scope == _ROOT else f"the management group {ResourceId.parse(scope).name}"


def _who(scope: str) -> str:
    if scope == _ROOT:
        return "A Global Administrator who took access to all subscriptions (elevateAccess, and gives it up afterwards)"
    return "An Owner or User Access Administrator of it"
