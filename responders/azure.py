"""Azure, as the actions see it. The only module that imports Azure SDKs, and each when it is first used.

One credential, one transport, one retry policy; SDK clients, and plain REST for what no pinned SDK covers.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from responders.buckets import Bucket, Buckets
from responders.errors import Permanent, Temporary
from responders.model import Json

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.rest import AsyncHttpResponse
    from azure.mgmt.authorization.aio import AuthorizationManagementClient
    from azure.mgmt.automation.aio import AutomationClient
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.security.aio import SecurityCenter
    from azure.monitor.query.aio import LogsQueryClient

    from responders.settings import Settings

ACCEPTED, NOT_FOUND, THROTTLED = 202, 404, 429
# A longer wait than this is the engine's business: its timers cost nothing, a sleeping function does.
PATIENCE = 20
# Calls under way at a time: Graph takes 3,500 units in ten seconds from an app in a small tenant, and tells what is
# left only when little is.
GRAPH_AT_ONCE = 20
_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
# Refusals of Privileged Identity Management (400) that pass: a role that was only just activated, a request under way.
_PASSES = frozenset({"ActiveDurationTooShort", "PendingRoleAssignmentRequest"})


class Page(Protocol):
    """A list's answer, however it is decoded."""

    next_link: str | None


P = TypeVar("P", bound=Page)


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
        url = self.settings.arm + quote(path) + "?" + _query({"api-version": version, **query})
        return await self._send(self._arm_pipeline, method, url, body)

    async def arm_pages(self, path: str, version: str, query: Mapping[str, str] = {}) -> AsyncIterator[Json]:
        """The items of an ARM list, page by page as they are asked for."""
        page = await self.arm("GET", path, version, query)
        while True:
            for item in page.get("value", []):
                yield item
            following = page.get("nextLink")
            if not following:
                return
            self._same_host(following, self.settings.arm)
            page = await self._send(self._arm_pipeline, "GET", following, None)

    async def arm_result(self, path: str, version: str, body: Json, wait: float) -> Json | None:
        """What a POST to ARM comes to, where it may take some seconds; None when it takes longer than `wait` seconds.

        For what only reads: a write goes on behind it, and is the engine's to poll.
        """
        url = self.settings.arm + quote(path) + "?" + _query({"api-version": version})
        response = await self._response(self._arm_pipeline, "POST", url, body)
        while response.status_code == ACCEPTED:
            pause = min(float(response.headers.get("Retry-After", 1)), PATIENCE)
            if (wait := wait - max(pause, 0.1)) < 0:
                return None
            await asyncio.sleep(pause)
            following = response.headers["Location"]
            self._same_host(following, self.settings.arm)
            response = await self._response(self._arm_pipeline, "GET", following)
        return json.loads(response.content) if response.content else {}

    async def arm_decoded(
        self, path: str, version: str, query: Mapping[str, str], decode: Callable[[bytes], P]
    ) -> AsyncIterator[P]:
        """The pages of an ARM list, each decoded by `decode`: for lists so long that it shows."""
        following: str | None = self.settings.arm + quote(path) + "?" + _query({"api-version": version, **query})
        while following:
            self._same_host(following, self.settings.arm)
            page = decode(await self._content(self._arm_pipeline, "GET", following))
            yield page
            following = page.next_link

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
        url = f"{self.settings.graph}/v1.0{path}" + ("?" + _query(query) if query else "")
        return await self._send(self._graph_pipeline, method, url, body)

    async def graph_pages(self, path: str, query: Mapping[str, str] = {}) -> AsyncIterator[Json]:
        """The items of a Microsoft Graph list, page by page as they are asked for."""
        page = await self.graph("GET", path, query)
        while True:
            for item in page.get("value", []):
                yield item
            following = page.get("@odata.nextLink")
            if not following:
                return
            self._same_host(following, self.settings.graph)
            page = await self._send(self._graph_pipeline, "GET", following, None)

    async def keep_secret(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Keep a secret in the Key Vault of the settings (PUT /secrets/{name}). Returns the id of the new version.

        Nothing may be said of `value` elsewhere, and the answer, which repeats it, goes no further than here.
        """
        url = f"{self.settings.vault}/secrets/{segment(name)}?api-version=7.5"
        body = {"value": value, "tags": dict(tags)}
        return str((await self._send(self._vault_pipeline, "PUT", url, body))["id"])

    async def secret_versions(self, name: str) -> list[Json]:
        """What is known of a secret's versions, without their values (GET /secrets/{name}/versions); [] for none."""
        found: list[Json] = []
        following = f"{self.settings.vault}/secrets/{segment(name)}/versions?api-version=7.5"
        with absent_is_fine():
            while following:
                self._same_host(following, self.settings.vault)
                page = await self._send(self._vault_pipeline, "GET", following, None)
                found += page["value"]
                following = page.get("nextLink") or ""
        return found

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
            _retry_policy(),
            _bucket_policy(self._buckets),
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
    def _arm_pipeline(self) -> Any:
        return self._pipeline(self.settings.arm, self.settings.arm_audience or self.settings.arm)

    @cached_property
    def _graph_pipeline(self) -> Any:
        return self._pipeline(self.settings.graph, self.settings.graph, at_once=GRAPH_AT_ONCE)

    @cached_property
    def _vault_pipeline(self) -> Any:
        # The audience of a vault is its host's domain: vault.azure.net, and others in other clouds.
        return self._pipeline(self.settings.vault, self.settings.vault_audience)

    def _pipeline(self, url: str, audience: str, *, at_once: int = 0) -> Any:
        from azure.core import AsyncPipelineClient

        # What decodes answers for the SDKs is left out: here they are decoded once, by whoever asked.
        policies = [p for p in self._policies(audience + "/.default") if type(p).__name__ != "ContentDecodePolicy"]
        if at_once:
            policies.append(_room_policy(at_once))
        return AsyncPipelineClient(url, policies=policies, transport=self._transport)

    async def _send(self, pipeline: Any, method: str, url: str, body: Json | None) -> Json:
        content = await self._content(pipeline, method, url, body)
        return json.loads(content) if content else {}

    @classmethod
    async def _content(cls, pipeline: Any, method: str, url: str, body: Json | None = None) -> bytes:
        return (await cls._response(pipeline, method, url, body)).content

    @staticmethod
    async def _response(pipeline: Any, method: str, url: str, body: Json | None = None) -> "AsyncHttpResponse":
        from azure.core.exceptions import HttpResponseError, map_error
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, url, json=body) if body is not None else HttpRequest(method, url)
        response: AsyncHttpResponse = await pipeline.send_request(request)
        if response.status_code >= 400:  # noqa: PLR2004
            map_error(response.status_code, response, _error_map())
            raise HttpResponseError(response=response)
        return response

    @staticmethod
    def _same_host(url: str, host: str) -> None:
        # A next link is followed with our token: only to where the list came from.
        if not url.lower().startswith(host.lower().rstrip("/") + "/"):
            raise Permanent(f"Azure sent a next link to another host: {url[:200]!r}. Not followed.")


