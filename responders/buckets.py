"""Resource Manager's token buckets: a call waits for its token here rather than to be refused there.

A principal has for each subscription 250 reads, and 25 more a second; 200 writes and 200 deletes, and 10 more a second.
How many are left each answer says: x-ms-ratelimit-remaining-subscription-reads, or -tenant-reads, and so on.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

_REFILL = {"reads": 25.0, "writes": 10.0, "deletes": 10.0}  # a second
_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)


class Bucket(NamedTuple):
    """Which bucket a call takes its token from."""

    subscription: str  # "": that of the tenant
    kind: str

    @classmethod
    def of(cls, method: str, url: str) -> "Bucket":
        found = _SUBSCRIPTION.search(url)
        return cls(found[1].lower() if found else "", _KINDS.get(method, "writes"))


class Buckets:
    """What is left in them, as far as answers told. Of one that no answer told of, nobody waits."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left: dict[Bucket, tuple[float, float]] = {}  # tokens, as of when; less than none: promised already
        self._under_way: Counter[Bucket] = Counter()

    def take(self, bucket: Bucket) -> float:
        """Take a token for a call that is about to be made. Returns the seconds until it is there."""
        self._under_way[bucket] += 1
        if bucket not in self._left:
            return 0.0
        tokens = self._filled(bucket) - 1
        self._left[bucket] = tokens, self._now()
        return max(0.0, -tokens / _REFILL[bucket.kind])

    def answered(self, bucket: Bucket, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """After a call, whatever came of it. `refused`: with 429."""
        self._under_way[bucket] -= 1
        level = "subscription" if bucket.subscription else "tenant"
        said = headers.get(f"x-ms-ratelimit-remaining-{level}-{bucket.kind}", "")
        if refused:
            self._left[bucket] = min(0.0, self._filled(bucket)), self._now()
        elif said.isdecimal():
            # Calls under way are perhaps not counted yet.
            self._left[bucket] = float(int(said) - self._under_way[bucket]), self._now()

    def _filled(self, bucket: Bucket) -> float:
        tokens, at = self._left.get(bucket, (0.0, self._now()))
        return tokens + (self._now() - at) * _REFILL[bucket.kind]
