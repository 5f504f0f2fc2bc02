"""Role assignments and definitions, through the real SDK client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.authorization.aio import AuthorizationManagementClient

from tests.sandbox.arm import (
    AUTH,
    CONTRIBUTOR,
    MALLORY,
    MEMBER,
    MG,
    NOBODY,
    OPS,
    OWNER,
    READER,
    READER_ROLE,
    STORE,
    SUB,
    Arm,
    G,
    S,
    an_id,
    arm,
    assignment,
    options,
)

ROLE = {"roleName": "Runner", "description": "runs", "type": "CustomRole", "assignableScopes": [S]}
NEW = {"principalType": "ServicePrincipal"}
IN_PROGRESS = "Microsoft.Security/locations/alerts/inProgress/action"  # which custom roles can't have
RUNS = {"actions": ["Microsoft.Automation/automationAccounts/jobs/write"], "notActions": []}


@asynccontextmanager
async def client(who: str = OPS) -> AsyncIterator[tuple[AuthorizationManagementClient, Arm]]:
    async with arm() as call:
        token = call.azure.credential(who)
        async with AuthorizationManagementClient(token, SUB, **options(call)) as sdk:
            yield sdk, call


async def scopes(pages: Any) -> set[str]:
    return {entry.scope async for entry in pages}


async def test_lists_hold_what_lies_below_and_what_is_inherited() -> None:
    async with client() as (sdk, call):
        await call("PUT", f"{STORE}{AUTH}/roleAssignments/{an_id(1)}", assignment(READER_ROLE, call.oid(NOBODY)))
        assert await scopes(sdk.role_assignments.list_for_subscription()) == {MG, S, G, STORE}
        assert await scopes(sdk.role_assignments.list_for_resource_group("app")) == {MG, S, G, STORE}
        assert await scopes(sdk.role_assignments.list_for_scope(S, filter="atScope()")) == {MG, S}
        assert await scopes(sdk.role_assignments.list_for_scope(G, filter="atScope()")) == {MG, S, G}


async def test_filters_tell_direct_roles_from_those_through_groups() -> None:
    async with client() as (sdk, call):
        member = call.oid(MEMBER)
        listed = sdk.role_assignments.list_for_subscription
        assert await scopes(listed(filter=f"principalId eq '{member}'")) == set()
        assert await scopes(listed(filter=f"assignedTo('{member}')")) == {G}
        assert await scopes(listed(filter=f"atScope() and assignedTo('{member}')")) == set()
        assert await scopes(listed(filter=f"principalId eq '{call.oid(MALLORY)}'")) == {S}
        with pytest.raises(HttpResponseError) as refusal:
            await scopes(listed(filter="roleName eq 'Owner'"))
        assert refusal.value.error
        assert refusal.value.error.code == "UnsupportedQuery"


async def test_an_assignment_can_be_made_read_deleted_and_put_back_as_it_was() -> None:
    async with client() as (sdk, call):
        name, before = an_id(1), call.azure.world.snapshot()
        body: Any = assignment(CONTRIBUTOR, call.oid(NOBODY), description="for a day")
        made = await sdk.role_assignments.create(S, name, body)
        assert (made.created_by, made.updated_by) == (None, call.oid(OPS))
        read = await sdk.role_assignments.get(S, name)
        assert (read.created_by, read.principal_type, read.description) == (call.oid(OPS), "User", "for a day")
        with_it = call.azure.world.snapshot()
        deleted = await sdk.role_assignments.delete(S, name)
        assert deleted
        assert deleted.principal_id == call.oid(NOBODY)
        assert call.azure.world.snapshot() == before
        assert await sdk.role_assignments.delete(S, name) is None
        await sdk.role_assignments.create(S, name, body)
        assert call.azure.world.snapshot() == with_it
        with pytest.raises(ResourceNotFoundError):
            await sdk.role_assignments.get(S, an_id(2))


async def test_the_same_again_is_fine_and_anything_else_under_the_name_is_not() -> None:
    async with client() as (sdk, call):
        body: Any = assignment(CONTRIBUTOR, call.oid(NOBODY))
        await sdk.role_assignments.create(S, an_id(1), body)
        await sdk.role_assignments.create(S, an_id(1), body)
        with pytest.raises(ResourceExistsError) as exists:
            await sdk.role_assignments.create(S, an_id(2), body)
        assert exists.value.error
        assert exists.value.error.code == "RoleAssignmentExists"
        for scope, other in ((S, assignment(OWNER, call.oid(NOBODY))), (G, body)):
            with pytest.raises(HttpResponseError) as refused:
                await sdk.role_assignments.create(scope, an_id(1), other)
            assert refused.value.error
            assert (refused.value.status_code, refused.value.error.code) == (400, "RoleAssignmentUpdateNotPermitted")


@pytest.mark.parametrize(
    ("name", "role", "principal", "more", "code"),
    [
        ("not-a-guid", OWNER, an_id(7), {}, "InvalidRoleAssignmentId"),
        (an_id(1), OWNER, an_id(7), {}, "PrincipalNotFound"),
        (an_id(1), OWNER, an_id(7), {"principalType": "User"}, "PrincipalNotFound"),
        (an_id(1), an_id(8), an_id(7), NEW, "RoleDefinitionDoesNotExist"),
        (
            an_id(1),
            OWNER,
            an_id(7),
            NEW | {"condition": "("},
            "RoleAssignmentConditionNotValid",
        ),
        (an_id(1), OWNER, "", {}, "BadRequestFormat"),
    ],
)
async def test_wrong_assignments_are_refused(name: str, role: str, principal: str, more: Any, code: str) -> None:
    async with arm() as call:
        answer = await call("PUT", f"{S}{AUTH}/roleAssignments/{name}", assignment(role, principal, **more))
        assert answer.code == code


async def test_a_service_principal_may_be_too_new_for_the_directory_and_a_wrong_type_is_told() -> None:
    async with arm() as call:
        new = assignment(OWNER, an_id(7), principalType="ServicePrincipal")
        assert (await call("PUT", f"{S}{AUTH}/roleAssignments/{an_id(1)}", new)).status == 201
        wrong = assignment(OWNER, call.oid(NOBODY), principalType="Group")
        assert (await call("PUT", f"{S}{AUTH}/roleAssignments/{an_id(2)}", wrong)).code == "UnmatchedPrincipalType"


async def test_the_last_owner_stays_unless_somebody_rules_over_everything() -> None:
    async with client() as (sdk, call):
        (own,) = [
            a async for a in sdk.role_assignments.list_for_subscription(filter=f"principalId eq '{call.oid(OPS)}'")
        ]
        with pytest.raises(HttpResponseError) as refused:
            await sdk.role_assignments.delete_by_id(own.id)
        assert refused.value.error
        assert (refused.value.status_code, refused.value.error.code) == (412, "CannotDeleteLastRbacAdminAssignment")
        second: Any = assignment(OWNER, call.oid(NOBODY))
        await sdk.role_assignments.create(S, an_id(1), second)
        assert await sdk.role_assignments.delete_by_id(own.id)
    root = {"role_assignments": [{"scope": "/", "role": "User Access Administrator", "principal": NOBODY}]}
    async with arm(root) as call:
        assert (await call("DELETE", own.id, who=NOBODY)).status == 200


async def test_nothing_is_denied_and_nobody_waits_for_pim_in_a_new_world() -> None:
    async with client() as (sdk, _):
        for group in (sdk.role_eligibility_schedules, sdk.role_assignment_schedule_requests):
            assert [a async for a in group.list_for_scope(S, filter="atScope()")] == []
        assert [a async for a in sdk.deny_assignments.list_for_scope(S)] == []


# -- definitions -------------------------------------------------------------------------------------------------------


async def test_built_in_roles_are_listed_with_the_scope_in_front_and_can_not_be_changed() -> None:
    async with client() as (sdk, call):
        (owner,) = [r async for r in sdk.role_definitions.list(S, filter="roleName eq 'Owner'")]
        assert owner.id == f"{S}{AUTH}/roleDefinitions/{OWNER}"
        assert (owner.role_type, owner.permissions[0].actions) == ("BuiltInRole", ["*"])
        assert (await sdk.role_definitions.get_by_id(f"{AUTH}/roleDefinitions/{OWNER}")).role_name == "Owner"
        body = {"properties": {**ROLE, "roleName": "Owner", "permissions": [RUNS]}}
        assert (await call("PUT", f"{S}{AUTH}/roleDefinitions/{OWNER}", body)).status == 400
        assert (await call("DELETE", f"{S}{AUTH}/roleDefinitions/{OWNER}")).status == 400


async def test_a_custom_role_is_made_changed_used_and_can_only_be_deleted_unused() -> None:
    async with client() as (sdk, call):
        role, given = an_id(5), an_id(6)
        body: Any = {"properties": {**ROLE, "permissions": [RUNS]}}
        made = await sdk.role_definitions.create_or_update(S, role, body)
        assert made.permissions[0].actions == RUNS["actions"]
        await sdk.role_definitions.create_or_update(S, role, body)
        assert [r.role_name async for r in sdk.role_definitions.list(S, filter="type eq 'CustomRole'")] == ["Runner"]
        gift: Any = assignment(role, call.oid(NOBODY))
        await sdk.role_assignments.create(G, given, gift)
        with pytest.raises(ResourceExistsError) as used:
            await sdk.role_definitions.delete(S, role)
        assert used.value.error
        assert used.value.error.code == "RoleDefinitionHasAssignments"
        await sdk.role_assignments.delete(G, given)
        assert await sdk.role_definitions.delete(S, role)
        assert await sdk.role_definitions.delete(S, role) is None
        with pytest.raises(ResourceNotFoundError):
            await sdk.role_definitions.get(S, role)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"roleName": "reader"}, 409, "RoleDefinitionWithSameNameExists"),
        ({"assignableScopes": ["/"]}, 400, "InvalidAssignableScopes"),
        (
            {"permissions": [{"actions": [IN_PROGRESS]}]},
            400,
            "InvalidActionOrNotAction",
        ),
        ({"assignableScopes": [S, "/subscriptions/0c9b8a7d-6e5f-4a3b-8c2d-1e0f9a8b7c6d"]}, 403, "AuthorizationFailed"),
    ],
)
async def test_wrong_custom_roles_are_refused(change: Any, status: int, code: str) -> None:
    async with arm() as call:
        body = {"properties": {**ROLE, "permissions": [RUNS], **change}}
        answer = await call("PUT", f"{S}{AUTH}/roleDefinitions/{an_id(5)}", body)
        assert (answer.status, answer.code) == (status, code)


async def test_a_custom_role_can_not_be_given_beyond_its_scopes() -> None:
    async with arm() as call:
        body = {"properties": {**ROLE, "assignableScopes": [G], "permissions": [RUNS]}}
        await call("PUT", f"{G}{AUTH}/roleDefinitions/{an_id(5)}", body)
        answer = await call("PUT", f"{S}{AUTH}/roleAssignments/{an_id(6)}", assignment(an_id(5), call.oid(NOBODY)))
        assert answer.code == "RoleDefinitionDoesNotExist"


async def test_a_reader_reads_access_and_changes_none() -> None:
    async with client(READER) as (sdk, call):
        assert await scopes(sdk.role_assignments.list_for_subscription())
        gift: Any = assignment(OWNER, call.oid(READER))
        with pytest.raises(HttpResponseError) as refused:
            await sdk.role_assignments.create(S, an_id(1), gift)
        assert refused.value.status_code == 403
