"""What is asked of the engine that runs the workflow: Durable Functions, behind an adapter."""

from typing import Protocol

from responders.model import Json


class Engine(Protocol):
    """What is asked of Durable Functions."""

    async def start(self, orchestrator: str, instance: str, order: Json) -> bool:
        """Start an instance. False when one of that id is there, unless it broke: then it is started again."""

    async def wake(self, instance: str, event: str) -> None:
        """Raise an event. One for an instance that has ended is no error."""
