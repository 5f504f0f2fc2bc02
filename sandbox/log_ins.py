"""The attacker's ways into machines, by what he knows of them: tried after the attack and after the response."""

from collections.abc import Iterator

from sandbox.azure import Sandbox, guest_login
from sandbox.azure.guest_login import Entry
from sandbox.exercise import Exercise, LogIn


def shut(sandbox: Sandbox, exercise: Exercise) -> list[str]:
    """Those by which he did not get in, a sentence each. What is to be refused in the end has to work before."""
    return [
        f"{way.user} of {way.machine} is to be locked out, and did not get in after the attack: {entry.why}"
        for way, entry in _tried(sandbox, exercise)
        if not entry.ok
    ]


def open_(sandbox: Sandbox, exercise: Exercise) -> list[str]:
    """Those by which he gets in, a sentence each."""
    return [
        f"Open: {entry.why} By what the attacker knows of it." for _, entry in _tried(sandbox, exercise) if entry.ok
    ]


def _tried(sandbox: Sandbox, exercise: Exercise) -> Iterator[tuple[LogIn, Entry]]:
    """Each with what comes of it: as if the machine ran, in an open network."""
    world, clock = sandbox.world, sandbox.clock
    for way in exercise.expect.locked_out:
        if way.machine in world:
            yield (
                way,
                guest_login.entry(world, clock, way.machine, way.user, password=way.password, key=way.key, source=""),
            )
        else:
            yield way, Entry(ok=False, why="The machine is gone.")
