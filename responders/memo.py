"""Remembers for a short time what was read from Azure, so that those who ask side by side read it once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from responders.azure import Azure

T = TypeVar("T")


class Memo(Generic[T]):
    """What was read, by what was asked: of each `Azure` by itself, and for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: WeakKeyDictionary[Azure, dict[str, tuple[float, T]]] = WeakKeyDictionary()
        self._locks: WeakKeyDictionary[Azure, dict[str, asyncio.Lock]] = WeakKeyDictionary()

    async def get(self, azure: "Azure", asked: str, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` returned lately, or returns now. Its errors are nobody's to remember."""
        async with self._locks.setdefault(azure, {}).setdefault(asked, asyncio.Lock()):
            kept = self._kept.setdefault(azure, {})
            for old in [name for name, (at, _) in kept.items() if time.monotonic() - at > self._seconds]:
                del kept[old]
            if asked not in kept:
                kept[asked] = time.monotonic(), await read()
            return kept[asked][1]

    def forget(self, azure: "Azure", asked: str) -> None:
        """After a write: what was read before it does not hold any more."""
        self._kept.get(azure, {}).pop(asked, None)
