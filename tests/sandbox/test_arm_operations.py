"""Long-running operations, as the real SDK's poller sees them."""

from datetime import timedelta

import pytest

from sandbox.azure import Clock, World, operations
from sandbox.azure.arm import Arm as Service
from sandbox.azure.errors import ApiError
from sandbox.azure.operations import EFFECTS
from sandbox.azure.router import Call, Reply, Room, Router
from sandbox.azure.world import Pace
from tests.sandbox.arm import NOBODY, NOW, Arm, G, Json, S, arm

LAMP = f"{G}/providers/Contoso.Lab/lamps/one"


@pytest.fixture
def lamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room whose lamps take a while to light, or break."""
    room = Room("Contoso.Lab")
    path = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Contoso.Lab/lamps/{lamp}"

    @room.on("POST", path + "/light", "Contoso.Lab/lamps/light/action")
    async def light(call: Call) -> Reply:
        return operations.accept(call, "lab.light", {"id": call.parent}, location="westeurope")

    @room.on("POST", path + "/smash", "Contoso.Lab/lamps/smash/action")
    async def smash(call: Call) -> Reply:
        return operations.accept(call, "lab.smash", {}, at=f"{call.parent}/operationResults")

    def lit(world: World, _: Clock, args: Json) -> Json:
        return world.put(args["id"], {"properties": {"lit": True}}).body

    def smashed(*_: object) -> None:
        raise ApiError(409, "LampBroken", "The lamp broke.")

    monkeypatch.setitem(EFFECTS, "lab.light", lit)
    monkeypatch.setitem(EFFECTS, "lab.smash", smashed)
    old = Service.__init__

    def with_lamps(self: Service, *args: object) -> None:
        old(self, *args)  # type: ignore[arg-type]
        self.router = Router((room, *self.router.rooms))

    monkeypatch.setattr(Service, "__init__", with_lamps)


async def state(call: Arm) -> bool:
    return bool(call.azure.world.get(LAMP).properties.get("lit"))  # type: ignore[union-attr]


@pytest.mark.usefixtures("lamps")
async def test_by_default_an_operation_ends_with_the_next_request() -> None:
    async with arm() as call:
        await call("PUT", LAMP, {"properties": {}})
        started = await call("POST", f"{LAMP}/light")
        assert (started.status, started.headers["Retry-After"]) == (202, "0")
        assert not await state(call)
        done = await call("GET", started.headers["Azure-AsyncOperation"])
        assert (done.status, done.body["status"]) == (200, "Succeeded")
        assert done.body["name"] in started.headers["Location"]
        assert await state(call)
        assert (await call("GET", started.headers["Location"])).body["properties"] == {"lit": True}


@pytest.mark.usefixtures("lamps")
async def test_an_operation_can_take_so_many_polls() -> None:
    async with arm() as call:
        call.azure.world.pace = Pace(polls=2, retry_after=None)
        await call("PUT", LAMP, {"properties": {}})
        started = await call("POST", f"{LAMP}/light")
        assert "Retry-After" not in started.headers
        seen = [(await call("GET", started.headers["Azure-AsyncOperation"])).body["status"] for _ in range(3)]
        assert seen == ["InProgress", "InProgress", "Succeeded"]


@pytest.mark.usefixtures("lamps")
async def test_an_operation_can_take_its_time_by_the_clock() -> None:
    clock = Clock(NOW, running=False)
    async with arm(clock=clock) as call:
        call.azure.world.pace = Pace(seconds=76)
        await call("PUT", LAMP, {"properties": {}})
        started = await call("POST", f"{LAMP}/light")
        assert (await call("GET", started.headers["Location"])).status == 202
        clock.advance(timedelta(seconds=76))
        await call("GET", G)
        assert await state(call)
        assert (await call("GET", started.headers["Location"])).status == 200


@pytest.mark.usefixtures("lamps")
async def test_an_operation_that_fails_says_so_in_the_answer_and_in_the_log() -> None:
    async with arm() as call:
        await call("PUT", LAMP, {"properties": {}})
        started = await call("POST", f"{LAMP}/smash")
        assert "Azure-AsyncOperation" not in started.headers
        failed = await call("GET", started.headers["Location"])
        assert (failed.status, failed.code) == (409, "LampBroken")
        events = call.azure.world.activity.events[S.rpartition("/")[2]]
        assert [e["status"]["value"] for e in events[-3:]] == ["Started", "Accepted", "Failed"]


@pytest.mark.usefixtures("lamps")
async def test_an_operation_outlives_a_restart() -> None:
    async with arm() as call:
        call.azure.world.pace = Pace(polls=1)
        await call("PUT", LAMP, {"properties": {}})
        await call("POST", f"{LAMP}/light")
        saved = call.azure.world.dump()
    world = World.restore(saved)
    world.operations[next(iter(world.operations))]["polls"] = 0
    operations.settle(world, Clock(NOW, running=False))
    lamp = world.get(LAMP)
    assert lamp
    assert lamp.properties == {"lit": True}


@pytest.mark.usefixtures("lamps")
async def test_polling_takes_a_right_and_an_unknown_operation_is_not_found() -> None:
    async with arm() as call:
        await call("PUT", LAMP, {"properties": {}})
        url = (await call("POST", f"{LAMP}/light")).headers["Azure-AsyncOperation"]
        assert (await call("GET", url, who=NOBODY)).status == 403
        assert (await call("GET", url.replace("/operations/", "/operations/x"))).status == 404
