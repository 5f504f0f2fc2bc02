from typing import TYPE_CHECKING

from msgspec.structs import replace

from responders.model import Change, Plan
from responders.users import account
from responders.users.delete import Delete

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class Remove(Delete):
    """Delete a guest whom a suspect invited (DELETE /users/{id}), with all that he was given here.

    As `users.delete`: undo restores him for 30 days. A guest who was here before is kept. Either way his password and
    his sessions are those of another tenant, which has to be told.
    """

    id = "guests.remove"

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        made = await super().plan(case, subject, azure)
        name = subject.name or subject.id
        at = home(name)
        told = f"{name} signs in at {at}: tell its administrators, whose his password and his sessions are"
        kept = (*made.kept, told) if made.kept and at else made.kept
        return replace(made, changes=tuple(_as_guest(change) for change in made.changes), kept=kept)


def home(name: str) -> str:
    """The domain at which a guest signs in, from his principal name here; "" for one who signs in here."""
    theirs, external, _ = name.lower().partition("#ext#")
    return theirs.rpartition("_")[2] if external else ""


def _as_guest(change: Change) -> Change:
    name = account.label(change.before["user"])
    at = home(name)
    whose = f"its password and sessions are those of {at}: its administrators should know"
    summary = f"delete the guest {name}"
    return replace(change, summary=summary, reasons=(*change.reasons, *((whose,) if at else ())))
