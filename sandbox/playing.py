"""Makes the calls of an exercise's history and attack: public REST calls, each as somebody, each at its own time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.azure import Sandbox, operations
from sandbox.people import People
from sandbox.scene import Scene
from sandbox.thief import Thief

Tell = Callable[[str, dict[str, Any]], None]


def nothing(_event: str, _what: dict[str, Any]) -> None:
    """Tell nobody."""


async def play(
    scene: Scene,
    sandbox: Sandbox,
    people: People,
    tell: Tell = nothing,
    thief: Thief | None = None,
    innocent: Callable[[], None] | None = None,
) -> None:
    """Make the calls of history and attack, in the order of time, each at its own time. Raises Unexpected.

    The thief is told what the attack was answered. `innocent` is called before the first call of the attack.
    """
    exercise = scene.exercise
    calls = [
        *((call, f"history of {exercise.world}[{n}]") for n, call in enumerate(scene.world.history)),
        *((call, _where(scene, "history", n)) for n, call in enumerate(exercise.history)),
        *((call, _where(scene, "attack", n)) for n, call in enumerate(exercise.attack)),
    ]
    last = datetime.min.replace(tzinfo=UTC)
    for call, where in sorted(calls, key=lambda pair: pair[0].at):
        sandbox.clock.set(max(scene.now + call.at, last))
        if innocent and "attack[" in where:
            innocent()
            innocent = None
        tell("call", {"at": str(scene.now + call.at), "as": call.by, "method": call.method, "to": call.target})
        answer = await people.make(call, where)
        if thief and "attack[" in where:
            thief.note(call, answer)
        operations.settle(sandbox.world, sandbox.clock)  # what it began is done long before the next
        last = sandbox.clock.now()  # of two calls at one time, the second comes later
    sandbox.clock.set(datetime.now(UTC))  # the host's time, too


def _where(scene: Scene, part: str, index: int) -> str:
    return f"{scene.file}:{scene.lines[f'{part}[{index}]']}: {part}[{index}]"
