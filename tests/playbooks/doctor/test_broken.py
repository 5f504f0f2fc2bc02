"""A deployment in which one thing is broken: the doctor finds it, alone, and names the way to put it right."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sandbox import deployed
from sandbox.azure import blobs
from sandbox.azure.well_known import made_up_id
from sandbox.stage import GROUP, VAULT, identity
from tests.api.responder import PROD
from tests.playbooks.doctor.patient import GLASS, Patient, disabled, unassigned

Json = dict[str, Any]
SUBSCRIPTION = PROD.rpartition("/")[2]
PLAN = f"{PROD}/providers/Microsoft.Security/pricings/Arm"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
WORKSPACE = "6c1d0f5e-3a92-4b7d-8e41-90c2b5d7a3f1"


def _dead_letter(patient: Patient) -> None:
    blobs.kept(patient.sandbox.world, deployed.DEAD_LETTERS)["EVGT/1.json"] = {
        "data": "e30=",
        "at": "Wed, 04 Mar 2026 10:41:30 GMT",
    }


def _no_consent(patient: Patient) -> None:
    directory = patient.sandbox.world.directory
    me = identity(patient.scene)
    graph = next(o for o in directory.objects.values() if o.get("displayName") == "Microsoft Graph")
    role = next(r["id"] for r in graph["appRoles"] if r["value"] == "User.RevokeSessions.All")
    [key] = [k for k, g in directory.app_roles.items() if g["principalId"] == me and g["appRoleId"] == role]
    del directory.app_roles[key]


def _application(patient: Patient) -> Json:
    found = patient.sandbox.world.directory.application(made_up_id("app", "Countersign"))
    assert found
    return found


def _no_role(scope: str, role: str) -> Callable[[Patient], None]:
    """Take a built-in role from the responder."""

    def take(patient: Patient) -> None:
        world, me = patient.sandbox.world, identity(patient.scene)
        [held] = [
            r
            for r in world
            if r.id.lower().startswith(f"{scope.lower()}/providers/microsoft.authorization/roleassignments/")
            and r.properties["principalId"] == me
            and r.properties["roleDefinitionId"].endswith(_ROLES[role])
        ]
        world.delete(held.id)

    return take


def _failed_run(patient: Patient) -> None:
    run = {"status": "Failed", "startTime": "2026-03-04T10:41:30Z", "error": {"message": "Unauthorized."}}
    body = {"id": f"{deployed.LOGIC_APP}/runs/08585", "properties": run}
    patient.sandbox.world.load({"resources": [body]}, patient.scene.now)


def _missed_heartbeat(patient: Patient) -> None:
    heard = {"at": "2026-03-04T10:41:30Z", "arrived": [], "missed": ["None of 3 came to its end here."]}
    kept = blobs.kept(patient.sandbox.world, deployed.EVIDENCE)
    data = base64.b64encode(json.dumps(heard).encode()).decode()
    kept["heartbeats/2026-03-04-heard.json"] = {"data": data, "at": "Wed, 04 Mar 2026 10:41:30 GMT"}
    patient.settings["COUNTERSIGN_HEARTBEAT"] = "centralus"


def _of_another_tenant(patient: Patient) -> None:
    found = patient.sandbox.world.get(PROD)
    assert found
    patient.sandbox.world.put(PROD, {**found.body, "tenantId": WORKSPACE})


def _setting(name: str, value: str) -> Callable[[Patient], None]:
    return lambda patient: patient.settings.update({f"COUNTERSIGN_{name}": value})


def _empty_workspace(patient: Patient) -> None:
    id_ = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/log"
    body = {"id": id_, "location": "westeurope", "properties": {"customerId": WORKSPACE}}
    patient.sandbox.world.load({"resources": [body]}, patient.scene.now)
    patient.settings["COUNTERSIGN_WORKSPACE"] = WORKSPACE


SIGNING_IN = {f"signing_in.{name}" for name in ("sign_in", "application", "sender", "approvers")}
AUTOMATION = deployed.automation(SUBSCRIPTION)
ELSEWHERE = {"actions": {"responder": {"type": "Http", "inputs": {"uri": "https://elsewhere.example/api/alerts"}}}}

_ROLES = {
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
}
# What is broken with it.
ALSO = {
    "nobody is at the address": {"defending.automation", "signing_in.application"},
    "the vault is shut to the app": {"hosting.secrets"},
    "there is no function app": {"hosting.secrets", "hosting.network", "rights.engine_rights", *SIGNING_IN},
    "sign-in is gone": SIGNING_IN - {"signing_in.sign_in"},
}

BROKEN: dict[str, tuple[Callable[[Patient], object], str, str]] = {
    "the plan is off": (
        lambda p: p.sandbox.world.put(PLAN, {"properties": {"pricingTier": "Free"}}),
        "defending.plan",
        "az security pricing create --name Arm --tier standard",
    ),
    "the automation is gone": (lambda p: p.delete(AUTOMATION), "defending.automation", "infra/protect.bicep"),
    "the automation is disabled": (
        lambda p: p.change(AUTOMATION, isEnabled=False),
        "defending.automation",
        "az rest --method PATCH --url 'https://127.0.0.1:",
    ),
    "the Logic App is disabled": (
        lambda p: p.change(deployed.LOGIC_APP, state="Disabled"),
        "defending.automation",
        f"{deployed.LOGIC_APP}/enable",
    ),
    "what starts the Logic App is gone": (
        lambda p: p.delete(deployed.CONNECTION),
        "defending.automation",
        "infra/main.bicep",
    ),
    "the Logic App calls somebody else": (
        lambda p: p.change(deployed.LOGIC_APP, definition=ELSEWHERE),
        "defending.automation",
        "infra/main.bicep",
    ),
    "the Logic App is gone": (lambda p: p.delete(deployed.LOGIC_APP), "defending.automation", "infra/main.bicep"),
    "a right is missing": (
        lambda p: p.without("Countersign Responder (id-countersign)", "Microsoft.Authorization/roleAssignments/delete"),
        "rights.azure_rights",
        "infra/protect.bicep",
    ),
    "secrets can't be written": (
        lambda p: p.without(
            "Countersign Secrets (id-countersign)", "Microsoft.KeyVault/vaults/secrets/setSecret/action"
        ),
        "rights.vault_rights",
        "infra/main.bicep",
    ),
    "evidence can't be written": (
        lambda p: p.without("Countersign Evidence (id-countersign)", f"{BLOBS}/write"),
        "rights.evidence_rights",
        "infra/main.bicep",
    ),
    "evidence of disks can't be made": (
        lambda p: p.without("Countersign Evidence (id-countersign)", "Microsoft.Compute/snapshots/write"),
        "rights.evidence_group_rights",
        "infra/main.bicep",
    ),
    "a consent is missing": (_no_consent, "rights.graph_consents", "appRoleAssignments --body"),
    "the delivery has failed": (
        lambda p: p.change(deployed.DELIVERY, provisioningState="Failed"),
        "delivery.event_grid",
        "infra/eventgrid.bicep",
    ),
    "the topic has no delivery": (
        lambda p: p.delete(deployed.DELIVERY),
        "delivery.event_grid",
        "infra/eventgrid.bicep",
    ),
    "there is a dead letter": (_dead_letter, "delivery.dead_letters", "python -m playbooks run"),
    "evidence can be altered": (
        lambda p: p.delete(deployed.POLICY),
        "keeping.immutability",
        "az storage container immutability-policy create",
    ),
    "the vault does not answer": (
        _setting("VAULT", "https://127.0.0.1:1/kv-countersign"),
        "keeping.vault",
        "COUNTERSIGN_VAULT",
    ),
    "no log is streamed": (_empty_workspace, "keeping.workspace", "workspaceId"),
    "nobody is at the address": (_setting("URL", "http://127.0.0.1:1"), "delivery.url", "COUNTERSIGN_URL"),
    "the function app is stopped": (
        lambda p: p.change(deployed.SITE, state="Stopped"),
        "hosting.app",
        "az functionapp start",
    ),
    "there is no function app": (lambda p: p.delete(deployed.SITE), "hosting.app", "infra/main.bicep"),
    "a secret can't be read": (_no_role(deployed.LINK_KEY, "Key Vault Secrets User"), "hosting.secrets", "/refresh"),
    "the vault is shut to the app": (
        lambda p: p.change(VAULT, networkAcls={"defaultAction": "Deny"}),
        "hosting.network",
        "privateNetwork=true",
    ),
    "storage is shut to the app": (
        lambda p: p.change(deployed.STORAGE, publicNetworkAccess="Disabled"),
        "hosting.network",
        "privateNetwork=true",
    ),
    "the host may not use its queues": (
        _no_role(deployed.STORAGE, "Storage Queue Data Contributor"),
        "rights.engine_rights",
        "infra/main.bicep",
    ),
    "sign-in lets everybody in": (
        lambda p: p.change(deployed.SIGN_IN, globalValidation={"requireAuthentication": False}),
        "signing_in.sign_in",
        "infra/main.bicep",
    ),
    "sign-in is gone": (
        lambda p: p.change(deployed.SIGN_IN, platform={"enabled": False}, identityProviders={}),
        "signing_in.sign_in",
        "infra/main.bicep",
    ),
    "sign-in stands before Event Grid": (
        lambda p: p.change(deployed.SIGN_IN, globalValidation={"requireAuthentication": True}),
        "signing_in.sign_in",
        "infra/main.bicep",
    ),
    "the application is gone": (
        lambda p: p.sandbox.world.directory.objects.pop(_application(p)["id"]),
        "signing_in.application",
        "consent.sh register",
    ),
    "the application leads people elsewhere": (
        lambda p: _application(p)["web"].update(redirectUris=[]),
        "signing_in.application",
        "consent.sh grant",
    ),
    "the application does not trust the app": (
        lambda p: p.sandbox.world.directory.federated.clear(),
        "signing_in.application",
        "consent.sh grant",
    ),
    "the Logic App may not hand over": (unassigned("Sender"), "signing_in.sender", "consent.sh grant"),
    "nobody may countersign": (unassigned("Approver"), "signing_in.approvers", "consent.sh role NAME Approver"),
    "one may countersign": (
        unassigned("Approver", "bob@contoso.example"),
        "signing_in.approvers",
        "consent.sh role NAME Approver",
    ),
    "who is told may not countersign": (
        unassigned("Approver", "bob@contoso.example", "carol@contoso.example"),
        "signing_in.approvers",
        "consent.sh role NAME Approver",
    ),
    "the Logic App's last run failed": (_failed_run, "delivery.logic_app", "python -m playbooks run"),
    "the heartbeat was missed": (_missed_heartbeat, "delivery.heartbeat", "python -m playbooks smoke"),
    "a subscription is another tenant's": (_of_another_tenant, "identity.tenant", "subscriptions"),
    "there is no such mailbox": (_setting("MAIL_FROM", "nobody@contoso.example"), "people.told", "mailFrom"),
    "there is one approver": (_setting("APPROVERS", "bob@contoso.example"), "people.approvers", "with approvers"),
    "an approver is disabled": (disabled("bob@contoso.example"), "people.approvers", "consent.sh role"),
    "nobody is called that": (
        _setting("PROTECTED", f"{GLASS},nobody@contoso.example"),
        "people.protected",
        "protectedIds",
    ),
    "no break-glass account is protected": (_setting("PROTECTED", ""), "people.break_glass", "protectedIds"),
    "a gate can't be": (_setting("GATES", "users.reset_password=auto"), "people.gates", "python -m playbooks list"),
    "nobody is told": (_setting("MAIL_FROM", ""), "people.told", "mailFrom"),
    "the identity is disabled": (disabled("identity"), "identity.signs_in", "az ad sp update"),
    "the clock is wrong": (
        lambda p: p.sandbox.clock.set(p.sandbox.clock.now() + timedelta(hours=1)),
        "identity.clock",
        "timedatectl",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_broken_is_found_with_its_fix(patient: Patient, what: str) -> None:
    do, check, fix = BROKEN[what]
    do(patient)

    found = [one for one in await patient.examined() if one.state != "ok"]

    assert {one.check for one in found} - {check} == ALSO.get(what, set())
    [one] = [one for one in found if one.check == check]
    assert (one.state, one.check) == ("broken", check), one.why
    assert fix in one.fix
