"""Makes the calls of an exercise's history and attack: public REST calls, each as somebody, each at its own time."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from sandbox.azure import Sandbox, operations
from sandbox.people import People
from sandbox.scene import Scene
from sandbox.thief import Thief

Tell = Callable[[str, dict[str, Any]], None]


def nothing(_event: str, _what: dict[str, Any]) -> None:
    """Tell nobody."""


def unwatched(_honest: bool) -> AbstractContextManager[None]:  # noqa: FBT001  what play() calls it with
    """Watch nothing."""
    return nullcontext()


async def play(
    scene: Scene,
    sandbox: Sandbox,
    people: People,
    tell: Tell = nothing,
    thief: Thief | None = None,
    watch: Callable[[bool], AbstractContextManager[None]] = unwatched,
) -> None:
    """Make the calls of history and attack, in the order of time, each at its own time. Raises Unexpected.

    The thief is told what the attack was answered. `watch` is around each call, and is told whether it is honest.
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
        tell("call", {"at": str(scene.now + call.at), "as": call.by, "method": call.method, "to": call.target})
        with watch("attack[" not in where):
            answer = await people.make(call, where)
            operations.settle(sandbox.world, sandbox.clock)  # what it began is done long before the next
        if thief and "attack[" in where:
            thief.note(call, answer)
        last = sandbox.clock.now()  # of two calls at one time, the second comes later
    sandbox.clock.set(datetime.now(UTC))  # the host's time, too


def _where(scene: Scene, part: str, index: int) -> str:
    return f"{scene.file}:{scene.lines[f'{part}[{index}]']}: {part}[{index}]"
