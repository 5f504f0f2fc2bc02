"""Which settings of resources let strangers in or blind who watches: by type, and how they are written."""

from typing import Literal

from msgspec import Struct


class Settings(Struct, frozen=True):
    """The settings of one type."""

    version: str  # of its API
    paths: tuple[str, ...]  # in its definition; what lies beneath one is part of it
    method: Literal["PATCH", "PUT"] = "PATCH"  # PUT: the type takes no PATCH but of tags


def _properties(*names: str) -> tuple[str, ...]:
    return tuple(f"properties.{name}" for name in names)


SETTINGS = {
    "Microsoft.Automation/automationAccounts": Settings(
        "2023-11-01", _properties("publicNetworkAccess", "disableLocalAuth")
    ),
    "Microsoft.CognitiveServices/accounts": Settings(
        "2023-05-01", _properties("publicNetworkAccess", "networkAcls", "disableLocalAuth")
    ),
    "Microsoft.Compute/disks": Settings(
        "2023-10-02", _properties("networkAccessPolicy", "publicNetworkAccess", "diskAccessId")
    ),
    "Microsoft.ContainerRegistry/registries": Settings(
        "2023-07-01", _properties("adminUserEnabled", "anonymousPullEnabled", "publicNetworkAccess", "networkRuleSet")
    ),
    "Microsoft.DocumentDB/databaseAccounts": Settings(
        "2024-05-15",
        _properties(
            "publicNetworkAccess",
            "ipRules",
            "isVirtualNetworkFilterEnabled",
            "virtualNetworkRules",
            "disableLocalAuth",
            "disableKeyBasedMetadataWriteAccess",
        ),
    ),
    "Microsoft.KeyVault/vaults": Settings(
        "2023-07-01",
        _properties(
            "accessPolicies",
            "enableRbacAuthorization",
            "enabledForDeployment",
            "enabledForDiskEncryption",
            "enabledForTemplateDeployment",
            "networkAcls",
            "publicNetworkAccess",
        ),
    ),
    "Microsoft.Logic/workflows": Settings(
        "2019-05-01", _properties("definition", "parameters", "state", "accessControl"), "PUT"
    ),
    "Microsoft.Network/networkSecurityGroups": Settings("2024-05-01", _properties("securityRules"), "PUT"),
    "Microsoft.Network/routeTables": Settings("2024-05-01", _properties("routes"), "PUT"),
    "Microsoft.Sql/servers": Settings(
        "2021-11-01",
        _properties("publicNetworkAccess", "minimalTlsVersion", "restrictOutboundNetworkAccess"),
    ),
    "Microsoft.Storage/storageAccounts": Settings(
        "2023-05-01",
        _properties(
            "allowBlobPublicAccess",
            "allowCrossTenantReplication",
            "allowSharedKeyAccess",
            "encryption",
            "isLocalUserEnabled",
            "isSftpEnabled",
            "minimumTlsVersion",
            "networkAcls",
            "publicNetworkAccess",
            "supportsHttpsTrafficOnly",
        ),
    ),
    "Microsoft.Web/sites": Settings("2023-12-01", _properties("httpsOnly", "publicNetworkAccess", "clientCertEnabled")),
}
