"""Signs and checks the sandbox's access tokens: RS256 JWTs in the shape of Entra's."""

import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Json = dict[str, Any]

# Who a token is for, under every name the clients use for it. The first is what `issue` writes.
AUDIENCES = {
    "arm": ("https://management.azure.com", "https://management.core.windows.net"),
    # With the old Azure AD Graph, which Cloud Custodian asks for the names behind object ids.
    "graph": ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", "https://graph.windows.net"),
    "vault": ("https://vault.azure.net",),
    "logs": ("https://api.loganalytics.io", "https://api.loganalytics.azure.com"),
    "storage": ("https://storage.azure.com",),
    "app": ("api://countersign",),
    "login": ("urn:sandbox:login",),  # refresh tokens
}
KEY_ID = "sandbox"


class Invalid(Exception):  # noqa: N818  the word of the contract
    """A token that no service accepts. `expired` tells the one reason that callers treat apart."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class Tokens:
    """One signing key and the names of those it signs for.

    `exp`, `iat` and `nbf` are REAL time, whatever the sandbox's clock says: the SDKs cache tokens by real time, and a
    sandbox clock that jumps by hours must not lock them out. Whether a token was revoked is a matter of the directory
    (Directory.usable), by its own claim. `pem` is kept with the world, so that tokens outlive a restart.
    """

    def __init__(self, pem: str = "") -> None:
        self.pem = pem or _new_key()
        self._key = _read_key(self.pem)
        self._public = self._key.public_key()
        self._aliases = {name: set(names) for name, names in AUDIENCES.items()}

    def also(self, audience: str, url: str) -> None:
        """Accept the sandbox's own endpoint `url` as a name of the audience."""
        self._aliases[audience].add(url.rstrip("/"))

    def audience(self, resource: str) -> str | None:
        """Name the audience of a v1 resource or a v2 scope: "arm" for "https://management.azure.com//.default"."""
        name = resource.removesuffix("/.default").removesuffix("/user_impersonation").rstrip("/")
        return next((audience for audience, names in self._aliases.items() if name in names), None)

    def issue(self, claims: Json, audience: str, lifetime: timedelta = timedelta(hours=1)) -> str:
        """Sign `claims` for an audience by its name ("arm", "graph", "vault", "logs", "storage" or "app")."""
        return self.sign(claims, AUDIENCES[audience][0], lifetime)

    def sign(self, claims: Json, audience: str, lifetime: timedelta) -> str:
        """Sign `claims` for an audience as tokens have it: a URL, or a client's own id."""
        now = int(time.time())
        stamps = {"aud": audience, "iat": now, "nbf": now, "exp": now + int(lifetime.total_seconds())}
        return jwt.encode({**claims, **stamps}, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def verify(self, token: str, audience: str) -> Json:
        """The claims of a token. Raises Invalid when it is forged, expired, or for somebody else."""
        try:
            return jwt.decode(token, self._public, algorithms=["RS256"], audience=self._aliases[audience])
        except jwt.ExpiredSignatureError as error:
            raise Invalid("The access token has expired.", expired=True) from error
        except jwt.InvalidAudienceError as error:
            raise Invalid("The access token has been obtained for another audience or resource.") from error
        except jwt.PyJWTError as error:
            raise Invalid(f"The access token is invalid: {error}") from error

    def outside(self, issuer: str, subject: str, audience: str) -> str:
        """Sign a token as an outside issuer would, whoever that is: the sandbox plays them all."""
        now = int(time.time())
        said = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 600}
        return jwt.encode(said, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def read_outside(self, token: str) -> Json:
        """The claims of an outside issuer's token. Raises Invalid when it is forged or expired."""
        options: Any = {"verify_aud": False, "require": ["iss", "sub", "aud", "exp"]}
        try:
            return jwt.decode(token, self._public, algorithms=["RS256"], options=options)
        except jwt.PyJWTError as error:
            raise Invalid(str(error)) from error

    def jwks(self) -> Json:
        """The public key, as the login service's discovery/v2.0/keys answers it."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._public, as_dict=True)
        return {"keys": [{**key, "kid": KEY_ID, "x5t": KEY_ID, "use": "sig", "alg": "RS256"}]}


@lru_cache(
    maxsize=1
)  # one a process: making a key takes up to a tenth of a second, and a test run makes hundreds of worlds
def _new_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


@lru_cache(16)  # reading one, with its checks, takes a fortieth of a second
def _read_key(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("The world's signing key is not an RSA key.")
    return key
