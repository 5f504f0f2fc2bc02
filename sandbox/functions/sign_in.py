"""Sign-in the way App Service does it (EasyAuth): a bearer token is checked before the app sees the request."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import jwt
from aiohttp import web

Claims = dict[str, Any]
Verify = Callable[[str], Claims | None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SCHEMAS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_MICROSOFT = "http://schemas.microsoft.com/identity/claims"
_NAMES = {  # the claims to which App Service gives other names
    "oid": f"{_MICROSOFT}/objectidentifier",
    "tid": f"{_MICROSOFT}/tenantid",
    "idp": f"{_MICROSOFT}/identityprovider",
    "scp": f"{_MICROSOFT}/scope",
    "sub": f"{_SCHEMAS}/nameidentifier",
    "upn": f"{_SCHEMAS}/upn",
    "email": f"{_SCHEMAS}/emailaddress",
    "given_name": f"{_SCHEMAS}/givenname",
    "family_name": f"{_SCHEMAS}/surname",
    "acr": "http://schemas.microsoft.com/claims/authnclassreference",
    "amr": "http://schemas.microsoft.com/claims/authnmethodsreferences",
}
_STRIPPED = ("x-ms-client-principal", "x-ms-token-")


def sign_in(verify: Verify, excluded: Iterable[str]) -> Any:
    """Middleware: 401 without a good token, except below the excluded paths; the caller's claims go into headers.

    `verify` takes a token and returns its claims, or None for a bad one. It is called in a thread, since it may have to
    fetch keys.
    """
    open_paths = tuple(path.lower().rstrip("/") for path in excluded)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers.copy()
        for name in {*headers}:
            if name.lower().startswith(_STRIPPED):
                headers.popall(name, None)
        path = request.path.lower()
        if not any(path == one or path.startswith(one + "/") for one in open_paths):
            scheme, _, token = headers.get("Authorization", "").partition(" ")
            claims = await asyncio.to_thread(verify, token.strip()) if scheme.lower() == "bearer" else None
            if claims is None:
                return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
            headers.update(principal(claims))
        return await handler(request.clone(headers=headers))

    return check


def principal(claims: Claims) -> dict[str, str]:
    """The headers in which the app finds who calls."""
    listed = [
        {"typ": _NAMES.get(name, name), "val": str(one)}
        for name, value in claims.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    body = {
        "auth_typ": "aad",
        "claims": listed,
        "name_typ": f"{_SCHEMAS}/emailaddress",
        "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    }
    names = (claims.get(key) for key in ("upn", "preferred_username", "email", "name"))
    headers = {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(body).encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": str(claims.get("oid") or claims.get("sub") or ""),
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    }
    name = next((str(n) for n in names if n), "")
    # A header is Latin-1: App Service leaves out a name that does not fit. The claims have it in full.
    return headers | ({"X-MS-CLIENT-PRINCIPAL-NAME": name} if name.isascii() and name else {})


def verify_with_keys(url: str, audience: str) -> Verify:
    """Check RS256 tokens for `audience` with the keys (JWKS) at `url`, which are fetched when a new one turns up."""
    keys = jwt.PyJWKClient(url)

    def verify(token: str) -> Claims | None:
        try:
            key = keys.get_signing_key_from_jwt(token)
            return jwt.decode(token, key, algorithms=["RS256"], audience=audience, options={"require": ["exp", "aud"]})
        except (jwt.PyJWTError, ValueError):
            return None

    return verify
