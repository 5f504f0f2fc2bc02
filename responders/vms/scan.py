from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Change, Outcome, Plan, Undoes
from responders.vms import commands, locked, machine, rebuilt, scanning

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_WAY_OUT = (
    "Rebuild the machine, or put a scanner on it (Microsoft Defender for Endpoint, or ClamAV) and run the incident "
    "again (a Virtual Machine Contributor)."
)
_SCRIPTS = {"Linux": "scan.sh", "Windows": "scan.ps1"}


class Scan:
    """Have a machine's own antimalware scanner look at all of it, and read back what it found.

    Microsoft Defender Antivirus in Windows; Microsoft Defender for Endpoint or ClamAV in Linux. It is started once, as
    a managed run command that Azure runs for hours, and read again until it is over. The run command stays on the
    machine as the record of the scan, for the steps that follow; undo takes it away. A scanner on a machine that was
    taken over may lie: that it found nothing is no proof, and what it found is text from outside.
    Microsoft.Compute/virtualMachines/runCommands.
    """

    id = "vms.scan"
    permissions = (
        *machine.PERMISSIONS,
        *rebuilt.PERMISSIONS,
        *commands.RIGHTS,
        *locked.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=self.id, subject=subject, reason=vm)
        name = await scanning.name(azure, vm, case)
        known = await commands.read(azure, f"{vm.id}/runCommands/{name}")
        if known and commands.over(known):
            return Plan(action=self.id, subject=subject, reason=scanning.told(scanning.result(known)))
        if why := vm.hindrance("scripts"):
            left = (f"{vm.name} was not scanned. {why}",)
            return Plan(action=self.id, subject=subject, reason="It can't be scanned now.", by_hand=left)
        change = Change(
            action=self.id,
            resource=f"{vm.id}/runCommands/{name}",
            summary=f"scan all of {vm.name} for malware, with its own scanner",
            reasons=(subject.reason, f"it may take up to {scanning.HOURS} hours, in which the machine is slow"),
            before={"machine": vm.id, "vmId": vm.vm_id, "name": name, "script": _SCRIPTS[vm.system]},
            lasting="What Defender finds it may move into its quarantine, by its own policy: that stays so.",
        )
        change = await locked.through(azure, case, change, deletes=(change.resource,))
        return Plan(action=self.id, subject=subject, changes=(change,))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        if await commands.read(azure, change.resource) is not None:
            return Outcome(status="already_so", reason="The scan was begun already.")
        vm = await machine.read(azure, change.before["machine"])
        if vm is None:
            return Outcome(status="already_so", reason="The machine is gone.")
        if vm.vm_id != change.before["vmId"]:
            return Outcome(status="drifted", reason="Another machine has its name now.")
        script = commands.script(change.before["script"])
        await commands.start(azure, vm, change.before["name"], script, scanning.HOURS)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        command = await commands.read(azure, change.resource)
        if command is None:
            gone = await machine.read(azure, change.before["machine"]) is None
            return Outcome(status="done" if gone else "failed", reason="The machine, or its run command, is gone.")
        if not commands.over(command):
            raise Temporary(f"Still scanning: {change.summary}.")
        result = scanning.result(command)
        if not result["why"]:
            return Outcome(status="done", reason=scanning.told(result), after=result)
        # Where there is no scanner there was nothing else to do; whether the machine may go back, vms.release says.
        none = result["scanner"] == "none"
        return Outcome(status="done" if none else "failed", reason=f"{scanning.told(result)} {_WAY_OUT}", after=result)

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        if await commands.read(azure, change.resource) is None:
            return Outcome(status="already_so", reason="Nothing of the scan is on the machine.")
        await commands.delete(azure, change.resource)
        if await commands.read(azure, change.resource) is not None:
            raise Temporary(f"{change.resource} is being removed.")
        return Outcome(status="done")
