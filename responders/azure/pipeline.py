"""The policies of our own in every client's pipeline: when a call waits, and when it is tried again."""

import asyncio
from typing import TYPE_CHECKING, Any

from responders.buckets import Bucket, Buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

THROTTLED = 429
# A longer wait than this is the engine's business: its timers cost nothing, a sleeping function does.
PATIENCE = 20


def retry_policy() -> Any:
    from azure.core.pipeline.policies import AsyncRetryPolicy

    class Patient(AsyncRetryPolicy):  # type: ignore[type-arg]
        """The SDK's retries, but a long Retry-After is left to the engine."""

        def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
            wait = self.get_retry_after(response)
            if wait and wait > PATIENCE:
                return False
            return bool(super().is_retry(settings, response))

    return Patient(retry_total=4, retry_backoff_factor=0.4, retry_backoff_max=PATIENCE)


def bucket_policy(buckets: Buckets) -> Any:
    from azure.core.pipeline.policies import AsyncHTTPPolicy

    class Unhurried(AsyncHTTPPolicy):  # type: ignore[type-arg]
        """Waits for a token of Resource Manager's before each try, but not longer than a function should."""

        async def send(self, request: Any) -> Any:
            bucket = Bucket.of(request.http_request.method, request.http_request.url)
            headers: Mapping[str, str] = {}
            refused = False
            try:
                if wait := buckets.take(bucket):
                    await asyncio.sleep(min(wait, PATIENCE))
                answer = await self.next.send(request)
                headers, refused = answer.http_response.headers, answer.http_response.status_code == THROTTLED
            finally:
                buckets.answered(bucket, headers, refused=refused)
            return answer

    return Unhurried()


def room_policy(at_once: int) -> Any:
    from azure.core.pipeline.policies import AsyncHTTPPolicy

    room = asyncio.Semaphore(at_once)

    class Orderly(AsyncHTTPPolicy):  # type: ignore[type-arg]
        """So many calls at a time. One that waits to be tried again takes no room."""

        async def send(self, request: Any) -> Any:
            async with room:
                return await self.next.send(request)

    return Orderly()
