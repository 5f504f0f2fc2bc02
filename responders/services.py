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
    _guarded: tuple[str, ...] | None = None
    _familiar: tuple[str, ...] | None = None
    _pipelines: tuple[str, ...] | None = None
    _approvers: tuple[str, ...] | None = None

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
        """What COUNTERSIGN_PROTECTED holds; a principal name stands for its object id too. Read once."""
        if self._guarded is None:
            self._guarded = await self._with_ids(self.settings.protected)
        return self._guarded

    async def familiar(self) -> tuple[str, ...]:
        """What COUNTERSIGN_FAMILIAR holds; a principal name stands for its object id too. Read once."""
        if self._familiar is None:
            self._familiar = await self._with_ids(self.settings.familiar)
        return self._familiar

    async def pipelines(self) -> tuple[str, ...]:
        """What COUNTERSIGN_PIPELINES holds; a principal name stands for its object id too. Read once."""
        if self._pipelines is None:
            self._pipelines = await self._with_ids(self.settings.pipelines)
        return self._pipelines

    async def approvers(self) -> tuple[str, ...]:
        """What COUNTERSIGN_APPROVERS holds; a principal name stands for its object id too. Read once."""
        if self._approvers is None:
            self._approvers = await self._with_ids(self.settings.approvers)
        return self._approvers

    async def _with_ids(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        names = [text for text in texts if "@" in text and not text.startswith("/")]
        found = [await directory.principal(self.azure, name) for name in names]
        return (*texts, *(p.id for p in found if p))

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
