"""Where things are kept: evidence, passwords, logs."""

import json
from typing import TYPE_CHECKING

from playbooks.doctor.check import NAME_IT, Deployment, Result, broken, can_t_tell, labels, ok
from playbooks.doctor.probe import probe
from responders.azure import absent_is_fine
from responders.errors import CountersignError, Temporary
from responders.ids import ResourceId

if TYPE_CHECKING:
    from responders.model import Json

_STORAGE = "2025-06-01"
_UNAUTHORIZED = 401


async def evidence(deployment: Deployment) -> list[Result]:
    """The evidence store."""
    where = f"evidence store {deployment.settings.evidence}"
    try:
        count = len(await deployment.its.evidence.list("index"))
    except CountersignError as error:
        if deployment.identity and "store refused" in str(error):
            raise  # it is somebody else who may not read it
        fix = "Deploy infra/main.bicep again, which makes it, and writes COUNTERSIGN_EVIDENCE: docs/deploy.md, step 2."
        return [broken(evidence, where, str(error), fix)]
    return [ok(evidence, where, f"It can be read. Incidents in it: {count}.")]


async def immutability(deployment: Deployment) -> list[Result]:
    """Whether evidence can be altered or deleted."""
    place = deployment.settings.evidence
    if not place.startswith("https://"):
        fix = "Set COUNTERSIGN_EVIDENCE to a container of Azure Blob Storage with an immutability policy."
        return [can_t_tell(immutability, "Evidence is kept in a folder: whoever can write there can alter it.", fix)]
    account_name, container = labels(place)[0], labels(place)[-1]
    account = await deployment.resource("Microsoft.Storage/storageAccounts", account_name, _STORAGE)
    if account is None:
        return [can_t_tell(immutability, f"No storage account {account_name} is to be seen.", NAME_IT)]
    path = f"{account['id']}/blobServices/default/containers/{container}"
    kept: Json = {}
    with absent_is_fine():
        kept = (await deployment.its.azure.arm("GET", path, _STORAGE))["properties"]
    if not kept:
        return [broken(immutability, path, "The container is not there.", "Deploy infra/main.bicep again.")]
    policy: Json = {}
    with absent_is_fine():
        policy = (await deployment.its.azure.arm("GET", f"{path}/immutabilityPolicies/default", _STORAGE))["properties"]
    days = int(policy.get("immutabilityPeriodSinceCreationInDays") or 0)
    if not (days or kept.get("hasLegalHold")):
        at = ResourceId.parse(account["id"])
        fix = (
            f"az storage container immutability-policy create --subscription {at.subscription} "
            f"--resource-group {at.group} --account-name {account_name} --container-name {container} --period 365"
        )
        return [broken(immutability, path, "It has no immutability policy: evidence can be altered.", fix)]
    if str(policy.get("state", "")).lower() == "locked":
        return [ok(immutability, path, f"It is immutable for {days} days, and that is locked.")]
    why = f"It is immutable for {days} days, until its owner lifts that: docs/deploy.md says how to lock it for good."
    return [ok(immutability, path, why)]


async def vault(deployment: Deployment) -> list[Result]:
    """The vault for new passwords."""
    place = deployment.settings.vault
    if not place:
        return [ok(vault, "COUNTERSIGN_VAULT", "It is not set: no password is reset.")]
    try:
        status = (await probe(f"{place}/secrets?api-version=7.5")).status
    except Temporary as error:
        fix = "See that COUNTERSIGN_VAULT names a vault that is there, and that its network lets you in."
        return [broken(vault, place, str(error), fix)]
    if status != _UNAUTHORIZED:
        why = f"It answers {status} to a request without a sign-in; {_UNAUTHORIZED} was expected: is it a vault?"
        return [
            broken(vault, place, why, "Set COUNTERSIGN_VAULT to the vault's address: https://<name>.vault.azure.net")
        ]
    return [ok(vault, place, "It answers, and asks for a sign-in.")]


async def workspace(deployment: Deployment) -> list[Result]:
    """The Log Analytics workspace that the Activity Log is streamed to."""
    id_ = deployment.settings.workspace
    if not id_:
        return [ok(workspace, "COUNTERSIGN_WORKSPACE", "It is not set: Azure Monitor is read alone.")]
    answer = await deployment.its.azure.logs(id_, "AzureActivity | take 1")
    rows = (json.loads(answer)["tables"] if answer else [{"rows": []}])[0]["rows"]
    if not rows:
        fix = "Deploy infra/protect.bicep with its workspaceId, which streams it: docs/deploy.md, step 6."
        return [broken(workspace, f"workspace {id_}", "It can be queried, but holds no activity.", fix)]
    return [ok(workspace, f"workspace {id_}", "It can be queried, and holds activities.")]
