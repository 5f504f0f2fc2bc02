"""Whatever is done to a payload: values or a refusal come of it, in time that is in proportion to its size."""

import contextlib
import copy
import json
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from responders.alerts import Reference, parse
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Alert, Ignored
from tests.responders.alerts.fixtures import FOLDER, ID, LINK, VM, rest

JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, [], {}, [[]], [None], {"": ""}, {"value": "x"}, {"$ref": "1"}, {"$id": "1"}),
    *("", "x", "2", "null", "NaN", "\u0000", "[", "{", '{"a":', "[[[[", "é" * 300, "\U0001f600", "A" * 5000),
    *("/", "//", "/subscriptions/", "https://", "https://[::1", "::1", "SIMULATED_", "ARM_x", "VM_x"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999+14:00", ID, VM, LINK),
)


def mutated(node: Any, chance: random.Random) -> Any:
    """The same document with a few values, keys and types changed."""
    if chance.random() < 0.02:
        return copy.deepcopy(chance.choice(JUNK))
    if isinstance(node, dict):
        items = [(key, mutated(value, chance)) for key, value in node.items() if chance.random() > 0.02]
        if items and chance.random() < 0.1:
            key, value = chance.choice(items)
            items.append(
                (chance.choice([key.upper(), key.lower(), "$ref", "$id", "kind", "type", "id", "data"]), value)
            )
        return dict(items)
    if isinstance(node, list):
        return [mutated(value, chance) for value in node if chance.random() > 0.02] * chance.choice([1, 1, 1, 2])
    return node


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_mutated_payloads_give_values_or_permanent(path: Any) -> None:
    original = json.loads(path.read_bytes())
    chance = random.Random(path.stem)  # noqa: S311
    for _ in range(150):
        body = mutated(original, chance)
        text = json.dumps(body)
        at = chance.randrange(len(text) + 1)
        for candidate in (body, text, text[:at], text[:at] + chance.choice('"{}[],:\\0') + text[at:]):
            try:
                found = parse(candidate)
            except Permanent:
                continue
            assert found
            for arrival in found:
                well_formed(arrival)


def well_formed(arrival: object) -> None:
    """What is emitted is strict, whatever came in."""
    assert isinstance(arrival, Alert | Reference | Ignored)
    if isinstance(arrival, Ignored):
        assert arrival.reason
        return
    if arrival.id:
        assert ResourceId.parse(arrival.id).is_type("Microsoft.Security/locations/alerts")
    if isinstance(arrival, Alert):
        assert arrival.name
        assert arrival.start <= arrival.end
        assert arrival.link.startswith("https://") or not arrival.link
        assert all(ResourceId.parse(resource) for resource in arrival.resources)
        assert all(actor.id or actor.upn or actor.name for actor in arrival.actors)
        assert all(isinstance(text, str) for text in arrival.details.values())


def steps(body: object) -> int:
    """How many functions are called for a body: it is the same on any machine, however busy."""
    count = 0

    def tick(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(tick)
    try:
        with contextlib.suppress(Permanent):
            parse(body)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "body",
    [
        lambda n: rest(entities=[{"$id": str(k), "$ref": str(k + 1)} for k in range(n)]),
        lambda n: rest(
            entities=[{"type": "account", "aadUserId": f"{k:08x}-0000-4000-8000-000000000000"} for k in range(n)]
        ),
        lambda n: rest(entities=[{"type": "account", "name": f"user {k}"} for k in range(n)]),
        lambda n: {"value": [{"$ref": "1"}] * n},
        lambda n: [[]] * n,
        lambda n: {str(k): "[" for k in range(n)},
    ],
    ids=["chain of references", "accounts", "names", "dangling references", "empty lists", "broken JSON"],
)
def test_work_stays_in_proportion_to_size(body: Callable[[int], object]) -> None:
    assert steps(body(4_000)) < 5 * steps(body(1_000))


@pytest.mark.parametrize(
    "body",
    [
        rest(extendedProperties={"A" * 200_000: "x", "a" * 200_000: " " * 200_000}),
        rest(alertDisplayName=" " * 400_000 + "x", alertUri="https://portal.azure.com/" + "/" * 400_000),
        {"a": '"' * 500_000},
    ],
    ids=["keys", "blanks and slashes", "quotes"],
)
def test_long_texts_take_few_steps(body: object) -> None:
    assert steps(body) < 10_000
