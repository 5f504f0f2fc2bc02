"""The alert types of Defender for Resource Manager, and what each holds to be compromised.

Source: Microsoft's reference of alerts for Resource Manager: 46 current types, and 3 retired ones that old data holds.
"""

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Concern = Literal[
    "user",
    "service_principal",
    "subscription",
    "vm",
    "tenant",
    "automation_account",
    "key_vault",
    "storage_account",
]
_OURS = re.compile(r"(?:arm[_.]|rm_)[\w.\-]{1,180}", re.ASCII | re.IGNORECASE)


class AlertType(Struct, frozen=True, kw_only=True):
    """One type of alert."""

    id: str  # as Microsoft spells it
    title: str  # the portal's name of it, without what says preview, sample or delegated
    concerns: tuple[Concern, ...]
    about: str  # what happened, in our words


def find(type_id: str) -> AlertType | None:
    """Look a type up by id, in any case."""
    return _BY_ID.get(type_id.lower())


def titled(title: str) -> AlertType | None:
    """Look a type up by the portal's name: all that some channels have. Twins concern the same."""
    return _BY_TITLE.get(plain_title(title))


def plain_title(title: str) -> str:
    """A title as the table compares it: lower case, without "[SAMPLE ALERT]", "PREVIEW", " - delegated access"."""
    plain = title.lower().replace("\u2013", "-").strip()
    for before in ("[sample alert]", "preview -"):
        plain = plain.removeprefix(before).lstrip()
    for after in ("(preview)", "- delegated access", "(preview)"):
        plain = plain.removesuffix(after).rstrip()
    return plain


def is_ours(type_id: str) -> bool:
    """Whether this is a type of Defender for Resource Manager, listed here or not."""
    return bool(_OURS.fullmatch(type_id))


_ANY: tuple[Concern, ...] = ("user", "service_principal")
_MICROBURST = "MicroBurst exploitation toolkit used to"
_POWERZURE = "PowerZure exploitation toolkit used to"
_CODE = "exploitation toolkit to run an arbitrary code or exfiltrate Azure Automation account credentials"

_Row = tuple[str, str, str]  # id, title, about
# fmt: off
_SINGLE: tuple[tuple[tuple[Concern, ...], tuple[_Row, ...]], ...] = (
    (
        (*_ANY, "subscription"),
        (
            ("ARM_OperationFromSuspiciousIP", "Azure Resource Manager operation from suspicious IP address",
             "A call came from an address that threat intelligence lists."),
            ("ARM_OperationFromSuspiciousProxyIP", "Azure Resource Manager operation from suspicious proxy IP address",
             "A call came through an anonymizing proxy, such as Tor."),
            ("ARM_MicroBurst.AzDomainInfo", f"{_MICROBURST} enumerate resources in your subscriptions",
             "MicroBurst mapped the subscription."),
            ("ARM_MicroBurst.AzureDomainInfo", f"{_MICROBURST} enumerate resources in your subscriptions",
             "MicroBurst, in its older form, mapped the subscription."),
            ("ARM_Azurite", "Azurite toolkit run detected", "The toolkit Azurite mapped the environment."),
            ("ARM_UnusedAccountPersistence", "Suspicious management session using an inactive account detected",
             "An account long unused is managing resources again."),
            ("ARM_UnusedAppPowershellPersistence", "Suspicious management session using PowerShell detected",
             "An account that doesn't use PowerShell managed resources with it."),
            ("ARM_PrivilegedRoleDefinitionCreation",
             "Privileged custom role created for your subscription in a suspicious way",
             "A custom role with far-reaching rights was made; it stays behind."),
            ("ARM_AnomalousRBACRoleAssignment", "Suspicious Azure role assignment detected",
             "A role was assigned in a way that is unusual for the assigner; the assignee may be the intruder."),
        ),
    ),
    (
        (*_ANY, "vm"),
        (
            ("ARM_MicroBurst.AzVMBulkCMD", f"{_MICROBURST} execute code on your virtual machine",
             "MicroBurst ran a script on virtual machines."),
            ("RM_MicroBurst.AzureRmVMBulkCMD", f"{_MICROBURST} execute code on your virtual machine",
             "MicroBurst, in its older form, ran a script on virtual machines."),
        ),
    ),
    (
        (*_ANY, "key_vault"),
        (
            ("ARM_MicroBurst.AzKeyVaultKeysREST", f"{_MICROBURST} extract keys from your Azure key vaults",
             "MicroBurst read keys of vaults."),
            ("ARM_MicroBurst.AzKeyVaultSecretsREST", f"{_MICROBURST} extract secrets from your Azure key vaults",
             "MicroBurst read secrets of vaults."),
        ),
    ),
    (
        (*_ANY, "storage_account"),
        (
            ("ARM_MicroBurst.AZStorageKeysREST", f"{_MICROBURST} extract keys to your storage accounts",
             "MicroBurst read access keys of storage accounts."),
            ("ARM_PowerZure.ShowStorageContent", f"{_POWERZURE} enumerate storage containers, shares, and tables",
             "PowerZure listed what storage accounts hold."),
        ),
    ),
    (
        (*_ANY, "automation_account"),
        (
            ("ARM_MicroBurst.RunCodeOnBehalf", f"Usage of MicroBurst {_CODE}",
             "MicroBurst ran code as an automation account, or took its credentials."),
            ("ARM_PowerZure.StartRunbook", f"{_POWERZURE} execute a Runbook in your subscription",
             "PowerZure started a runbook."),
            ("ARM_PowerZure.AzureRunbookContent", f"{_POWERZURE} extract Runbooks content",
             "PowerZure read the source of runbooks, with any secret written in them."),
            ("ARM_PowerZure.RunCodeOnBehalf", f"Usage of PowerZure {_CODE}",
             "PowerZure ran code as an automation account, or took its credentials."),
            ("ARM_PowerZure.MaintainPersistence",
             "Usage of PowerZure function to maintain persistence in your Azure environment",
             "PowerZure left a webhook on a runbook as a back door."),
            ("ARM_NetSPI.MaintainPersistence",
             "Usage of NetSPI techniques to maintain persistence in your Azure environment",
             "A webhook was left on a runbook as a back door, the way NetSPI published it."),
        ),
    ),
    (
        ("user", "tenant"),
        (
            ("ARM_PowerZure.AzureElevatedPrivileges", f"{_POWERZURE} elevate access from Azure AD to Azure",
             "PowerZure gave a directory administrator access to all of Azure."),
            ("ARM_AnomalousElevateAccess", "Suspicious elevate access operation",
             "A directory administrator took access to all of Azure, and rarely does."),
        ),
    ),
    (
        ("user", "subscription"),
        (
            ("ARM_PowerZure.GetAzureTargets", f"{_POWERZURE} enumerate resources",
             "PowerZure mapped resources in the name of a user."),
            ("ARM_UnusedAppIbizaPersistence", "Suspicious management session using Azure portal detected",
             "An account that hadn't used the portal for long managed resources with it."),
            ("ARM_AnomalousClassicRoleAssignment", "Suspicious classic role assignment detected",
             "Someone was made a classic administrator in a way that is unusual for the assigner."),
        ),
    ),
    (
        (*_ANY, "subscription", "vm"),
        (
            ("ARM_SuspiciousComputeCreation", "Suspicious creation of compute resources detected",
             "Far more computing power was made than is usual, as miners of cryptocurrency do."),
        ),
    ),
    (
        ("user", "key_vault"),
        (
            ("Arm_Suspicious_Vault_Recovering", "Suspicious key vault recovery detected",
             "A vault that someone else had deleted was brought back, without multifactor sign-in."),
        ),
    ),
    (
        ("user",),
        (
            ("ARM.MCAS_ActivityFromAnonymousIPAddresses", "Activity from a risky IP address",
             "A user came through an anonymizing proxy. Retired."),
            ("ARM.MCAS_ActivityFromInfrequentCountry", "Activity from infrequent country",
             "A user came from a country rarely seen. Retired."),
            ("ARM.MCAS_ImpossibleTravelActivity", "Impossible travel activity",
             "A user was in two places too far apart for the time between. Retired."),
        ),
    ),
)
# fmt: on

