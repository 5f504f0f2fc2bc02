"""Azurite, Microsoft's emulator of Blob Storage: over TLS and with bearer tokens, the way the cloud is reached."""

import base64
import json
import os
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

VERSION = "3.37.0"
CACHE = Path(__file__).parents[1] / ".sandbox" / f"azurite-{VERSION}"
MAIN = "node_modules/azurite/dist/src/blob/main.js"


class Unavailable(Exception):  # noqa: N818
    """Azurite can't run here; the message says why."""


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


def installed() -> Path:
    """Return Azurite's program, installed once into .sandbox/."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Unavailable("Azurite needs node and npm, which are not here.")
    if not (CACHE / MAIN).exists():
        # Installed aside and renamed: tests in parallel, or one that was killed, leave no half of it.
        aside = CACHE.with_name(f"{CACHE.name}.{os.getpid()}")
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--loglevel=error")
        command = [npm, "install", "--prefix", str(aside), *quiet, f"azurite@{VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
        try:
            if done.returncode:
                why = "; ".join(line for line in done.stderr.splitlines() if line.startswith("npm error"))
                raise Unavailable(f"npm could not install Azurite: {why[:200]}")
            if not CACHE.exists():
                aside.rename(CACHE)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return CACHE / MAIN


@contextmanager
def running(folder: Path) -> Iterator[Azurite]:
    """Azurite on a free port of 127.0.0.1, all in memory; its certificate goes into `folder`."""
    program = installed()
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
