"""Providers with the types and api-versions that clients look up before a generic call, newest first.

A type in this table takes its versions alone, and so do its child types that aren't in it. Any other type may be made
too, with any version, and is listed from then on with that.

api_versions.json: type -> what Azure's published API descriptions have besides, and what the Azure CLI, Cloud Custodian
and the SDKs under them ask for.
"""

import json
from pathlib import Path

LOCATIONS = {
    "centralus": "Central US",
    "eastus": "East US",
    "eastus2": "East US 2",
    "northeurope": "North Europe",
    "swedencentral": "Sweden Central",
    "westeurope": "West Europe",
    "westus2": "West US 2",
}

_COMPUTE = ("2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01", "2023-09-01", "2022-11-01", "2022-03-01")
_DISKS = ("2026-03-02", "2025-01-02", "2024-03-02", "2023-10-02", "2023-04-02", "2022-07-02")
_NETWORK = (
    *("2025-09-01", "2025-07-01", "2025-05-01", "2025-01-01", "2024-05-01", "2024-01-01", "2023-11-01"),
    *("2023-09-01", "2022-07-01", "2022-01-01", "2021-08-01"),
)
_AUTOMATION = ("2024-10-23", "2023-11-01", "2022-08-08", "2020-01-13-preview", "2019-06-01", "2015-10-31")
_REGISTRY = ("2023-07-01", "2022-12-01", "2021-09-01", "2019-05-01")
_SQL = ("2023-08-01", "2021-11-01", "2020-11-01-preview")
_POLICY = ("2026-01-01-preview", "2025-03-01", "2024-05-01", "2023-04-01", "2022-06-01", "2021-06-01", "2020-09-01")
_WEB = ("2024-04-01", "2023-12-01", "2023-01-01", "2022-09-01", "2022-03-01")

_KNOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "Microsoft.ApiManagement": {"service": ("2022-08-01", "2021-08-01")},
    "Microsoft.App": {
        "containerApps": ("2024-03-01", "2023-05-01"),
        "jobs": ("2024-03-01", "2023-05-01"),
        "managedEnvironments": ("2024-03-01", "2023-05-01"),
    },
    "Microsoft.Authorization": {
        "roleAssignments": (
            *("2022-04-01", "2020-10-01-preview", "2020-04-01-preview", "2020-03-01-preview"),
            *("2018-09-01-preview", "2018-01-01-preview", "2015-07-01"),
        ),
        "roleDefinitions": ("2022-05-01-preview", "2022-04-01", "2018-01-01-preview", "2015-07-01"),
        "denyAssignments": ("2022-04-01", "2018-07-01-preview"),
        "permissions": ("2022-04-01", "2018-01-01-preview", "2015-07-01"),
        "classicAdministrators": ("2015-07-01", "2015-06-01"),
        "elevateAccess": ("2015-07-01", "2016-07-01"),
        "locks": ("2020-05-01", "2016-09-01", "2015-01-01"),
        "roleAssignmentScheduleInstances": ("2020-10-01",),
        "roleAssignmentSchedules": ("2020-10-01",),
        "roleAssignmentScheduleRequests": ("2020-10-01",),
        "roleEligibilityScheduleInstances": ("2020-10-01",),
        "roleEligibilitySchedules": ("2020-10-01",),
        "roleEligibilityScheduleRequests": ("2020-10-01",),
        "roleManagementPolicies": ("2020-10-01",),
        "roleManagementPolicyAssignments": ("2020-10-01",),
        "policyAssignments": _POLICY,
        "policyDefinitions": _POLICY,
        "policySetDefinitions": _POLICY,
        "policyExemptions": ("2026-01-01-preview", "2022-07-01-preview", "2020-07-01-preview"),
    },
    "Microsoft.Automation": {
        "automationAccounts": _AUTOMATION,
        "automationAccounts/runbooks": _AUTOMATION,
        "automationAccounts/webhooks": ("2024-10-23", "2015-10-31"),
    },
    "Microsoft.Batch": {"batchAccounts": ("2024-02-01", "2023-11-01")},
    "Microsoft.Cache": {"redis": ("2023-08-01", "2022-06-01")},
    "Microsoft.CognitiveServices": {"accounts": ("2024-10-01", "2023-05-01", "2021-10-01")},
    "Microsoft.Compute": {
        "virtualMachines": _COMPUTE,
        "virtualMachines/extensions": _COMPUTE,
        "virtualMachines/runCommands": _COMPUTE,
        "virtualMachineScaleSets": _COMPUTE,
        "availabilitySets": _COMPUTE,
        "images": _COMPUTE,
        "restorePointCollections": _COMPUTE,
        "disks": _DISKS,
        "snapshots": _DISKS,
        "galleries": ("2026-03-03", "2024-03-03", "2023-07-03", "2022-03-03"),
    },
    "Microsoft.ContainerInstance": {"containerGroups": ("2023-05-01", "2021-09-01")},
    "Microsoft.ContainerRegistry": {
        "registries": _REGISTRY,
        "registries/tokens": _REGISTRY,
        "registries/scopeMaps": _REGISTRY,
        "registries/tasks": ("2019-06-01-preview", "2019-04-01"),
    },
    "Microsoft.ContainerService": {"managedClusters": ("2024-05-01", "2023-11-01", "2022-09-01")},
    "Microsoft.DBforPostgreSQL": {"flexibleServers": ("2024-08-01", "2022-12-01")},
    "Microsoft.Databricks": {"workspaces": ("2024-05-01", "2023-02-01")},
    "Microsoft.DataFactory": {"factories": ("2018-06-01",)},
    "Microsoft.DevTestLab": {"schedules": ("2018-09-15",)},
    "Microsoft.DocumentDB": {"databaseAccounts": ("2024-05-15", "2023-11-15", "2021-10-15")},
    "Microsoft.EventGrid": {
        "eventSubscriptions": ("2025-02-15", "2022-06-15"),
        "systemTopics": ("2025-02-15", "2022-06-15"),
        "topics": ("2025-02-15", "2022-06-15"),
    },
    "Microsoft.EventHub": {"namespaces": ("2024-01-01", "2021-11-01")},
    "Microsoft.Insights": {
        "eventtypes": ("2015-04-01", "2014-04-01", "2017-03-01-preview"),
        "diagnosticSettings": ("2021-05-01-preview", "2017-05-01-preview", "2016-09-01"),
        "activityLogAlerts": ("2020-10-01", "2017-04-01"),
        "actionGroups": ("2023-01-01", "2022-06-01"),
        "components": ("2020-02-02", "2015-05-01"),
        "dataCollectionRules": ("2022-06-01", "2021-04-01"),
        "metricAlerts": ("2018-03-01",),
        "scheduledQueryRules": ("2021-08-01", "2018-04-16"),
    },
    "Microsoft.KeyVault": {
        "vaults": ("2026-02-01", "2025-05-01", "2024-11-01", "2023-07-01", "2022-07-01", "2021-10-01", "2019-09-01")
    },
    "Microsoft.Logic": {"workflows": ("2019-05-01", "2017-07-01", "2016-06-01")},
    "Microsoft.MachineLearningServices": {"workspaces": ("2024-04-01", "2023-10-01")},
    "Microsoft.ManagedIdentity": {
        "userAssignedIdentities": ("2025-05-31-preview", "2025-01-31-preview", "2024-11-30", "2023-01-31", "2018-11-30")
    },
    "Microsoft.ManagedServices": {
        "registrationAssignments": ("2022-10-01", "2020-02-01-preview", "2019-06-01"),
        "registrationDefinitions": ("2022-10-01", "2020-02-01-preview", "2019-06-01"),
    },
    "Microsoft.Management": {
        "managementGroups": ("2023-04-01", "2021-04-01", "2020-05-01", "2020-02-01", "2018-03-01-preview")
    },
    "Microsoft.Network": {
        "virtualNetworks": _NETWORK,
        "networkInterfaces": _NETWORK,
        "networkSecurityGroups": _NETWORK,
        "publicIPAddresses": _NETWORK,
        "loadBalancers": _NETWORK,
        "applicationGateways": _NETWORK,
        "azureFirewalls": _NETWORK,
        "bastionHosts": _NETWORK,
        "natGateways": _NETWORK,
        "networkWatchers": _NETWORK,
        "privateEndpoints": _NETWORK,
        "routeTables": _NETWORK,
        "virtualNetworkGateways": _NETWORK,
        "dnsZones": ("2018-05-01",),
        "privateDnsZones": ("2024-06-01", "2020-06-01"),
    },
    "Microsoft.OperationalInsights": {"workspaces": ("2023-09-01", "2022-10-01", "2021-06-01", "2020-08-01")},
    "Microsoft.RecoveryServices": {"vaults": ("2024-04-01", "2023-04-01")},
    "Microsoft.ResourceGraph": {"resources": ("2022-10-01", "2021-03-01", "2019-04-01")},
    "Microsoft.Resources": {
        "subscriptions": ("2022-12-01", "2021-01-01", "2020-01-01", "2019-06-01", "2016-06-01"),
        "resourceGroups": ("2024-03-01", "2022-09-01", "2021-04-01", "2020-06-01", "2019-07-01"),
        "subscriptions/resourceGroups": ("2024-03-01", "2022-09-01", "2021-04-01", "2020-06-01", "2019-07-01"),
        "resources": ("2024-03-01", "2022-09-01", "2021-04-01", "2020-06-01", "2019-07-01"),
        "tags": ("2024-03-01", "2022-09-01", "2021-04-01", "2020-06-01", "2019-10-01"),
        "deployments": ("2024-03-01", "2022-09-01", "2021-04-01", "2020-06-01"),
        "deploymentScripts": ("2023-08-01", "2020-10-01"),
        "deploymentStacks": ("2024-03-01",),
    },
    "Microsoft.Security": {
        "alerts": ("2022-01-01", "2021-11-01"),
        "locations/alerts": ("2022-01-01", "2021-11-01"),
        "securityContacts": ("2023-12-01-preview", "2020-01-01-preview"),
        "pricings": ("2024-01-01", "2023-01-01", "2022-03-01", "2018-06-01"),
        "automations": ("2023-12-01-preview", "2019-01-01-preview"),
        "alertsSuppressionRules": ("2019-01-01-preview",),
    },
    "Microsoft.SecurityInsights": {
        "alertRules": ("2024-09-01", "2023-02-01"),
        "incidents": ("2024-09-01", "2023-02-01"),
    },
    "Microsoft.ServiceBus": {"namespaces": ("2021-11-01", "2017-04-01")},
    "Microsoft.Sql": {"servers": _SQL, "servers/databases": _SQL},
    "Microsoft.Storage": {
        "storageAccounts": (
            "2025-08-01",
            "2025-06-01",
            "2024-01-01",
            "2023-05-01",
            "2023-01-01",
            "2022-09-01",
            "2021-09-01",
        )
    },
    "Microsoft.Web": {"sites": _WEB, "serverfarms": _WEB, "sites/config": _WEB, "connections": ("2016-06-01",)},
}


def merged(kind: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The api-versions of a type, with those that foreign clients ask for."""
    more = _MORE.get(kind, ())
    return tuple(sorted({*known, *more}, reverse=True)) if more else known


_MORE: dict[str, list[str]] = json.loads(Path(__file__).with_name("api_versions.json").read_text(encoding="utf-8"))
PROVIDERS = {
    namespace: {name: merged(f"{namespace}/{name}", known) for name, known in types.items()}
    for namespace, types in _KNOWN.items()
}


def versions(kind: str) -> tuple[str, ...]:
    """The api-versions of a type ("Microsoft.Compute/disks") or of the nearest parent type that is in the table."""
    namespace, _, rest = kind.lower().partition("/")
    types = next((t for name, t in PROVIDERS.items() if name.lower() == namespace), {})
    known = {name.lower(): found for name, found in types.items()}
    while rest:
        if rest in known:
            return known[rest]
        rest = rest.rpartition("/")[0]
    return ()
