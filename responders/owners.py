"""Whom to ask, and why him: the first source that names anybody who may be asked decides.

In order: tags, who usually deploys it, who owns the subscription by role, Defender's security contacts, the settings.
Never a suspect, nor anyone whom a suspect made in the window or gave rights, by a group too: "expected" ends an
incident, so whoever an intruder could name must not be the one to say it. For the same reason a tag that a suspect
wrote does not count.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import activity_log, directory, people
from responders.azure import explained, odata, segment
from responders.errors import Permanent
from responders.ids import OWNER, ResourceId
from responders.model import Case, Json
from responders.people import Person
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.settings import Settings

PERMISSIONS = (
    "AuditLog.Read.All",
    "Microsoft.Authorization/roleAssignments/read",
    *activity_log.PERMISSIONS,
    "Microsoft.Resources/tags/read",
    "Microsoft.Security/securityContacts/read",
    *people.PERMISSIONS,
)
MOST = 10  # people who are asked
_RESOURCES, _NAMES, _GROUPS, _EVENTS = 3, 5, 5, 2000  # looked at: of an alert, of a tag, of a role, of the log
_SHOWN = 100  # members of a group that are looked at
_CHECKED = 20  # groups that Graph compares with a person's in one call
_HELPING = frozenset(
    {
        "add user",
        "invite external user",
        "reset user password",
        "add member to group",
        "add owner to group",
        "add member to role",
    }
)
_KEPT, _HABIT = timedelta(days=89), timedelta(days=30)  # what the Activity Log keeps; what of it tells of a habit
_OWN_DOINGS = "resourceProvider eq 'Microsoft.Resources'"  # of a subscription: its tags, groups and deployments
_ROLES = {
    "owner": OWNER,
    "contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
}


class Owner(Struct, frozen=True, kw_only=True):
    """Somebody who is asked."""

    person: Person
    why: str  # "named by the tag owner of resource group rg-web"


class Found(Struct, frozen=True, kw_only=True):
    """Who is asked, and what else is to be told: who was passed over, what could not be read."""

    owners: tuple[Owner, ...] = ()
    notes: tuple[str, ...] = ()
    given: tuple[Json, ...] = ()  # the role assignments that suspects made in the window: id and properties, as one


async def find(azure: "Azure", case: Case, settings: "Settings") -> Found:
    """Whom to ask. A source that refuses to be read is noted and passed over; raises Temporary for what may pass."""
    return await _Search(azure, case, settings).run()


class _Search:
    def __init__(self, azure: "Azure", case: Case, settings: "Settings") -> None:
        self._azure, self._case, self._settings = azure, case, settings
        self._subscription = f"/subscriptions/{case.subscription}"
        self._grants: list[Json] = []  # every role assignment at, above and below the subscription
        self._helped: set[str] = set()  # whom suspects made, took over or put into a group or role: object ids
        self._scopes = _scopes(case)
        self._notes: list[str] = []

    async def run(self) -> Found:
        await self._noted("reading the role assignments", self._read_grants)
        await self._noted("reading Entra's audit log", self._read_helped)
        sources = {
            "reading tags": self._tags,
            "reading who deploys it": self._deployers,
            "reading the owners by role": self._role_owners,
            "reading Defender's security contacts": self._contacts,
            "looking up who is named in the settings": self._fallback,
        }
        found: list[Owner] = []
        for doing, source in sources.items():
            found = await self._noted(doing, source) or []
            if found:
                break
        given = tuple(grant for grant in self._grants if self._theirs(grant))
        return Found(owners=tuple(found[:MOST]), notes=tuple(dict.fromkeys(self._notes)), given=given)

    async def _noted(self, doing: str, source: "Callable[[], Awaitable[list[Owner] | None]]") -> "list[Owner] | None":
        try:
            with explained(doing):
                return await source()
        except Permanent as error:
            self._notes.append(str(error))
            return None

    # -- sources -------------------------------------------------------------------------------------------------------

    async def _tags(self) -> list[Owner]:
        for scope in self._scopes:
            path = f"{scope}/providers/Microsoft.Resources/tags/default"
            answer = await self._azure.arm_read(path, "2021-04-01") or {"properties": {}}
            tags = {k.lower(): v for k, v in (answer["properties"].get("tags") or {}).items()}
            for tag in self._settings.owner_tags:
                names = tags.get(tag.lower(), "").replace(";", ",").split(",")
                found = await self._named(names, f"named by the tag {tag} of {_spoken(scope)}")
                doubt = await self._doubt(scope) if found else ""
                if doubt:
                    self._notes.append(f"The tag {tag} of {_spoken(scope)} was not believed: {doubt}.")
                elif found:
                    return found
        return []

    async def _deployers(self) -> list[Owner]:
        """Who wrote there most often in the month before the window: a person, and more than once."""
        scope, since = self._scopes[0], self._case.since
        resource, writers, seen = ResourceId.parse(scope), Counter[str](), 0
        if not resource.group:
            return []  # the log can't be filtered to what is deployed to a subscription
        which = f"resourceUri eq {odata(scope)}" if resource.type else f"resourceGroupName eq {odata(resource.group)}"
        async for event in self._events(which, since - _HABIT, since):
            seen += 1
            wrote = activity_log.value(event, "operationName").lower().endswith("/write")
            done = activity_log.succeeded(event)
            if wrote and done and "@" in (event.get("caller") or ""):
                writers[event["caller"].lower()] += 1
            if seen == _EVENTS:
                break  # the latest are enough to tell
        for name, times in writers.most_common(_NAMES):
            why = f"wrote to {_spoken(scope)} {times} times in the month before"
            if times > 1 and (found := await self._named([name], why)):
                return found
        return []

    async def _role_owners(self) -> list[Owner]:
        return await self._holders("owner", "has the role Owner")

    async def _contacts(self) -> list[Owner]:
        path = f"{self._subscription}/providers/Microsoft.Security/securityContacts"
        async for contact in self._azure.arm_pages(path, "2023-12-01-preview"):
            said = contact["properties"]
            if said.get("isEnabled") is False:
                continue
            names = str(said.get("emails") or "").replace(",", ";").split(";")
            if found := await self._named(names, "is a security contact of Defender for Cloud"):
                return found
            by_role = said.get("notificationsByRole") or {}
            for role in by_role.get("roles") or () if by_role.get("state") == "On" else ():
                why = f"has the role {role}, which Defender for Cloud notifies"
                if role.lower() in _ROLES and (found := await self._holders(role.lower(), why)):
                    return found
        return []

    async def _fallback(self) -> list[Owner]:
        return await self._named(self._settings.owners, "named by COUNTERSIGN_OWNERS")

    # -- people --------------------------------------------------------------------------------------------------------

    async def _named(self, names: Iterable[str], why: str) -> list[Owner]:
        wanted = [name.strip() for name in names if name.strip()][:_NAMES]
        found = [await people.named(self._azure, name) for name in wanted]
        return await self._allowed([person for person in found if person], why)

    async def _holders(self, role: str, why: str) -> list[Owner]:
        """Who holds a role on the subscription itself; if nobody, who holds it above."""
        held = [
            g for g in self._grants if str(g["roleDefinitionId"]).lower().endswith(_ROLES[role]) and not self._theirs(g)
        ]
        own = self._subscription.lower()
        here = [g for g in held if g["scope"].lower() == own]
        above = [g for g in held if not g["scope"].lower().startswith("/subscriptions/")]
        for level, where in ((here, "on the subscription"), (above, "above the subscription")):
            users = [g["principalId"] for g in level if g.get("principalType") == "User"]
            found = [p for p in (await people.with_ids(self._azure, users[: people.AT_ONCE])).values() if p]
            groups = [g["principalId"] for g in level if g.get("principalType") == "Group"][:_GROUPS]
            for group in groups if len(found) < MOST else ():
                found += await people.members(self._azure, group, _SHOWN)
            if allowed := await self._allowed({p.id: p for p in found}.values(), f"{why} {where}"):
                return allowed
        return []

    async def _allowed(self, found: Iterable[Person], why: str) -> list[Owner]:
        theirs = [g for g in self._grants if self._theirs(g)]
        given = {str(g["principalId"]).lower() for g in theirs}
        groups = sorted({str(g["principalId"]) for g in theirs if g.get("principalType") == "Group"})[:_CHECKED]
        allowed: list[Owner] = []
        for person in found:
            if self._case.suspect(person.id) or self._case.suspect(person.name):
                self._notes.append(f"{person.name}, {why}, is a suspect and was not asked.")
            elif person.id in given | self._helped or (groups and await self._is_in(person, groups)):
                self._notes.append(f"{person.name}, {why}, has rights from a suspect and was not asked.")
            else:
                allowed.append(Owner(person=person, why=why))
        return allowed

    async def _is_in(self, person: Person, groups: list[str]) -> bool:
        path = f"/users/{segment(person.id)}/checkMemberGroups"
        return bool((await self._azure.graph("POST", path, body={"groupIds": groups}))["value"])

    # -- what suspects did ---------------------------------------------------------------------------------------------

    async def _read_grants(self) -> None:
        path = f"{self._subscription}/providers/Microsoft.Authorization/roleAssignments"
        self._grants = [
            {**item["properties"], "id": item["id"]} async for item in self._azure.arm_pages(path, "2022-04-01")
        ]

    async def _read_helped(self) -> None:
        for suspect in self._case.suspects:
            if not suspect.id or suspect.kind == "foreign":
                continue
            async for entry in directory.audits_by(self._azure, suspect, self._case.since):
                what = str(entry.get("activityDisplayName") or "").strip().lower()
                if what in _HELPING and entry.get("result") == "success":
                    self._helped |= {str(t.get("id") or "").lower() for t in entry.get("targetResources") or ()}

    def _theirs(self, grant: Json) -> bool:
        """Whether a suspect made that assignment in the window."""
        made = time_of(grant.get("createdOn"))
        return made is not None and made >= self._case.since and self._case.suspect(grant.get("createdBy")) is not None

    async def _doubt(self, scope: str) -> str:
        """Why the tags of that scope can't be believed: what suspects wrote, as far as the log shows it by now."""
        resource, seen = ResourceId.parse(scope), 0
        which = f"resourceGroupName eq {odata(resource.group)}" if resource.group else _OWN_DOINGS
        own = {scope.lower(), f"{scope.lower()}/providers/microsoft.resources/tags/default"}
        async for event in self._events(which, self._case.since, self._case.until):
            seen += 1
            wrote = activity_log.value(event, "operationName").lower().endswith("/write")
            suspect = self._case.suspect(event.get("caller")) or self._case.suspect(
                (event.get("claims") or {}).get(activity_log.OBJECT_ID)
            )
            if wrote and suspect and str(event.get("resourceId") or "").lower() in own:
                return "a suspect wrote there in the window"
            if seen == _EVENTS:
                return f"the log has more than {_EVENTS} events there, too many to see whether a suspect wrote it"
        return ""

    async def _events(self, which: str, since: datetime, until: datetime) -> AsyncIterator[Json]:
        """Events of the Activity Log, the newest first. `which` is one more property that the server filters by."""
        since = max(since, self._case.until - _KEPT)
        if since < until:
            async for event in activity_log.events(self._azure, self._case.subscription, since, until, which):
                yield event


def _scopes(case: Case) -> list[str]:
    """What the alert names, its groups, and the subscription: the narrowest first."""
    subscription = f"/subscriptions/{case.subscription}"
    scopes = []
    for text in case.alert.resources[:_RESOURCES]:
        resource = ResourceId.parse(text)
        if resource.subscription == case.subscription and resource.group:
            group = f"{subscription}/resourceGroups/{resource.group}"
            scopes += [resource.text, group] if resource.type else [group]
    return [*dict.fromkeys(scopes), subscription]


def _spoken(scope: str) -> str:
    resource = ResourceId.parse(scope)
    kind = "resource" if resource.type else "resource group" if resource.group else "subscription"
    return f"{kind} {resource.name}"
