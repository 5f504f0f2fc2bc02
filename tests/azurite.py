"""Azurite, Microsoft's emulator of Blob Storage: over TLS and with bearer tokens, the way the cloud is reached."""

import base64
import json
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import trustme
from azure.core.credentials import AccessToken

from tests.npm import Unavailable, installed

VERSION = "3.37.0"
MAIN = "dist/src/blob/main.js"


class Azurite(NamedTuple):
    url: str  # https://127.0.0.1:<port>/devstoreaccount1
    ca: Path  # whom to trust: for SSL_CERT_FILE

    def container(self, name: str) -> str:
        """Make a container. Returns its URL."""
        url = f"{self.url}/{name}"
        headers = {"Authorization": f"Bearer {token()}", "x-ms-version": "2024-08-04"}
        request = urllib.request.Request(f"{url}?restype=container", method="PUT", headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=self.ca)):  # noqa: S310
            return url


class Identity:
    """The credential of a made-up identity. `tokens` counts those it gave."""

    def __init__(self, lifetime: int = 3600) -> None:
        self.lifetime = lifetime
        self.tokens = 0

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        self.tokens += 1
        return AccessToken(token(self.lifetime), int(time.time()) + self.lifetime)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


def token(lifetime: int = 3600) -> str:
    """Return a token as the login service issues it, but unsigned: Azurite reads the claims only."""
    now = int(time.time())
    times = {"iat": now - 60, "nbf": now - 60, "exp": now + lifetime}
    claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/made-up/", **times}
    return ".".join(_base64(part) for part in ({"alg": "none", "typ": "JWT"}, claims)) + "."


def _base64(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@contextmanager
def running(folder: Path) -> Iterator[Azurite]:
    """Azurite on a free port of 127.0.0.1, all in memory; its certificate goes into `folder`."""
    program = installed("azurite", VERSION) / MAIN
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    ca, key, cert = folder / "ca.pem", folder / "key.pem", folder / "cert.pem"
    authority.cert_pem.write_to_path(str(ca))
    leaf.private_key_pem.write_to_path(str(key))
    cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent", "--oauth", "basic"]
    where = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--cert", str(cert), "--key", str(key)]
    command = [shutil.which("node") or "node", str(program), *options, *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        try:
            said = []
            for line in process.stdout or ():
                said.append(line)
                if "successfully listens on" in line:
                    yield Azurite(line.split()[-1] + "/devstoreaccount1", ca)
                    return
            raise Unavailable(f"Azurite did not start: {''.join(said)[-300:]}")
        finally:
            process.kill()
