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
_MAIN = Path(__file__).with_name("peers") / "custodian_main.py"


def admit(sandbox: Sandbox, subscription: str, at: datetime, folder: Path) -> Path:
    """Make a service principal with every right, and the environment of its clients. Returns the file of that."""
    client, secret = made_up_id("app", NAME), secrets.token_urlsafe(32)
    admin = {"name": NAME, "appId": client, "secret": secret, "directory_roles": ["Global Administrator"]}
    owner = {"scope": "/", "role": "Owner", "principal": client}
    sandbox.world.load({"service_principals": [admin], "role_assignments": [owner]}, at)
    urls = sandbox.endpoints
    variables = {
        "AZURE_TENANT_ID": sandbox.world.tenant,
        "AZURE_SUBSCRIPTION_ID": subscription,
        "AZURE_CLIENT_ID": client,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_AUTHORITY_HOST": urls.login,
        # The CLI asks Microsoft whether a login is one of its own, and keeps who is signed in in this folder.
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CONFIG_DIR": str((folder / "az").resolve()),
        "REQUESTS_CA_BUNDLE": sandbox.ca_file,
        "SSL_CERT_FILE": sandbox.ca_file,
        **{f"SANDBOX_{name.upper()}": getattr(urls, name) for name in ("arm", "graph", "login", "vault", "logs")},
    }
    path = folder / "client"
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
    return path


def told(path: Path) -> str:
    """How the clients are pointed at the sandbox, for people."""
    return f"""With a client of your own, in a terminal of its own, as a service principal that may do everything:

  . {path}

  # the Azure CLI
  az cloud register --name sandbox --endpoint-resource-manager "$SANDBOX_ARM" && az cloud set --name sandbox
  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID"

  # Cloud Custodian, by the Python that it is installed in; after `make bench-peers` .venv-custodian/bin/python
  python {_MAIN.relative_to(_MAIN.parents[2])} run --output-dir out policy.yaml
"""
