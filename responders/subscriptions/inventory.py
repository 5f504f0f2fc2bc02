"""What there is in a subscription, since when, and how to ask for it.

One list of Resource Manager has all resources with the times of their creation (Resource Graph is minutes late). Of
resource groups no list has that: Resource Graph's record of changes does.
"""

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import familiarity
from responders.azure import PATIENCE, explained, fine
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.memo import Memo
from responders.model import Case, Json, Verdict
from responders.subscriptions import resource_graph
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

VERSION = "2021-04-01"  # of Microsoft.Resources: the list, groups, providers
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
AT_ONCE = 50  # reads under way at a time; they wait for Azure's tokens by themselves
# It is a constant: nothing of an incident is ever in it.
_MADE_GROUPS = "resourcecontainerchanges | where properties.changeType == 'Create' | project id, properties"
_STABLE = re.compile(r"\d{4}-\d{2}-\d{2}")
MOST_EXPORTED = 200
_NOT_EXPORTED = ("ScopeLocked", "ExportTemplateTooManyResources", "ExportTemplateProviderError")
_providers = Memo[dict[str, list[str]]](600)


class Found(Struct, frozen=True, kw_only=True):
    """A resource of the list."""

    id: ResourceId
    type: str  # as Azure spells it
    made: datetime | None
    changed: datetime | None = None
    tags: dict[str, str] = {}

    @property
    def key(self) -> str:
        return self.id.key

    @property
    def head(self) -> Json:
        """What every definition begins with."""
        return {"id": self.id.text, "name": self.id.name, "type": self.type}


async def resources(azure: "Azure", subscription: str) -> tuple[list[Found], list[Json]]:
    """All resources of a subscription (GET /subscriptions/{id}/resources); apart, those with ids that can't be read.

    Some types take names with brackets or quotes in them. One of those must not keep all others from being looked at.
    """
    query = {"$expand": "createdTime,changedTime"}
    found, odd = list[Found](), list[Json]()
    async for entry in azure.arm_pages(f"/subscriptions/{subscription}/resources", VERSION, query):
        if (id_ := ResourceId.read(entry["id"])) is None:
            odd.append(entry)
            continue
        made, changed = time_of(entry.get("createdTime")), time_of(entry.get("changedTime"))
        found.append(Found(id=id_, type=entry["type"], made=made, changed=changed, tags=entry.get("tags") or {}))
    return found, odd


def of_window(case: Case, id_: str, made: datetime | None, changed: datetime | None) -> bool:
    """Whether something may be of the window: made in it, or written by a suspect or, who knows, by somebody.

    What has no time of its making is old where nothing changed it in the window, or where the log, which has every
    write of the window, has none of it. Where the log may lack some, nobody knows.
    """
    if case.wrote(id_) is not None:
        return True
    if made is None:
        late = changed is None or changed >= case.since
        return late and bool(case.gap(id_) or id_.lower() in case.makers)
    return made >= case.since


async def groups_made(azure: "Azure", subscription: str) -> dict[str, tuple[str, datetime]]:
    """Who made which resource group and when, as far as Resource Graph knows: two weeks back, minutes late."""
    made: dict[str, tuple[str, datetime]] = {}
    async for row in resource_graph.rows(azure, subscription, _MADE_GROUPS):
        properties = row["properties"]
        attributes = properties["changeAttributes"]
        at, by = datetime.fromisoformat(attributes["timestamp"]), str(attributes.get("changedBy") or "")
        key = str(properties["targetResourceId"]).lower()
        if key not in made or made[key][1] < at:  # it may have been deleted, and made again
            made[key] = by, at
    return made


async def version(azure: "Azure", id_: ResourceId) -> str:
    """The newest stable api-version of a type, by its provider's own list, or by that of the nearest parent type.

    GET /subscriptions/{id}/providers/{namespace}, once for all types of a namespace.
    """
    namespace, _, name = id_.type.partition("/")
    path = f"/subscriptions/{id_.subscription}/providers/{namespace}"

    async def read() -> dict[str, list[str]]:
        listed = (await azure.arm("GET", path, VERSION))["resourceTypes"]
        return {entry["resourceType"].lower(): entry["apiVersions"] for entry in listed}

    known = await _providers.get(azure, path.lower(), read)
    name = name.lower()
    while name and not known.get(name):
        name = name.rpartition("/")[0]
    if not name:
        raise Permanent(f"{namespace} lists no api-version for {id_.type}, so {id_.text} can't be read or deleted.")
    versions = sorted(known[name], reverse=True)
    return next((v for v in versions if _STABLE.fullmatch(v)), versions[0])


async def read(azure: "Azure", id_: str, version_: str) -> Json | None:
    """The whole definition of a resource; None when it is not there."""
    return await azure.arm_read(ResourceId.parse(id_).text, version_)


async def bodies(azure: "Azure", found: Iterable[Found]) -> tuple[dict[str, tuple[str, Json]], list[str]]:
    """Of each the api-version and the whole definition, by id in lower case. What is gone meanwhile is left out.

    And why those that can't be read can't: one of a strange type must not keep the others from being read.
    """
    room, refused = asyncio.Semaphore(AT_ONCE), list[str]()

    async def one(item: Found) -> tuple[str, str, Json | None]:
        async with room:
            try:
                with explained(f"reading {item.id.text}"):
                    known = await version(azure, item.id)
                    body = await read(azure, item.id.text, known)
                    # Some providers leave out of their answer what was asked for.
                    return item.key, known, body and {**item.head, **body}
            except Permanent as error:
                refused.append(str(error))
                return item.key, "", None

    answers = await asyncio.gather(*(one(item) for item in found))
    return {key: (known, body) for key, known, body in answers if body is not None}, sorted(refused)


async def export(azure: "Azure", group: str, ids: list[str]) -> list[Json] | None:
    """The entries of a template of those resources of a group (["*"]: all) with what is in them.

    POST {group}/exportTemplate. None when Azure makes none: for too many resources, for a group that is locked for
    reading alone, or when it takes longer than a function should wait.
    """
    entries: list[Json] = []
    for start in range(0, len(ids), MOST_EXPORTED):
        options = "SkipAllParameterization"
        body = {"resources": ids[start : start + MOST_EXPORTED], "options": options}
        made = None
        with fine(*_NOT_EXPORTED):
            made = await azure.arm_result(f"{group}/exportTemplate", VERSION, body, wait=PATIENCE)
        if made is None:
            return None
        entries += (made.get("template") or {}).get("resources") or []
    return entries


def judge(case: Case, item: Found, by: str = "") -> Verdict:
    """Whether a resource is known good. `by`: whom Azure has as its maker, if the Activity Log has nobody."""
    deed, logged = case.wrote(item.key), case.makers.get(item.key)
    maker, made = None, item.made
    if deed and (logged is None or deed.at <= logged.at):
        maker = deed.caller
        # What an undo put back has our mark on it, and a later time: the log still knows who first made it.
        made = min(made, deed.at) if made else made
    elif logged is None:
        maker = by or None
        if made is None and not maker and (gap := case.gap(item.key)):
            return Verdict(familiarity="unknown", reasons=(f"Azure does not say when it was made, and {gap}",))
    made = made or (logged.at if logged else None)
    return familiarity.judge(case, maker, made, deed, thing=item.id.text, tags=item.tags)
