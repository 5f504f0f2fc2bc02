"""What hangs on the runbooks of an Automation account (Microsoft.Automation, api-version 2024-10-23).

Rights are named as the provider's list of operations has them: Azure takes no role that names another. That list has
nothing for reading a draft's script, nor for PowerShell 7.2 modules and runtime environments; a pattern covers those.
"""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from responders.azure import absent_is_fine, rest
from responders.ids import ResourceId
from responders.model import Json

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from responders.azure import Azure

ACCOUNT = "Microsoft.Automation/automationAccounts"
VERSION = "2024-10-23"
# A suspended job is none of them: whoever may resume it runs what it holds, even when the runbook is gone.
FINAL = frozenset({"Completed", "Failed", "Stopped", "Disconnected"})
STOPPING = "Stopping"


class Account(Struct, frozen=True):
    """One Automation account and the client that speaks to it."""

    id: str
    group: str
    name: str
    client: Any  # AutomationClient; msgspec would import it to resolve the type

    @classmethod
    def of(cls, azure: "Azure", resource: str) -> "Account":
        """The account that a resource id names, or lies in."""
        # What lies in it may have any name; its own nine parts are all that is taken apart.
        id_ = ResourceId.parse("/".join(resource.split("/")[:9]))
        home = f"/subscriptions/{id_.subscription}/resourceGroups/{id_.group}/providers/{ACCOUNT}/{id_.names[0]}"
        return cls(home, id_.group, id_.names[0], azure.automation(id_.subscription))

    @classmethod
    async def all(cls, azure: "Azure", subscription: str) -> "list[Account]":
        """Every account of a subscription."""
        listed = azure.automation(subscription).automation_account.list()
        return [cls.of(azure, str(account.id)) async for account in listed]

    @property
    def _at(self) -> tuple[str, str]:
        return self.group, self.name

    async def runbooks(self) -> list[Json]:
        return await _all(self.client.runbook.list_by_automation_account(*self._at))

    async def schedules(self) -> list[Json]:
        return await _all(self.client.schedule.list_by_automation_account(*self._at))

    async def job_schedules(self) -> list[Json]:
        return await _all(self.client.job_schedule.list_by_automation_account(*self._at))

    async def webhooks(self) -> list[Json]:
        return await _all(self.client.webhook.list_by_automation_account(*self._at))

    async def jobs(self) -> list[Json]:
        """The jobs of the last 30 days, the newest first. A list has neither who started them nor their parameters."""
        return await _all(self.client.job.list_by_automation_account(*self._at))

    async def job(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.job.get(*self._at, name))
        return None

    async def test_job(self, runbook: str) -> Json | None:
        """The last test run of a runbook's draft, which no list of jobs has."""
        with absent_is_fine():
            return rest(await self.client.test_job.get(*self._at, runbook))
        return None

    async def ran(self, job: str) -> str | None:
        """The script as a job ran it, whatever became of the runbook since; None when Azure has it no more."""
        with absent_is_fine():
            return str(await self.client.job.get_runbook_content(*self._at, job))
        return None

    async def runbook(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.runbook.get(*self._at, name))
        return None

    async def schedule(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.schedule.get(*self._at, name))
        return None

    async def job_schedule(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.job_schedule.get(*self._at, name))
        return None

    async def webhook(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.webhook.get(*self._at, name))
        return None

    async def content(self, name: str) -> str | None:
        """The published script, or None if it was never published."""
        with absent_is_fine():
            return str(await self.client.runbook.get_content(*self._at, name))
        return None

    async def draft(self, name: str) -> str | None:
        """The script as it lies in the draft, or None without one."""
        with absent_is_fine():
            return str(await self.client.runbook_draft.get_content(*self._at, name))
        return None

    async def stop(self, job: str) -> None:
        await self.client.job.stop(*self._at, job)

    async def delete_webhook(self, name: str) -> None:
        with absent_is_fine():
            await self.client.webhook.delete(*self._at, name)

    async def delete_job_schedule(self, name: str) -> None:
        with absent_is_fine():
            await self.client.job_schedule.delete(*self._at, name)

    async def delete_schedule(self, name: str) -> None:
        with absent_is_fine():
            await self.client.schedule.delete(*self._at, name)

    async def delete_runbook(self, name: str) -> None:
        with absent_is_fine():
            await self.client.runbook.delete(*self._at, name)


def account_name(resource: str) -> str:
    """The name of the account in which something lies, for people to read: whatever else its id holds."""
    head = resource.lower().partition("/automationaccounts/")[0]
    return resource[len(head) + len("/automationaccounts/") :].partition("/")[0]


def belongs(item: Json, runbook: str) -> bool:
    """Whether a job, job schedule or webhook is of that runbook."""
    name = (item["properties"].get("runbook") or {}).get("name") or ""
    return bool(name.lower() == runbook.lower())


def live(job: Json) -> bool:
    """Whether a job has not come to an end."""
    return job["properties"].get("status") not in FINAL


def scheduled(link: Json) -> str:
    """The name of the schedule that a job schedule links to."""
    return str((link["properties"].get("schedule") or {}).get("name") or "")


async def _all(pages: "AsyncIterable[Any]") -> list[Json]:
    return [rest(model) async for model in pages]
