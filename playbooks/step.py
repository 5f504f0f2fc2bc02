"""One step of a playbook: an action, and the gate before it."""

from collections.abc import Mapping

from msgspec import Struct

from responders.actions import action
from responders.model import Gate, Plan


class Step(Struct, frozen=True):
    """`gate`: `auto` needs no approval, `one` and `two` need that many people's.

    `contains`: it stops whoever the alert names, and where its gate is `auto` it does so before the log is read.
    `last`: it waits until Entra's audit log must have told of all that the steps before it saw, and they were planned
    again by that.
    `hours`: how long its changes may take until they show; 0 for minutes, as with most.
    """

    action: str
    gate: Gate
    contains: bool = False
    last: bool = False
    hours: int = 0

    def gate_for(self, chosen: Mapping[str, Gate], plan: Plan, limit: int) -> Gate:
        """The gate that holds for a plan, with the gates that the settings chose.

        Never `auto`: what undo can't bring back all of, and something unknown, which a person has to name. A plan of
        more changes than the limit needs two people.
        """
        gate = chosen.get(self.action, self.gate)
        lasting = not action(self.action).reversible or any(change.lasting for change in plan.changes)
        if gate == "auto" and (lasting or plan.proposed != plan.changes):
            gate = "one"
        return "two" if len(plan.changes) > limit else gate
