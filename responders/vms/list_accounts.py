import hashlib
from typing import TYPE_CHECKING

from responders.errors import Permanent, Temporary
from responders.model import Change, Outcome, Plan, Undoes
from responders.vms import accounts, commands, locked, machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class ListAccounts:
    """Have a machine list the accounts that can log in, and the SSH keys that were put there lately.

    A managed run command, whose script changes nothing in the machine and is told no secret. It stays on the machine as
    the record by which vms.reset_passwords names what it changes; undo takes it away. What a machine says that was
    taken over may be false. Microsoft.Compute/virtualMachines/runCommands.
    """

    id = "vms.list_accounts"
    permissions = (
        *machine.PERMISSIONS,
        *commands.RIGHTS,
        *locked.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=self.id, subject=subject, reason=vm)
        if why := vm.hindrance("scripts"):
            # vms.reset_passwords, for which this is, says what a person must do.
            return Plan(action=self.id, subject=subject, reason=why)
        name = accounts.listing(case, vm)
        known = await commands.read(azure, f"{vm.id}/runCommands/{name}")
        if known is not None and commands.over(known):
            return Plan(action=self.id, subject=subject, reason=f"The accounts of {vm.name} were listed already.")
        change = Change(
            action=self.id,
            resource=f"{vm.id}/runCommands/{name}",
            summary=f"list the accounts of {vm.name}, by a script that changes nothing in it",
            reasons=(subject.reason, "the passwords of those that can log in are to be changed"),
            before={"machine": vm.id, "vmId": vm.vm_id, "name": name, "since": int(case.since.timestamp())},
        )
        change = await locked.through(azure, case, change, deletes=(change.resource,))
        return Plan(action=self.id, subject=subject, changes=(change,))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        if await commands.read(azure, change.resource) is not None:
            return Outcome(status="already_so", reason="The list was asked for already.")
        vm = await machine.read(azure, change.before["machine"])
        if vm is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        if why := vm.hindrance("scripts"):
            return Outcome(status="failed", reason=why)
        text = accounts.text_of("list_accounts", vm.system)
        await commands.start(azure, vm, change.before["name"], text, 1, given={"SINCE": str(change.before["since"])})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        known = await commands.read(azure, change.resource)
        if known is None:
            if await machine.read(azure, change.before["machine"]) is None:
                return Outcome(status="done", reason="The machine is gone.")
            raise Temporary(f"{change.resource} does not show yet.")
        if not commands.over(known):
            raise Temporary(f"The accounts of {change.before['machine']} are being listed.")
        view = commands.view(known)
        if view.get("executionState") != "Succeeded":
            raise Permanent(f"{change.resource} came to {view.get('executionState')}: see it in the portal.")
        digest = hashlib.sha256(str(view.get("output") or "").encode()).hexdigest()
        return Outcome(status="done", reason=f"SHA-256 of the list: {digest}", after={"sha256": digest})

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        if await commands.read(azure, change.resource) is None:
            return Outcome(status="already_so", reason="The run command is gone.")
        await commands.delete(azure, change.resource)
        if await commands.read(azure, change.resource) is not None:
            raise Temporary(f"{change.resource} is being removed.")
        return Outcome(status="done")
