"""Whatever goes wrong at whatever call, the response ends in the same world, and nothing is lost for the undo."""

import pytest

from sandbox.azure import Faults
from sandbox.azure.faults import NAMES
from sandbox.demo import DEMO
from sandbox.drill import perform
from sandbox.scene import load
from sandbox.stage import identity

# Of the 42 calls of the response and 20 of its undo: while reading, before a write, at a write, and after it.
CALLS = (4, 27, 36, 47)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NAMES)
async def test_a_fault_changes_nothing_about_the_end(name: str, call: int) -> None:
    scene, faults = load(DEMO), Faults()
    faults.at(call, name, caller=identity(scene))

    score = await perform(scene, faults=faults)

    assert score.failures == ()
    assert [hit[0] for hit in faults.hits] == [name] or name == "eventual"
