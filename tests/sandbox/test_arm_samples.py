"""Whatever an official example shows, the sandbox shows too."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure import raise_alert
from tests.sandbox.arm import AUTH, NOBODY, NOW, READER_ROLE, STORE, SUB, Arm, G, Json, S, an_id, arm, assignment

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "arm"
REGION, SECURITY, TAGS = (
    "/providers/Microsoft.Security/locations/centralus",
    "/providers/Microsoft.Security",
    "/providers/Microsoft.Resources/tags/default",
)
GIVEN, LOCK, ROLE = (
    f"{S}{AUTH}/roleAssignments/{an_id(1)}",
    f"{G}{AUTH}/locks/testlock",
    f"{S}{AUTH}/roleDefinitions/{an_id(2)}",
)
VALUES = f"{S}/providers/Microsoft.Insights/eventtypes/management/values"
# What an example has and the sandbox can't: other products' alerts, plans' options, other API generations' fields.
BEYOND = {
    "extendedLinks", "correlationKey", "techniques", "subTechniques", "supportingEvidence", "workspaceId", "agentId",
    "workspaceSubscriptionId", "workspaceResourceGroup", "location", "extensions", "deprecated", "replacedBy",
    "enablementTime", "subPlan", "Property1", "nextLink",
}  # fmt: skip
FREE = {"claims", "extendedProperties", "tags"}  # whose keys are anybody's


def lacks(example: Any, ours: Any, path: str = "") -> set[str]:
    """Paths of the example that ours has not; of lists, the first element stands for all."""
    if isinstance(example, list) and example:
        return lacks(example[0], ours[0], f"{path}[]") if ours else set()
    if not isinstance(example, dict):
        return set()
    found: set[str] = set()
    for key, value in example.items():
        if key in BEYOND:
            continue
        if key not in ours:
            found.add(f"{path}.{key}")
        elif key not in FREE:
            found |= lacks(value, ours[key], f"{path}.{key}")
    return found


async def prepare(call: Arm) -> None:
    entities = [{"type": "ip", "address": "198.51.100.7"}]
    raise_alert(call.azure.world, call.azure.clock, "ARM_OperationFromSuspiciousIP", SUB, NOW, entities)
    role = {"roleName": "Runner", "assignableScopes": [S], "permissions": [{"actions": ["*/read"]}]}
    await call("PUT", GIVEN, assignment(READER_ROLE, call.oid(NOBODY)))
    await call("PUT", ROLE, {"properties": role})
    await call("PUT", LOCK, {"properties": {"level": "ReadOnly"}}, version="2020-05-01")


CASES = [
    ("authorization/RoleAssignments_ListForSubscription", "GET", f"{S}{AUTH}/roleAssignments", None, "2022-04-01"),
    ("authorization/RoleAssignments_Get", "GET", GIVEN, None, "2022-04-01"),
    ("authorization/RoleAssignments_Delete", "DELETE", GIVEN, None, "2022-04-01"),
    ("authorization/RoleDefinitions_Get", "GET", ROLE, None, "2022-04-01"),
    ("authorization/RoleDefinitions_Delete", "DELETE", ROLE, None, "2022-04-01"),
    ("locks/ManagementLocks_ListAtSubscriptionLevel", "GET", f"{S}{AUTH}/locks", None, "2020-05-01"),
    ("locks/ManagementLocks_DeleteAtResourceGroupLevel", "DELETE", LOCK, None, "2020-05-01"),
    ("monitor/ActivityLogs_List_Filtered", "GET", VALUES, None, "2015-04-01"),
    ("resources/ResourceGroups_CreateOrUpdate", "PUT", f"{S}/resourceGroups/my", {"location": "eastus"}, "2024-03-01"),
    ("resources/Tags_GetAtScope", "GET", f"{STORE}{TAGS}", None, "2024-03-01"),
    ("security/Alerts_List", "GET", f"{S}{SECURITY}/alerts", None, "2022-01-01"),
    ("security/Alerts_ListSubscriptionLevelByRegion", "GET", f"{S}{REGION}/alerts", None, "2022-01-01"),
    ("security/Pricings_List", "GET", f"{S}{SECURITY}/pricings", None, "2024-01-01"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "path", "body", "version"), CASES, ids=[c[0] for c in CASES])
async def test_answers_have_the_shape_of_official_examples(
    name: str, method: str, path: str, body: Json | None, version: str
) -> None:
    file = SAMPLES / f"{name}.json"
    if not file.exists():
        pytest.skip("the collected samples are not here")
    responses = json.loads(file.read_text())["responses"]
    async with arm() as call:
        await prepare(call)
        query = {"filter": f"eventTimestamp ge '{NOW:%Y-%m-%dT%H:%M:%SZ}'"} if path == VALUES else {}
        answer = await call(method, path, body, version=version, **query)
    assert str(answer.status) in responses
    assert lacks(responses[str(answer.status)].get("body", {}), answer.body or {}) == set()
