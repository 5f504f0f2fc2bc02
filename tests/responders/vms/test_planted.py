"""What a suspect put on a machine to run code goes; what was there stays."""

from typing import Any

import pytest

from responders.model import Plan
from responders.vms.remove_extensions import RemoveExtensions
from responders.vms.remove_run_commands import RemoveRunCommands
from sandbox.azure import guest
from tests.laws.stage import Attacked
from tests.responders.vms.attacked import machine, opened, planned, put, settled

EXERCISE = "specialized-disk-swap"
EXTENSIONS, COMMANDS = RemoveExtensions(), RemoveRunCommands()


def power(world: Attacked, state: str) -> None:
    vm = machine(world, EXTENSIONS)
    inside = {**vm.body["sandbox"], "power": state} if "sandbox" in vm.body else {"power": state}
    world.sandbox.world.put(vm.id, {**vm.body, "sandbox": inside})


def names(plan: Plan) -> set[str]:
    return {change.resource.rpartition("/")[2] for change in plan.changes}


@pytest.mark.parametrize(("action", "planted"), [(EXTENSIONS, "CustomScript"), (COMMANDS, "update")])
async def test_what_he_put_there_goes_and_its_definition_is_kept(action: Any, planted: str) -> None:
    async with opened(action, EXERCISE) as world:
        plan = await planned(world, action)
        assert names(plan) == {planted}
        (change,) = plan.changes
        assert "by the suspect" in " ".join(change.reasons)
        assert change.before["body"]["properties"]
        assert "once more" in change.lasting
        assert await settled(world, action, change) == ["done", "done"]
        assert world.sandbox.world.get(change.resource) is None


async def test_what_was_there_before_is_kept_with_the_reason() -> None:
    async with opened(EXTENSIONS, EXERCISE) as world:
        (kept,) = (await planned(world, EXTENSIONS)).kept
        assert "AzureMonitorLinuxAgent" in kept


async def test_one_that_was_there_and_that_he_wrote_anew_is_offered_only() -> None:
    async with opened(EXTENSIONS, EXERCISE) as world:
        agent = f"{machine(world, EXTENSIONS).id}/extensions/AzureMonitorLinuxAgent"
        deed = next(f for f in world.case.findings if f.resource.lower().endswith("/extensions/customscript"))
        world.case = world.case.having(
            findings=(*world.case.findings, type(deed)(**{**_fields(deed), "resource": agent}))
        )
        plan = await planned(world, EXTENSIONS)
        offered = next(c for c in plan.changes if c.resource == agent)
        assert offered.familiarity == "unknown"
        assert offered not in plan.proposed


async def test_on_a_machine_that_is_off_a_person_has_to_do_it() -> None:
    async with opened(EXTENSIONS, EXERCISE) as world:
        power(world, "deallocated")
        plan = await planned(world, EXTENSIONS)
        assert plan.changes == ()
        (todo,) = plan.by_hand
        assert "CustomScript" in todo
        assert "is deallocated: nothing runs in it" in todo


async def test_one_that_gets_another_script_after_the_plan_goes_and_another_extension_stays() -> None:
    async with opened(EXTENSIONS, EXERCISE) as world:
        (change,) = (await planned(world, EXTENSIONS)).changes
        put(world, change.resource, settings={"commandToExecute": "true"})
        outcome = await EXTENSIONS.apply(change, world.azure)
        assert (outcome.status, outcome.after["properties"]["settings"]) == ("done", {"commandToExecute": "true"})
    async with opened(EXTENSIONS, EXERCISE) as world:
        (change,) = (await planned(world, EXTENSIONS)).changes
        put(world, change.resource, publisher="Contoso.Monitoring", type="Agent")
        assert (await EXTENSIONS.apply(change, world.azure)).status == "drifted"
        assert world.sandbox.world.get(change.resource)


async def test_one_that_failed_goes_too_for_azure_runs_it_with_the_next_system() -> None:
    async with opened(EXTENSIONS, "silenced-agent") as world:
        plan = await planned(world, EXTENSIONS)
        assert plan.changes == ()
        assert "enablevmaccess" in plan.by_hand[0]
        vm = machine(world, EXTENSIONS)
        healthy = {k: v for k, v in guest.of(world.sandbox.world, vm).items() if k != "agent"}
        guest.keep(world.sandbox.world, vm, healthy)
        assert names(await planned(world, EXTENSIONS)) == {"enablevmaccess"}


async def test_one_that_a_suspect_was_not_let_change_stays() -> None:
    async with opened(EXTENSIONS, "silenced-agent") as world:
        put(world, f"{machine(world, EXTENSIONS).id}/extensions/enablevmaccess", provisioningState="Succeeded")
        plan = await planned(world, EXTENSIONS)
        assert (plan.changes, plan.by_hand) == ((), ())
        assert "no suspect wrote it" in plan.kept[0]


def _fields(deed: Any) -> dict[str, Any]:
    return {name: getattr(deed, name) for name in deed.__struct_fields__}
