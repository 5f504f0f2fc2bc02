"""Privileged Identity Management of Azure roles, through the real SDK client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization.aio import AuthorizationManagementClient

from tests.sandbox.arm import (
    AUTH,
    CONTRIBUTOR,
    MALLORY,
    MEMBER,
    NOBODY,
    OPS,
    OWNER,
    READER_ROLE,
    STORE,
    SUB,
    Arm,
    G,
    Json,
    S,
    an_id,
    arm,
    options,
)

PIM = "2020-10-01"
TAG = {"tags": {"by": "mallory"}}


@asynccontextmanager
async def client(who: str = OPS) -> AsyncIterator[tuple[AuthorizationManagementClient, Arm]]:
    async with arm() as call:
        token = call.azure.credential(who)
        async with AuthorizationManagementClient(token, SUB, **options(call)) as sdk:
            yield sdk, call


def request(kind: str, who: str, role: str = CONTRIBUTOR, length: str = "", **more: Any) -> Any:
    expiration = {"type": "AfterDuration", "duration": length} if length else {"type": "NoExpiration"}
    role = f"{S}{AUTH}/roleDefinitions/{role}"
    properties: Json = {"principalId": who, "roleDefinitionId": role, "requestType": kind}
    return {"properties": {**properties, "scheduleInfo": {"expiration": expiration}, **more}}


async def named(pages: Any) -> set[str]:
    return {entry.name async for entry in pages}


async def assignments(call: Arm, who: str, scope: str = S) -> list[Json]:
    filter_ = f"principalId eq '{call.oid(who)}'"
    return list((await call("GET", f"{scope}{AUTH}/roleAssignments", filter=filter_)).body["value"])


async def eligible(call: Arm, who: str = NOBODY, number: int = 1, scope: str = S, **more: Any) -> Any:
    path = f"{scope}{AUTH}/roleEligibilityScheduleRequests/{an_id(number)}"
    return await call("PUT", path, request("AdminAssign", call.oid(who), **more), version=PIM)


async def activate(call: Arm, who: str = NOBODY, number: int = 2, scope: str = S, length: str = "PT1H") -> Any:
    path = f"{scope}{AUTH}/roleAssignmentScheduleRequests/{an_id(number)}"
    body = request("SelfActivate", call.oid(who), length=length, justification="work")
    return await call("PUT", path, body, version=PIM, who=who)


async def test_who_is_eligible_has_nothing_until_he_activates_it() -> None:
    async with client() as (sdk, call):
        body = request("AdminAssign", call.oid(NOBODY), length="P30D")
        made = await sdk.role_eligibility_schedule_requests.create(S, an_id(1), body)
        assert (made.status, made.target_role_eligibility_schedule_id) == ("Provisioned", an_id(1))
        assert await named(sdk.role_eligibility_schedules.list_for_scope(S)) == {an_id(1)}
        assert await named(sdk.role_eligibility_schedule_instances.list_for_scope(S)) == {an_id(1)}
        assert not await assignments(call, NOBODY)
        assert (await call("PATCH", STORE, TAG, who=NOBODY)).status == 403
        assert (await activate(call)).body["properties"]["status"] == "Provisioned"
        assert (await call("PATCH", STORE, TAG, who=NOBODY)).status == 200
        assert [a["name"] for a in await assignments(call, NOBODY)] == [an_id(2)]
        filter_ = f"principalId eq '{call.oid(NOBODY)}'"
        instances = [i async for i in sdk.role_assignment_schedule_instances.list_for_scope(S, filter=filter_)]
        assert [(i.assignment_type, i.linked_role_eligibility_schedule_id) for i in instances] == [
            ("Activated", an_id(1))
        ]


async def test_what_was_activated_ends_when_its_time_is_over() -> None:
    async with arm() as call:
        await eligible(call)
        await activate(call)
        call.azure.clock.advance(timedelta(minutes=61))
        assert (await call("PATCH", STORE, TAG, who=NOBODY)).status == 403
        assert not await assignments(call, NOBODY)


async def test_an_eligibility_ends_by_a_request_and_only_once() -> None:
    async with client() as (sdk, call):
        before = call.azure.world.snapshot()
        await eligible(call)
        remove = request("AdminRemove", call.oid(NOBODY))
        ended = await sdk.role_eligibility_schedule_requests.create(S, an_id(3), remove)
        assert ended.status == "Revoked"
        assert call.azure.world.snapshot() == before
        with pytest.raises(HttpResponseError) as refusal:
            await sdk.role_eligibility_schedule_requests.create(S, an_id(4), remove)
        assert (refusal.value.status_code, refusal.value.error and refusal.value.error.code) == (
            400,
            "RoleAssignmentDoesNotExist",
        )
        assert (await activate(call)).code == "RoleAssignmentDoesNotExist"


async def test_an_eligibility_made_again_is_the_same_world_under_another_name() -> None:
    async with client() as (sdk, call):
        await eligible(call)
        before = call.azure.world.snapshot()
        await sdk.role_eligibility_schedule_requests.create(S, an_id(3), request("AdminRemove", call.oid(NOBODY)))
        call.azure.clock.advance(timedelta(hours=1))
        await eligible(call, number=4)
        assert await named(sdk.role_eligibility_schedules.list_for_scope(S)) == {an_id(4)}
        assert call.azure.world.snapshot() == before


async def test_an_active_assignment_is_ended_by_pim_alone_and_not_in_its_first_minutes() -> None:
    async with arm() as call:
        await eligible(call)
        await activate(call)
        ordinary = f"{S}{AUTH}/roleAssignments/{an_id(2)}"
        assert (await call("DELETE", ordinary)).status == 400
        path = f"{S}{AUTH}/roleAssignmentScheduleRequests"
        remove = request("AdminRemove", call.oid(NOBODY))
        assert (await call("PUT", f"{path}/{an_id(3)}", remove, version=PIM)).code == "ActiveDurationTooShort"
        call.azure.clock.advance(timedelta(minutes=6))
        ended = await call("PUT", f"{path}/{an_id(4)}", remove, version=PIM)
        assert (ended.status, ended.body["properties"]["status"]) == (201, "Revoked")
        assert not await assignments(call, NOBODY)


async def test_ordinary_assignments_show_as_active_and_pim_can_end_them() -> None:
    async with client() as (sdk, call):
        filter_ = f"principalId eq '{call.oid(MALLORY)}'"
        found = [i async for i in sdk.role_assignment_schedule_instances.list_for_scope(S, filter=filter_)]
        assert [(i.assignment_type, i.member_type, i.end_date_time) for i in found] == [("Assigned", "Direct", None)]
        body = request("AdminRemove", call.oid(MALLORY))
        assert (await sdk.role_assignment_schedule_requests.create(S, an_id(1), body)).status == "Revoked"
        assert not await assignments(call, MALLORY)


async def test_a_lock_makes_the_request_fail_not_the_call() -> None:
    async with arm() as call:
        await eligible(call, scope=G)
        lock = {"properties": {"level": "CanNotDelete"}}
        await call("PUT", f"{G}{AUTH}/locks/keep", lock, version="2020-05-01")
        path = f"{G}{AUTH}/roleEligibilityScheduleRequests/{an_id(3)}"
        answer = await call("PUT", path, request("AdminRemove", call.oid(NOBODY)), version=PIM)
        assert (answer.status, answer.body["properties"]["status"]) == (201, "FailedAsResourceIsLocked")
        assert (await call("GET", f"{G}{AUTH}/roleEligibilitySchedules/{an_id(1)}", version=PIM)).status == 200


async def test_lists_show_what_is_inherited_and_what_lies_below() -> None:
    async with arm() as call:
        await eligible(call)
        await eligible(call, number=5, scope=G, role=READER_ROLE)
        path = f"{AUTH}/roleEligibilityScheduleInstances"
        at_group = (await call("GET", G + path, version=PIM)).body["value"]
        assert {(i["name"], i["properties"]["memberType"]) for i in at_group} == {
            (an_id(1), "Inherited"),
            (an_id(5), "Direct"),
        }
        at_top = await call("GET", S + path, version=PIM, filter="atScope()")
        assert [i["name"] for i in at_top.body["value"]] == [an_id(1)]
        for text, count in (("asTarget()", 0), (f"assignedTo('{call.oid(NOBODY)}')", 2), ("roleName eq 'x'", -1)):
            answer = await call("GET", S + path, version=PIM, filter=text)
            assert (len(answer.body["value"]) if answer.status == 200 else -1) == count


async def test_members_activate_what_their_group_may() -> None:
    async with arm() as call:
        outer = next(
            e for e in call.azure.world.directory.of_type("#microsoft.graph.group") if e["displayName"] == "outer"
        )
        path = f"{S}{AUTH}/roleEligibilityScheduleRequests/{an_id(1)}"
        await call("PUT", path, request("AdminAssign", outer["id"]), version=PIM)
        assert (await activate(call, MEMBER)).status == 201
        assert (await call("PATCH", STORE, TAG, who=MEMBER)).status == 200


async def test_what_needs_an_approval_waits_and_can_be_taken_back() -> None:
    async with client() as (sdk, call):
        await eligible(call)
        link = await call(
            "GET",
            f"{S}{AUTH}/roleManagementPolicyAssignments",
            version=PIM,
            filter=f"roleDefinitionId eq '{CONTRIBUTOR}'",
        )
        policy = link.body["value"][0]["properties"]["policyId"]
        rule = {"id": "Approval_EndUser_Assignment", "setting": {"isApprovalRequired": True}}
        assert (await call("PATCH", policy, {"properties": {"rules": [rule]}}, version=PIM)).status == 200
        waits = await activate(call)
        assert (waits.status, waits.body["properties"]["status"]) == (201, "PendingApproval")
        assert not await assignments(call, NOBODY)
        await sdk.role_assignment_schedule_requests.cancel(S, an_id(2))
        assert (await sdk.role_assignment_schedule_requests.get(S, an_id(2))).status == "Canceled"
        with pytest.raises(HttpResponseError):
            await sdk.role_assignment_schedule_requests.cancel(S, an_id(2))


async def test_who_may_not_give_roles_may_not_make_anybody_eligible() -> None:
    async with arm() as call:
        path = f"{S}{AUTH}/roleEligibilityScheduleRequests/{an_id(1)}"
        body = request("AdminAssign", call.oid(MALLORY), OWNER)
        assert (await call("PUT", path, body, version=PIM, who=MALLORY)).code == "AuthorizationFailed"
        answer = await activate(call, MALLORY)
        assert answer.code == "RoleAssignmentDoesNotExist"


async def test_the_policy_limits_an_activation() -> None:
    async with arm() as call:
        await eligible(call)
        assert (await activate(call, length="PT9H")).code == "RoleAssignmentRequestPolicyValidationFailed"
