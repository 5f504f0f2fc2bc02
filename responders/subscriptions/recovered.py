"""What suspects recovered after somebody had deleted it: Azure then says that it is as old as it was before."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from responders.model import Case, Verdict
from responders.subscriptions import former, inventory
from responders.subscriptions.inventory import Found
from responders.subscriptions.resource_types import RECOVERABLE

if TYPE_CHECKING:
    from responders.azure import Azure


async def found(case: Case, azure: "Azure", subscription: str, listed: Iterable[Found]) -> dict[str, Verdict]:
    """By id those that had been deleted, by the log, before a suspect's first write: each with what to think of it."""
    room, at = asyncio.Semaphore(inventory.AT_ONCE), datetime.now(UTC)

    async def look(item: Found) -> tuple[str, Verdict] | None:
        deed = case.wrote(item.key)
        if deed is None or item.type.lower() not in RECOVERABLE:
            return None
        async with room:
            was = await former.of(case, azure, subscription, item.id.text, at)
        if not (was.known and was.before and was.body is None) or was.since:
            return None
        verdict = former.judge(case, deed)
        return item.key, replace(verdict, reasons=(*verdict.reasons, f"he recovered it: {was.source}"))

    return dict(filter(None, await asyncio.gather(*(look(item) for item in listed))))
