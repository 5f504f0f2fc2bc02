"""What hangs on the runbooks of an Automation account (Microsoft.Automation, api-version 2024-10-23)."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from responders.azure import absent_is_fine, rest
from responders.ids import ResourceId
from responders.model import Json

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from responders.azure import Azure

FINAL = frozenset({"Completed", "Failed", "Stopped", "Suspended", "Disconnected"})


class Account(Struct, frozen=True):
    """One Automation account and the client that speaks to it."""

    group: str
    name: str
    client: Any  # AutomationClient; msgspec would import it to resolve the type

    @classmethod
    def of(cls, azure: "Azure", resource: str) -> "Account":
        """The account that a resource id names, or lies in."""
        id_ = ResourceId.parse(resource)
        return cls(id_.group, id_.names[0], azure.automation(id_.subscription))

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

    async def live_jobs(self, runbook: str) -> list[Json]:
        """Jobs of the runbook that have not come to an end."""
        jobs = await _all(self.client.job.list_by_automation_account(*self._at))
        return [j for j in jobs if belongs(j, runbook) and j["properties"].get("status") not in FINAL]

    async def runbook(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.runbook.get(*self._at, name))
        return None

    async def schedule(self, name: str) -> Json | None:
        with absent_is_fine():
            return rest(await self.client.schedule.get(*self._at, name))
        return None

    async def has_job_schedule(self, name: str) -> bool:
        with absent_is_fine():
            await self.client.job_schedule.get(*self._at, name)
            return True
        return False

    async def has_webhook(self, name: str) -> bool:
        with absent_is_fine():
            await self.client.webhook.get(*self._at, name)
            return True
        return False

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


def belongs(item: Json, runbook: str) -> bool:
    """Whether a job, job schedule or webhook is of that runbook."""
    name = (item["properties"].get("runbook") or {}).get("name") or ""
    return bool(name.lower() == runbook.lower())


def scheduled(link: Json) -> str:
    """The name of the schedule that a job schedule links to."""
    return str((link["properties"].get("schedule") or {}).get("name") or "")


async def _all(pages: "AsyncIterable[Any]") -> list[Json]:
    return [rest(model) async for model in pages]
