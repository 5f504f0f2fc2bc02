"""How applications sign in: by a secret, by a certificate, or by the token of an issuer that they trust.

Every outside issuer (a pipeline, another cloud) is played by the sandbox: Tokens.outside signs what it would say.
"""

import base64
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from sandbox.azure.directory import SERVICE_PRINCIPAL
from sandbox.azure.router import Call
from sandbox.azure.tokens import Invalid

Json = dict[str, Any]

_KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TRUST = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"


class Refused(Exception):  # noqa: N818  it is an answer
    """A sign-in that fails, with Entra's number for the reason."""

    def __init__(self, number: int, error: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.number, self.error, self.text, self.status = number, error, text, status


def application(call: Call, form: dict[str, str]) -> Json:
    """The service principal that proves to be itself. Raises Refused."""
    directory, (client, secret) = call.world.directory, _client(call, form)
    principal = directory.find(client)
    if principal is None or principal["@odata.type"] != SERVICE_PRINCIPAL:
        text = f"Application with identifier '{client}' was not found in the directory '{call.world.tenant}'."
        raise Refused(700016, "unauthorized_client", text)
    holders = [principal, *filter(None, [directory.application(client)])]
    if assertion := form.get("client_assertion"):
        if form.get("client_assertion_type") != _KIND:
            raise Refused(70002, "invalid_client", "The client_assertion_type is not supported.")
        _check_assertion(call, client, holders, assertion)
    elif not secret:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise Refused(7000216, "invalid_client", text, 401)
    elif not any(secret in directory.private.get(h["id"], {}).get("secrets", {}).values() for h in holders):
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client}'."
        )
        raise Refused(7000215, "invalid_client", text, 401)
    if not principal["accountEnabled"]:
        raise Refused(7000112, "unauthorized_client", f"Application '{client}' is disabled.", 401)
    return principal


def _client(call: Call, form: dict[str, str]) -> tuple[str, str]:
    kind, _, basic = call.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        client, _, secret = base64.b64decode(basic).decode().partition(":")
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _check_assertion(call: Call, client: str, holders: list[Json], assertion: str) -> None:
    """An assertion that names the application itself is signed with its certificate; any other is an issuer's token."""
    try:
        header, said = jwt.get_unverified_header(assertion), jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise Refused(50027, "invalid_request", f"JWT token is invalid or malformed: {error}") from error
    if str(said.get("iss", "")).lower() == client.lower():
        _check_certificate(holders, header, assertion)
        return
    try:
        said = call.tokens.read_outside(assertion)
    except Invalid as error:
        raise Refused(700024, "invalid_client", f"Client assertion is not valid: {error}", 401) from error
    names = said["aud"] if isinstance(said["aud"], list) else [said["aud"]]
    for trust in _trusts(call, holders):
        same = (trust["issuer"], trust["subject"]) == (said["iss"], said["sub"])
        if same and set(trust["audiences"]) & set(names):
            return
    text = (
        "No matching federated identity record found for presented assertion. "
        f"Assertion Issuer: '{said['iss']}'. Assertion Subject: '{said['sub']}'. Assertion Audience: '{names[0]}'."
    )
    raise Refused(70021, "invalid_request", text)


def _trusts(call: Call, holders: list[Json]) -> list[Json]:
    """Federated credentials of an application, or of the Azure resource behind a managed identity."""
    found = [trust for h in holders for trust in call.world.directory.federated.get(h["id"], ())]
    resources = [name for h in holders for name in h.get("alternativeNames", ()) if name.startswith("/")]
    return found + [r.properties for name in resources for r in call.world.beneath(name, _TRUST)]


def _check_certificate(holders: list[Json], header: Json, assertion: str) -> None:
    for credential in (c for h in holders for c in h["keyCredentials"] if c.get("key")):
        certificate = x509.load_der_x509_certificate(base64.b64decode(credential["key"]))
        prints = {
            base64.urlsafe_b64encode(certificate.fingerprint(kind)).decode().rstrip("=")
            for kind in (hashes.SHA1(), hashes.SHA256())  # noqa: S303  Entra's own name for a certificate
        }
        if {str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256")} & prints:
            try:
                jwt.decode(
                    assertion,
                    certificate.public_key(),  # type: ignore[arg-type]  # of whatever kind: jwt refuses what doesn't fit
                    algorithms=["RS256", "PS256"],
                    options={"verify_aud": False},
                )
            except jwt.PyJWTError as error:
                raise Refused(
                    700027, "invalid_client", f"Client assertion failed signature validation: {error}"
                ) from error
            return
    text = "The certificate with identifier used to sign the client assertion is not registered on application."
    raise Refused(700027, "invalid_client", text, 401)
