"""Which of several resources has to be deleted before which: whoever uses something goes before it."""

from collections.abc import Iterator, Sequence

from responders.model import Json
from responders.subscriptions.definition import mentions
from responders.subscriptions.resource_types import LAYER

Unit = Sequence[Json]  # bodies of resources that are deleted together


def ordered(units: Sequence[Unit]) -> list[tuple[int, list[int]]]:
    """The places of units in the order of deletion, each with those that have to be gone before: all further up.

    In a circle of uses the order is that of the layers (resource_types.py), and what can't be kept is left out.
    """
    before = _before(units)
    done: dict[int, list[int]] = {}
    begun: set[int] = set()
    first = sorted(range(len(units)), key=lambda n: (_layer(units[n][0]), str(units[n][0]["id"]).lower()))
    place = {unit: n for n, unit in enumerate(first)}
    for start in first:
        stack: list[tuple[int, Iterator[int]]] = []
        if start not in begun:
            begun.add(start)
            stack.append((start, iter(sorted(before[start], key=place.__getitem__))))
        while stack:
            unit, rest = stack[-1]
            following = next((n for n in rest if n not in begun), None)
            if following is None:
                stack.pop()
                done[unit] = sorted(n for n in before[unit] if n in done)
            else:
                begun.add(following)
                stack.append((following, iter(sorted(before[following], key=place.__getitem__))))
    return list(done.items())


def _before(units: Sequence[Unit]) -> list[set[int]]:
    """For each unit those that use it."""
    home = {str(body["id"]).lower(): (n, body) for n, unit in enumerate(units) for body in unit}
    named: dict[str, set[str]] = {}
    for key, (_, body) in home.items():
        own = {name: value for name, value in body.items() if name != "managedBy"}
        named.setdefault(key, set()).update(
            found for id_ in mentions(own) if (found := _within(id_, home)) and found != key
        )
        # What manages something uses it: of the disks of a scale set's instances nothing else tells.
        if (manager := _within(str(body.get("managedBy") or "").lower(), home)) and manager != key:
            named.setdefault(manager, set()).add(key)
    before: list[set[int]] = [set() for _ in units]
    for user, used in named.items():
        for thing in used:
            (n, one), (m, other) = home[user], home[thing]
            mutual = user in named[thing]
            if n != m and (not mutual or _layer(one) < _layer(other)):
                before[m].add(n)
    return before


def _within(id_: str, home: dict[str, tuple[int, Json]]) -> str:
    """Of the ids in `home` that which an id is, or lies beneath; "" if there is none."""
    while id_ and id_ not in home:
        id_ = id_.rpartition("/")[0]
    return id_


def _layer(body: Json) -> int:
    return LAYER.get(str(body["type"]).lower(), 0)
