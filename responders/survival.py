"""No tenant may shut itself out: somebody stays Global Administrator, and somebody Owner of each subscription.

Suspects don't count as those who stay, since their accounts are ended side by side. Where there are only suspects, the
first of them by object id keeps what he has, and a person has to see to it.

What a suspect gave in the window is no door of anybody here, or who plants an Owner could not be got rid of where the
only other one is he whose account was stolen: it goes as long as somebody has that role besides, suspect or disabled.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from responders import people
from responders.azure import absent_is_fine, odata, rest
from responders.claims import Claim, Claims
from responders.ids import GLOBAL_ADMINISTRATOR, OWNER
from responders.memo import Memo
from responders.model import Case, Change, Plan

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.people import Person

PERMISSIONS = ("Directory.Read.All", "User.Read.All", "Microsoft.Authorization/roleAssignments/read")

_GLOBAL = "Global Administrator"
_DISABLING = "users.disable"
# Actions that take from somebody all that he holds.
_ENDING = frozenset({"users.delete", "guests.remove"})
_STRIPPING = "users.strip_directory_roles"
_STRIPPING_AZURE = frozenset(
    {
        "subscriptions.strip_role_assignments",
        "subscriptions.strip_inherited_assignments",
        "subscriptions.remove_eligible_roles",
    }
)
# What plans read: their changes are checked side by side. What is about to be made is checked by `take`.
_holders = Memo[frozenset[str]](20)


async def last(case: Case, change: Change, azure: "Azure", beside: Collection[Change] = ()) -> str:
    """Why nobody would be left who can let the others in again, if this change were made; "" when somebody is.

    `beside`: the changes of its plan. Whoever loses the same by one of them does not count as one who stays.
    """
    return await _last(case, change, azure, beside, {})


async def take(
    case: Case, change: Change, azure: "Azure", beside: Collection[Change], claims: Claims, key: str, at: datetime
) -> tuple[str, Claim | None]:
    """The same for a change that is about to be made, and the claim to release if it then is not.

    Other incidents and other workers may be at it too. Whoever holds a door claims it before Azure is read anew, so
    that of any two who take from it one knows of the other. `key`: the same one when the change is tried again.
    """
    doors = _doors(change, azure.settings.subscriptions)
    whose = await _whose(azure, change) if doors else frozenset()
    # Most hold nothing, and for that what plans have read just now is good enough.
    held = [door for door in doors if whose & await _holding(azure, door)]
    if not held:
        return "", None
    if why := await _last(case, change, azure, beside, {}, fresh=True):
        return why, None
    claim = await claims.make(key, [*held, *map(_assigned, held)] if _strips_azure(change) else held, whose, at)
    if why := await _last(case, change, azure, beside, claim.gone, fresh=True):
        await claims.release(claim, at)
        return f"{why}, or wait for the incident that is taking it from the others", None
    return "", claim


async def give_back(change: Change, azure: "Azure", claims: Claims, incident: str, at: datetime) -> None:
    """A change was undone: who lost a door by it counts again, as Azure shows him."""
    if _doors(change, azure.settings.subscriptions):
        await claims.release_all(incident, change.id, at)


async def withhold(case: Case, plan: Plan, azure: "Azure") -> Plan:
    """The plan without changes that would leave nobody; a person has to see to them."""
    reasons = {change.id: await last(case, change, azure, plan.changes) for change in plan.changes}
    if not any(reasons.values()):
        return plan
    left = tuple(f"{c.summary}: withheld, since {reasons[c.id]}." for c in plan.changes if reasons[c.id])
    changes = tuple(c for c in plan.changes if not reasons[c.id])
    reason = plan.reason or ("" if changes else "What would be changed is what keeps the door open.")
    return replace(plan, changes=changes, reason=reason, by_hand=(*plan.by_hand, *left))


async def _last(
    case: Case,
    change: Change,
    azure: "Azure",
    beside: Collection[Change],
    gone: Mapping[str, frozenset[str]],
    *,
    fresh: bool = False,
) -> str:
    guarded = azure.settings.subscriptions
    for door in _doors(change, guarded):
        whose = await _whose(azure, change, fresh=fresh)
        others = [await _whose(azure, other) for other in beside if door in _doors(other, guarded)]
        planted = _strips_azure(change) and change.familiarity == "unfamiliar"
        holders = await _holding(azure, door, fresh=fresh, disabled=planted)
        holders -= gone.get(_assigned(door) if planted else door, frozenset())
        going = frozenset[str](() if planted else {s.id.lower() for s in case.suspects}).union(whose, *others)
        if _is_last(whose, going, holders):
            what = f"no other {_GLOBAL} is enabled" if door == _GLOBAL else f"subscription {door} has no other Owner"
            who = "" if planted else " who is no suspect"
            return f"{what}{who}: give somebody else that role first"
    return ""


def _strips_azure(change: Change) -> bool:
    return change.action in _STRIPPING_AZURE


def _assigned(door: str) -> str:
    """The name by which the assignments are claimed, which a disabled account keeps."""
    return f"{door} assigned"


def _doors(change: Change, guarded: tuple[str, ...]) -> tuple[str, ...]:
    """What it takes from somebody: being a Global Administrator, and being an Owner of these subscriptions."""
    if change.action == _DISABLING:
        return (_GLOBAL,)  # of whom one stays: he lets an Owner sign in again, who keeps his role meanwhile
    if change.action in _ENDING:
        return _GLOBAL, *guarded
    if change.action == _STRIPPING:
        before = change.before
        return (_GLOBAL,) if (before["roleDefinitionId"], before["kind"]) == (GLOBAL_ADMINISTRATOR, "active") else ()
    return _owned(change, guarded) if _strips_azure(change) else ()


async def _whose(azure: "Azure", change: Change, *, fresh: bool = False) -> frozenset[str]:
    """Who loses it: what a group loses, all of it lose."""
    who = change.principals[0].lower()
    if (change.before.get("properties") or {}).get("principalType") != "Group":
        return frozenset({who})

    async def read() -> frozenset[str]:
        return await _enabled(azure, {who})

    return await _kept(azure, who, read, fresh=fresh) | {who}


def _is_last(whose: frozenset[str], going: frozenset[str], holders: frozenset[str]) -> bool:
    """Whether these are the last among the holders, and the first of those among them who have to go."""
    lost = whose & holders
    return bool(lost) and not holders - going and min(going & holders) in lost


def _owned(change: Change, guarded: tuple[str, ...]) -> tuple[str, ...]:
    """The subscriptions that what is taken away makes somebody Owner of: its own, or all beneath what lies above."""
    properties = change.before["properties"]
    head, _, subscription = str(properties["scope"]).lower().rpartition("/")
    owner = str(properties["roleDefinitionId"]).lower().endswith(OWNER)
    if not owner or change.before.get("kind") == "eligible":
        return ()
    if head == "/subscriptions":
        return (subscription,)
    return guarded if not head.startswith("/subscriptions/") else ()


async def _holding(azure: "Azure", door: str, *, fresh: bool = False, disabled: bool = False) -> frozenset[str]:
    """Who can let others in by it, or could if he was enabled."""

    async def read() -> frozenset[str]:
        return await (_administrators(azure) if door == _GLOBAL else _owners(azure, door, disabled=disabled))

    return await _kept(azure, f"{door} {disabled}", read, fresh=fresh)


async def _kept(
    azure: "Azure", asked: str, read: Callable[[], Awaitable[frozenset[str]]], *, fresh: bool
) -> frozenset[str]:
    return await (read() if fresh else _holders.get(azure, asked, read))


async def _administrators(azure: "Azure") -> frozenset[str]:
    """Enabled users who are Global Administrators, also by way of a group.

    GET /roleManagement/directory/roleAssignments.
    """
    query = {"$filter": f"roleDefinitionId eq {odata(GLOBAL_ADMINISTRATOR)}"}
    pages = azure.graph_pages("/roleManagement/directory/roleAssignments", query)
    return await _enabled(azure, {a["principalId"] async for a in pages if a["directoryScopeId"] == "/"})


async def _owners(azure: "Azure", subscription: str, *, disabled: bool) -> frozenset[str]:
    """Enabled users who are Owners of a subscription, there or above, and applications that are; or disabled ones."""
    found: dict[str, set[str]] = {}
    client = azure.authorization(subscription)
    with absent_is_fine():  # a subscription that is gone has no door
        async for model in client.role_assignments.list_for_subscription(filter="atScope()"):
            properties = rest(model)["properties"]
            if str(properties["roleDefinitionId"]).lower().endswith(OWNER):
                found.setdefault(str(properties.get("principalType")), set()).add(properties["principalId"])
    applications = found.pop("ServicePrincipal", set())
    return frozenset(applications) | await _enabled(azure, set[str]().union(*found.values()), disabled=disabled)


async def _enabled(azure: "Azure", ids: set[str], *, disabled: bool = False) -> frozenset[str]:
    """The enabled users among these ids, and in the groups among them; disabled ones among the ids, if asked for."""
    wanted = sorted(id_.lower() for id_ in ids)
    users: dict[str, Person | None] = {}
    for start in range(0, len(wanted), people.AT_ONCE):
        users |= await people.with_ids(azure, wanted[start : start + people.AT_ONCE])
    found = {id_ for id_, person in users.items() if person or disabled}
    for group in set(wanted) - set(users):
        found |= {p.id for p in await people.members(azure, group)}
    return frozenset(found)
