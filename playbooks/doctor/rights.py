"""What the responder's identity may do, compared with what its actions need."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from playbooks.doctor.check import NAME_IT, Check, Deployment, Result, broken, can_t_tell, labels, ok
from playbooks.doctor.hosting import engine_account, site
from responders.actions import ACTIONS, BASE_PERMISSIONS
from responders.azure import absent_is_fine, odata, segment
from responders.errors import Permanent
from responders.model import Json

_INFRA = Path(__file__).parents[2] / "infra"
_VERSION = "2022-04-01"
_GRAPH = "00000003-0000-0000-c000-000000000000"
_SECRETS = "Microsoft.KeyVault/vaults/secrets/"
_SERVICES = "Microsoft.Storage/storageAccounts/"
_BLOBS = f"{_SERVICES}blobServices/containers/blobs/"
# Of these a host on Azure Storage takes all, and Durable Functions does not start without the tables.
_OF_THE_HOST = tuple(
    f"{kind}/{verb}"
    for kind in ("blobServices/containers/blobs", "queueServices/queues/messages", "tableServices/tables/entities")
    for verb in ("read", "write", "delete")
)
# What is done in the group for evidence, and nowhere else: with snapshots all that is done for machines, with locks
# what keeps them.
_SNAPSHOTS, _LOCKS, _COLLECTOR = (
    "Microsoft.Compute/snapshots/",
    "Microsoft.Authorization/locks/",
    "vms.capture_evidence",
)
_SHOWN = 6  # actions that a message names
_PROTECT = "Deploy infra/protect.bicep there again, with the roles that you want: docs/deploy.md, step 6."
_MAIN = "Deploy infra/main.bicep again: docs/deploy.md, step 2."


def needs(left_out: Collection[str] = ()) -> dict[str, list[str]]:
    """The rights of each action by its id, and those of the responder itself; but those of the roles left out."""
    every = {"the responder itself": BASE_PERMISSIONS, **{one.id: tuple(one.permissions) for one in ACTIONS}}
    given = _of_roles(left_out)
    return {who: [right for right in rights if right not in given] for who, rights in every.items()}


def _of_roles(roles: Collection[str]) -> set[str]:
    """The rights that only these roles have, as infra/ deploys them."""
    if not roles:
        return set()
    arm, graph = (json.loads((_INFRA / f"{name}.json").read_bytes()) for name in ("roles", "graph-permissions"))
    if unknown := sorted(set(roles) - set(arm)):
        raise Permanent(f"infra/roles.json has no role {', '.join(unknown)}; it has {', '.join(arm)}.")
    return {
        *(right for role in roles for kind in ("actions", "dataActions") for right in arm[role][kind]),
        *(one["value"] for role in roles for one in graph.get(role, ())),
    }


def covers(pattern: str, right: str) -> bool:
    """Whether an action of a role definition, with its wildcards, is or holds that right."""
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), right, re.IGNORECASE))


def allows(permissions: Iterable[Json], right: str, *, data: bool = False) -> bool:
    """Whether permissions allow a right. What notActions take away they take within their own role only.

    A right with a wildcard needs all of it: a part that is taken away is missing. But rights to anything ("*/delete")
    are given with exceptions, on purpose.
    """
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")

    def taken(pattern: str) -> bool:
        return covers(pattern, right) or (covers(right, pattern) and not right.startswith("*/"))

    return any(
        any(covers(pattern, right) for pattern in one.get(yes) or ()) and not any(map(taken, one.get(no) or ()))
        for one in permissions
    )


async def azure_rights(deployment: Deployment) -> list[Result]:
    """Its rights in each subscription that it guards."""
    found = []
    for subscription in deployment.settings.subscriptions:
        wanted = {
            who: [r for r in rights if "/" in r and not r.startswith(_SECRETS) and not _of_evidence(who, r)]
            for who, rights in needs(deployment.left_out).items()
        }
        found.append(await _judged(azure_rights, deployment, f"/subscriptions/{subscription}", wanted, _PROTECT))
    return found


async def vault_rights(deployment: Deployment) -> list[Result]:
    """Its rights in the vault for new passwords."""
    if not deployment.settings.vault:
        return [ok(vault_rights, "vault", "None is set: no password is reset.")]
    name = labels(deployment.settings.vault)[-1]
    vault = await deployment.resource("Microsoft.KeyVault/vaults", name, "2024-11-01")
    if vault is None:
        return [can_t_tell(vault_rights, f"No vault {name} is to be seen.", NAME_IT)]
    wanted = {who: [r for r in rights if r.startswith(_SECRETS)] for who, rights in needs(deployment.left_out).items()}
    return [await _judged(vault_rights, deployment, vault["id"], wanted, _MAIN, data=True)]


async def engine_rights(deployment: Deployment) -> list[Result]:
    """Its rights in the storage that the Functions host and its runs are kept in."""
    app = await site(deployment)
    if app is None:
        return [can_t_tell(engine_rights, "No function app is to be seen.", NAME_IT)]
    account = await deployment.resource("Microsoft.Storage/storageAccounts", engine_account(app), "2025-06-01")
    if account is None:
        return [can_t_tell(engine_rights, f"No storage account {engine_account(app)!r} is to be seen.", NAME_IT)]
    wanted = {"the Functions host": [f"{_SERVICES}{right}" for right in _OF_THE_HOST]}
    return [await _judged(engine_rights, deployment, account["id"], wanted, _MAIN, data=True)]


async def evidence_rights(deployment: Deployment) -> list[Result]:
    """Its rights to what is in the evidence store."""
    place = deployment.settings.evidence
    if not place.startswith("https://"):
        return [ok(evidence_rights, f"evidence store {place}", "It is a folder: Azure has no rights to give there.")]
    name = labels(place)[0]
    account = await deployment.resource("Microsoft.Storage/storageAccounts", name, "2025-06-01")
    if account is None:
        return [can_t_tell(evidence_rights, f"No storage account {name} is to be seen.", NAME_IT)]
    wanted = {"the responder itself": [f"{_BLOBS}{verb}" for verb in ("read", "write", "add/action")]}
    return [await _judged(evidence_rights, deployment, account["id"], wanted, _MAIN, data=True)]


async def evidence_group_rights(deployment: Deployment) -> list[Result]:
    """Its rights in the resource group for evidence of disks."""
    group = deployment.settings.evidence_group
    if not group:
        return [ok(evidence_group_rights, "evidence group", "None is set: nothing is changed on disks.")]
    wanted = {who: [r for r in rights if _of_evidence(who, r)] for who, rights in needs(deployment.left_out).items()}
    return [await _judged(evidence_group_rights, deployment, group, wanted, _MAIN)]


async def graph_consents(deployment: Deployment) -> list[Result]:
    """Its application permissions in Microsoft Graph."""
    azure = deployment.its.azure
    id_ = deployment.identity or await azure.own_id()
    graph = await azure.graph("GET", f"/servicePrincipals(appId='{_GRAPH}')", {"$select": "id,appRoles"})
    names = {role["id"]: role["value"] for role in graph["appRoles"]}
    held: set[str] | None = None
    with absent_is_fine():
        path = f"/servicePrincipals/{segment(id_)}/appRoleAssignments"
        held = {names.get(a["appRoleId"], "") async for a in azure.graph_pages(path) if a["resourceId"] == graph["id"]}
    if held is None:
        fix = "Name the responder's identity: --identity OBJECT-ID"
        return [can_t_tell(graph_consents, f"{id_} is no application: it can hold none.", fix)]
    wanted = {who: [r for r in rights if "/" not in r] for who, rights in needs(deployment.left_out).items()}
    lacking = _lacking(wanted, lambda right: right in held or right.replace(".Read.", ".ReadWrite.") in held)
    where = f"consents of {id_} to Microsoft Graph"
    if not lacking:
        return [ok(graph_consents, where, "All are there.")]
    roles = {value: key for key, value in names.items()}
    commands = [
        f"az rest --method POST --url {azure.settings.graph}/v1.0/servicePrincipals/{id_}/appRoleAssignments --body "
        f'\'{{"principalId": "{id_}", "resourceId": "{graph["id"]}", "appRoleId": "{roles.get(right, right)}"}}\''
        for right in lacking
    ]
    return [broken(graph_consents, where, _told(lacking), "\n".join(commands))]


async def _judged(
    check: Check, deployment: Deployment, scope: str, wanted: Mapping[str, list[str]], fix: str, *, data: bool = False
) -> Result:
    """Compare what is wanted at a scope with what is held there."""
    held = await _held(deployment, scope)
    lacking = _lacking(wanted, lambda right: allows(held, right, data=data))
    whose = deployment.identity or "whoever asks"
    if not lacking:
        return ok(check, f"rights of {whose} at {scope}", "All are there.")
    if not deployment.identity:
        fix = f"Unless you asked as the responder, name it: --identity OBJECT-ID. Else: {fix}"
    return broken(check, f"rights of {whose} at {scope}", _told(lacking), fix)


async def _held(deployment: Deployment, scope: str) -> list[Json]:
    """What is allowed at a scope: to the caller by Azure's own word, to another by its role assignments."""
    azure = deployment.its.azure
    if not deployment.identity:
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        return [one async for one in azure.arm_pages(path, _VERSION)]
    query = {"$filter": f"assignedTo({odata(deployment.identity)})"}
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
    roles = {
        str(one["properties"]["roleDefinitionId"]).lower()
        async for one in azure.arm_pages(path, _VERSION, query)
        if _above(str(one["properties"]["scope"]), scope)
    }
    held: list[Json] = []
    for role in sorted(roles):
        guid = role.rpartition("/")[2]
        definition = await azure.arm(
            "GET", f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{guid}", _VERSION
        )
        held += definition["properties"]["permissions"]
    return held


def _above(held: str, scope: str) -> bool:
    """Whether a role that is held there reaches the scope: the list holds those beneath it, too."""
    over = held.lower().rstrip("/")
    within = (scope.lower() + "/").startswith(over + "/")
    return within or over.startswith("/providers/microsoft.management/managementgroups/")


def _of_evidence(action: str, right: str) -> bool:
    kinds = (_SNAPSHOTS, _LOCKS) if action == _COLLECTOR else (_SNAPSHOTS,)
    return action.startswith("vms.") and right.startswith(kinds)


def _lacking(wanted: Mapping[str, list[str]], allowed: Callable[[str], bool]) -> dict[str, list[str]]:
    """The rights that are not allowed, each with those that need it."""
    every = sorted({right for rights in wanted.values() for right in rights})
    return {r: [who for who, rights in wanted.items() if r in rights] for r in every if not allowed(r)}


def _told(lacking: Mapping[str, list[str]]) -> str:
    def who(names: list[str]) -> str:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more

    return "Missing: " + "; ".join(f"{right} (for {who(names)})" for right, names in lacking.items()) + "."
