"""What the suspects did in the window, one finding an operation."""

from typing import TYPE_CHECKING

from responders.investigation.activity_log import Activity, activities
from responders.model import Case, Finding

if TYPE_CHECKING:
    from responders.azure import Azure

# Operations that give an intruder a way back, more rights or code of his own; all others of his are findings too.
_WHY = {
    "microsoft.authorization/roleassignments/write": "gave rights to an identity",
    "microsoft.authorization/roledefinitions/write": "made or widened a role",
    "microsoft.authorization/elevateaccess/action": "took access to all subscriptions of the tenant",
    "microsoft.authorization/locks/delete": "removed a lock",
    "microsoft.automation/automationaccounts/runbooks/write": "wrote a runbook",
    "microsoft.automation/automationaccounts/runbooks/publish/action": "published a runbook",
    "microsoft.automation/automationaccounts/webhooks/write": "made a webhook, which runs a runbook without signing in",
    "microsoft.automation/automationaccounts/jobschedules/write": "had a runbook run on a schedule",
    "microsoft.automation/automationaccounts/jobs/write": "ran a runbook",
    "microsoft.compute/virtualmachines/runcommand/action": "ran a command on a virtual machine",
    "microsoft.compute/virtualmachines/runcommands/write": "ran a command on a virtual machine",
    "microsoft.compute/virtualmachines/extensions/write": "put an extension on a virtual machine",
    "microsoft.insights/diagnosticsettings/delete": "stopped a log",
    "microsoft.keyvault/vaults/accesspolicies/write": "opened a key vault",
    "microsoft.storage/storageaccounts/listkeys/action": "read the keys of a storage account",
}
RAN_CODE = frozenset(k for k, why in _WHY.items() if "on a virtual machine" in why)


async def findings(azure: "Azure", case: Case) -> tuple[Finding, ...]:
    """Every operation of a suspect in the window, oldest first.

    An operation has several events (started, accepted, succeeded): they are joined, and the last one says how it ended.
    """
    joined: dict[tuple[str, str, str], list[Activity]] = {}
    async for one in activities(azure, case.subscription, case.since, case.until):
        if case.suspect(one.oid, one.at) or case.suspect(one.caller, one.at):
            joined.setdefault((one.correlation, one.operation, one.resource.lower()), []).append(one)
    found = [_finding(sorted(events, key=lambda e: e.at)) for events in joined.values()]
    return tuple(sorted(found, key=lambda f: (f.at, f.operation, f.resource)))


def _finding(events: list[Activity]) -> Finding:
    first = events[0]
    failed = any(e.outcome == "Failed" for e in events)
    why = _WHY.get(first.operation, "is the suspect's doing in the window")
    return Finding(
        rule="failed" if failed else first.operation if first.operation in _WHY else "other",
        reason=f"{first.caller or first.oid} {'tried and failed: ' if failed else ''}{why}",
        at=first.at,
        operation=first.operation,
        resource=first.resource,
        caller=first.oid or first.caller,
        events=tuple(e.event for e in events),
    )
