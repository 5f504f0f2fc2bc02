"""Plain REST, for what no pinned SDK covers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from responders.azure.answers import absent_is_fine, error_map
from responders.azure.pipeline import PATIENCE
from responders.azure.words import query_string, same_host
from responders.model import Json

if TYPE_CHECKING:
    from azure.core.rest import AsyncHttpResponse

_ACCEPTED = 202


class Page(Protocol):
    """A list's answer, however it is decoded."""

    next_link: str | None


P = TypeVar("P", bound=Page)


class Service:
    """One of Azure's services, at its host. Paths come quoted. A refusal is raised as azure-core's error for it."""

    def __init__(self, host: str, pipeline: Any, next_link: str = "nextLink") -> None:
        """`pipeline`: azure-core's. `next_link`: by what a page of a list names the next one."""
        self._host, self._pipeline, self._next_link = host, pipeline, next_link

    async def call(self, method: str, path: str, query: Mapping[str, str] = {}, body: Json | None = None) -> Json:
        """One call. Returns the JSON body, {} for none."""
        return _json(await self._send(method, self._url(path, query), body))

    async def read(self, path: str, query: Mapping[str, str] = {}) -> Json | None:
        """What a GET answers; None for 404."""
        with absent_is_fine():
            return await self.call("GET", path, query)
        return None

    async def list(self, path: str, query: Mapping[str, str] = {}) -> "list[Json]":
        """A whole list; [] for 404."""
        with absent_is_fine():
            return [item async for item in self.items(path, query)]
        return []

    async def items(self, path: str, query: Mapping[str, str] = {}) -> AsyncIterator[Json]:
        """The items of a list, page by page as they are asked for."""
        following = self._url(path, query)
        while following:
            same_host(following, self._host)
            page = _json(await self._send("GET", following))
            for item in page.get("value", []):
                yield item
            following = page.get(self._next_link) or ""

    async def pages(self, path: str, query: Mapping[str, str], decode: Callable[[bytes], P]) -> AsyncIterator[P]:
        """The pages of a list, each decoded by `decode`: for lists so long that it shows."""
        following: str | None = self._url(path, query)
        while following:
            same_host(following, self._host)
            page = decode((await self._send("GET", following)).content)
            yield page
            following = page.next_link

    async def result(self, path: str, query: Mapping[str, str], body: Json, wait: float) -> Json | None:
        """What a POST comes to that may go on behind its answer; None when it takes longer than `wait` seconds."""
        response = await self._send("POST", self._url(path, query), body)
        while response.status_code == _ACCEPTED:
            pause = min(float(response.headers.get("Retry-After", 1)), PATIENCE)
            if (wait := wait - max(pause, 0.1)) < 0:
                return None
            await asyncio.sleep(pause)
            following = response.headers["Location"]
            same_host(following, self._host)
            response = await self._send("GET", following)
        return _json(response)

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return self._host + path + ("?" + query_string(query) if query else "")

    async def _send(self, method: str, url: str, body: Json | None = None) -> "AsyncHttpResponse":
        from azure.core.exceptions import HttpResponseError, map_error
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, url, json=body) if body is not None else HttpRequest(method, url)
        response: AsyncHttpResponse = await self._pipeline.send_request(request)
        if response.status_code >= 400:  # noqa: PLR2004
            map_error(response.status_code, response, error_map())
            raise HttpResponseError(response=response)
        return response


def _json(response: "AsyncHttpResponse") -> Json:
    return json.loads(response.content) if response.content else {}
