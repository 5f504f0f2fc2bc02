"""Where everything is in this cloud: what foreign clients ask for before anybody has signed in.

The Azure CLI registers a cloud by 2022-09-01 (one object), and looks clouds up by 2019-05-01 (a list of them); older
SDKs and Azure Stack's tools read 2015-01-01 or 1.0, which say less, in other words.
"""

from typing import Any

from sandbox.azure.router import Call, Reply

Json = dict[str, Any]

_OLD = frozenset({"1.0", "2015-01-01"})
_LISTS = frozenset({"2018-05-01", "2019-05-01", "2019-05-10", "2020-06-01"})
_SUFFIXES = {
    "acrLoginServer": "azurecr.io",
    "keyVaultDns": "vault.azure.net",
    "mhsmDns": "managedhsm.azure.net",
    "sqlServerHostname": "database.windows.net",
    "storage": "core.windows.net",
    "storageSyncEndpointSuffix": "afs.azure.net",
    "mysqlServerEndpoint": "mysql.database.azure.com",
    "postgresqlServerEndpoint": "postgres.database.azure.com",
}


async def answer(call: Call) -> Reply:
    """Answer /metadata/endpoints in the shape of the version that is asked for."""
    urls = call.endpoints
    login = {"loginEndpoint": urls.login, "audiences": [urls.arm], "tenant": "common", "identityProvider": "AAD"}
    if call.version in _OLD:
        ends = {"galleryEndpoint": urls.arm, "graphEndpoint": urls.graph, "portalEndpoint": "https://portal.azure.com"}
        return Reply(200, {**ends, "authentication": {k: login[k] for k in ("loginEndpoint", "audiences")}})
    cloud: Json = {
        "name": "CountersignSandbox",
        "portal": "https://portal.azure.com",
        "authentication": login,
        "gallery": urls.arm,
        "graphAudience": urls.graph,
        "graph": urls.graph,
        "microsoftGraphResourceId": urls.graph,
        "resourceManager": urls.arm,
        "logAnalyticsResourceId": urls.logs,
        "suffixes": _SUFFIXES,
    }
    return Reply(200, [cloud] if call.version in _LISTS else cloud)
