import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from responders import familiarity
from responders.errors import Temporary
from responders.ids import ResourceId, called
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes
from responders.subscriptions import planted, runbook_content
from responders.subscriptions.automation import ACCOUNT, Account, account_name, belongs, live
from responders.subscriptions.draft import Draft
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

PUBLISHING = ("runbooks/publish/action", "runbooks/write")  # the latter may publish from a link
# What becomes of a script that is replaced: drafts of it, and what ran it.
_UNDONE = (*planted.RUNBOOK_WRITES, "runbooks/draft/testJob/write", "jobs/write")


class RestoreRunbooks:
    """Put the last familiar script back into runbooks that were there before the window and that a suspect changed.

    Azure keeps no history of scripts, but each job keeps what it ran for 30 days: the script of the newest job before
    the suspect's first change is published again. A draft of his is discarded where what is published is familiar.
    Where no job tells what was there, a person has to know. Undo puts the intruder's scripts back, from the evidence.
    """

    id = "subscriptions.restore_runbooks"
    permissions = (
        f"{ACCOUNT}/read",
        f"{ACCOUNT}/runbooks/read",
        f"{ACCOUNT}/runbooks/draft/undoEdit/action",
        f"{ACCOUNT}/jobs/read",
        f"{ACCOUNT}/jobs/runbookContent/action",
        *runbook_content.PERMISSIONS,
        *planted.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes(operations=tuple(f"{ACCOUNT}/{what}" for what in _UNDONE), along=("jobs",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        accounts = await Account.all(azure, subject.id)
        found = Draft()
        await asyncio.gather(*(self._look(case, azure, account, found) for account in accounts))
        reason = f"No familiar runbook of {len(accounts)} accounts has a script of a suspect's that can be replaced."
        return found.plan(self.id, subject, reason)

    async def _look(self, case: Case, azure: "Azure", account: Account, found: Draft) -> None:
        found.by_hand += [_deleted(one) for one in await planted.deleted(case, azure, account.id, "runbooks")]
        runbooks = await account.runbooks()
        going = planted.doubtful(case, runbooks)
        changed = []
        for runbook in runbooks:
            deeds = planted.deeds(case, runbook["id"], *planted.RUNBOOK_WRITES)
            word = familiarity.vouched(case, runbook["id"])
            if deeds and runbook["name"].lower() not in going and word and word.by:
                found.kept.append(f"runbook {runbook['name']}: changed by the suspect, but {word.because}")
            elif deeds and runbook["name"].lower() not in going:
                changed.append((runbook, deeds))
        jobs = await account.jobs() if changed else []
        await asyncio.gather(*(self._compare(case, account, one, deeds, jobs, found) for one, deeds in changed))

    async def _compare(
        self, case: Case, account: Account, runbook: Json, deeds: list[Finding], jobs: list[Json], found: Draft
    ) -> None:
        """Compare the scripts that a runbook has now with what it had before the first of these deeds."""
        name, id_ = runbook["name"], runbook["id"]
        content, draft = await asyncio.gather(account.content(name), account.draft(name))
        published = planted.deeds(case, id_, *PUBLISHING)
        want, source = content, "it was published before the window, and nobody published since"
        if published and content is not None:
            before = await last_familiar(account, name, jobs, deeds)
            if before is None:
                found.by_hand.append(_unknown(id_, content, published[0]))
                return
            job, want = before
            source = f"job {job['name']} ran it on {job['properties']['creationTime']}, the last before that change"
        if want is None:
            found.by_hand.append(_never_published(id_, draft or "", deeds[0]))
            return
        if content == want and draft is None:
            found.kept.append(f"runbook {name}: changed by the suspect, and has its familiar script")
            return
        verdict = planted.verdict_on(case, id_, deeds)
        what = "discard the draft" if content == want else "publish the last familiar script again"
        found.changes.append(
            Change(
                action=self.id,
                resource=id_,
                summary=f"{what} of the runbook {name} of {account.name}",
                reasons=(
                    f"{deeds[0].reason}: {'; '.join(verdict.reasons)}",
                    f"the familiar script has SHA-256 {digest(want)}: {source}",
                    *((f"what is published now has SHA-256 {digest(content or '')}",) if content != want else ()),
                    *((f"the draft now has SHA-256 {digest(draft)}",) if draft is not None else ()),
                ),
                familiarity=verdict.familiarity,
                before={"content": content, "draft": draft, "want": want, "jobs": _since(jobs, name, deeds[0])},
                lasting="What somebody else wrote into the draft before the suspect did, Azure has no more.",
            )
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        account, before, name = Account.of(azure, change.resource), change.before, _name(change)
        content, draft = await asyncio.gather(account.content(name), account.draft(name))
        want = before["want"]
        if (content, draft) == (want, None):
            return Outcome(status="already_so", reason="It has its familiar script already.")
        if content != before["content"] or draft not in {before["draft"], want}:
            return Outcome(status="drifted", reason="The runbook's scripts were changed after the plan.")
        if content == want:
            await account.client.runbook_draft.undo_edit(account.group, account.name, name)
        else:
            await runbook_content.put(account, name, want, None)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        account, name = Account.of(azure, change.resource), _name(change)
        content, draft = await asyncio.gather(account.content(name), account.draft(name))
        if (content, draft) != (change.before["want"], None):
            raise Temporary(f"The familiar script of the runbook {name} does not show yet.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        account, before = Account.of(azure, change.resource), change.before
        if not await runbook_content.put(account, _name(change), before["content"], before["draft"]):
            return Outcome(status="already_so", reason="It has the suspect's script.")
        return Outcome(status="done", reason="The suspect's script was put back.")


async def last_familiar(
    account: Account, runbook: str, jobs: list[Json], deeds: list[Finding]
) -> tuple[Json, str] | None:
    """The newest job of a runbook before the first of these deeds, and what it ran."""
    first = deeds[0].at
    ran = [j for j in jobs if belongs(j, runbook) and (made := planted.made_at(j)) and made < first]
    for job in sorted(ran, key=lambda j: str(planted.made_at(j)), reverse=True):
        if script := await account.ran(job["name"]):
            return job, script
    return None


def digest(script: str) -> str:
    return sha256(script.encode()).hexdigest()


def _since(jobs: list[Json], runbook: str, first: Finding) -> list[Json]:
    """The jobs that ran what the suspect had written. Those that still run are for `subscriptions.stop_jobs`."""
    ended = (j for j in jobs if belongs(j, runbook) and not live(j))
    return [j for j in ended if (made := planted.made_at(j)) and made >= first.at]


def _name(change: Change) -> str:
    return ResourceId.parse(change.resource).name


def _unknown(runbook: str, content: str, deed: Finding) -> str:
    name = f"{called(runbook)} of {account_name(runbook)}"
    return (
        f"The suspect may have changed what the runbook {name} runs ({deed.reason}, {utc(deed.at)}), and Azure has no "
        "job from before that which would tell what it was. Its script now has SHA-256 "
        f"{digest(content)}. An operator keeps it, and publishes the script from its source."
    )


def _never_published(runbook: str, draft: str, deed: Finding) -> str:
    return (
        f"The suspect changed the draft of the runbook {called(runbook)} of {account_name(runbook)} ({utc(deed.at)}), "
        "which was never published, so Azure has nothing of what it was. "
        f"It now has SHA-256 {digest(draft)}. An operator compares it with what it should be."
    )


def _deleted(loss: planted.Loss) -> str:
    name = f"{called(loss.deed.resource)} of {account_name(loss.deed.resource)}"
    return (
        f"The suspect deleted the runbook {name} ({utc(loss.deed.at)}), {loss.was}. Azure keeps it for 29 days: if it "
        "is no work of the suspect's, an operator restores it (listDeletedRunbooks, and Microsoft's script), and looks "
        "through its script."
    )
