"""What every action is: data, and four functions."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Change, Outcome, Plan, Subject, Undoes


class Action(Protocol):
    """One kind of write. `plan` describes, the engine applies.

    Holds no state: what undo needs is in `change.before`. A call that fails raises Temporary or Permanent.
    """

    @property
    def id(self) -> str:
        """`subscriptions.remove_runbooks`, also its path."""

    @property
    def permissions(self) -> tuple[str, ...]:
        """RBAC actions (`Microsoft.…/read`) and Graph application permissions (`User.Read.All`)."""

    @property
    def reversible(self) -> bool:
        """False forces an approval, whatever the settings say."""

    @property
    def undoes(self) -> "Undoes":
        """What its changes undo of that which the Activity Log has. All else a person signs for (accounting.py)."""

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> "Plan":
        """What would be done now. Writes nothing. No changes needs a reason."""

    async def apply(self, change: "Change", azure: "Azure") -> "Outcome":
        """Make one change. Already so is success; changed since the plan is `drifted`, and nothing is written."""

    async def verify(self, change: "Change", azure: "Azure") -> "Outcome":
        """Read again whether the change shows. Raises Temporary until it does."""

    async def undo(self, change: "Change", azure: "Azure") -> "Outcome":
        """Put back what `change.before` recorded. Repeating it changes nothing."""
