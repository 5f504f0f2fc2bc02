"""Somebody stays who can let the others in again, whatever is approved."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from responders import survival
from responders.claims import Claims
from responders.evidence import Evidence
from responders.model import Change, Plan
from responders.subscriptions.strip_role_assignments import StripRoleAssignments
from responders.users.disable import Disable
from responders.users.strip_directory_roles import StripDirectoryRoles
from sandbox.azure.well_known import DIRECTORY_ROLES
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, MALLORY, OPS, READER, RESPONDER, SUBSCRIPTION

GLOBAL = DIRECTORY_ROLES["Global Administrator"]
OWNER = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
RIGHTS = ("Directory.Read.All", "User.Read.All", "AuditLog.Read.All")


@asynccontextmanager
async def _readable() -> AsyncIterator[Tenant]:
    async with tenant(*RIGHTS) as its:
        scope = f"/subscriptions/{SUBSCRIPTION}"
        its.sandbox.world.load(
            {"role_assignments": [{"scope": scope, "role": "Reader", "principal": RESPONDER}]}, its.sandbox.clock.now()
        )
        yield its


def _disables(its: Tenant, who: str) -> Change:
    oid = its.graph.id(who)
    return Change(action=Disable.id, resource=f"/users/{oid}", summary=f"block sign-in of {who}", principals=(oid,))


def _strips(its: Tenant, who: str, kind: str = "active") -> Change:
    before = {"kind": kind, "roleDefinitionId": GLOBAL}
    return Change(
        action=StripDirectoryRoles.id, resource="r", summary="s", before=before, principals=(its.graph.id(who),)
    )


def _strips_azure(
    its: Tenant, who: str, scope: str = f"/subscriptions/{SUBSCRIPTION}", *, planted: bool = False
) -> Change:
    return Change(
        action=StripRoleAssignments.id,
        resource="r",
        summary="s",
        before={"properties": {"scope": scope, "roleDefinitionId": f"/subscriptions/{SUBSCRIPTION}{OWNER}"}},
        principals=(its.graph.id(who),),
        familiarity="unfamiliar" if planted else "unknown",
    )


def _enabled(its: Tenant, who: str, *, yes: bool) -> None:
    directory = its.sandbox.world.directory
    directory.put({**directory.objects[its.graph.id(who)], "accountEnabled": yes})


async def _last(its: Tenant, change: Change) -> str:
    return await survival.last(its.case, change, its.azure)


async def test_the_last_global_administrator_keeps_role_and_account_and_a_person_is_told() -> None:
    async with _readable() as its:
        its.suspects = [CHIEF]
        changes = (_disables(its, CHIEF), _strips(its, CHIEF))
        plan = Plan(action=Disable.id, subject=its.subject(CHIEF), changes=changes)

        kept = await survival.withhold(its.case, plan, its.azure)

        assert kept.changes == ()
        assert ["no other Global Administrator is enabled" in line for line in kept.by_hand] == [True, True]
        assert await _last(its, _strips(its, CHIEF, "eligible")) == ""  # what is not active keeps no door open
        assert await _last(its, _disables(its, MALLORY)) == ""


@pytest.mark.parametrize("through_group", [False, True])
async def test_another_enabled_one_is_enough_a_break_glass_account_too(through_group: bool) -> None:  # noqa: FBT001
    async with _readable() as its:
        its.suspects = [CHIEF]
        holder = its.group("admins") if through_group else its.graph.id(READER)  # Rita is in that group
        its.sandbox.world.directory.assign_role(holder, GLOBAL)

        assert await _last(its, _disables(its, CHIEF)) == ""


async def test_one_among_the_last_of_a_large_group_is_enough() -> None:
    async with _readable() as its:
        its.suspects = [CHIEF]
        directory = its.sandbox.world.directory
        directory.assign_role(its.group("admins"), GLOBAL)
        before = dict(directory.objects[its.graph.id(READER)])
        _enabled(its, READER, yes=False)
        crowd = [{**before, "id": f"00000000-0000-4000-8000-{n:012}", "accountEnabled": n == 1500} for n in range(1501)]
        for one in crowd:
            directory.put({**one, "userPrincipalName": f"{one['id']}@contoso.example"})
        directory.members[its.group("admins")] += [str(one["id"]) for one in crowd]

        assert await _last(its, _disables(its, CHIEF)) == ""


async def test_one_that_is_disabled_is_not() -> None:
    async with _readable() as its:
        its.suspects = [CHIEF]
        its.sandbox.world.directory.assign_role(its.graph.id(READER), GLOBAL)
        _enabled(its, READER, yes=False)

        assert "Global Administrator" in await _last(its, _disables(its, CHIEF))


async def test_one_that_is_disabled_is_known_for_a_user_and_not_asked_for_as_a_group() -> None:
    async with _readable() as its:
        its.suspects = [CHIEF]
        its.sandbox.world.directory.assign_role(its.graph.id(READER), GLOBAL)
        _enabled(its, READER, yes=False)

        await _last(its, _disables(its, CHIEF))

        assert [request.path for request in its.sandbox.requests if "/groups/" in request.path] == []


async def test_of_suspects_alone_one_keeps_it_whatever_the_order() -> None:
    async with _readable() as its:
        its.suspects = [CHIEF, MALLORY]
        its.sandbox.world.directory.assign_role(its.graph.id(MALLORY), GLOBAL)

        said = [await _last(its, _disables(its, who)) for who in (CHIEF, MALLORY)]

        assert [bool(why) for why in said].count(True) == 1


async def test_the_last_owner_of_a_subscription_keeps_his_role_though_not_his_sign_in() -> None:
    async with _readable() as its:
        its.suspects = [OPS]
        deletes = replace(_disables(its, OPS), action="users.delete")

        for change in (_strips_azure(its, OPS), deletes):
            assert f"subscription {SUBSCRIPTION} has no other Owner" in await _last(its, change)
        assert await _last(its, _disables(its, OPS)) == ""
        assert await _last(its, _strips_azure(its, OPS, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/app")) == ""


async def test_an_owner_of_less_than_the_subscription_is_not_enough() -> None:
    async with _readable() as its:
        its.suspects = [OPS]
        scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/app"
        its.sandbox.world.load(
            {"role_assignments": [{"scope": scope, "role": "Owner", "principal": CHIEF}]}, its.sandbox.clock.now()
        )

        assert "has no other Owner" in await _last(its, _strips_azure(its, OPS))


async def test_another_owner_is_enough_above_the_subscription_too() -> None:
    async with _readable() as its:
        its.suspects = [OPS]
        its.sandbox.world.load(
            {"role_assignments": [{"scope": "/", "role": "Owner", "principal": CHIEF}]}, its.sandbox.clock.now()
        )

        assert await _last(its, _strips_azure(its, OPS)) == ""


async def test_of_several_who_lose_it_by_one_plan_one_keeps_it() -> None:
    async with _readable() as its:
        its.suspects = [OPS]
        for who in (CHIEF, READER):
            scope = f"/subscriptions/{SUBSCRIPTION}"
            given = {"role_assignments": [{"scope": scope, "role": "Owner", "principal": who}]}
            its.sandbox.world.load(given, its.sandbox.clock.now())
        changes = (_strips_azure(its, CHIEF), _strips_azure(its, READER))
        plan = Plan(action=StripRoleAssignments.id, subject=its.subject(CHIEF), changes=changes)

        kept = await survival.withhold(its.case, plan, its.azure)

        assert len(kept.changes) == 1
        assert "no other Owner" in kept.by_hand[0]
        assert await _last(its, changes[0]) == ""


@pytest.mark.parametrize("enabled", [True, False])
async def test_an_owner_whom_a_suspect_planted_goes_though_the_only_other_one_is_the_suspect(enabled: bool) -> None:  # noqa: FBT001
    async with _readable() as its:
        its.suspects = [OPS]
        given = {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Owner", "principal": MALLORY}
        its.sandbox.world.load({"role_assignments": [given]}, its.sandbox.clock.now())
        _enabled(its, OPS, yes=enabled)
        claims, at = Claims(Evidence.at("memory://")), its.sandbox.clock.now()

        assert await _last(its, _strips_azure(its, MALLORY, planted=True)) == ""
        for n, change in enumerate((_disables(its, OPS), _strips_azure(its, MALLORY, planted=True))):
            assert (await survival.take(its.case, change, its.azure, (), claims, str(n), at))[0] == ""


async def test_a_planted_owner_stays_where_nobody_else_has_that_role() -> None:
    async with _readable() as its:
        its.suspects = [CHIEF]

        assert "no other Owner" in await _last(its, _strips_azure(its, OPS, planted=True))


async def test_who_got_back_what_was_taken_from_him_counts_at_once_as_one_who_stays() -> None:
    async with _readable() as its:
        its.sandbox.world.directory.assign_role(its.graph.id(READER), GLOBAL)
        claims, at = Claims(Evidence.at("memory://")), its.sandbox.clock.now()
        first, second = _disables(its, CHIEF), _disables(its, READER)

        async def taken(change: Change, incident: str) -> str:
            return (await survival.take(its.case, change, its.azure, (), claims, f"{incident} 1 {change.id}", at))[0]

        assert await taken(first, "inc") == ""
        assert "no other Global Administrator" in await taken(second, "other")

        await survival.give_back(first, its.azure, claims, "another", at)
        assert "no other Global Administrator" in await taken(second, "other")

        await survival.give_back(first, its.azure, claims, "inc", at)
        assert await taken(second, "other") == ""
