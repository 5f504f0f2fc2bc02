"""What is known of types of resources beyond what Azure says of all alike. One table each, types in lower case."""

from msgspec import Struct

_NO_COPY = "no copy of it was taken: whoever needs one as evidence takes it before he approves"
_DATA = f"the data in it ({_NO_COPY})"

# Whose business a type is that is never deleted here by itself: one with those beneath it; with a slash at its end
# those beneath it alone. It goes with its parent. What no right to delete "anything" stands for is here, too.
_GUARDS = "what watches over a subscription is put back by a step of its own"
_BACKUPS = "backups are the last way back"
_INSIDE = "what runs in a machine is cleaned up with the machine"
OTHERS = {
    "microsoft.authorization": "roles, locks and policies are reviewed by steps of their own",
    "microsoft.automation/automationaccounts/": "what is in an Automation account is reviewed by steps of its own",
    "microsoft.blueprint": "blueprints give rights: whoever made them takes them away",
    "microsoft.compute/restorepointcollections/": "no undo brings back what a machine was at a time",
    "microsoft.compute/virtualmachines/": _INSIDE,
    "microsoft.compute/virtualmachinescalesets/virtualmachines": _INSIDE,
    "microsoft.dataprotection/backupvaults/backupinstances": _BACKUPS,
    "microsoft.insights/diagnosticsettings": _GUARDS,
    "microsoft.keyvault/vaults/accesspolicies": "the settings of vaults are put back by a step of their own",
    "microsoft.keyvault/vaults/keys": "no key of a vault can be deleted through Resource Manager",
    "microsoft.keyvault/vaults/secrets": "no secret of a vault can be deleted through Resource Manager",
    "microsoft.managedservices": "delegations are ended by a step of their own",
    "microsoft.management": "management groups are above all subscriptions",
    "microsoft.recoveryservices/vaults/backupfabrics": _BACKUPS,
    "microsoft.resources/deployments": "a deployment is a record: what it made is reviewed by itself",
    "microsoft.resources/deploymentstacks": "with a stack all goes that was deployed with it",
    "microsoft.resources/tags": "tags are part of what has them",
    "microsoft.security": _GUARDS,
    "microsoft.securityinsights": _GUARDS,
    "microsoft.storage/storageaccounts/blobservices/containers/immutabilitypolicies": "what is kept stays kept",
    "microsoft.subscription": "no subscription is ended here",
}
# What no undo makes anew, and why.
NEVER_AGAIN = {"microsoft.resources/deploymentscripts": "made anew it would run again, with the rights of its identity"}

# What comes into being with what it lies in.
MADE_BY_ANOTHER = frozenset({"microsoft.compute/virtualmachinescalesets/virtualmachines"})
# What is left to do where something of a type is gone.
AFTERWARDS = {
    "microsoft.compute/virtualmachinescalesets/extensions": (
        "machines of the set keep it until somebody brings them up to the set's model ('az vmss update-instances'), "
        "which is best done before they are rebuilt"
    ),
}

# What undo can't bring back of a type, besides what it can't of any.
LOST = {
    "microsoft.compute/disks": f"the data on it ({_NO_COPY})",
    "microsoft.compute/snapshots": f"the data in it, where its source is gone or another now ({_NO_COPY})",
    "microsoft.compute/images": "the image, where the machine that it was taken from is gone",
    "microsoft.compute/virtualmachines": f"the data on its own disks ({_NO_COPY}), and its password",
    "microsoft.compute/virtualmachinescalesets": f"the machines in it with their data ({_NO_COPY})",
    "microsoft.containerregistry/registries": _DATA,
    "microsoft.dbforpostgresql/flexibleservers": f"{_DATA}, and its administrator's password",
    "microsoft.dbformysql/flexibleservers": f"{_DATA}, and its administrator's password",
    "microsoft.documentdb/databaseaccounts": f"{_DATA}, and its keys",
    "microsoft.eventhub/namespaces": "its keys, and the events in it",
    "microsoft.servicebus/namespaces": "its keys, and the messages in it",
    "microsoft.managedidentity/userassignedidentities": "its principal and client ids: what they were given is lost",
    "microsoft.network/publicipaddresses": "its address",
    "microsoft.sql/servers": f"{_DATA}, and its administrator's password",
    "microsoft.storage/storageaccounts": f"{_DATA}, and its keys",
    "microsoft.web/sites": "its code and its settings",
}


