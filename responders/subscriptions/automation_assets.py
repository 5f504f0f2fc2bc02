"""What else an Automation account holds: one table of its kinds, and how what was planted is found and deleted.

Runbooks read, import or run on all of these. Microsoft.Automation, api-version 2024-10-23.
"""

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import familiarity
from responders.azure import absent_is_fine
from responders.errors import Temporary
from responders.ids import ResourceId, called, within
from responders.model import Case, Change, Json, Outcome, Plan, Verdict
from responders.subscriptions import definition, planted
from responders.subscriptions.automation import VERSION, Account, account_name
from responders.subscriptions.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterable

    from responders.azure import Azure
    from responders.model import Subject


class Kind(Struct, frozen=True):
    """One kind of thing in an account."""

    collection: str  # as it is spelled in ids
    name: str  # what people call it
    hidden: str = ""  # what of it Azure never shows, so that nobody can make it anew; "" for nothing
    encrypted: bool = False  # whether Azure hides the value of some of them


_PACKAGE = "the package that was imported"
GROUPS = "hybridRunbookWorkerGroups"
WORKERS = f"{GROUPS}/hybridRunbookWorkers"
HYBRID = (GROUPS, WORKERS)
PACKAGES = "runtimeEnvironments/packages"
KINDS = (
    Kind("variables", "variable", "its value", encrypted=True),
    Kind("connections", "connection", "the values of its fields", encrypted=True),
    Kind("connectionTypes", "connection type"),
    Kind(GROUPS, "hybrid worker group"),
    Kind("credentials", "credential", "its password"),
    Kind("certificates", "certificate", "its key"),
    Kind("modules", "module", _PACKAGE),
    Kind("powerShell72Modules", "PowerShell 7.2 module", _PACKAGE),
    Kind("python2Packages", "Python 2 package", _PACKAGE),
    Kind("python3Packages", "Python 3 package", _PACKAGE),
    Kind("runtimeEnvironments", "runtime environment", "the packages in it"),
    Kind("sourceControls", "source control", "its access token"),
    Kind("watchers", "watcher", "what it saw, and whether it ran"),
)
_WORKER = Kind(WORKERS, "hybrid worker")
_IN_ENVIRONMENT = Kind(PACKAGES, "package of a runtime environment", _PACKAGE)


async def plan(action: str, case: Case, subject: "Subject", azure: "Azure", *, shown: bool) -> Plan:
    """The plan of one of the two actions: on what Azure shows all of, so that undo can make it anew, or on the rest."""
    accounts = await Account.all(azure, subject.id)
    found = Draft()
    await asyncio.gather(*(_Look(action, case, azure, account, found, shown).all() for account in accounts))
    reason = f"Nothing of that kind in {len(accounts)} accounts was made by a suspect in the window."
    return found.plan(action, subject, reason)


