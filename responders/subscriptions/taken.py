"""Role assignments that suspects took away from others: what they were, and what people call them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from responders.ids import ResourceId
from responders.model import Json, Verdict
from responders.subscriptions import assignments
from responders.subscriptions.former import Former
from responders.subscriptions.guards import Kind

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("Microsoft.Authorization/roleDefinitions/read", "Directory.Read.All")


def shaped(kind: Kind, was: Former) -> Former:
    """The same with that alone which people write of such a kind, in Azure's spelling: the log has other ones."""
    if not kind.taken or was.body is None:
        return was
    given = _small(_small(was.body).get("properties"))
    body = {name: given[name.lower()] for name in kind.taken if given.get(name.lower()) is not None}
    return structs.replace(was, body={"properties": body}, theirs={})


def holder(body: Json | None) -> str:
    """To whom a thing gives rights, by object id; "" for none."""
    return str(((body or {}).get("properties") or {}).get("principalId") or "")


async def labels(azure: "Azure", subscription: str, gone: Mapping[ResourceId, tuple[Json, Verdict]]) -> dict[str, str]:
    """By id: the role that each gave, and to whom on what."""
    kept = tuple(
        ({"id": id_.text, "properties": {**body["properties"], "scope": id_.scope}}, verdict)
        for id_, (body, verdict) in gone.items()
        if holder(body)
    )
    judged = assignments.Judged(doubtful=(), kept=kept)
    return (await assignments.describe("", judged, subscription, azure)).labels


def _small(value: object) -> Json:
    return {name.lower(): inner for name, inner in value.items()} if isinstance(value, dict) else {}
