"""A credential for the real SDK clients."""

from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential

if TYPE_CHECKING:
    from sandbox.azure.sandbox import Sandbox

_NEVER = 4_102_444_800  # when it is said to expire: the year 2100, which every client can tell


class Credential(AsyncTokenCredential):
    """Signs in as somebody of the sandbox, to whichever of its services is asked for."""

    def __init__(self, sandbox: "Sandbox", principal: str) -> None:
        self._sandbox, self._principal = sandbox, principal

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for the service of the first scope. Raises LookupError when nobody has that scope, or name."""
        audience = self._sandbox.tokens.audience(scopes[0])
        if audience is None:
            raise LookupError(f"The sandbox has no service {scopes[0]}.")
        return AccessToken(self._sandbox.token(self._principal, audience), _NEVER)

    async def close(self) -> None:
        """There is nothing to close."""

    async def __aexit__(self, *_: object) -> None:
        pass
