"""A way in for clients that are not ours (the Azure CLI, Cloud Custodian, an SDK), as one who may do everything."""

import secrets
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.azure import Sandbox
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]

NAME = "your-client"
_ROLES = ("Owner", "Key Vault Administrator", "Storage Blob Data Owner")  # an Owner reads neither secrets nor blobs
_ROLES = ("Owner", "Key Vault Administrator", "Storage Blob Data Owner")  # an Owner reads neither secrets nor blobs


def admit(sandbox: Sandbox, subscription: str, at: datetime, folder: Path, proxy: str) -> Path:
    """Make a service principal with every right, and the environment of its clients. Returns the file of that.

    `proxy` leads from Azure's own host names to the sandbox.
    """
    client, secret = made_up_id("app", NAME), secrets.token_urlsafe(32)
    admin = {"name": NAME, "appId": client, "secret": secret, "directory_roles": ["Global Administrator"]}
    roles = [{"scope": "/", "role": role, "principal": client} for role in _ROLES]
    sandbox.world.load({"service_principals": [admin], "role_assignments": roles}, at)
    variables = environment(sandbox, subscription, client, secret, folder, proxy)
    path = folder / "client"
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
    return path


def environment(
    sandbox: Sandbox, subscription: str, client: str, secret: str, folder: Path, proxy: str
) -> dict[str, str]:
    """What a client's process has to know. In `folder` the Azure CLI keeps who is signed in."""
    return {
        "AZURE_TENANT_ID": sandbox.world.tenant,
        "AZURE_SUBSCRIPTION_ID": subscription,
        "AZURE_CLIENT_ID": client,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_CONFIG_DIR": str((folder / "az").resolve()),
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "REQUESTS_CA_BUNDLE": sandbox.ca_file,
        "SSL_CERT_FILE": sandbox.ca_file,
    }


def told(path: Path) -> str:
    """How a client is pointed at the sandbox, for people."""
    return f"""With a client of your own, as a service principal that may do everything: in a terminal of its own, where
Azure's host names lead to the sandbox, and no other name leads anywhere.

  . {path}
  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID"
  custodian run --output-dir out policy.yaml

Or as one of the world's people, by the password that its file gives: az login -u ops@contoso.example -p …
"""
