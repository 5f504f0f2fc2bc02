"""Microsoft Graph as several callers, for its tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sandbox.azure import Sandbox
from tests.sandbox.estate import NOW, RESPONDER, Rest, browser, estate


class Graph:
    """Graph, as several callers."""

    def __init__(self, azure: Sandbox, session: Any) -> None:
        self.azure, self.session = azure, session

    async def __call__(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        rest = Rest(self.session, self.azure.endpoints.graph + "/v1.0", self.azure.token(who, "graph"))
        return await rest(method, path, body, **headers)

    def id(self, key: str) -> str:
        found = self.azure.world.directory.find(key)
        assert found
        return str(found["id"])

    def grant(self, *permissions: str) -> None:
        for permission in permissions:
            self.azure.world.directory.grant_graph(self.id(RESPONDER), permission, NOW)


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Graph]:
    async with estate(**options) as azure, browser(azure) as session:
        yield Graph(azure, session)
