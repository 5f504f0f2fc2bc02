"""Resource Manager's token buckets, as documented since 2024.

Per subscription (or tenant) and principal: reads 250, refilled with 25 a second; writes 200 and 10; deletes 200 and 10.
All principals of a subscription together have 15 times as much.
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from sandbox.azure.errors import ApiError

SIZES = {"reads": (250, 25), "writes": (200, 10), "deletes": (200, 10)}  # bucket, refill a second
TOGETHER = 15


@dataclass(slots=True)
class Bucket:
    """Holds at most `size` tokens; `refill` come back each second."""

    size: float
    refill: float
    at: datetime
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.size

    def fill(self, now: datetime) -> None:
        """Bring the bucket up to now. A clock that was set back refills nothing."""
        passed = max(0.0, (now - self.at).total_seconds())
        self.tokens, self.at = min(self.size, self.tokens + passed * self.refill), now


class Throttle:
    """All buckets. Switch it off with `on = False`."""

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    def take(self, subscription: str, principal: str, method: str, now: datetime) -> dict[str, str]:
        """Take one token; what is left, as headers. Raises ApiError 429 with Retry-After when there is none."""
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(method, "writes")
        if not self.on:
            return {}
        size, refill = SIZES[kind]
        mine = self._bucket((subscription, principal, kind), size, refill, now)
        all_ = self._bucket((subscription, "", kind), size * TOGETHER, refill * TOGETHER, now)
        short = min((mine, all_), key=lambda b: b.tokens)
        if short.tokens < 1:
            raise self._refusal(kind, subscription, principal, ceil((1 - short.tokens) / short.refill))
        mine.tokens -= 1
        all_.tokens -= 1
        prefix = f"x-ms-ratelimit-remaining-{'subscription' if subscription else 'tenant'}-"
        return {prefix + kind: str(int(mine.tokens)), f"{prefix}global-{kind}": str(int(all_.tokens))}

    def _bucket(self, key: tuple[str, str, str], size: float, refill: float, now: datetime) -> Bucket:
        bucket = self._buckets.setdefault(key, Bucket(size, refill, now))
        bucket.fill(now)
        return bucket

    @staticmethod
    def _refusal(kind: str, subscription: str, principal: str, seconds: int) -> ApiError:
        what = f"subscription '{subscription}' actor '{principal}'" if subscription else f"tenant actor '{principal}'"
        message = (
            f"Number of '{kind}' for {what} exceeded. Please try again after '{seconds}' seconds after additional "
            "tokens are available. Refer to https://aka.ms/arm-throttling for additional information."
        )
        code = "SubscriptionRequestsThrottled" if subscription else "TenantRequestsThrottled"
        return ApiError(429, code, message, headers={"Retry-After": str(seconds)})
