"""What an owner may say is known to him though the rest was not expected, and what his word does to the case."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from responders import directory
from responders.approvals import Answer
from responders.azure import explained
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Case, Json, Known

if TYPE_CHECKING:
    from responders.azure import Azure

MOST = 30  # things that a question lists


async def things(azure: "Azure", case: Case, given: Iterable[Json]) -> dict[str, str]:
    """What a question lists, in words by id: resources that the alerts name, rights that suspects gave, and to whom.

    Of each at most a few; by the API an owner may name others. Never a suspect, nor a whole subscription.
    """
    grants = [g for g in given if not case.suspect(g["principalId"])][: MOST // 2]
    ids = {str(g["principalId"]) for g in grants}
    try:
        with explained("looking up names"):
            names = await directory.names(azure, ids) if ids else {}
    except Permanent:
        names = {}  # they are only for show
    found = {r: f"the resource {r}" for a in (case.alert, *case.joined) for r in a.resources if _whole(r)}
    for grant in grants:
        who = names.get(grant["principalId"], grant["principalId"])
        found[grant["id"]] = f"the rights that {who} was given on {grant['scope']}"
        found[grant["principalId"]] = f"{who} itself"
    return dict(list(found.items())[:MOST])


def said(case: Case, answer: Answer | None) -> Case:
    """The case with what its owner said is known to him."""
    if answer is None or answer.expected:
        return case
    because = f"said so by {answer.by.name or answer.by.id}"
    told = tuple(Known(id=id_, because=because, by=answer.by.id) for id_ in answer.known)
    return case.having(known=(*case.known, *told))


def _whole(text: str) -> bool:
    """Whether an id names one resource."""
    return bool(ResourceId.parse(text).type)
