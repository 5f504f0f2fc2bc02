"""A machine that is cut off reaches nobody and is reached by nobody, but by its host and by our own people."""

from responders.vms.isolate import Isolate
from sandbox.azure import network_rules
from tests.laws.stage import Attacked
from tests.responders.vms.attacked import machine, opened, planned, put, settled

ACTION = Isolate()
HOST, NEIGHBOR, SOC, OUTSIDE = "168.63.129.16", "10.20.1.12", "192.0.2.17", "198.51.100.99"


def _open(world: Attacked, direction: str) -> set[str]:
    vm, azure = machine(world, ACTION), world.sandbox.world
    found = {a for a in (NEIGHBOR, SOC, OUTSIDE) if network_rules.allowed(azure, vm, direction, a, 22)}
    return found | ({HOST} if network_rules.allowed(azure, vm, direction, HOST, 32526) else set())


def _cards(world: Attacked) -> list[str]:
    return [str(n["id"]) for n in machine(world, ACTION).properties["networkProfile"]["networkInterfaces"]]


async def test_nothing_gets_in_or_out_but_to_the_host() -> None:
    async with opened(ACTION) as world:
        assert _open(world, "Outbound") == {NEIGHBOR, SOC, OUTSIDE, HOST}
        (change,) = (await planned(world, ACTION)).changes

        assert await settled(world, ACTION, change) == ["done", "done"]

        assert _open(world, "Inbound") == set()
        assert _open(world, "Outbound") == {HOST}


async def test_the_own_people_still_get_in() -> None:
    async with opened(ACTION, soc_ranges=("192.0.2.0/24",)) as world:
        (change,) = (await planned(world, ACTION)).changes
        await settled(world, ACTION, change)
        assert _open(world, "Inbound") == {SOC}
        assert _open(world, "Outbound") == {HOST}


async def test_a_name_is_not_even_asked_for() -> None:
    async with opened(ACTION) as world:
        (change,) = (await planned(world, ACTION)).changes
        rules = change.before["group"]["properties"]["securityRules"]
        (names,) = (
            r["properties"] for r in rules if r["properties"].get("destinationAddressPrefix") == "AzurePlatformDNS"
        )
        assert (names["access"], names["direction"]) == ("Deny", "Outbound")


async def test_the_public_address_is_named() -> None:
    async with opened(ACTION) as world:
        plan = await planned(world, ACTION)
        assert any("pip-web-1 stays" in line for line in plan.kept)


async def test_another_group_that_an_interface_got_after_the_plan_keeps_nothing_open() -> None:
    async with opened(ACTION) as world:
        (change,) = (await planned(world, ACTION)).changes
        put(world, _cards(world)[1], networkSecurityGroup={"id": "/subscriptions/x/other"})

        outcome = await world.until_settled(ACTION.apply, change)

        assert (outcome.status, list(outcome.after["interfaces"].values())) == ("done", ["/subscriptions/x/other"])
        await world.until_settled(ACTION.verify, change)


async def test_undo_leaves_a_group_that_others_gave_meanwhile() -> None:
    async with opened(ACTION) as world:
        (change,) = (await planned(world, ACTION)).changes
        await settled(world, ACTION, change)
        put(world, _cards(world)[0], networkSecurityGroup={"id": "/subscriptions/x/other"})
        before = world.state()

        outcome = await world.until_settled(ACTION.undo, change)

        assert outcome.status == "failed"
        assert world.state() == before


async def test_rules_that_a_thief_put_into_the_group_go() -> None:
    async with opened(ACTION) as world:
        (change,) = (await planned(world, ACTION)).changes
        await settled(world, ACTION, change)
        put(world, change.before["group"]["id"], securityRules=[])

        assert await settled(world, ACTION, change) == ["done", "done"]

        assert _open(world, "Outbound") == {HOST}


async def test_what_died_half_way_is_finished() -> None:
    async with opened(ACTION) as world:
        (change,) = (await planned(world, ACTION)).changes
        await settled(world, ACTION, change)
        card = world.sandbox.world.get(_cards(world)[1])  # as if it had died before this one
        assert card
        free = {k: v for k, v in card.properties.items() if k != "networkSecurityGroup"}
        world.sandbox.world.put(card.id, {**card.body, "properties": free})
        assert _open(world, "Inbound")

        assert await settled(world, ACTION, change) == ["done", "done"]

        assert _open(world, "Inbound") == set()
