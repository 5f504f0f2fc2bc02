import asyncio
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from responders import familiarity
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import planted, restore_runbooks
from responders.subscriptions.automation import ACCOUNT, STOPPING, Account, account_name, belongs, live

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_TEST = "/draft/testJob"


class StopJobs:
    """Stop jobs of familiar runbooks that a suspect started in the window, or that run what a suspect wrote.

    Also test runs of drafts, which are in no list of jobs. Jobs of planted runbooks are stopped with those, by
    `subscriptions.remove_runbooks`. Irreversible: a job that was stopped is not run again, and what it did stays done.
    """

    id = "subscriptions.stop_jobs"
    permissions = (
        f"{ACCOUNT}/read",
        f"{ACCOUNT}/runbooks/read",
        f"{ACCOUNT}/runbooks/draft/testJob/read",
        f"{ACCOUNT}/runbooks/draft/testJob/stop/action",
        f"{ACCOUNT}/jobs/read",
        f"{ACCOUNT}/jobs/runbookContent/action",
        f"{ACCOUNT}/jobs/stop/action",
    )
    reversible = False
    undoes = Undoes(operations=(f"{ACCOUNT}/jobs/write", f"{ACCOUNT}/runbooks/draft/testJob/write"))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        accounts = await Account.all(azure, subject.id)
        found = await asyncio.gather(*(self._look(case, account) for account in accounts))
        changes = tuple(change for one in found for change in one)
        reason = f"In {len(accounts)} accounts no job runs that a suspect started, or that runs what a suspect wrote."
        return Plan(action=self.id, subject=subject, changes=changes, reason="" if changes else reason)

    async def _look(self, case: Case, account: Account) -> list[Change]:
        runbooks, jobs = await asyncio.gather(account.runbooks(), account.jobs())
        going = planted.doubtful(case, runbooks)
        changes = []
        for runbook in runbooks:
            name = runbook["name"]
            if started := planted.deeds(case, runbook["id"], "runbooks/draft/testJob/write"):
                test = await account.test_job(name)
                if test and _runs(test):
                    verdict = planted.verdict_on(case, runbook["id"], started)
                    changes.append(_change(runbook["id"] + _TEST, f"the test run of the runbook {name}", verdict, test))
            if name.lower() not in going:
                mine = [job for job in jobs if belongs(job, name) and live(job) and _runs(job["properties"])]
                for job, verdict in await self._suspicious(case, account, runbook, mine, jobs):
                    what = f"the job {job['name']} of the runbook {name}"
                    changes.append(_change(job["id"], what, verdict, job["properties"]))
        return changes

    async def _suspicious(
        self, case: Case, account: Account, runbook: Json, mine: list[Json], jobs: list[Json]
    ) -> list[tuple[Json, Verdict]]:
        """Of the live jobs of a familiar runbook those that a suspect is behind, and why."""
        wanted = [job for job in mine if (made := planted.made_at(job)) and made >= case.since]
        published = planted.deeds(case, runbook["id"], *restore_runbooks.PUBLISHING) if wanted else []
        was = await restore_runbooks.last_familiar(account, runbook["name"], jobs, published) if published else None
        found = []
        for job in wanted:
            made = planted.made_at(job)
            verdict = None
            if deed := case.did(f"{ACCOUNT}/jobs/write", job["id"]):
                verdict = familiarity.judge(case, deed.caller, made, deed, thing=job["id"])
            elif published and made and made >= published[0].at:
                script = await account.ran(job["name"])
                if was is None or script != was[1]:
                    verdict = _by_script(case, runbook["id"], published, script or "")
            if verdict is None and (deed := await _hooked(case, account, job)):
                name, said = deed.resource.rpartition("/")[2], familiarity.judge(case, deed.caller, deed.at, deed)
                verdict = Verdict(
                    familiarity=said.familiarity, reasons=(f"the webhook {name} started it", *said.reasons)
                )
            if verdict and verdict.familiarity != "familiar":
                found.append((job, verdict))
        return found

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        account, id_ = Account.of(azure, change.resource), ResourceId.parse(change.resource)
        job = await _read(account, id_)
        if job is None or not _runs(job):
            return Outcome(status="already_so", reason="It has come to its end, or is about to.")
        if job.get("creationTime") != change.before.get("creationTime"):
            return Outcome(status="drifted", reason="Another one runs there now.")
        if change.resource.endswith(_TEST):
            await account.client.test_job.stop(account.group, account.name, id_.names[1])
        else:
            await account.stop(id_.name)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        job = await _read(Account.of(azure, change.resource), ResourceId.parse(change.resource))
        if job and live({"properties": job}):
            raise Temporary(f"It is still coming to a stop: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


def _change(resource: str, what: str, verdict: Verdict, job: Json) -> Change:
    kept = ("status", "creationTime", "startTime", "runOn", "runbook")  # of its parameters some may be secret
    return Change(
        action=StopJobs.id,
        resource=resource,
        summary=f"stop {what} of {account_name(resource)}",
        reasons=verdict.reasons,
        familiarity=verdict.familiarity,
        before={name: job[name] for name in kept if job.get(name) is not None},
        lasting="A job that was stopped is not run again: whoever needs what it does starts its runbook anew.",
    )


def _by_script(case: Case, runbook: str, published: list[Finding], script: str) -> Verdict:
    """What is to be thought of a job that ran a script which is not known to be familiar."""
    verdict = planted.verdict_on(case, runbook, published)
    why = f"the suspect wrote what it runs, which has SHA-256 {restore_runbooks.digest(script)}"
    if not any(deed.operation.lower().endswith("/publish/action") for deed in published):
        why = f"the suspect may have written what it runs, which has SHA-256 {restore_runbooks.digest(script)}"
        return Verdict(familiarity="unknown", reasons=(why, *verdict.reasons))
    return Verdict(familiarity=verdict.familiarity, reasons=(why, *verdict.reasons))


async def _hooked(case: Case, account: Account, job: Json) -> Finding | None:
    """The suspect's making of the webhook that started a job, if one did."""
    name = _webhook(await account.job(job["name"]))
    return case.did(f"{ACCOUNT}/webhooks/write", f"{account.id}/webhooks/{name}") if name else None


async def _read(account: Account, id_: ResourceId) -> Json | None:
    """A job's properties, or those of the test run of a runbook's draft."""
    if id_.text.endswith(_TEST):
        return await account.test_job(id_.names[1])
    job = await account.job(id_.name)
    return dict(job["properties"]) if job else None


def _runs(job: Json) -> bool:
    return live({"properties": job}) and job.get("status") != STOPPING


def _webhook(job: Json | None) -> str:
    """The webhook that started a job, or "". What is in its parameters was sent by somebody: it is only compared."""
    for text in _data((job or {"properties": {}})["properties"].get("parameters") or {}):
        try:
            said = json.loads(text)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(said.get("WebhookName"), str):
            return str(said["WebhookName"])
    return ""


def _data(parameters: Json) -> Iterator[str]:
    for name, value in parameters.items():
        if name.lower() == "webhookdata" and isinstance(value, str):
            yield value
