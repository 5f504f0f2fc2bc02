import asyncio
from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.memo import Memo
from responders.model import Case, Change, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import planted, recreate_runbook
from responders.subscriptions.automation import ACCOUNT, STOPPING, Account, account_name, belongs, live, scheduled

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

AT_ONCE = 25  # runbooks that are read at a time; their calls wait for Azure's tokens by themselves
_LISTS = ("jobSchedules", "webhooks")
# The lists of an account, with what hangs on all its runbooks: as long as changes are made or checked side by side.
_before = Memo[tuple[list[Json], list[Json], list[Json]]](3)
_after = Memo[list[Json]](3)


class RemoveRunbooks:
    """Delete the runbooks that a suspect planted in the window, each with all that would start it again.

    One change is one runbook as a unit: its webhooks, its job schedules and the schedules that were planted for it
    alone are deleted, its running jobs stopped, and then it is deleted. Scripts (draft and published) and definitions
    are kept as evidence, and undo puts them back, whatever their language. Runbooks of the window that nobody is known
    to answer for are offered by name. Those that a suspect changed but did not make are left to
    `subscriptions.restore_runbooks`.
    """

    id = "subscriptions.remove_runbooks"
    permissions = (
        f"{ACCOUNT}/read",
        f"{ACCOUNT}/runbooks/read",
        f"{ACCOUNT}/runbooks/delete",
        f"{ACCOUNT}/jobs/read",
        f"{ACCOUNT}/jobs/stop/action",
        f"{ACCOUNT}/schedules/read",
        f"{ACCOUNT}/schedules/delete",
        f"{ACCOUNT}/jobSchedules/read",
        f"{ACCOUNT}/jobSchedules/delete",
        f"{ACCOUNT}/webhooks/read",
        f"{ACCOUNT}/webhooks/delete",
        *recreate_runbook.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes(gone=True, along=("jobSchedules", "webhooks", "schedules", "jobs", "ended"))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        accounts = await Account.all(azure, subject.id)
        found = await asyncio.gather(*(self._look(case, account) for account in accounts))
        changes = tuple(change for unknown, _ in found for change in unknown)
        reason = "" if changes else f"No runbook of {len(accounts)} accounts was made by a suspect in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=changes,
            reason=reason,
            kept=tuple(line for _, lines in found for line in lines),
        )

    async def _look(self, case: Case, account: Account) -> tuple[list[Change], list[str]]:
        doubtful: dict[str, Verdict] = {}  # planted, or perhaps so
        kept = []
        for runbook in await account.runbooks():
            verdict = planted.judge(case, runbook, "runbooks")
            if verdict.familiarity != "familiar":
                doubtful[runbook["name"].lower()] = verdict
            elif planted.deeds(case, runbook["id"], *planted.RUNBOOK_WRITES):
                kept.append(f"runbook {runbook['name']}: changed by the suspect, but {'; '.join(verdict.reasons)}")
        if not doubtful:
            return [], kept
        room = asyncio.Semaphore(AT_ONCE)

        async def evidence(name: str) -> tuple[Json | None, str | None, str | None]:
            # The list leaves out some of what a GET has, and undo needs all.
            async with room:
                return await asyncio.gather(account.runbook(name), account.content(name), account.draft(name))

        changes, names = [], sorted(doubtful)
        (links, hooks, clocks, jobs), scripts = await asyncio.gather(
            asyncio.gather(account.job_schedules(), account.webhooks(), account.schedules(), account.jobs()),
            asyncio.gather(*map(evidence, names)),
        )
        for name, (whole, content, draft) in zip(names, scripts, strict=True):
            if whole is None:
                continue  # gone since the list was made
            mine = [link for link in links if belongs(link, name)]
            others = {scheduled(link).lower() for link in links if not belongs(link, name)}
            timers = {scheduled(link).lower() for link in mine} - others
            ran = [job for job in jobs if belongs(job, name)]
            before = {
                "runbook": whole,
                "content": content,
                "draft": draft,
                "jobSchedules": mine,
                "webhooks": [hook for hook in hooks if belongs(hook, name)],
                "schedules": [c for c in clocks if c["name"].lower() in timers and _in_window(case, c)],
                "jobs": [job for job in ran if live(job)],
                "ended": [job for job in ran if not live(job)],
            }
            changes.append(_change(self.id, whole, doubtful[name], before))
        return changes, kept

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        account, before = Account.of(azure, change.resource), change.before
        name = before["runbook"]["name"]
        runbook, (links, hooks, ran) = await asyncio.gather(account.runbook(name), _lists(azure, account))
        jobs = _live(ran, name)
        if runbook and not planted.same(runbook, before["runbook"]):
            return Outcome(status="drifted", reason="Another runbook has its name now.", after=runbook)
        now = {
            "jobSchedules": [link for link in links if belongs(link, name)],
            "webhooks": [hook for hook in hooks if belongs(hook, name)],
        }
        more = await _more(account, before, now, runbook)
        timers = [s["name"] for s in before["schedules"] if await account.schedule(s["name"])]
        if not (runbook or jobs or timers or any(now.values())):
            return Outcome(status="already_so", reason="It is gone already, with all that started it.")
        try:
            # First what would start it again, then what runs, then the thing itself.
            await asyncio.gather(*(account.delete_webhook(hook["name"]) for hook in now["webhooks"]))
            await asyncio.gather(
                *(account.delete_job_schedule(link["properties"]["jobScheduleId"]) for link in now["jobSchedules"])
            )
            await asyncio.gather(*(account.delete_schedule(timer) for timer in timers))
            await asyncio.gather(
                *(account.stop(job["name"]) for job in jobs if job["properties"]["status"] != STOPPING)
            )
            if runbook:
                await account.delete_runbook(name)
        finally:
            _before.forget(azure, account.id)
        if more:
            # Whoever planted it may write to it, and hang on it what starts it, at any time.
            return Outcome(status="done", reason=f"Written to after the plan: {', '.join(more)}.", after=more)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        account, name = Account.of(azure, change.resource), change.before["runbook"]["name"]
        runbook, ran = await asyncio.gather(account.runbook(name), _after.get(azure, account.id, account.jobs))
        jobs = _live(ran, name)
        if runbook or jobs:
            _after.forget(azure, account.id)
        if runbook:
            raise Temporary(f"The runbook {name} still shows.")
        if jobs:
            raise Temporary(f"{len(jobs)} job(s) of the runbook {name} are still coming to a stop.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return await recreate_runbook.recreate(azure, change)


async def _lists(azure: "Azure", account: Account) -> tuple[list[Json], list[Json], list[Json]]:
    """Job schedules, webhooks and jobs of an account: one look for all changes that are made side by side."""

    async def read() -> tuple[list[Json], list[Json], list[Json]]:
        return await asyncio.gather(account.job_schedules(), account.webhooks(), account.jobs())

    return await _before.get(azure, account.id, read)


async def _more(account: Account, before: Json, now: dict[str, list[Json]], runbook: Json | None) -> Json:
    """What goes with a runbook and is not in the plan's evidence: what hangs on it since, and what it became."""
    more: Json = {}
    for part in _LISTS:
        known = {item["id"].lower() for item in before[part]}
        if new := [item for item in now[part] if item["id"].lower() not in known]:
            more[part] = new
    if runbook and planted.stamp(runbook) != planted.stamp(before["runbook"]):
        name = runbook["name"]
        content, draft = await asyncio.gather(account.content(name), account.draft(name))
        more["runbook"] = {**runbook, "content": content, "draft": draft}
    return more


def _live(jobs: list[Json], runbook: str) -> list[Json]:
    return [job for job in jobs if belongs(job, runbook) and live(job)]


def _change(action: str, runbook: Json, verdict: Verdict, before: Json) -> Change:
    counts = {
        "running job": before["jobs"],
        "webhook": before["webhooks"],
        "job schedule": before["jobSchedules"],
        "schedule": before["schedules"],
    }
    parts = [f"{len(items)} {what}{'s' if len(items) > 1 else ''}" for what, items in counts.items() if items]
    lasting = ["who made it, and when"]
    lasting += ["a webhook's secret URL: it gets a new one"] if before["webhooks"] else []
    lasting += ["the stopped jobs: they are not run again"] if before["jobs"] else []
    account = account_name(runbook["id"])
    return Change(
        action=action,
        resource=runbook["id"],
        summary=f"delete the runbook {runbook['name']} of {account}" + (f", with {', '.join(parts)}" if parts else ""),
        reasons=verdict.reasons,
        familiarity=verdict.familiarity,
        before=before,
        lasting="Undo can't bring back " + "; ".join(lasting) + ".",
    )


def _in_window(case: Case, item: Json) -> bool:
    made = planted.made_at(item)
    return made is not None and made >= case.since
