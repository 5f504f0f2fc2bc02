"""What an incident's investigation finds: all that the suspects did in the window, and what others did suspiciously."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from responders.investigation.activity import Activity
from responders.investigation.baseline import Baseline
from responders.investigation.events import Notes
from responders.investigation.rules import Match, Rules
from responders.investigation.scoring import Score
from responders.investigation.sources import LATE, activities, tenant_activities
from responders.investigation.trace import Trace
from responders.investigation.window import Window
from responders.model import Case, Finding, Maker, Suspicion

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.settings import Settings

# Suspicious activities of others that are told one by one.
MOST_OF_OTHERS = 200
# In plain words, for what a person has to decide on; all else has its rule's title.
_DID = {
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
    "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand/action": "ran a command on a virtual machine",
    "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommands/write": "ran a command on a virtual machine",
    "microsoft.compute/virtualmachinescalesets/virtualmachines/extensions/write": "ran code on a virtual machine",
    "microsoft.insights/diagnosticsettings/delete": "stopped a log",
    "microsoft.keyvault/vaults/accesspolicies/write": "opened a key vault",
    "microsoft.storage/storageaccounts/listkeys/action": "read the keys of a storage account",
}
RAN_CODE = frozenset(operation for operation, did in _DID.items() if "on a virtual machine" in did)
# What these alerts are about is reading, and the Activity Log holds no reads.
_READS = frozenset(
    {
        "arm_microburst.azdomaininfo",
        "arm_microburst.azuredomaininfo",
        "azuredomaininfo",
        "arm_powerzure.getazuretargets",
        "arm_azurite",
    }
)
_UNSEEN = (
    "The alert is about a tool that only reads. Azure's Activity Log holds no reads, so what it read can't be "
    "seen here; that none is listed does not mean that there was none. Defender also looks at logs that nobody else "
    "has."
)


class Found(NamedTuple):
    """What was found, oldest first, and what the report has to say about it."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    makers: dict[str, Maker]  # who else wrote what in the window
    gap: str = ""  # why not all that was done in the window may be there


async def findings(
    azure: "Azure",
    settings: "Settings",
    case: Case,
    *,
    now: datetime,
    least: Suspicion = "suspicious",
    ours: bool = False,
) -> Found:
    """Read the log once, baseline and window together, and tell what the suspects did and what others did suspiciously.

    Of others what is at `least` so suspicious; of what we did ourselves nothing, unless `ours`. Raises Permanent or
    Temporary when the Activity Log can't be read.
    """
    notes = Notes()
    rules = Rules.load(settings.rules)
    for refused in rules.refused:
        notes.say(f"A rule is not used: {refused}")
    began = case.since - settings.baseline
    window = Window(rules, case.suspects, began, case.since, "" if ours else await azure.own_id())
    log = activities(azure, settings, case.subscription, began, case.until, window=case.since, now=now, notes=notes)
    empty = True
    async for one in log:
        empty = empty and one.at < case.since
        window.take(one)
    async for one in tenant_activities(azure, case.since, case.until, now=now, notes=notes):
        window.take(one)
    found = told(window, case.alert.type, least)
    gap = "the Activity Log of the window is empty" if empty else _gap(found, notes, window, case.until)
    return found._replace(notes=(*notes, *found.notes), gap=gap)


def _gap(found: Found, notes: Notes, window: Window, until: datetime) -> str:
    """Why the log may not show all that was done in the window; "" where nothing speaks for that."""
    if notes.unreadable:
        return f"{notes.unreadable} events of the Activity Log could not be read"
    if window.dropped:
        return "the Activity Log has more activities of the suspects than are kept"
    if any(f.suspect and f.at > until - LATE for f in found.findings):
        return "a suspect was at work until shortly before the Activity Log was read, which shows a deed minutes later"
    return ""


def told(window: Window, alert_type: str = "", least: Suspicion = "suspicious") -> Found:
    """What a window that has seen the whole log comes to; of others what is at `least` so suspicious."""
    called = {"suspicious", least}
    found, others = [], []
    for one, its in window.scored():
        if one.suspect:
            found.append(finding(one, its, window.baseline))
        elif its.level in called:
            others.append(finding(one, its, window.baseline))
    makers = window.makers.told(
        window.baseline, {c for f in others if f.level == "suspicious" for c in (f.caller, f.name)}
    )
    notes = list(window.notes())
    if alert_type.lower() in _READS:
        notes.insert(0, _UNSEEN)
    if left := len(others) - MOST_OF_OTHERS:
        if left > 0:
            notes.append(f"{left} more activities of others are {least}, and are not listed.")
        others = sorted(others, key=lambda f: -f.score)[:MOST_OF_OTHERS]
    found = sorted([*found, *others], key=lambda f: (f.at, f.operation, f.resource))
    return Found(tuple(found), tuple(notes), makers)


def finding(one: Trace, its: Score, baseline: Baseline) -> Finding:
    """One activity with its score, as it is kept."""
    activity, best = one.activity, next(iter(one.matches), None)
    return Finding(
        rule=best.name if best else "other",
        reason=_sentence(activity, best),
        at=activity.at,
        operation=activity.operation,
        resource=activity.resource,
        caller=activity.oid or activity.caller,
        events=activity.events,
        name=activity.caller,
        suspect=one.suspect,
        outcome=activity.outcome,
        address=activity.address,
        usual=baseline.knows_network(activity),
        tenant=activity.tid,
        score=its.value,
        level=its.level,
        points=its.points,
        techniques=_techniques(one.matches),
    )


def _sentence(activity: Activity, best: Match | None) -> str:
    who = activity.caller or activity.oid or "somebody whom the log doesn't name"
    failed = "tried and failed: " if activity.outcome == "failed" else ""
    if did := _DID.get(activity.operation):
        return f"{who} {failed}{did}"
    if best:
        return f"{who} {failed}{best.title[0].lower()}{best.title[1:]}" if failed else f"{who}: {best.title}"
    return f"{who} {failed or 'did '}{activity.operation}"


def _techniques(matches: tuple[Match, ...]) -> tuple[str, ...]:
    tags = (
        tag.removeprefix("attack.").upper() for match in matches for tag in match.tags if tag.startswith("attack.t")
    )
    return tuple(dict.fromkeys(tags))