# The two anomaly families share their tactics: id, the titles' word for users and for services, what was done.
_TACTICS = (
    ("CredentialAccess", "Credential Access", "Credential Access", "read credentials"),
    ("Collection", "Data Collection", "Data Collection", "gathered data"),
    ("DefenseEvasion", "Defense Evasion", "Defense Evasion", "weakened defenses"),
    ("Execution", "Execution", "Execution", "ran code on a machine"),
    ("Impact", "Impact", "Impact", "changed configurations"),
    ("InitialAccess", "Initial Access", "Initial Access", "reached restricted resources"),
    ("LateralMovement", "Lateral Movement", "Lateral Movement Access", "reached further resources"),
    ("Persistence", "Persistence", "Persistence", "made itself a lasting foothold"),
    ("PrivilegeEscalation", "Privilege Escalation", "Privilege Escalation", "raised its own rights"),
)
# Names that the portal once had; sample alerts still show them.
_EARLIER = {
    "Permissions granted for an RBAC role in an unusual way for your Azure environment": (
        "ARM_AnomalousRBACRoleAssignment"
    ),
    "Permissions granted for a classic role in an unusual way for your Azure environment": (
        "ARM_AnomalousClassicRoleAssignment"
    ),
}


def _known() -> Iterator[AlertType]:
    for concerns, rows in _SINGLE:
        for type_id, title, about in rows:
            yield AlertType(id=type_id, title=title, concerns=concerns, about=about)
    title = "Suspicious invocation of a high-risk '{}' operation {}detected"
    for tactic, of_users, of_services, done in _TACTICS:
        hit: tuple[Concern, ...] = ("subscription", "vm") if tactic == "Execution" else ("subscription",)
        yield AlertType(
            id=f"ARM_AnomalousOperation.{tactic}",
            title=title.format(of_users, ""),
            concerns=("user", *hit),
            about=f"A user {done}, in a way that is unusual for it.",
        )
        yield AlertType(
            id=f"ARM_AnomalousServiceOperation.{tactic}",
            title=title.format(of_services, "by a service principal "),
            concerns=("service_principal", *hit),
            about=f"A service principal or managed identity {done}, in a way that is unusual for it.",
        )


KNOWN = tuple(_known())
_BY_ID = {known.id.lower(): known for known in KNOWN}
# Microsoft's page has the prefix RM_ for one of them; which one the service sends isn't known.
_BY_ID["arm_microburst.azurermvmbulkcmd"] = _BY_ID["rm_microburst.azurermvmbulkcmd"]
_BY_TITLE = {known.title.lower(): known for known in reversed(KNOWN)}
_BY_TITLE |= {title.lower(): _BY_ID[type_id.lower()] for title, type_id in _EARLIER.items()}
