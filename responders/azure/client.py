"""One identity's view of Azure: one credential, one transport and one pipeline for SDK clients and plain REST."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from responders.azure.pipeline import bucket_policy, retry_policy, room_policy
from responders.azure.service import P, Service
from responders.azure.words import segment
from responders.buckets import Buckets
from responders.model import Json

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.authorization.aio import AuthorizationManagementClient
    from azure.mgmt.automation.aio import AutomationClient
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.security.aio import SecurityCenter
    from azure.monitor.query.aio import LogsQueryClient

    from responders.settings import Settings

# Calls under way at a time: Graph takes 3,500 units in ten seconds from an app in a small tenant, and tells what is
# left only when little is.
GRAPH_AT_ONCE = 20
_VAULT_VERSION = {"api-version": "7.5"}


class Azure:
    """One identity's view of Azure. Make it inside the event loop that uses it, and close it there."""

    def __init__(
        self, settings: "Settings", credential: "AsyncTokenCredential | None" = None, transport: Any = None
    ) -> None:
        """Without a credential the ordinary chain is used; without a transport (azure-core), one of our own."""
        self.settings = settings
        self._given = credential, transport
        self._clients: dict[tuple[str, str], Any] = {}
        self._own: str | None = None
        self._buckets = Buckets()
        self._exit = contextlib.AsyncExitStack()

    async def close(self) -> None:
        await self._exit.aclose()

    def authorization(self, subscription: str) -> "AuthorizationManagementClient":
        from azure.mgmt.authorization.aio import AuthorizationManagementClient as Client

        return self._client(Client, subscription)  # type: ignore[no-any-return]

    def automation(self, subscription: str) -> "AutomationClient":
        from azure.mgmt.automation.aio import AutomationClient as Client

        return self._client(Client, subscription)  # type: ignore[no-any-return]

    def compute(self, subscription: str) -> "ComputeManagementClient":
        from azure.mgmt.compute.aio import ComputeManagementClient as Client

        return self._client(Client, subscription)  # type: ignore[no-any-return]

    def security(self, subscription: str) -> "SecurityCenter":
        from azure.mgmt.security.aio import SecurityCenter as Client

        return self._client(Client, subscription)  # type: ignore[no-any-return]

    async def arm(
        self, method: str, path: str, version: str, query: Mapping[str, str] = {}, body: Json | None = None
    ) -> Json:
        """One plain ARM call.

        `path` is a parsed id or made of constants. Returns the JSON body, {} for none.
        """
        return await self._arm.call(method, quote(path), {"api-version": version, **query}, body)

    async def arm_read(self, path: str, version: str, query: Mapping[str, str] = {}) -> Json | None:
        """What a GET of a resource answers; None where there is no such thing."""
        return await self._arm.read(quote(path), {"api-version": version, **query})

    def arm_pages(self, path: str, version: str, query: Mapping[str, str] = {}) -> AsyncIterator[Json]:
        """The items of an ARM list, page by page as they are asked for."""
        return self._arm.items(quote(path), {"api-version": version, **query})

    def arm_decoded(
        self, path: str, version: str, query: Mapping[str, str], decode: Callable[[bytes], P]
    ) -> AsyncIterator[P]:
        """The pages of an ARM list, each decoded by `decode`: for lists so long that it shows."""
        return self._arm.pages(quote(path), {"api-version": version, **query}, decode)

    async def arm_result(self, path: str, version: str, body: Json, wait: float) -> Json | None:
        """What a POST to ARM comes to, where it may take some seconds; None when it takes longer than `wait` seconds.

        For what only reads: a write goes on behind it, and is the engine's to poll.
        """
        return await self._arm.result(quote(path), {"api-version": version}, body, wait)

    async def logs(self, workspace: str, query: str) -> bytes:
        """The JSON that Log Analytics answers to a query of a workspace (by its GUID); b"" for an empty answer."""
        from azure.core.exceptions import HttpResponseError

        # The SDK takes 90 microseconds a row to make objects of an answer, decoding it takes 5: it is taken as it came.
        answers: list[Any] = []
        reading: dict[str, Any] = {"stream": True, "cls": lambda *_: {}, "retry_on_methods": frozenset({"POST"})}
        try:
            await self._logs_client.query_workspace(
                workspace,
                query,
                timespan=None,
                raw_response_hook=lambda response: answers.append(response.http_response),
                **reading,
            )
        except ValueError as error:  # what isn't 200 is read as JSON by the SDK: the page of a proxy, an empty 204
            if answers[-1].status_code >= 400:  # noqa: PLR2004
                raise HttpResponseError(response=answers[-1]) from error
            return b""
        content: bytes = await answers[-1].read()
        return content

    async def graph(self, method: str, path: str, query: Mapping[str, str] = {}, body: Json | None = None) -> Json:
        """One Microsoft Graph v1.0 call. Each part of `path` that comes from outside goes through `segment` first."""
        return await self._graph.call(method, f"/v1.0{path}", query, body)

    async def graph_read(self, path: str, query: Mapping[str, str] = {}) -> Json | None:
        """What a GET of Microsoft Graph answers; None where there is no such thing."""
        return await self._graph.read(f"/v1.0{path}", query)

    async def graph_list(self, path: str, query: Mapping[str, str] = {}) -> list[Json]:
        """A whole list of Microsoft Graph; [] where there is not what it belongs to."""
        return await self._graph.list(f"/v1.0{path}", query)

    def graph_pages(self, path: str, query: Mapping[str, str] = {}) -> AsyncIterator[Json]:
        """The items of a Microsoft Graph list, page by page as they are asked for."""
        return self._graph.items(f"/v1.0{path}", query)

    async def keep_secret(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Keep a secret in the Key Vault of the settings (PUT /secrets/{name}). Returns the id of the new version.

        Nothing may be said of `value` elsewhere, and the answer, which repeats it, goes no further than here.
        """
        body = {"value": value, "tags": dict(tags)}
        return str((await self._vault.call("PUT", f"/secrets/{segment(name)}", _VAULT_VERSION, body))["id"])

    async def secret_versions(self, name: str) -> list[Json]:
        """What is known of a secret's versions, without their values (GET /secrets/{name}/versions); [] for none."""
        return await self._vault.list(f"/secrets/{segment(name)}/versions", _VAULT_VERSION)

    async def own_id(self) -> str:
        """Object id of the identity that we are, from our own token; "" where the token doesn't say."""
        if self._own is None:
            scope = (self.settings.arm_audience or self.settings.arm) + "/.default"
            token = await self.credential.get_token(scope)
            body = token.token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            self._own = str(claims.get("oid", "")).lower()
        return self._own

    @cached_property
    def credential(self) -> "AsyncTokenCredential":
        if self._given[0] is not None:
            return self._given[0]
        from azure.identity.aio import DefaultAzureCredential

        credential = DefaultAzureCredential()
        self._exit.push_async_callback(credential.close)
        return credential

    @cached_property
    def _transport(self) -> Any:
        """One pool of connections for all clients, which must not close it each for itself."""
        if self._given[1] is not None:
            return self._given[1]
        from azure.core.pipeline.transport import AioHttpTransport

        transport = AioHttpTransport()
        self._exit.push_async_callback(transport.close)
        return transport

    def _policies(self, scope: str) -> list[Any]:
        """The pipeline of every client.

        Unlike the SDKs' own it doesn't register resource providers by itself: that would be a write nobody approved.
        """
        from azure.core.pipeline import policies
        from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

        return [
            policies.RequestIdPolicy(),
            policies.HeadersPolicy(),
            policies.UserAgentPolicy("countersign"),
            policies.ContentDecodePolicy(),
            retry_policy(),
            bucket_policy(self._buckets),
            AsyncARMChallengeAuthenticationPolicy(self.credential, scope),
        ]

    def _client(self, client: Callable[..., Any], subscription: str) -> Any:
        key = (client.__name__, subscription)
        if key not in self._clients:
            scope = (self.settings.arm_audience or self.settings.arm) + "/.default"
            self._clients[key] = client(
                self.credential,
                subscription,
                base_url=self.settings.arm,
                credential_scopes=[scope],
                transport=self._transport,
                policies=self._policies(scope),
            )
        return self._clients[key]

    @cached_property
    def _logs_client(self) -> "LogsQueryClient":
        from azure.core.pipeline.policies import CustomHookPolicy
        from azure.monitor.query.aio import LogsQueryClient as Client

        policies = [CustomHookPolicy(), *self._policies(self.settings.logs + "/.default")]
        return Client(self.credential, endpoint=self.settings.logs, transport=self._transport, policies=policies)

    @cached_property
    def _arm(self) -> Service:
        return self._service(self.settings.arm, self.settings.arm_audience or self.settings.arm)

    @cached_property
    def _graph(self) -> Service:
        return self._service(self.settings.graph, self.settings.graph, "@odata.nextLink", at_once=GRAPH_AT_ONCE)

    @cached_property
    def _vault(self) -> Service:
        # The audience of a vault is its host's domain: vault.azure.net, and others in other clouds.
        return self._service(self.settings.vault, self.settings.vault_audience)

    def _service(self, host: str, audience: str, next_link: str = "nextLink", *, at_once: int = 0) -> Service:
        from azure.core import AsyncPipelineClient

        # What decodes answers for the SDKs is left out: here they are decoded once, by whoever asked.
        policies = [p for p in self._policies(audience + "/.default") if type(p).__name__ != "ContentDecodePolicy"]
        if at_once:
            policies.append(room_policy(at_once))
        return Service(host, AsyncPipelineClient(host, policies=policies, transport=self._transport), next_link)