def segment(text: str) -> str:
    """One part of a Graph path, quoted so that it stays one part."""
    return quote(text, safe="")


def odata(text: str) -> str:
    """A string literal of OData."""
    return "'" + text.replace("'", "''") + "'"


def rest(model: Any) -> Json:
    """An SDK model in the shape that REST has, read-only properties included."""
    if hasattr(model, "serialize"):
        return model.serialize(keep_readonly=True)  # type: ignore[no-any-return]
    return model.as_dict()  # type: ignore[no-any-return]


@contextlib.contextmanager
def absent_is_fine() -> Iterator[None]:
    """A 404 inside means that there is nothing: the block ends there, without an error."""
    from azure.core.exceptions import ResourceNotFoundError

    with contextlib.suppress(ResourceNotFoundError):
        yield


@contextlib.contextmanager
def fine(*codes: str) -> Iterator[dict[str, str]]:
    """An error of one of these codes inside says what we want: the block ends there, without an error.

    What is yielded then has the message by the code.
    """
    from azure.core.exceptions import HttpResponseError

    said: dict[str, str] = {}
    try:
        yield said
    except HttpResponseError as error:
        if error.error is None or error.error.code not in codes:
            raise
        said[error.error.code] = str(error.error.message)


@contextlib.contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what Azure's clients raise inside into Temporary or Permanent, in one sentence."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        if error.response is None:  # not even signed in, e.g. because the identity's endpoint is away
            raise Temporary(f"{doing}: no answer from Azure ({type(error).__name__}: {error})") from error
        status = error.status_code or 0
        code = (error.error.code if error.error else None) or status
        text = (error.error.message if error.error else None) or error.reason or "no reason given"
        message = f"{doing}: Azure answered {status} {code}: {str(text)[:500]}"
        # 409 is many things: a lock or an existing twin stays, a running operation passes.
        stays = str(code) in {"ScopeLocked", "RoleAssignmentExists"}
        if (status in _AGAIN or str(code) in _PASSES) and not stays:
            raise Temporary(message) from error
        raise Permanent(message + _way_out(status, str(code))) from error
    except AzureError as error:
        raise Temporary(f"{doing}: no answer from Azure ({type(error).__name__}: {error})") from error


def _way_out(status: int, code: str) -> str:
    if code == "ScopeLocked":
        return " Remove the lock by hand if the change is right, then run the incident again."
    if code == "Authorization_RequestDenied":
        return (
            " If the target holds a directory role, or is in a restricted management administrative unit, an "
            "administrator has to do it by hand; else give the responder's identity the permission, and run the "
            "incident again."
        )
    if status == 403:  # noqa: PLR2004
        return " Give the responder's identity the right that the message names, then run the incident again."
    return ""


def _error_map() -> Any:
    from azure.core import exceptions

    return {
        401: exceptions.ClientAuthenticationError,
        404: exceptions.ResourceNotFoundError,
        409: exceptions.ResourceExistsError,
    }


def _query(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{quote(k, safe='$-')}={quote(v, safe='')}" for k, v in parameters.items())


def _retry_policy() -> Any:
    from azure.core.pipeline.policies import AsyncRetryPolicy

    class Patient(AsyncRetryPolicy):  # type: ignore[type-arg]
        """The SDK's retries, but a long Retry-After is left to the engine."""

        def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
            wait = self.get_retry_after(response)
            if wait and wait > PATIENCE:
                return False
            return bool(super().is_retry(settings, response))

    return Patient(retry_total=4, retry_backoff_factor=0.4, retry_backoff_max=PATIENCE)


def _bucket_policy(buckets: Buckets) -> Any:
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


def _room_policy(at_once: int) -> Any:
    from azure.core.pipeline.policies import AsyncHTTPPolicy

    room = asyncio.Semaphore(at_once)

    class Orderly(AsyncHTTPPolicy):  # type: ignore[type-arg]
        """So many calls at a time. One that waits to be tried again takes no room."""

        async def send(self, request: Any) -> Any:
            async with room:
                return await self.next.send(request)

    return Orderly()
