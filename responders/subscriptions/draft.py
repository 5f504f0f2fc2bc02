"""A plan in the making, where reads that go on side by side add to it as they come."""

from typing import TYPE_CHECKING

from responders.model import Change, Plan

if TYPE_CHECKING:
    from responders.model import Subject


class Draft:
    """What there is to change, to keep and to tell a person, so far."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.kept: list[str] = []
        self.by_hand: list[str] = []

    def plan(self, action: str, subject: "Subject", otherwise: str) -> Plan:
        """The plan that came of it, the same whoever was first. `otherwise`: the reason, where nothing is changed."""
        return Plan(
            action=action,
            subject=subject,
            changes=tuple(sorted(self.changes, key=lambda change: change.resource.lower())),
            reason="" if self.changes else otherwise,
            kept=tuple(sorted(self.kept)),
            by_hand=tuple(sorted(self.by_hand)),
        )
