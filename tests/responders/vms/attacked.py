"""A machine of an exercise after the attack, for the tests of what is done to machines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from responders.action import Action
from responders.model import Change, Plan, Subject
from sandbox.azure import guest
from sandbox.azure.world import Resource
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked

Json = dict[str, Any]


@asynccontextmanager
async def opened(action: Action, exercise: str = "linux-implant", **settings: Any) -> AsyncIterator[Attacked]:
    """With the world of an exercise, and an identity that has the action's rights. `settings`: the responder's."""
    async with attacked(EXERCISES / f"{exercise}.yaml", action.permissions, before=action) as world:
        world.azure.settings = msgspec.structs.replace(world.azure.settings, **settings)
        yield world


def subject(world: Attacked, action: Action) -> Subject:
    (found,) = world.subjects(action)
    return found


async def planned(world: Attacked, action: Action) -> Plan:
    return await action.plan(world.case, subject(world, action), world.azure)


def machine(world: Attacked, action: Action) -> Resource:
    found = world.sandbox.world.get(subject(world, action).id)
    assert found
    return found


def inside(world: Attacked, action: Action) -> Json:
    """What is in the machine."""
    return guest.of(world.sandbox.world, machine(world, action))


def put(world: Attacked, id_: str, **properties: Any) -> None:
    """Change some properties of a resource, as somebody else would."""
    found = world.sandbox.world.get(id_)
    assert found
    world.sandbox.world.put(id_, {**found.body, "properties": {**found.properties, **properties}})


async def settled(world: Attacked, action: Action, change: Change) -> list[str]:
    """Apply and verify, as the engine does. Returns both statuses."""
    outcomes = [await world.until_settled(function, change) for function in (action.apply, action.verify)]
    return [outcome.status for outcome in outcomes]
