"""What a person has to do about a deed that no step undoes: by operation, or else by what kind of deed it is."""

from responders.model import Finding

_CLUSTER = (
    "what was handed out works without any account: whoever operates the cluster makes its certificates anew (az aks "
    "rotate-certs, which interrupts it for up to half an hour), turns its local accounts off, and looks through its "
    "own audit log and for what was deployed to it"
)
_OF = {
    "microsoft.containerservice/managedclusters/accessprofiles/listcredential/action": _CLUSTER,
    "microsoft.containerservice/managedclusters/listclusteradmincredential/action": _CLUSTER,
    "microsoft.containerservice/managedclusters/listclustermonitoringusercredential/action": _CLUSTER,
    "microsoft.containerservice/managedclusters/listclusterusercredential/action": _CLUSTER,
    "microsoft.containerservice/managedclusters/runcommand/action": (
        "it ran in the cluster with an administrator's rights: whoever operates the cluster looks through its own "
        "audit log and for what was deployed to it"
    ),
    "microsoft.keyvault/vaults/keys/write": (
        "whoever administers the vault disables the version that was made then, and looks what is encrypted or signed "
        "with it since: that goes back to the former version"
    ),
    "microsoft.keyvault/vaults/secrets/write": (
        "whoever administers the vault disables the version that was made then, makes the former one current again if "
        "there is one, and looks which applications read it since: they got what the suspect had put there"
    ),
    "microsoft.kubernetes/connectedclusters/listclusterusercredential/action": (
        "whoever operates the cluster ends the session, and looks through its own audit log and for what was deployed "
        "to it"
    ),
    "microsoft.web/sites/config/write": (
        "whoever operates the app compares its settings, its connection strings too, with their source, and puts them "
        "back: Azure shows them to nobody who only reads"
    ),
    "microsoft.resources/subscriptions/resourcegroups/moveresources/action": (
        "an Owner of both groups moves what was moved back (az resource move), and runs the incident again: what was "
        "done to it before is looked for under its former id"
    ),
}
_BY_VERB = {
    "write": "whoever answers for it looks whether it is as it should be",
    "delete": "whoever answers for it makes it anew, if it was needed",
    "action": "whoever answers for it looks what that started, changed or handed out",
}


def of(deed: Finding) -> str:
    """One plain sentence."""
    operation = deed.operation.lower()
    return _OF.get(operation) or _BY_VERB.get(operation.rpartition("/")[2], _BY_VERB["action"])
