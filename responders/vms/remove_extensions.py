from typing import TYPE_CHECKING

from responders import activity_log
from responders.model import Undoes
from responders.vms import locked, machine
from responders.vms.planted import Kind

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Change, Outcome, Plan, Subject

_KIND = Kind("extensions", "extension", "protected settings")


class RemoveExtensions:
    """Remove the extensions that a suspect put on a machine in the window: they run code in it as root or SYSTEM.

    Those that were there before stay; one that he wrote anew is offered, since what it was is not known. It has to be
    done while the machine runs, and before a rebuild, which may run them again.
    Microsoft.Compute/virtualMachines/extensions.
    """

    id = "vms.remove_extensions"
    permissions = (
        *machine.PERMISSIONS,
        *activity_log.PERMISSIONS,
        *locked.PERMISSIONS,
        *(f"{kind}/extensions/{verb}" for kind in machine.KINDS for verb in ("read", "write", "delete")),
    )
    reversible = True
    undoes = Undoes(operations=tuple(f"{kind}/extensions/write" for kind in machine.KINDS))

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> "Plan":
        return await _KIND.plan(self.id, case, subject, azure)

    async def apply(self, change: "Change", azure: "Azure") -> "Outcome":
        return await _KIND.apply(change, azure)

    async def verify(self, change: "Change", azure: "Azure") -> "Outcome":
        return await _KIND.verify(change, azure)

    async def undo(self, change: "Change", azure: "Azure") -> "Outcome":
        return await _KIND.undo(change, azure)
