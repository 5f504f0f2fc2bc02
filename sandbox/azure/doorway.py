"""Azure's own host names, leading to a sandbox: a proxy for clients that know no other, and vaults by their names.

It speaks HTTP CONNECT on 127.0.0.1. A name of Azure's leads to the service that stands for it, every other one nowhere.
"""

import asyncio
import re
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from sandbox.azure.router import Endpoints

_HOSTS = {
    "management.azure.com": "arm",
    "graph.microsoft.com": "graph",
    "graph.windows.net": "graph",
    "login.microsoftonline.com": "login",
    "login.windows.net": "login",
    "api.loganalytics.io": "logs",
    "api.loganalytics.azure.com": "logs",
}
# Where each vault or account has a name of its own.
_DOMAINS = {"vault.azure.net": "vault", "blob.core.windows.net": "blob"}
# What a service that is called by such a name calls the others.
_AZURE = Endpoints(
    arm="https://management.azure.com",
    graph="https://graph.microsoft.com",
    login="https://login.microsoftonline.com",
    vault="https://vault.azure.net",
    logs="https://api.loganalytics.io",
    blob="https://blob.core.windows.net",
)
NAMES = (*_HOSTS, *(f"*.{domain}" for domain in _DOMAINS))  # for a certificate
_CONNECT = re.compile(rb"CONNECT ([a-z0-9.\-]{1,253}):443 HTTP/1\.[01]\r\n", re.IGNORECASE)
_LONGEST = 16_384


def owner(host: str) -> str:
    """The vault or account whose own name a host is, or ""."""
    name, _, domain = host.lower().partition(":")[0].partition(".")
    return name if domain in _DOMAINS else ""


def called(host: str) -> Endpoints | None:
    """The services by the names of Azure's, where a host is one of them."""
    return _AZURE if host.lower().partition(":")[0] in _HOSTS or owner(host) else None


class Doorway:
    """The proxy, while the context lasts."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What HTTPS_PROXY is set to, once it runs."""
        if self._server is None:
            raise RuntimeError("The doorway is not open: use it as an async context manager.")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()

    def _port(self, host: str) -> int | None:
        service = _HOSTS.get(host) or (_DOMAINS[host.partition(".")[2]] if owner(host) else "")
        return urlsplit(getattr(self._endpoints, service)).port if service else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            asked = _CONNECT.match(await reader.readuntil(b"\r\n\r\n"))
            host = asked[1].decode().lower() if asked else ""
            port = self._port(host)
            if port is None:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_carry(reader, inner_writer), _carry(inner_reader, writer))
        writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_LONGEST):
            writer.write(data)
            await writer.drain()
    writer.close()
