"""What the deployed roles let the responder do, and what not."""

import json
from typing import Any

import pytest

from responders.actions import ACTIONS, BASE_PERMISSIONS, permissions
from sandbox import stage
from sandbox.azure import Clock, Sandbox, rbac
from sandbox.azure.well_known import GRAPH_PERMISSIONS
from sandbox.scene import EXERCISES, load
from tests.sandbox.estate import browser

ROLES: dict[str, dict[str, Any]] = json.loads(stage.ROLES.read_bytes())
GRAPH: dict[str, list[dict[str, Any]]] = json.loads(stage.GRAPH.read_bytes())
GIVES = "Microsoft.Authorization/roleAssignments/write"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
SCENE = load(EXERCISES / "stolen-operator-runbook.yaml")
SUBSCRIPTION = SCENE.world.responder.subscriptions[0]
NEW = "5b1f7c52-6d11-4a55-9d0e-111111111111"


def lets(action: str, *keys: str) -> bool:
    """Whether any of these roles allows an operation, on resources or on data."""
    held = [ROLES[key] for key in keys or ROLES]
    return rbac.allows(held, action) or rbac.allows(held, action, data=True)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_all_roles_together_let_each_action_do_its_work(action: Any) -> None:
    consented = {entry["value"] for entries in GRAPH.values() for entry in entries}
    for right in action.permissions:
        assert (lets(right.replace("*", "any")) or lets(right)) if "/" in right else right in consented


def test_no_role_holds_what_nothing_needs() -> None:
    needed = {*permissions(), *ROLES["evidence"]["dataActions"]}
    for role in ROLES.values():
        assert {*role["actions"], *role["dataActions"]} <= needed
    assert {entry["value"] for entries in GRAPH.values() for entry in entries} <= needed


def test_the_reader_changes_nothing() -> None:
    assert all(right.endswith("/read") for right in ROLES["reader"]["actions"])
    assert all(".Read" in entry["value"] and "Write" not in entry["value"] for entry in GRAPH["reader"])


def test_reader_and_responder_do_all_but_what_two_people_approve() -> None:
    held = {entry["value"] for key in ("reader", "responder") for entry in GRAPH[key]}
    missing = {
        one.id
        for one in ACTIONS
        for right in one.permissions
        if not (lets(right, "reader", "responder", "evidence") if "/" in right else right in held)
    }
    assert {"subscriptions.delete_resources", "users.delete", "users.reset_password"} <= missing
    assert not missing & {"users.disable", "subscriptions.strip_role_assignments", "subscriptions.remove_runbooks"}
    assert all(lets(right, "reader", "responder") for right in BASE_PERMISSIONS if "/" in right)


@pytest.mark.parametrize(
    "operation",
    [
        GIVES,
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/roleDefinitions/write",
        "Microsoft.Authorization/locks/delete",
        "Microsoft.Authorization/policyAssignments/delete",
        "Microsoft.ManagedServices/registrationDefinitions/write",
        "Microsoft.Security/pricings/write",
        "Microsoft.Security/automations/delete",
        "Microsoft.Insights/diagnosticSettings/delete",
        "Microsoft.KeyVault/vaults/accessPolicies/write",
        "Microsoft.KeyVault/vaults/secrets/write",
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete",
        "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete",
        "Microsoft.Resources/deploymentScripts/write",
        "Microsoft.Subscription/aliases/write",
        "Microsoft.Management/managementGroups/subscriptions/write",
        "Microsoft.Subscription/cancel/action",
        "Microsoft.Storage/storageAccounts/listKeys/action",
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
        "Microsoft.Compute/virtualMachines/runCommand/action",
    ],
)
def test_the_remover_never_holds(operation: str) -> None:
    assert not lets(operation, "remover")
    assert lets("Microsoft.Storage/storageAccounts/delete", "remover")


def test_secrets_are_written_and_never_read() -> None:
    assert lets("Microsoft.KeyVault/vaults/secrets/setSecret/action")
    assert not lets("Microsoft.KeyVault/vaults/secrets/getSecret/action")


def test_evidence_is_written_and_never_deleted() -> None:
    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
    assert lets(f"{blobs}/write", "evidence")
    assert not rbac.allows([*ROLES.values()], f"{blobs}/delete", data=True)
    assert not lets("Microsoft.Compute/snapshots/delete", "evidence")
    assert not lets("Microsoft.Authorization/locks/delete", "evidence")


def test_every_graph_permission_has_its_id() -> None:
    for entries in GRAPH.values():
        for entry in entries:
            assert entry["id"] == GRAPH_PERMISSIONS[entry["value"]]


async def _as_responder(method: str, path: str, body: Any) -> int:
    """What Azure answers the responder of a deployment."""
    async with Sandbox(stage.build(SCENE), clock=Clock(SCENE.now)) as sandbox, browser(sandbox) as session:
        url = f"{sandbox.endpoints.arm}/subscriptions/{SUBSCRIPTION}/providers/{path}?api-version=2022-04-01"
        head = {"Authorization": f"Bearer {sandbox.token(stage.identity(SCENE), 'arm')}"}
        async with session.request(method, url, json=body, headers=head) as answer:
            return answer.status


def _grant(principal: str) -> dict[str, Any]:
    role = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"
    return {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "User"}}


async def test_the_responder_gives_others_back_what_they_had_and_itself_nothing() -> None:
    path = f"Microsoft.Authorization/roleAssignments/{NEW}"
    assert await _as_responder("PUT", path, _grant(SCENE.who("ops@contoso.example"))) == 201
    assert await _as_responder("PUT", path, _grant(stage.identity(SCENE))) == 403


@pytest.mark.parametrize("key", ["reader", "responder", "destroyer", "remover"])
async def test_the_responder_can_not_widen_its_own_roles(key: str) -> None:
    title = f"{ROLES[key]['name']} ({SCENE.world.responder.name})"
    own = next(r for r in stage.build(SCENE).list(rbac.DEFINITION) if r.properties["roleName"] == title)
    wider = {"properties": {**own.properties, "permissions": [{"actions": ["*"]}]}}
    path = f"Microsoft.Authorization/roleDefinitions/{own.name}"
    assert await _as_responder("PUT", path, wider) == 403
    assert await _as_responder("DELETE", path, None) == 403
