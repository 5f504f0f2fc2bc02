"""Incidents side by side, on workers that know nothing of one another, leave somebody who can let the others in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from playbooks.activities import steps
from responders import survival
from responders.azure import Azure
from responders.claims import Claims
from responders.evidence import Evidence
from responders.ids import OWNER
from responders.model import Change, plain
from responders.services import Services
from responders.subscriptions.strip_role_assignments import StripRoleAssignments
from responders.users.disable import Disable
from sandbox.azure.well_known import DIRECTORY_ROLES
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, MALLORY, NOW, OPS, RESPONDER, SUBSCRIPTION

Json = dict[str, Any]
RIGHTS = (*Disable.permissions, "Directory.Read.All", "AuditLog.Read.All")
HERE = f"/subscriptions/{SUBSCRIPTION}"
GLOBAL = DIRECTORY_ROLES["Global Administrator"]
DISABLER = DIRECTORY_ROLES["Privileged Authentication Administrator"]  # what it takes to disable those


class _Worker:
    """A process of the Function App: its memory is its own, the evidence store is everybody's."""

    def __init__(self, its: Tenant, evidence: Evidence) -> None:
        self.services = Services(replace(its.azure.settings, gates={Disable.id: "auto"}, approvers=()))
        self.services.azure = Azure(its.azure.settings, *its.azure._given)
        self.services.evidence = evidence


@asynccontextmanager
async def _estate() -> AsyncIterator[tuple[Tenant, Evidence]]:
    async with tenant(*RIGHTS) as its:
        grant = {"scope": HERE, "role": "Reader", "principal": RESPONDER}
        its.sandbox.world.load({"role_assignments": [grant]}, its.sandbox.clock.now())
        its.sandbox.world.directory.assign_role(its.graph.id(RESPONDER), DISABLER)
        yield its, Evidence.at("memory://")


async def _promoted(its: Tenant, evidence: Evidence, *, third: bool = False) -> list[Json]:
    """Plans that disable OPS and MALLORY, who since became the last Global Administrators, or the last but one.

    Of a Global Administrator no application would plan that.
    """
    orders = [await _planned(its, _Worker(its, evidence), who) for who in (OPS, MALLORY)]
    directory = its.sandbox.world.directory
    for who in (OPS, MALLORY):
        directory.assign_role(its.graph.id(who), GLOBAL)
    directory.put({**directory.objects[its.graph.id(CHIEF)], "accountEnabled": third})
    return orders


async def _planned(its: Tenant, worker: _Worker, who: str) -> Json:
    """An incident of that suspect, up to a plan that disables him."""
    its.suspects = [who]
    name = who.partition("@")[0]
    await worker.services.incident(name).save_case("c", its.case)
    order: Json = {
        "start": 0,
        "stop": 20,
        "incident": name,
        "run": "r",
        "step": "s",
        "case": "c",
        "action": Disable.id,
        "by": "",
    }
    order |= {"subject": plain(its.subject(who)), "at": its.sandbox.clock.now().isoformat()}
    assert (await steps.plan(order, worker.services))["changes"] == 1
    return order


def _enabled(its: Tenant, *who: str) -> list[bool]:
    return [its.sandbox.world.directory.objects[its.graph.id(one)]["accountEnabled"] for one in who]


@pytest.mark.parametrize("workers", [1, 2])
async def test_two_incidents_never_take_the_last_two_global_administrators(workers: int) -> None:
    async with _estate() as (its, evidence):
        orders = await _promoted(its, evidence)
        first = _Worker(its, evidence)
        second = first if workers == 1 else _Worker(its, evidence)

        done = await asyncio.gather(steps.apply(orders[0], first.services), steps.apply(orders[1], second.services))

        assert sorted(d["statuses"][0] for d in done) == ["done", "failed"]
        assert sorted(_enabled(its, OPS, MALLORY)) == [False, True]


async def test_nor_the_last_two_owners() -> None:
    async with _estate() as (its, evidence):
        owner = {"role_assignments": [{"scope": HERE, "role": "Owner", "principal": MALLORY}]}  # as OPS is
        its.sandbox.world.load(owner, its.sandbox.clock.now())
        before = {"properties": {"scope": HERE, "roleDefinitionId": f"{HERE}{OWNER}", "principalType": "User"}}
        said = []
        for who in (OPS, MALLORY):
            its.suspects = [who]
            strips = Change(
                action=StripRoleAssignments.id,
                resource=who,
                summary=who,
                before=before,
                principals=(its.graph.id(who),),
                familiarity="unknown",
            )
            said.append(survival.take(its.case, strips, its.azure, (), Claims(evidence), who, NOW))

        refused = [why for why, _ in await asyncio.gather(*said) if why]

        assert len(refused) == 1
        assert "no other Owner" in refused[0]


async def test_one_after_the_other_within_seconds_is_no_different() -> None:
    async with _estate() as (its, evidence):
        orders, worker = await _promoted(its, evidence), _Worker(its, evidence)

        done = [await steps.apply(order, worker.services) for order in orders]

        assert [d["statuses"] for d in done] == [["done"], ["failed"]]
        assert _enabled(its, OPS, MALLORY) == [False, True]


async def test_with_a_third_both_go() -> None:
    async with _estate() as (its, evidence):
        orders, worker = await _promoted(its, evidence, third=True), _Worker(its, evidence)

        done = await asyncio.gather(*(steps.apply(order, worker.services) for order in orders))

        assert [d["statuses"] for d in done] == [["done"], ["done"]]


async def test_what_was_not_taken_after_all_holds_nobody_up() -> None:
    async with _estate() as (its, evidence):
        orders, worker = await _promoted(its, evidence), _Worker(its, evidence)
        directory = its.sandbox.world.directory
        [role] = [
            key for key, one in directory.role_assignments.items() if one["principalId"] == its.graph.id(RESPONDER)
        ]
        taken = directory.role_assignments.pop(role)  # it may not disable him

        refused = await steps.apply(orders[0], worker.services)
        directory.role_assignments[role] = taken
        done = await steps.apply(orders[1], worker.services)

        assert (refused["statuses"], done["statuses"]) == (["failed"], ["done"])


async def test_of_two_claims_only_the_later_one_counts_the_other() -> None:
    evidence = Evidence.at("memory://")
    one, two = Claims(evidence), Claims(evidence)

    first = await one.make("first", ["door"], [OPS], NOW)
    second = await two.make("second", ["door"], [MALLORY], NOW)

    assert (first.gone, second.gone) == ({}, {"door": frozenset({OPS})})
    # Tried again, it can't know whether others have counted on it.
    assert (await one.make("first", ["door"], [OPS], NOW)).gone == {"door": frozenset({MALLORY})}
    await two.release(second, NOW)
    assert (await one.make("first", ["door"], [OPS], NOW)).gone == {}


async def test_what_was_claimed_hours_ago_azure_shows_by_itself() -> None:
    claims = Claims(Evidence.at("memory://"))
    await claims.make("first", ["door"], [OPS], NOW)

    later = NOW.replace(hour=NOW.hour + 2)

    assert (await claims.make("second", ["door"], [MALLORY], later)).gone == {}
