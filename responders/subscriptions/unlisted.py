"""What suspects wrote and no list of a subscription shows: what lies beneath resources, and what hangs on them.

Resource Manager lists what has a location. A rule of a bus, a peering of a network, a record of a zone, a user of a
store or a role inside a database has none: that it is there, only the log of the suspects' writes tells.
"""

import asyncio
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.azure import explained
from responders.errors import Permanent
from responders.ids import ResourceId, within
from responders.model import Case, Finding, Json
from responders.subscriptions import definition, former, inventory
from responders.subscriptions.inventory import Found
from responders.subscriptions.resource_types import whose

if TYPE_CHECKING:
    from responders.azure import Azure


class Seen(Struct):
    """What was found, and why the rest could not be read."""

    found: list[Found]
    kept: list[str]


async def found(
    case: Case, azure: "Azure", subscription: str, listed: Collection[str], own: Collection[str], others: frozenset[str]
) -> Seen:
    """What the suspects made in the window, or perhaps made, and is there still.

    `listed`: what the list has, in lower case; `own`: what of it is perhaps to go, with what is in it. `others`: types,
    in lower case, that other steps see to.
    """
    room, at, seen = asyncio.Semaphore(inventory.AT_ONCE), datetime.now(UTC), Seen([], [])

    async def look(id_: ResourceId, deed: Finding) -> None:
        async with room:
            try:
                with explained(f"reading {id_.text}"):
                    body = await inventory.read(azure, id_.text, await inventory.version(azure, id_))
                    made = body and await _made(case, azure, id_, deed, body, at)
            except Permanent as error:
                # Settings of some types can be written and not read: whoever closes the incident signs for them.
                seen.kept.append(f"{id_.text}: written by the suspect; what it is now can't be read: {error}")
                return
        if body is None or not made:
            return
        seen.found.append(
            Found(id=id_, type=str(body.get("type") or id_.type), made=made.at, tags=body.get("tags") or {})
        )

    wrote = ((id_, deeds[0]) for id_, deeds in written(case, subscription, others))
    away = [(i, deed) for i, deed in wrote if i.key not in listed and not any(within(i.key, key) for key in own)]
    await asyncio.gather(*(look(id_, deed) for id_, deed in away))
    seen.found.sort(key=lambda item: item.key)
    seen.kept.sort()
    return seen


class _Made(Struct, frozen=True):
    at: datetime | None  # None: whether it was made in the window at all, nobody can tell


def written(case: Case, subscription: str, others: frozenset[str]) -> Iterator[tuple[ResourceId, list[Finding]]]:
    """The writes of suspects to each thing itself that is no other step's business, the first of them first."""
    found: dict[str, tuple[ResourceId, list[Finding]]] = {}
    for deed in sorted(case.findings, key=lambda f: f.at):
        kind, _, verb = deed.operation.lower().rpartition("/")
        if not deed.is_deed or verb != "write" or kind in others or whose(kind):
            continue
        id_ = ResourceId.read(deed.resource)
        if id_ and id_.subscription == subscription.lower() and id_.type.lower() == kind:
            found.setdefault(id_.key, (id_, []))[1].append(deed)
    yield from found.values()


async def _made(case: Case, azure: "Azure", id_: ResourceId, deed: Finding, body: Json, at: datetime) -> _Made | None:
    """When it was made; None where it was there before the window."""
    if made := definition.made_at(body):
        return _Made(made) if made >= case.since else None
    was = await former.of(case, azure, id_.subscription, id_.text, at)
    if not was.known:
        return _Made(None) if not was.before else None
    return _Made(deed.at) if was.body is None else None