class _Look(Struct):
    """A look into one account."""

    action: str
    case: Case
    azure: "Azure"
    account: Account
    found: Draft
    shown: bool

    async def all(self) -> None:
        kinds = [kind for kind in KINDS if kind.encrypted or bool(kind.hidden) != self.shown]
        await asyncio.gather(*(self._kind(kind) for kind in kinds))
        if not self.shown:
            await self._packages()

    async def _kind(self, kind: Kind) -> None:
        items = await listed(self.azure, f"{self.account.id}/{kind.collection}")
        await asyncio.gather(*(self._item(kind, item) for item in items if not _builtin(item)))
        if bool(kind.hidden) == self.shown:
            return
        for loss in await planted.deleted(self.case, self.azure, self.account.id, kind.collection):
            self.found.by_hand.append(
                f"The suspect deleted the {kind.name} {called(loss.deed.resource)} of {self.account.name}, {loss.was}. "
                "Azure keeps nothing of it: if it is missing, an operator makes it anew."
            )

    async def _item(self, kind: Kind, item: Json) -> None:
        verdict = planted.judge(self.case, item, kind.collection)
        doubtful = verdict.familiarity != "familiar"
        changed = not doubtful and planted.deeds(self.case, item["id"], f"{kind.collection}/write")
        if (doubtful or changed) and ResourceId.read(item["id"]) is None:
            # It can't be asked for; and one of those is not to keep all others from being looked at.
            if bool(kind.hidden) != self.shown:
                self.found.by_hand.append(
                    f"The {kind.name} {item['id'][:300]!r} has a name that is not handled here "
                    f"({'; '.join(verdict.reasons)}): an operator looks who made it, and deletes it if that was the "
                    "suspect."
                )
            return
        if doubtful or changed:  # a list leaves out some of it
            item = await read(self.azure, item["id"]) or item
            if _all_shown(kind, item) != self.shown:
                return
        workers = await listed(self.azure, f"{item['id']}/hybridRunbookWorkers") if kind.collection == GROUPS else []
        if doubtful:
            self.found.changes.append(self._change(kind, item, workers, verdict))
            return
        if changed:
            word = familiarity.vouched(self.case, item["id"])
            (self.found.kept if word else self.found.by_hand).append(_said(kind, item, word.because if word else ""))
        await asyncio.gather(*(self._item(_WORKER, worker) for worker in workers))

    async def _packages(self) -> None:
        """Packages in familiar environments: only of those that the log names, since each has a list of its own."""
        planted_ones = [change.resource for change in self.found.changes]
        for deed in planted.deeds(self.case, self.account.id, f"{PACKAGES}/write"):
            if not any(within(deed.resource, above) for above in planted_ones) and deed.resource.count("/packages/"):
                planted_ones.append(deed.resource)
                if item := await read(self.azure, deed.resource):
                    await self._item(_IN_ENVIRONMENT, item)

    def _change(self, kind: Kind, item: Json, workers: list[Json], verdict: Verdict) -> Change:
        lost = ["who made it, and when", *([kind.hidden] if not self.shown else ())]
        machines = ", ".join(str(worker["properties"].get("workerName") or worker["name"]) for worker in workers)
        return Change(
            action=self.action,
            resource=item["id"],
            summary=f"delete the {kind.name} {called(item['id'])} of {self.account.name}"
            + (f", with the workers {machines}" if machines else ""),
            reasons=verdict.reasons,
            familiarity=verdict.familiarity,
            before={"item": item, "workers": workers},
            lasting=f"Undo can't bring back {'; '.join(lost)}.",
        )


async def delete(change: Change, azure: "Azure") -> Outcome:
    """Delete it, a group's workers first."""
    before = change.before
    now = await read(azure, change.resource)
    if now is None:
        return Outcome(status="already_so", reason="It is gone already.")
    workers = await listed(azure, f"{change.resource}/hybridRunbookWorkers") if is_group(change) else []
    if not planted.same(now, before["item"]):
        return Outcome(status="drifted", reason="Another one has its name now.")
    known = {worker["id"].lower() for worker in before["workers"]}
    more = [worker for worker in workers if worker["id"].lower() not in known]
    for item in (*workers, now):
        with absent_is_fine():
            await azure.arm("DELETE", ResourceId.parse(item["id"]).text, VERSION)
    if more or planted.stamp(now) != planted.stamp(before["item"]):
        # Whoever planted it may write to it at any time.
        at_the_end = definition.evidence({"item": now, "workers": more})
        return Outcome(status="done", reason="It was written to after the plan.", after=at_the_end)
    return Outcome(status="done")


async def gone(change: Change, azure: "Azure") -> Outcome:
    """Whether it is gone. Raises Temporary while it shows."""
    if await read(azure, change.resource) is not None:
        raise Temporary(f"It still shows: {change.summary}.")
    return Outcome(status="done")


async def read(azure: "Azure", id_: str) -> Json | None:
    """One of them, or None when it is not there."""
    return await azure.arm_read(ResourceId.parse(id_).text, VERSION)


async def listed(azure: "Azure", collection: str) -> list[Json]:
    return [item async for item in azure.arm_pages(collection, VERSION)]


def is_group(change: Change) -> bool:
    return ResourceId.parse(change.resource).type.lower().endswith(f"/{GROUPS.lower()}")


def _builtin(item: Json) -> bool:
    """Whether it is in every account there is."""
    return bool((item.get("properties") or {}).get("isGlobal"))


def _all_shown(kind: Kind, item: Json) -> bool:
    """Whether Azure shows all of it."""
    properties = item.get("properties") or {}
    if not kind.encrypted:
        return not kind.hidden
    values: Iterable[object] = (properties.get("fieldDefinitionValues") or {}).values()
    return not properties.get("isEncrypted") and all(value is not None for value in values)


def _said(kind: Kind, item: Json, because: str) -> str:
    what = f"the {kind.name} {called(item['id'])} of {account_name(item['id'])}"
    if because:
        return f"{what}: changed by the suspect, but {because}"
    version = item["properties"].get("version")
    now = f" It has version {version} now." if version else ""
    return (
        f"The suspect wrote {what}, which was there before.{now} Azure keeps nothing of what it was: an operator sets "
        "it anew, or imports it from its source."
    )
