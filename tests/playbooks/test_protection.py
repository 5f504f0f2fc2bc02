"""What is protected is looked at when a plan is made, and again before each change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from playbooks.activities import steps
from responders.errors import Permanent
from responders.model import plain
from responders.services import Services
from responders.users.disable import Disable
from sandbox.azure.well_known import DIRECTORY_ROLES
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import CHIEF, MALLORY, OPS, READER, RESPONDER, SUBSCRIPTION

Json = dict[str, Any]
RIGHTS = (*Disable.permissions, "Directory.Read.All", "AuditLog.Read.All")


@asynccontextmanager
async def _responding(who: str, **settings: Any) -> AsyncIterator[tuple[Tenant, Services, Json]]:
    """An incident with one suspect, just before users.disable, which needs no approval."""
    async with tenant(*RIGHTS) as its:
        its.suspects = [who]
        grant = {"scope": f"/subscriptions/{SUBSCRIPTION}", "role": "Reader", "principal": RESPONDER}
        its.sandbox.world.load({"role_assignments": [grant]}, its.sandbox.clock.now())
        services = Services(replace(its.azure.settings, gates={Disable.id: "auto"}, **settings))
        services.azure = its.azure
        await services.incident("i").save_case("c", its.case)
        at = its.sandbox.clock.now().isoformat()
        order = {"incident": "i", "run": "r", "step": "s", "case": "c", "action": Disable.id}
        yield its, services, {**order, "subject": plain(its.subject(who)), "by": "", "at": at, "start": 0, "stop": 20}


@pytest.mark.parametrize(("approver", "gate"), [(MALLORY, "one"), (READER, "auto")])
async def test_what_concerns_an_approver_is_never_done_without_another(approver: str, gate: str) -> None:
    async with _responding(MALLORY, approvers=(approver,)) as (_, services, order):
        assert (await steps.plan(order, services))["gate"] == gate


async def test_no_order_chooses_its_own_gate() -> None:
    """Orders come from where the engine keeps its runs: who can write there approves nothing by that."""
    async with _responding(MALLORY, approvers=()) as (its, services, order):
        services.settings = replace(services.settings, gates={})
        forged = {**order, "gate": "auto"}

        assert (await steps.plan(forged, services))["gate"] == "one"
        with pytest.raises(Permanent, match="Nothing was approved"):
            await steps.apply(forged, services)
        assert its.sandbox.world.directory.objects[its.graph.id(MALLORY)]["accountEnabled"] is True


@pytest.mark.parametrize(("approvers", "told"), [((MALLORY,), "nobody may"), ((MALLORY, CHIEF), ""), ((), "")])
async def test_it_is_told_where_nobody_may_countersign(approvers: tuple[str, ...], told: str) -> None:
    async with _responding(MALLORY, approvers=approvers) as (_, services, order):
        services.settings = replace(services.settings, gates={})

        assert (await steps.plan(order, services))["gate"] == "one"

        planned = await services.incident("i").journal.find("planned s")
        assert planned is not None
        assert (told in planned.what["told"]) if told else ("may countersign" not in planned.what["told"])


async def test_no_order_chooses_its_own_subject() -> None:
    async with _responding(MALLORY, approvers=()) as (its, services, order):
        forged = {**order, "subject": plain(its.subject(CHIEF))}

        with pytest.raises(Permanent, match="no subject of this incident"):
            await steps.plan(forged, services)


async def test_who_became_the_last_global_administrator_since_the_plan_is_left_alone() -> None:
    async with _responding(OPS, approvers=()) as (its, services, order):
        directory = its.sandbox.world.directory
        directory.assign_role(its.graph.id(RESPONDER), DIRECTORY_ROLES["Privileged Authentication Administrator"])
        assert (await steps.plan(order, services))["changes"] == 1

        directory.assign_role(its.graph.id(OPS), DIRECTORY_ROLES["Global Administrator"])
        directory.put({**directory.objects[its.graph.id(CHIEF)], "accountEnabled": False})
        its.forget()
        services.azure = its.azure

        assert (await steps.apply(order, services))["statuses"] == ["failed"]
        assert directory.objects[its.graph.id(OPS)]["accountEnabled"] is True
        entry = await services.incident("i").journal.find(f"applied s {(await _change(services)).id}")
        assert entry is not None
        assert "no other Global Administrator is enabled who is no suspect" in entry.what["reason"]


async def test_the_sign_in_of_a_stolen_last_owner_is_blocked_since_a_global_administrator_lets_him_in_again() -> None:
    async with _responding(OPS, approvers=()) as (its, services, order):
        made = await steps.plan(order, services)
        done = await steps.apply(order, services)

        assert (made["by_hand"], done["statuses"]) == (0, ["done"])
        assert its.sandbox.world.directory.objects[its.graph.id(OPS)]["accountEnabled"] is False


async def test_the_last_global_administrator_is_withheld_though_he_owns_nothing() -> None:
    async with _responding(CHIEF) as (its, services, order):
        its.graph.grant("User.ReadWrite.All")
        its.sandbox.world.directory.assign_role(its.graph.id(RESPONDER), DIRECTORY_ROLES["Global Administrator"])

        made = await steps.plan(order, services)

        assert made["changes"] == 0
        assert made["by_hand"] >= 1


async def _change(services: Services) -> Any:
    planned = await services.incident("i").journal.find("planned s")
    assert planned is not None
    return (await services.incident("i").plan(planned.what["answer"]["plan"])).changes[0]
