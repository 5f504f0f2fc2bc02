import asyncio
from typing import TYPE_CHECKING

from responders import familiarity
from responders.errors import Temporary
from responders.ids import called
from responders.model import Case, Change, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import planted, recreate_runbook
from responders.subscriptions.automation import ACCOUNT, Account, account_name, belongs, scheduled

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_CALLED = {"webhooks": "webhook", "jobSchedules": "job schedule", "schedules": "schedule"}


class RemoveWebhooks:
    """Delete what a suspect made in the window to start familiar runbooks: webhooks, job schedules and schedules.

    Whoever knows a webhook's URL runs its runbook without signing in, so it outlives its maker's account. What goes
    with a planted runbook is left to `subscriptions.remove_runbooks`. A schedule goes with all its links. Those that
    were there before and that a suspect changed or deleted are for a person: Azure keeps nothing of what they were.
    """

    id = "subscriptions.remove_webhooks"
    permissions = (
        f"{ACCOUNT}/read",
        f"{ACCOUNT}/runbooks/read",
        f"{ACCOUNT}/webhooks/read",
        f"{ACCOUNT}/webhooks/delete",
        f"{ACCOUNT}/jobSchedules/read",
        f"{ACCOUNT}/jobSchedules/delete",
        f"{ACCOUNT}/schedules/read",
        f"{ACCOUNT}/schedules/delete",
        *recreate_runbook.TRIGGER_PERMISSIONS,
        *planted.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes(gone=True, along=("jobSchedules",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        accounts = await Account.all(azure, subject.id)
        found = await asyncio.gather(*(self._look(case, azure, account) for account in accounts))
        changes = tuple(change for made, _, _ in found for change in made)
        reason = f"In {len(accounts)} accounts a suspect made nothing that starts a familiar runbook."
        return Plan(
            action=self.id,
            subject=subject,
            changes=changes,
            reason="" if changes else reason,
            kept=tuple(line for _, kept, _ in found for line in kept),
            by_hand=tuple(line for _, _, lines in found for line in lines),
        )

    async def _look(self, case: Case, azure: "Azure", account: Account) -> tuple[list[Change], list[str], list[str]]:
        runbooks, links, hooks, clocks = await asyncio.gather(
            account.runbooks(), account.job_schedules(), account.webhooks(), account.schedules()
        )
        going = planted.doubtful(case, runbooks)
        found = {"webhooks": [hook for hook in hooks if _runbook(hook) not in going], "schedules": clocks}
        changes, kept, by_hand = list[Change](), list[str](), list[str]()
        shared = set[str]()  # planted schedules, in lower case: their links go with them
        for collection, items in found.items():
            for item in items:
                verdict, name = planted.judge(case, item, collection), item["name"]
                mine = [link for link in links if collection == "schedules" and scheduled(link).lower() == name.lower()]
                if verdict.familiarity != "familiar":
                    shared |= {name.lower()} if collection == "schedules" else set()
                    if not any(all(belongs(link, runbook) for link in mine) for runbook in going if mine):
                        changes.append(self._change(collection, item, mine, verdict))
                elif planted.deeds(case, item["id"], f"{collection}/write"):
                    word = familiarity.vouched(case, item["id"])
                    (kept if word else by_hand).append(_changed(collection, item, word.because if word else ""))
        for link in links:
            verdict = planted.judge(case, link, "jobSchedules")
            if (
                verdict.familiarity != "familiar"
                and _runbook(link) not in going
                and scheduled(link).lower() not in shared
            ):
                changes.append(self._change("jobSchedules", link, [], verdict))
        for collection in _CALLED:
            by_hand += [_deleted(collection, one) for one in await planted.deleted(case, azure, account.id, collection)]
        return changes, kept, by_hand

    def _change(self, collection: str, item: Json, links: list[Json], verdict: Verdict) -> Change:
        what = _CALLED[collection]
        name = item["properties"]["jobScheduleId"] if collection == "jobSchedules" else item["name"]
        runs = [_runbook(one, lower=False) for one in ([item] if collection != "schedules" else links)]
        before: Json = {name: [] for name in _CALLED} | {collection: [item]}
        before["jobSchedules"] = links or before["jobSchedules"]
        lost = ["who made it, and when"]
        lost += ["its secret URL: it gets a new one"] if collection == "webhooks" else []
        of = f", which starts {', '.join(sorted(set(runs)))}" if runs else ""
        return Change(
            action=self.id,
            resource=item["id"],
            summary=f"delete the {what} {name} of {account_name(item['id'])}{of}",
            reasons=verdict.reasons,
            familiarity=verdict.familiarity,
            before=before,
            lasting=f"Undo can't bring back {'; '.join(lost)}.",
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        account, before = Account.of(azure, change.resource), change.before
        now = await _there(account, before)
        more: list[Json] = []
        for collection in ("webhooks", "schedules"):
            then = {item["name"]: item for item in before[collection]}
            for item in now[collection]:
                if not planted.same(item, then[item["name"]]):
                    return Outcome(status="drifted", reason="Another one has its name now.", after=item)
                more += [item] if planted.stamp(item) != planted.stamp(then[item["name"]]) else []
        if now["schedules"]:  # its links go with it
            name, known = now["schedules"][0]["name"].lower(), {link["id"].lower() for link in before["jobSchedules"]}
            mine = [link for link in await account.job_schedules() if scheduled(link).lower() == name]
            new = [link for link in mine if link["id"].lower() not in known]
            now["jobSchedules"] += new
            more += new
        if not any(now.values()):
            return Outcome(status="already_so", reason="It is gone already.")
        await asyncio.gather(*(account.delete_webhook(hook["name"]) for hook in now["webhooks"]))
        for link in now["jobSchedules"]:
            await account.delete_job_schedule(link["properties"]["jobScheduleId"])
        await asyncio.gather(*(account.delete_schedule(clock["name"]) for clock in now["schedules"]))
        if more:
            # Whoever planted it may write to it, and link it, at any time.
            return Outcome(status="done", reason="It was written to after the plan.", after={"items": more})
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if any((await _there(Account.of(azure, change.resource), change.before)).values()):
            raise Temporary(f"It still shows: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return await recreate_runbook.recreate(azure, change)


async def _there(account: Account, before: Json) -> dict[str, list[Json]]:
    """What of it is there now, each asked for by itself."""
    reads = {
        "webhooks": [account.webhook(hook["name"]) for hook in before["webhooks"]],
        "jobSchedules": [account.job_schedule(link["properties"]["jobScheduleId"]) for link in before["jobSchedules"]],
        "schedules": [account.schedule(clock["name"]) for clock in before["schedules"]],
    }
    found = {collection: await asyncio.gather(*calls) for collection, calls in reads.items()}
    return {collection: [item for item in items if item] for collection, items in found.items()}


def _runbook(item: Json, *, lower: bool = True) -> str:
    name = str((item["properties"].get("runbook") or {}).get("name") or "")
    return name.lower() if lower else name


def _changed(collection: str, item: Json, because: str) -> str:
    what = f"the {_CALLED[collection]} {item['name']} of {account_name(item['id'])}"
    if because:
        return f"{what}: changed by the suspect, but {because}"
    return (
        f"The suspect changed {what}, which was there before. Azure keeps nothing of what it was: an operator compares "
        "it with what it should be, or makes it anew."
    )


def _deleted(collection: str, loss: planted.Loss) -> str:
    what = f"the {_CALLED[collection]} {called(loss.deed.resource)} of {account_name(loss.deed.resource)}"
    return (
        f"The suspect deleted {what}, {loss.was}. Azure keeps nothing of it: if it is missing, an operator makes it "
        "anew."
    )
