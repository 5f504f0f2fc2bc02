"""Does over HTTP what people do: calls to Azure as an identity, and calls to the responder's API."""

import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from sandbox.checks import ARM, GRAPH, url
from sandbox.world_file import Call

if TYPE_CHECKING:
    from sandbox.azure import Sandbox
    from sandbox.scene import Scene

Json = dict[str, Any]
_SHOWN = 300  # characters of an answer that a message shows


class Unexpected(Exception):  # noqa: N818  what the exercise's table says
    """Something in an exercise was answered otherwise than it says; the message is a sentence for its author."""


class Refusal(Unexpected):
    """The responder said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Died(Exception):  # noqa: N818  that is what it did
    """The host process is gone, in the middle of something."""


class People:
    """All identities of a scene, on one sandbox."""

    def __init__(self, sandbox: "Sandbox", scene: "Scene") -> None:
        self._sandbox, self._scene = sandbox, scene
        tls = ssl.create_default_context(cafile=sandbox.ca_file)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def make(self, call: Call, where: str) -> Json:
        """Make one call of the exercise. Returns the JSON of the answer, {} for none.

        Raises Unexpected when it isn't answered as it should be.
        """
        endpoints = self._sandbox.endpoints
        full = url(call.target)
        arm = full.lower().startswith(ARM)
        target = (endpoints.arm + full[len(ARM) :]) if arm else (endpoints.graph + full[len(GRAPH) :])
        try:
            token = self._sandbox.token(self._scene.who(call.by), "arm" if arm else "graph", ip=call.ip)
        except (LookupError, ValueError) as error:
            raise Unexpected(f"{where}: {call.by} can't sign in: {error}") from error
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": call.ip}
        if call.agent:
            headers["User-Agent"] = call.agent
        status, text = await self._send(call.method, target, headers, call.body)
        good = status == call.status if call.status else 200 <= status < 300  # noqa: PLR2004
        if not good:
            wanted = call.status or "2xx"
            raise Unexpected(
                f"{where}: {call.method.upper()} {call.target} as {call.by} was answered {status}, not {wanted}: "
                f"{text[:_SHOWN]}"
            )
        answer = json.loads(text) if text.startswith("{") else {}
        return answer if isinstance(answer, dict) else {}

    async def sign_in(self, form: Mapping[str, str]) -> tuple[int, str]:
        """Try to get a token. Returns the number of the refusal and what it says; 0 and "" when it is given."""
        scope = {"scope": "https://management.azure.com/.default"}
        refusal = await self._form("oauth2/v2.0/token", {**scope, **form})
        return (
            (refusal["error_codes"][0], refusal["error_description"].partition(" Trace ID")[0]) if refusal else (0, "")
        )

    async def change_password(self, form: Mapping[str, str]) -> str:
        """Replace a password that must be changed. Returns why not, "" when it is done."""
        refusal = await self._form("changepassword", form)
        return str(refusal.get("error_description") or refusal.get("error", "")) if refusal else ""

    async def vault(self, target: str, by: str) -> Json:
        """Read from a key vault as an identity. Raises Unexpected when it is refused."""
        headers = {"Authorization": f"Bearer {self._sandbox.token(by, 'vault')}"}
        status, text = await self._send("get", target, headers, None)
        if status != 200:  # noqa: PLR2004
            raise Unexpected(f"GET {target} was answered {status}: {text[:_SHOWN]}")
        found: Json = json.loads(text)
        return found

    async def _form(self, path: str, form: Mapping[str, str]) -> Json:
        """Post a form to the login service. Returns the refusal, {} for none."""
        target = f"{self._sandbox.endpoints.login}/{self._sandbox.world.tenant}/{path}"
        async with self._session.post(target, data=dict(form)) as response:
            answer: Json = await response.json()
            return {} if response.status == 200 else answer  # noqa: PLR2004

    async def ask(self, method: str, target: str, by: str, body: object, headers: Mapping[str, str]) -> Json:
        """Call the Functions host as an identity (object id; "" for nobody).

        Raises Refusal when it says no, and Died when it doesn't answer any more.
        """
        signed = {"Authorization": f"Bearer {self._sandbox.token(by, 'app')}"} if by else {}
        try:
            status, text = await self._send(method, target, {**signed, **headers}, body)
        except aiohttp.ClientError as error:
            raise Died(f"{method.upper()} {target}: {error}") from error
        if not 200 <= status < 300:  # noqa: PLR2004
            raise Refusal(status, f"{method.upper()} {target} was answered {status}: {text[:_SHOWN]}")
        answer = json.loads(text) if text else {}
        return answer if isinstance(answer, dict) else {"value": answer}

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: object) -> tuple[int, str]:
        content = {"Content-Type": "application/json"}
        data: str | None = None
        if isinstance(body, str):
            data, content = body, {"Content-Type": "text/powershell"}
        elif body is not None:
            data = json.dumps(body)
        async with self._session.request(method, target, headers={**content, **headers}, data=data) as response:
            return response.status, await response.text()
