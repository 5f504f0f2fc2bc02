"""One request without a sign-in: whether something answers, and how."""

from collections.abc import Mapping
from typing import NamedTuple

from responders.errors import Temporary

_PATIENCE = 30  # seconds


class Answer(NamedTuple):
    """What was answered, without its body."""

    status: int
    headers: Mapping[str, str]


async def probe(url: str) -> Answer:
    """GET it, following nothing. Raises Temporary when nobody answers."""
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return Answer(answer.status, answer.headers)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: no URL at all
        raise Temporary(f"{url} does not answer: {error or type(error).__name__}.") from error
