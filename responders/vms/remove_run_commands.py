from typing import TYPE_CHECKING

from responders import activity_log
from responders.model import Undoes
from responders.vms import commands, locked, machine
from responders.vms.planted import Kind

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Change, Outcome, Plan, Subject

_KIND = Kind("runCommands", "run command", "protected parameters")


class RemoveRunCommands:
    """Remove the managed run commands that a suspect made on a machine in the window, and end those that still run.

    Their scripts are kept in the plan, as evidence. Run commands that are no resources (the action runCommand) leave
    nothing to remove. Ours stay: they are the record of a scan. Microsoft.Compute/virtualMachines/runCommands.
    """

    id = "vms.remove_run_commands"
    permissions = (
        *machine.PERMISSIONS,
        *activity_log.PERMISSIONS,
        *locked.PERMISSIONS,
        *commands.RIGHTS,
    )
    reversible = True
    undoes = Undoes(operations=tuple(f"{kind}/runCommands/write" for kind in machine.KINDS))

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> "Plan":
        return await _KIND.plan(self.id, case, subject, azure)

    async def apply(self, change: "Change", azure: "Azure") -> "Outcome":
        return await _KIND.apply(change, azure)

    async def verify(self, change: "Change", azure: "Azure") -> "Outcome":
        return await _KIND.verify(change, azure)

    async def undo(self, change: "Change", azure: "Azure") -> "Outcome":
        return await _KIND.undo(change, azure)
