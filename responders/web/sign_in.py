"""Who is signed in, as App Service's authentication verified it. Never from a body.

The platform strips these headers from outside and sets its own. Where it does not authenticate, they could be forged by
anyone: then nobody is let in.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from responders.approvals import Person
from responders.errors import Refused

_UNAUTHORIZED, _UNAVAILABLE = 401, 503
_ROLES = {"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}
_OIDS = {"oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"}
_NAMES = ("preferred_username", "upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "name", "appid")


class _Claim(msgspec.Struct, frozen=True):
    typ: str
    val: Any = ""


class _Principal(msgspec.Struct, frozen=True):
    claims: tuple[_Claim, ...] = ()


def person(headers: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Person:
    """The caller, from X-MS-CLIENT-PRINCIPAL. Raises Refused (401, 503) when there is none to trust."""
    if environment.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        raise Refused(
            "Sign-in is not enforced on this app, so nobody can be told from anybody. Turn on App Service "
            "authentication.",
            _UNAVAILABLE,
        )
    try:
        raw = base64.b64decode(headers.get("x-ms-client-principal", ""), validate=True)
        claims = msgspec.json.decode(raw, type=_Principal).claims
    except (binascii.Error, msgspec.DecodeError) as error:
        raise Refused("You are not signed in.", _UNAUTHORIZED) from error
    id_ = next((str(c.val) for c in claims if c.typ in _OIDS), "").lower()
    if not id_:
        raise Refused("Your sign-in names no directory object.", _UNAUTHORIZED)
    said = {c.typ: str(c.val) for c in claims}
    name = next((said[n] for n in _NAMES if said.get(n)), id_)
    return Person(id=id_, name=name, roles=tuple(sorted({str(c.val) for c in claims if c.typ in _ROLES})))


def require(who: Person, *roles: str) -> None:
    """Raise Refused unless the person has one of the app roles."""
    if not set(roles) & set(who.roles):
        raise Refused(
            f"This needs the app role {' or '.join(roles)}; {who.name} has {', '.join(who.roles) or 'none'}. "
            "Nothing was done. Who manages this app can give you the role.",
            403,
        )