class Recovery(Struct, frozen=True):
    """How a type that Azure keeps for a while is had back: with which properties it is written again."""

    days: int  # unless softDeleteRetentionInDays of the resource says more or fewer
    properties: dict[str, str | bool]


# Kept by Azure after a delete, with all that is in them. Nobody else can take their names meanwhile.
RECOVERABLE = {
    "microsoft.keyvault/vaults": Recovery(90, {"createMode": "recover"}),
    "microsoft.keyvault/managedhsms": Recovery(90, {"createMode": "recover"}),
    "microsoft.cognitiveservices/accounts": Recovery(2, {"restore": True}),
    "microsoft.apimanagement/service": Recovery(2, {"restore": True}),
    "microsoft.appconfiguration/configurationstores": Recovery(7, {"createMode": "Recover"}),
    "microsoft.operationalinsights/workspaces": Recovery(14, {}),
}

# Of two types that name each other in their definitions, the one with the smaller number uses the other: it goes first.
_LAYERS = (
    ("microsoft.network/networkinterfaces", "microsoft.network/privateendpoints"),
    ("microsoft.compute/disks", "microsoft.compute/snapshots", "microsoft.compute/availabilitysets"),
    ("microsoft.network/loadbalancers", "microsoft.network/applicationgateways"),
    ("microsoft.network/virtualnetworks",),
    ("microsoft.network/natgateways", "microsoft.network/networksecuritygroups", "microsoft.network/routetables"),
    ("microsoft.network/publicipaddresses", "microsoft.network/publicipprefixes"),
    ("microsoft.web/serverfarms", "microsoft.app/managedenvironments", "microsoft.operationalinsights/workspaces"),
)
LAYER = {name: number for number, names in enumerate(_LAYERS, 1) for name in names}

# What Azure adds to definitions by itself, and takes in no write: generated ids, states, and who uses it.
_MADE = frozenset(
    {"provisioningState", "uniqueId", "vmId", "resourceGuid", "timeCreated", "instanceView", "etag", "diskState"}
    | {"creationTime", "creationDate", "lastModifiedTime", "privateEndpointConnections"}
)
_MADE_OF = {
    "microsoft.automation/automationaccounts": frozenset({"lastModifiedBy"}),
    "microsoft.compute/availabilitysets": frozenset({"virtualMachines"}),
    "microsoft.managedidentity/userassignedidentities": frozenset({"principalId", "clientId", "tenantId"}),
    "microsoft.network/loadbalancers": frozenset({"backendIPConfigurations"}),
    "microsoft.network/natgateways": frozenset({"subnets"}),
    "microsoft.network/networkinterfaces": frozenset({"virtualMachine", "macAddress"}),
    "microsoft.network/networksecuritygroups": frozenset({"networkInterfaces", "subnets", "defaultSecurityRules"}),
    "microsoft.network/publicipaddresses": frozenset({"ipConfiguration", "ipAddress"}),
    "microsoft.network/routetables": frozenset({"subnets"}),
    "microsoft.network/virtualnetworks": frozenset({"ipConfigurations"}),
}


def whose(kind: str) -> str:
    """Why a type is not to be deleted here by itself; "" when it may be."""
    kind = kind.lower()
    return next((why for of, why in OTHERS.items() if kind == of or kind.startswith(of.rstrip("/") + "/")), "")


def made_by_azure(kind: str) -> frozenset[str]:
    """The names of properties that Azure adds to definitions of a type, at whatever depth."""
    return _MADE | _MADE_OF.get(kind.lower(), frozenset())
