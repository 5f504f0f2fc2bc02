"""Cloud Custodian's command line, with the endpoints of a sandbox: its own settings know only Azure's clouds.

It runs in the environment of Custodian, which has nothing of ours.
"""

import os
import sys
from typing import Any

import azure.identity
from c7n.cli import main  # type: ignore[import-not-found]
from msrestazure import azure_cloud  # type: ignore[import-not-found]

_endpoints = azure_cloud.AZURE_PUBLIC_CLOUD.endpoints
_arm, _graph = os.environ["SANDBOX_ARM"] + "/", os.environ["SANDBOX_GRAPH"] + "/"
_endpoints.resource_manager = _endpoints.management = _endpoints.active_directory_resource_id = _arm
_endpoints.microsoft_graph_resource_id = _endpoints.active_directory_graph_resource_id = _graph
_endpoints.active_directory = os.environ["SANDBOX_LOGIN"]


class _Local(azure.identity.ClientSecretCredential):
    """Asks nobody in the internet whether the sandbox's login is one of Microsoft's."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, disable_instance_discovery=True, **named)


azure.identity.ClientSecretCredential = _Local  # type: ignore[misc]

if __name__ == "__main__":
    sys.argv[0] = "custodian"
    main()
