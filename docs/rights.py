"""The roles of a deployment and its Graph permissions, made from what the actions say that they need.

Written to infra/roles.json and infra/graph-permissions.json: the Bicep files and infra/consent.sh deploy those, and the
sandbox gives its responder those. Each right is in one role, the first of these that says so:

- evidence: what is written in the resource group for evidence;
- secrets: rights to the data in the Key Vault;
- reader: what only reads, by name. A read with a star is more than that: it goes with whoever needs it;
- responder: what a step takes that one person may approve, what the responder does besides its actions, and what
  brings back what was there;
- destroyer: what only steps take that two people have to approve;
- remover: what only actions take that may delete resources of any type. Never what EXCEPT names.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from playbooks.dispatch import PLAYBOOKS
from responders.action import Action
from responders.actions import ACTIONS, BASE_PERMISSIONS
from sandbox.azure.well_known import GRAPH_PERMISSIONS

INFRA = Path(__file__).parent.parent / "infra"
Json = dict[str, Any]

ALWAYS = "always"  # what the responder does besides its actions
_SECRETS = "Microsoft.KeyVault/vaults/secrets/"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
# What is done in the group for evidence, and nowhere else: by beginnings of rights, of all actions and of single ones.
_EVIDENCE = ("Microsoft.Compute/snapshots/", "Microsoft.Authorization/locks/")
_COLLECTORS = ("vms.capture_evidence",)

# What no right to write or delete "anything" may stand for, and why. All of it is either nobody's business here, or of
# an action that names it.
EXCEPT = {
    "Microsoft.Authorization/*/write": "rights, locks and policies: whoever may write these may do anything",
    "Microsoft.Authorization/*/delete": "the same",
    "Microsoft.Authorization/elevateAccess/action": "the same, above all subscriptions",
    "Microsoft.ManagedServices/*/write": "no subscription is handed to another tenant",
    "Microsoft.ManagedServices/*/delete": "delegations are ended by an action of their own",
    "Microsoft.Security/*/write": "Defender stays on, and what it raises is not suppressed",
    "Microsoft.Security/*/delete": "the same",
    "Microsoft.SecurityInsights/*/write": "Sentinel's rules and incidents are not for the responder",
    "Microsoft.SecurityInsights/*/delete": "the same",
    "Microsoft.Insights/diagnosticSettings/write": "what is logged goes on being logged",
    "Microsoft.Insights/diagnosticSettings/delete": "the same",
    "Microsoft.KeyVault/vaults/accessPolicies/*": "no access to what is in vaults",
    "Microsoft.KeyVault/vaults/secrets/write": "the same",
    "Microsoft.KeyVault/vaults/keys/write": "the same",
    "Microsoft.RecoveryServices/vaults/backupFabrics/*/delete": "backups are the last way back",
    "Microsoft.RecoveryServices/vaults/backupconfig/write": "the same: soft delete stays on",
    "Microsoft.DataProtection/backupVaults/backupInstances/*": "the same",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/*": "what is kept stays kept",
    "Microsoft.Resources/deploymentScripts/write": "it would run code with another identity's rights",
    "Microsoft.Resources/deploymentStacks/write": "it denies others what they may",
    "Microsoft.Resources/deploymentStacks/delete": "it deletes all that was deployed with it",
    "Microsoft.Blueprint/*/write": "it gives rights",
    "Microsoft.Blueprint/*/delete": "the same",
    "Microsoft.Management/*/write": "subscriptions stay where they are",
    "Microsoft.Management/*/delete": "the same",
    "Microsoft.Subscription/*/write": "none is made, renamed or handed on",
    "Microsoft.Subscription/*/delete": "none ends",
    "Microsoft.Billing/*/write": "nothing is bought",
    "Microsoft.Capacity/*/write": "the same",
    "Microsoft.MarketplaceOrdering/*/write": "the same",
}

# The responder neither gives itself a role nor takes one from itself. <principal> is its object id. A delegation that
# is put back asks for the right to give roles, without naming a principal.
_GIVES = "Microsoft.Authorization/roleAssignments"
_TO, _OF = f"@Request[{_GIVES}:PrincipalId]", f"@Resource[{_GIVES}:PrincipalId]"
_OTHERS = "ForAnyOfAllValues:GuidNotEquals {<principal>}"
CONDITION = (
    f"((!(ActionMatches{{'{_GIVES}/write'}})) OR (!(Exists {_TO})) OR ({_TO} {_OTHERS})) AND "
    f"((!(ActionMatches{{'{_GIVES}/delete'}})) OR ({_OF} {_OTHERS}))"
)

ABOUT = {
    "reader": "Reads what an investigation reads. With this role alone nothing can be changed.",
    "responder": "Contains and puts back: what a step takes that one person may approve.",
    "destroyer": "What can't be undone, or concerns many: what a step takes that two people have to approve.",
    "remover": "Deletes resources of any type, and makes them anew: what a step takes that two people have to approve.",
    "secrets": "Writes new passwords into the Key Vault. It can't read them.",
    "evidence": "Writes evidence and reads it. It can't delete it.",
}


def placed() -> dict[str, dict[str, list[str]]]:
    """Each right by role, with the actions that need it. Graph permissions are in the first four, too."""
    needed: dict[str, list[Action]] = defaultdict(list)
    found: dict[str, dict[str, list[str]]] = {role: {} for role in ABOUT}
    for one in ACTIONS:
        for right in one.permissions:
            if _is_evidence(one.id, right):
                found["evidence"].setdefault(right, []).append(one.id)
            else:
                needed[right].append(one)
    always = set(BASE_PERMISSIONS)
    for right in sorted({*needed, *always}):
        role = _role(right, needed[right], always=right in always)
        found[role][right] = [*([ALWAYS] if right in always else []), *(one.id for one in needed[right])]
    return found


def _is_evidence(action: str, right: str) -> bool:
    snapshots, _ = _EVIDENCE
    return right.startswith(_EVIDENCE if action in _COLLECTORS else snapshots) and action.startswith("vms.")


def _role(right: str, actions: list[Action], *, always: bool) -> str:
    if right.startswith(_SECRETS):
        return "secrets"
    if "*" not in right and (right.lower().endswith("/read") or ".read." in f"{right.lower()}."):
        return "reader"
    if always or any(_by_one(one) for one in actions):
        return "responder"
    return "destroyer" if any(not _removes(one) for one in actions) else "remover"


def _by_one(one: Action) -> bool:
    """Whether a step runs it that one person may approve. In no playbook yet: whether it can be undone."""
    gates = {step.gate for book in PLAYBOOKS.values() for step in book if step.action == one.id}
    return bool(gates - {"two"}) if gates else one.reversible


def _removes(one: Action) -> bool:
    return any(right.startswith("*/") for right in one.permissions)


def roles() -> dict[str, Json]:
    """The roles by key. `id` is what the GUID of the role is made from at each place; `condition` may be empty."""
    rights = placed()
    made = {}
    for key, about in ABOUT.items():
        arm = [right for right in rights[key] if "/" in right]
        data = arm if key == "secrets" else []
        if key == "evidence":
            data = [f"{_BLOBS}{verb}" for verb in ("read", "write", "add/action")]
        made[key] = {
            "id": str(uuid5(NAMESPACE_URL, f"countersign/roles/{key}")),
            "name": f"Countersign {key.capitalize()}",
            "description": about,
            "actions": [] if key == "secrets" else arm,
            "notActions": sorted(EXCEPT) if any(right.startswith("*/") for right in arm) else [],
            "dataActions": data,
            "condition": CONDITION if any(right.startswith(f"{_GIVES}/") for right in arm if _writes(right)) else "",
        }
    # To query a workspace outside the subscriptions. Where they have theirs, the reader's role has the same.
    logs = [right for right in rights["reader"] if right.startswith("Microsoft.OperationalInsights/workspaces/")]
    made["logs"] = {
        "id": str(uuid5(NAMESPACE_URL, "countersign/roles/logs")),
        "name": "Countersign Logs",
        "description": "Reads the Activity Log in a Log Analytics workspace.",
        "actions": logs,
        "notActions": [],
        "dataActions": [],
        "condition": "",
    }
    return made


def _writes(right: str) -> bool:
    return not right.endswith("/read")


def graph() -> dict[str, list[Json]]:
    """Graph application permissions by role: name, id of the app role, and the actions that need it."""
    return {
        role: [{"value": r, "id": GRAPH_PERMISSIONS[r], "for": why} for r, why in rights.items() if "/" not in r]
        for role, rights in placed().items()
        if role in {"reader", "responder", "destroyer"}
    }


def files() -> dict[Path, str | None]:
    """What is made, by path."""
    return {
        INFRA / "roles.json": f"{json.dumps(roles(), indent=2)}\n",
        INFRA / "graph-permissions.json": f"{json.dumps(graph(), indent=2)}\n",
    }


def table() -> str:
    """Every right with its reason, for docs/deploy.md."""
    lines = ["| role | right | needed by |", "|---|---|---|"]
    for role, rights in placed().items():
        for right, why in rights.items():
            lines.append(f"| {role} | `{right}` | {', '.join(f'`{w}`' if w != ALWAYS else w for w in why)} |")
    return "\n".join(lines)


def exceptions() -> str:
    """What the remover never holds, with the reasons."""
    lines = ["| never | since |", "|---|---|", *(f"| `{right}` | {why} |" for right, why in EXCEPT.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text or "")
