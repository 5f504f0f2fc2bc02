"""What watches over a subscription and what shuts it, by type: guards that suspects take down, change and add to."""

from msgspec import Struct

LOCK = "Microsoft.Authorization/locks"
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"


class Kind(Struct, frozen=True):
    """A kind of guard."""

    version: str  # of its API
    word: str
    listed: bool = False  # whether it is a resource of its own: then one that a suspect made is not our business
    lasting: bool = False  # whether it can't be deleted
    mutes: bool = False  # whether all it does is keep another guard quiet: nothing watches less without it
    # What people write of one, where only what suspects took away is our business: another step sees to what they gave.
    taken: tuple[str, ...] = ()


# What watches over a subscription and what shuts it, each small enough to be written again as a whole.
KINDS = {
    LOCK: Kind("2020-05-01", "lock"),
    "Microsoft.Authorization/policyAssignments": Kind("2022-06-01", "policy assignment"),
    "Microsoft.Authorization/policyDefinitions": Kind("2021-06-01", "policy definition"),
    "Microsoft.Authorization/policyExemptions": Kind("2022-07-01-preview", "policy exemption", mutes=True),
    "Microsoft.Authorization/policySetDefinitions": Kind("2021-06-01", "policy initiative"),
    ASSIGNMENT: Kind(
        "2022-04-01",
        "role assignment",
        taken=(
            "roleDefinitionId",
            "principalId",
            "principalType",
            "condition",
            "conditionVersion",
            "description",
            "delegatedManagedIdentityResourceId",
        ),
    ),
    "Microsoft.Consumption/budgets": Kind("2023-05-01", "budget"),
    "Microsoft.ContainerRegistry/registries/tokens": Kind("2023-07-01", "registry token"),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": Kind("2022-12-01", "firewall rule"),
    "Microsoft.Insights/actionGroups": Kind("2023-01-01", "action group", listed=True),
    "Microsoft.Insights/activityLogAlerts": Kind("2020-10-01", "alert rule", listed=True),
    "Microsoft.Insights/diagnosticSettings": Kind("2021-05-01-preview", "diagnostic setting"),
    "Microsoft.Network/networkSecurityGroups/securityRules": Kind("2024-05-01", "security rule"),
    "Microsoft.Security/alertsSuppressionRules": Kind("2019-01-01-preview", "suppression rule", mutes=True),
    "Microsoft.Security/automations": Kind("2019-01-01-preview", "workflow automation", listed=True),
    "Microsoft.Security/pricings": Kind("2024-01-01", "Defender plan", lasting=True),
    "Microsoft.Security/securityContacts": Kind("2020-01-01-preview", "security contact"),
    "Microsoft.SecurityInsights/alertRules": Kind("2024-09-01", "rule of Sentinel"),
    "Microsoft.SecurityInsights/automationRules": Kind("2024-09-01", "automation rule of Sentinel"),
    "Microsoft.Sql/servers/administrators": Kind("2021-11-01", "administrator"),
    "Microsoft.Sql/servers/auditingSettings": Kind("2021-11-01", "audit setting", lasting=True),
    "Microsoft.Sql/servers/firewallRules": Kind("2021-11-01", "firewall rule"),
}
BY_TYPE = {name.lower(): kind for name, kind in KINDS.items()}
# What a suspect added of these goes by this step, and by no other.
ADDED = frozenset(name for name, kind in BY_TYPE.items() if not kind.listed and not kind.taken)
