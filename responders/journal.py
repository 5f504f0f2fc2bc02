"""The journal of an incident: what happened, in order, as a hash chain.

Each entry names the SHA-256 of the bytes of the one before, so that no entry can be altered, removed or moved without
the chain showing it. What the chain can't show, a tail cut off, is shown against the head that a report printed.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import NamedTuple

import msgspec
from msgspec import Struct

from responders.errors import Temporary
from responders.evidence import Evidence, segment
from responders.model import Json, encode

_NUMBERED = re.compile(r"\d{6}|[1-9]\d{6,8}")
_AT_ONCE = 32  # reads under way at a time


class Entry(Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    n: int  # from 1, without gaps
    at: datetime  # with its zone
    kind: str  # "alert", "asked", "answered", "planned", "approved", "applied", …
    by: str  # who did it
    what: Json
    key: str  # idempotency key: the same happening has the same one
    previous: str  # SHA-256 in hex of the bytes of entry n - 1; "" for the first

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("The time of a journal entry needs its zone.")


class Head(NamedTuple):
    """The last entry: its number and the SHA-256 of its bytes in hex; (0, "") of an empty journal."""

    n: int
    sha256: str


class Journal:
    """Entries incidents/<incident>/journal/<n>.json. Any number of processes may append; each keeps what it read."""

    def __init__(self, evidence: Evidence, incident: str) -> None:
        """Raise Permanent when `incident` is not one path segment."""
        self._evidence = evidence
        self._folder = f"incidents/{segment(incident)}/journal"
        self._entries: list[Entry] = []  # those that can be read
        self._by_key: dict[str, Entry] = {}
        self._head = Head(0, "")
        self._lock = asyncio.Lock()

    async def append(self, kind: str, what: Json, *, by: str, at: datetime, key: str) -> Entry:
        """Add an entry, or return the one that has this `key` already. Raises Temporary and Permanent as Evidence does.

        One call to the store, unless others have appended meanwhile: creating the next number proves that nobody has.
        """
        async with self._lock:
            while (entry := self._by_key.get(key)) is None:
                n = self._head.n + 1
                new = encode(Entry(n=n, at=at, kind=kind, by=by, what=what, key=key, previous=self._head.sha256))
                if await self._evidence.create(self._path(n), new):
                    self._take(new)
                elif not await self._read_on():
                    raise Temporary(
                        f"The evidence store refused {self._path(n)} as already there, and then did not have it."
                    )
            return entry

    async def find(self, key: str) -> Entry | None:
        """Return the entry with that idempotency key, None when there is none."""
        async with self._lock:
            if key not in self._by_key:
                await self._read_on()
            return self._by_key.get(key)

    async def entries(self) -> list[Entry]:
        """All entries that can be read, in order. Whether they are whole and genuine is for `verify`."""
        async with self._lock:
            await self._read_on()
            return list(self._entries)

    async def head(self) -> Head:
        """What to print in a report, and to `prove` later."""
        async with self._lock:
            await self._read_on()
            return self._head

    async def verify(self) -> tuple[str, ...]:
        """Read everything anew and say what is wrong with it, a sentence each; () when the chain is whole."""
        problems: list[str] = []
        numbers: list[int] = []
        for path in await self._evidence.list(self._folder):
            name = path.removeprefix(self._folder + "/").removesuffix(".json")
            if _NUMBERED.fullmatch(name) and path == self._path(int(name)):
                numbers.append(int(name))
            else:
                problems.append(f"{path} does not belong in the journal.")
        numbers.sort()
        last = Head(0, "")
        for start in range(0, len(numbers), _AT_ONCE):
            batch = numbers[start : start + _AT_ONCE]
            for n, data in zip(batch, await self._read(batch), strict=True):
                problems += _problems(n, data or b"", last)
                last = Head(n, _sha256(data or b""))
        return tuple(problems)

    async def prove(self, head: tuple[int, str]) -> tuple[str, ...]:
        """Verify, and also that the entry `head` is there as it was: then all up to it are, and no tail was cut off."""
        n, sha256 = head
        problems = await self.verify()
        data = await self._evidence.read_bytes(self._path(n)) if n else b""
        if data is None:
            return (*problems, f"Entry {n} was the last once, and is missing.")
        if n and _sha256(data) != sha256:
            return (
                *problems,
                f"Entry {n} was altered, or one before it was and the chain rewritten: its hash is another.",
            )
        return problems

    def _path(self, n: int) -> str:
        return f"{self._folder}/{n:06}.json"

    async def _read(self, numbers: Sequence[int]) -> list[bytes | None]:
        return await asyncio.gather(*(self._evidence.read_bytes(self._path(n)) for n in numbers))

    async def _read_on(self) -> bool:
        """Take in what was appended since; whether there was anything. Twice as many at a time while there is more."""
        before, ahead = self._head.n, 1
        while True:
            start = self._head.n + 1
            for data in takewhile(lambda data: data is not None, await self._read(range(start, start + ahead))):
                self._take(data or b"")
            if self._head.n < start + ahead - 1:
                return self._head.n > before
            ahead = min(2 * ahead, _AT_ONCE)

    def _take(self, data: bytes) -> None:
        """Go on from an entry. One that was damaged is for `verify` to tell: it must not stop the response."""
        self._head = Head(self._head.n + 1, _sha256(data))
        try:
            entry = msgspec.json.decode(data, type=Entry)
        except msgspec.DecodeError:
            return
        self._entries.append(entry)
        self._by_key.setdefault(entry.key, entry)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _problems(n: int, data: bytes, last: Head) -> list[str]:
    """Say what is wrong with entry `n`, seen after entry `last`."""
    problems = []
    if n != last.n + 1:
        gap = f"Entry {n - 1} is" if n == last.n + 2 else f"Entries {last.n + 1} to {n - 1} are"
        problems.append(f"{gap} missing.")
    try:
        entry = msgspec.json.decode(data, type=Entry)
    except msgspec.DecodeError as error:
        return [*problems, f"Entry {n} can't be read: {error}."]
    if entry.n != n:
        problems.append(f"Entry {n} says that it is entry {entry.n}.")
    if n == last.n + 1 and entry.previous != last.sha256:
        problems.append(
            f"Entry {n} does not follow from entry {last.n}: one of them was altered."
            if last.n
            else "Entry 1 names one before it."
        )
    if encode(entry) != data:
        problems.append(f"Entry {n} is not written the way the journal writes.")
    return problems
