"""One step of a playbook: an action, and the gate before it."""

from collections.abc import Mapping

from msgspec import Struct

from responders.actions import action
from responders.model import Gate


class Step(Struct, frozen=True):
    """`gate`: `auto` needs no approval, `one` and `two` need that many people's."""

    action: str
    gate: Gate

    def gate_for(self, chosen: Mapping[str, Gate], changes: int, limit: int) -> Gate:
        """The gate that holds for a plan of so many changes, with the gates that the settings chose.

        An irreversible action is never `auto`; a plan above the limit needs two people.
        """
        gate = chosen.get(self.action, self.gate)
        if gate == "auto" and not action(self.action).reversible:
            gate = "one"
        return "two" if changes > limit else gate
