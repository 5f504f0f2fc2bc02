"""What one worker process holds: settings, Azure and the evidence store, made when first asked for."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from weakref import WeakKeyDictionary

from responders import directory
from responders.azure import Azure
from responders.claims import Claims
from responders.evidence import Evidence
from responders.incident import Incident
from responders.settings import Settings


@dataclass(eq=False)
class Services:
    """One of these for each event loop, since connections belong to the loop that opened them."""

    settings: Settings

    @cached_property
    def azure(self) -> Azure:
        return Azure(self.settings)

    @cached_property
    def evidence(self) -> Evidence:
        remote = self.settings.evidence.startswith("https://")
        return Evidence.at(self.settings.evidence, self.azure.credential if remote else None)

    @cached_property
    def claims(self) -> Claims:
        return Claims(self.evidence)

    @cached_property
    def _incidents(self) -> dict[str, Incident]:
        return {}

    def incident(self, id_: str) -> Incident:
        """The incident of that id; kept, since it remembers what it has read of its journal."""
        if id_ not in self._incidents:
            self._incidents[id_] = Incident(self.evidence, id_)
        return self._incidents[id_]

    async def guarded(self) -> tuple[str, ...]:
        """What COUNTERSIGN_PROTECTED holds."""
        return await self._with_ids(self.settings.protected)

    async def familiar(self) -> tuple[str, ...]:
        """What COUNTERSIGN_FAMILIAR holds."""
        return await self._with_ids(self.settings.familiar)

    async def pipelines(self) -> tuple[str, ...]:
        """What COUNTERSIGN_PIPELINES holds."""
        return await self._with_ids(self.settings.pipelines)

    async def approvers(self) -> tuple[str, ...]:
        """What COUNTERSIGN_APPROVERS holds."""
        return await self._with_ids(self.settings.approvers)

    async def _with_ids(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """What a setting holds, where a principal name stands for its object id too. Read once."""
        if texts not in self._read:
            names = [text for text in texts if "@" in text and not text.startswith("/")]
            found = [await directory.principal(self.azure, name) for name in names]
            self._read[texts] = (*texts, *(p.id for p in found if p))
        return self._read[texts]

    @cached_property
    def _read(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        return {}

    async def close(self) -> None:
        await self.azure.close()


_current: WeakKeyDictionary[asyncio.AbstractEventLoop, Services] = WeakKeyDictionary()


def services() -> Services:
    """The services of the running event loop. Raises Misconfigured when a setting is missing or wrong."""
    loop = asyncio.get_running_loop()
    if loop not in _current:
        _current[loop] = Services(Settings.load())
    return _current[loop]


def now() -> datetime:
    """The time, for what people do by the API; what the engine does carries the engine's time."""
    return datetime.now(UTC)
