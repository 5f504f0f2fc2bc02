"""A machine goes back into the network when it was rebuilt or found clean, and never while something is in it."""

from datetime import timedelta
from typing import Any

from responders.actions import action as named
from responders.actions import permissions
from responders.errors import Temporary
from responders.vms.release import Release
from sandbox import stage
from sandbox.azure import guest
from tests.laws.stage import LAW, Attacked
from tests.responders.vms.attacked import machine, opened, planned, settled

Json = dict[str, Any]

ACTION, EXERCISE = Release(), "specialized-disk-swap"
GROUP = "networkSecurityGroup"


async def do(world: Attacked, *ids: str) -> None:
    """Do these actions, with all rights: those of the one that is tested are too few."""
    stage.admit(world.sandbox.world, world.scene, LAW, permissions())
    for id_ in ids:
        await world.do(named(id_))
        world.sandbox.clock.advance(timedelta(minutes=5))


def groups(world: Attacked) -> set[str]:
    vm = machine(world, ACTION)
    cards = [world.sandbox.world.get(nic["id"]) for nic in vm.properties["networkProfile"]["networkInterfaces"]]
    return {str((card.properties.get(GROUP) or {}).get("id", "")).rpartition("/")[2] for card in cards if card}


async def test_a_rebuilt_machine_has_its_own_security_groups_again() -> None:
    async with opened(ACTION, EXERCISE) as world:  # isolated, scanned and rebuilt
        (change,) = (await planned(world, ACTION)).changes
        assert "it was rebuilt in this incident" in change.reasons[0]
        assert await settled(world, ACTION, change) == ["done", "done"]
        assert groups(world) == {"nsg-web"}
        assert world.sandbox.world.get(change.before["group"]["id"]) is None


async def test_whoever_has_malware_in_it_stays_cut_off_though_it_was_rebuilt() -> None:
    async with opened(ACTION, EXERCISE) as world:
        vm = machine(world, ACTION)
        held = guest.of(world.sandbox.world, vm)
        files = {**held["files"], "/opt/again": {"mode": "0755", "text": "COUNTERSIGN-SANDBOX-MALWARE:Linux.Miner"}}
        guest.keep(world.sandbox.world, vm, {**held, "files": files})
        await do(world, "vms.scan")
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "stays cut off" in plan.by_hand[0]
        assert "/opt/again" in plan.by_hand[0]


async def test_one_that_was_neither_rebuilt_nor_scanned_stays_cut_off() -> None:
    async with opened(named("vms.isolate"), EXERCISE) as world:
        await do(world, "vms.isolate")
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "it was neither rebuilt nor scanned" in plan.by_hand[0]


async def test_one_that_was_only_scanned_goes_back_where_a_person_names_it() -> None:
    async with opened(named("vms.isolate"), EXERCISE) as world:
        await do(world, "vms.isolate")
        vm = machine(world, ACTION)
        held = guest.of(world.sandbox.world, vm)
        files = {path: f for path, f in held["files"].items() if "MALWARE" not in f.get("text", "")}
        guest.keep(world.sandbox.world, vm, {**held, "files": files})
        await do(world, "vms.scan")
        plan = await planned(world, ACTION)
        assert (len(plan.changes), plan.proposed) == (1, ())
        assert "a scanner in a machine that was taken over may lie" in plan.changes[0].reasons[1]


async def test_one_that_is_not_cut_off_needs_no_release() -> None:
    async with opened(named("vms.isolate"), EXERCISE) as world:
        await do(world)
        assert (await planned(world, ACTION)).reason == "vm-app is not cut off by this incident."


async def test_an_interface_with_another_group_meanwhile_is_left_alone() -> None:
    async with opened(ACTION, EXERCISE) as world:
        (change,) = (await planned(world, ACTION)).changes
        (card,) = change.before["interfaces"]
        body = world.sandbox.world.get(card)
        assert body
        other = {**body.properties, GROUP: {"id": f"{change.before['group']['id']}-other"}}
        world.sandbox.world.put(card, {**body.body, "properties": other})
        assert (await ACTION.apply(change, world.azure)).status == "drifted"


async def test_whoever_regrets_it_cuts_the_machine_off_again() -> None:
    async with opened(ACTION, EXERCISE) as world:
        cut_off = groups(world)
        (change,) = (await planned(world, ACTION)).changes
        await settled(world, ACTION, change)
        while True:
            try:
                await ACTION.undo(change, world.azure)
                break
            except Temporary:
                continue
        assert groups(world) == cut_off
