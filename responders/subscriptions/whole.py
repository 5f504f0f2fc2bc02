"""Whether all that suspects' writes changed of a resource is known: only then does putting it back undo the writes.

The Activity Log has one and the same operation for whatever a write changes. A setting that is put back must not
explain a write that changed something else.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from responders.model import Case, Finding, Json
from responders.subscriptions import bodies, definition
from responders.subscriptions.resource_types import made_by_azure

if TYPE_CHECKING:
    from responders.subscriptions.former import Former
    from responders.subscriptions.resource_graph import Recorded

_CLOCKS = timedelta(seconds=5)  # by which those of Resource Graph and of the Activity Log may differ


def theirs(case: Case, one: "Recorded") -> bool:
    """Whether a suspect made a change that Resource Graph has on record."""
    names = (one.by, *(p.id for p in case.suspects if p.app_id and p.app_id.lower() == one.by.lower()))
    return any(case.suspect(name, one.at) for name in names)


def besides(one: "Recorded", kind: str, paths: Iterable[str]) -> Json:
    """What a record has, by path, that lies at none of these paths; without what Azure changes by itself."""
    known = tuple(path.lower() for path in paths)
    return {
        path: said
        for path, said in one.changes.items()
        if not path.lower().startswith(known) and path.rpartition(".")[2] not in made_by_azure(kind)
    }


def told(changes: Json, most: int = 6) -> str:
    """What a record has, by path, for people: without secrets."""
    return "; ".join(
        f"{path} was {_shown(path, said.get('previousValue'))}, is {_shown(path, said.get('newValue'))}"
        for path, said in list(changes.items())[:most]
    )


def _shown(path: str, value: Any) -> str:
    name = path.rpartition(".")[2]
    return bodies.shown(definition.evidence({name: value})[name])


def by_record(
    case: Case, deeds: Sequence[Finding], recorded: Iterable["Recorded"], kind: str, paths: Sequence[str]
) -> list[str]:
    """Ids of the events of these deeds to a resource, if by Resource Graph they changed nothing but what is at paths.

    None of them where one has no record: Resource Graph is late, and it is not known what that one changed.
    """
    its = [one for one in recorded if (not one.by or theirs(case, one)) and besides(one, kind, ())]
    both = zip(sorted(deeds, key=lambda f: f.at, reverse=True), reversed(its), strict=False)
    late = len(its) < len(deeds) or any(one.at < deed.at - _CLOCKS for deed, one in both)
    if late or any(besides(one, kind, paths) for one in its):
        return []
    return [event for deed in deeds for event in deed.events]


def by_log(deeds: Sequence[Finding], was: "Former", paths: Sequence[str]) -> list[str]:
    """The same by the bodies of the log: of one write alone, which wrote all else as it was before."""
    rest = was.theirs
    for path in paths:
        rest = bodies.replaced(rest, bodies.path_of(path), None)
    same = was.body is not None and bodies.covers(was.body, rest)
    return list(deeds[0].events) if len(deeds) == 1 and same else []
