"""Durable Functions' client, as the API needs it."""

from datetime import datetime

from azure.durable_functions import DurableOrchestrationClient, OrchestrationRuntimeStatus

from responders.errors import Temporary
from responders.model import Json

_ENDED = [
    OrchestrationRuntimeStatus.Completed,
    OrchestrationRuntimeStatus.Failed,
    OrchestrationRuntimeStatus.Terminated,
    OrchestrationRuntimeStatus.Canceled,
]
_BROKEN = {"Failed", "Terminated", "Canceled"}


class Durable:
    """Starts and wakes orchestrations, and forgets them."""

    def __init__(self, client: DurableOrchestrationClient) -> None:
        self._client = client

    async def start(self, orchestrator: str, instance: str, order: Json) -> bool:
        """Start an instance. False when one of that id is there, running or finished.

        The host refuses to start a running one, but silently replaces a finished one: so look first. One that broke, or
        that somebody terminated, is started again, and goes on by what it journalled.
        """
        status = await self._client.get_status(instance)
        if status and not (status.runtime_status and status.runtime_status.name in _BROKEN):
            return False
        try:
            await self._client.start_new(orchestrator, instance, order)
        except Exception as error:  # the client raises nothing narrower
            if await self._client.get_status(instance):
                return False  # somebody else started it between our look and our start
            raise Temporary(f"Durable Functions did not start {instance}: {str(error)[:300]}") from error
        return True

    async def wake(self, instance: str, event: str) -> None:
        """Raise an event. An instance that has ended, or never was, needs none."""
        if not await self._runs(instance):
            return
        try:
            await self._client.raise_event(instance, event, {})
        except Exception as error:  # the client raises nothing narrower
            if await self._runs(instance):  # else it ended between our look and our event
                raise Temporary(f"Durable Functions did not wake {instance}: {str(error)[:300]}") from error

    async def ended(self, prefix: str) -> list[tuple[str, datetime]]:
        """Instances that have ended, and when, by the beginning of their ids: one page, as the client reads no more."""
        found = await self._client.get_status_by(runtime_status=_ENDED, instance_id_prefix=prefix)
        return [(one.instance_id, one.last_updated_time) for one in found if one.instance_id and one.last_updated_time]

    async def purge(self, instance: str) -> None:
        """Forget an instance with its history. One that isn't there is forgotten already."""
        await self._client.purge_instance_history(instance)

    async def _runs(self, instance: str) -> bool:
        status = await self._client.get_status(instance)
        return bool(status and status.runtime_status and status.runtime_status.name in {"Running", "Pending"})
