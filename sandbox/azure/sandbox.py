"""The whole: a world, its clock, and the services that speak for it."""

import ssl
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from sandbox.azure import blobs, graph, login, logs, managed_identity, vault
from sandbox.azure.arm import Arm
from sandbox.azure.claims import CLI, claims_of
from sandbox.azure.clock import Clock
from sandbox.azure.credential import Credential
from sandbox.azure.doorway import NAMES
from sandbox.azure.faults import Faults
from sandbox.azure.router import Endpoints
from sandbox.azure.server import Request, Server, Service
from sandbox.azure.throttle import Throttle
from sandbox.azure.tokens import Tokens
from sandbox.azure.world import World


class Sandbox:
    """An Azure that runs while the context lasts: `async with Sandbox(world) as azure: …`."""

    def __init__(
        self,
        world: World | None = None,
        *,
        clock: Clock | None = None,
        faults: Faults | None = None,
        throttle: Throttle | None = None,
        latency: float = 0.0,
    ) -> None:
        self.world = world or World()
        self.world.activity.sinks = partial(logs.sinks, self.world)
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self.throttle = throttle or Throttle()
        # The signing key lies in the world, so that tokens outlive a restart from a saved one.
        self.tokens = Tokens(self.world.state.get("tokens", {}).get("pem", ""))
        self.world.state["tokens"] = {"pem": self.tokens.pem}
        self._server = Server(self.world, self.clock, self.tokens, self.faults, latency)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Base URLs of the services, once started."""
        return self._server.endpoints

    @property
    def requests(self) -> list[Request]:
        """All requests so far, of all services, in order of their answers."""
        return self._server.requests

    @property
    def ca_file(self) -> str:
        """Path of the certificate to trust (PEM), once started."""
        if self._folder is None:
            raise RuntimeError("The sandbox is not running: use it as an async context manager, or await start().")
        return str(Path(self._folder.name, "ca.pem"))

    async def start(self) -> None:
        """Listen on 127.0.0.1, one free port a service."""
        self._folder = tempfile.TemporaryDirectory(prefix="countersign-sandbox-")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost", *NAMES).configure_cert(tls)
        services: dict[str, Service] = {
            "arm": Arm(self.throttle).handle,
            "graph": graph.handle,
            "login": login.handle,
            "vault": vault.handle,
            "logs": logs.handle,
            "blob": blobs.handle,
        }
        endpoints = await self._server.start(services, tls)
        for audience in ("arm", "graph", "vault", "logs"):
            self.tokens.also(audience, getattr(endpoints, audience))
        self.tokens.also("storage", endpoints.blob)

    async def stop(self) -> None:
        """Close all ports."""
        await self._server.stop()
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def credential(self, principal: str) -> Credential:
        """Somebody's credential (by UPN, object id or appId), for the SDK's asynchronous clients."""
        return Credential(self, principal)

    def token(
        self,
        principal: str,
        audience: str,
        *,
        ip: str = "127.0.0.1",
        client: str = CLI,
        lifetime: timedelta = timedelta(hours=1),
    ) -> str:
        """An access token as the login service would issue it.

        `principal` is a UPN, an object id or an appId; `audience` "arm", "graph", "vault", "logs" or "app"; `client`
        the application that a person uses. Raises LookupError for somebody whom nobody knows.
        """
        claims = claims_of(self.world.directory, principal, audience, ip=ip, client=client)
        return self.tokens.issue(claims, audience, lifetime)

    def environment(self, client_id: str) -> dict[str, str]:
        """The environment of a process that runs with a managed identity, the way App Service sets it."""
        return {
            "COUNTERSIGN_ARM": self.endpoints.arm,
            "COUNTERSIGN_GRAPH": self.endpoints.graph,
            "COUNTERSIGN_LOGS": self.endpoints.logs,
            "AZURE_AUTHORITY_HOST": self.endpoints.login,
            "AZURE_CLIENT_ID": client_id,
            "AZURE_TENANT_ID": self.world.tenant,
            "IDENTITY_ENDPOINT": self.endpoints.login + managed_identity.PATH,
            "IDENTITY_HEADER": managed_identity.HEADER,
            "SSL_CERT_FILE": self.ca_file,
            "REQUESTS_CA_BUNDLE": self.ca_file,
        }
