"""Locks on a machine's group, or on the machine, neither save what is in it nor are lost by what is done to it."""

import pytest

from responders.errors import Permanent, Temporary
from responders.ids import ResourceId
from responders.model import Change
from responders.vms import locked
from responders.vms.isolate import Isolate
from responders.vms.reimage import Reimage
from responders.vms.remove_run_commands import RemoveRunCommands
from responders.vms.remove_shareable_links import RemoveShareableLinks
from responders.vms.scan import Scan
from sandbox.azure import network_rules
from sandbox.azure.world import Author
from tests.laws.stage import Attacked
from tests.responders.vms.attacked import machine, opened, planned, settled, subject

LOCKED = "locked-machine"
TYPE = "Microsoft.Authorization/locks"


def _locks(world: Attacked) -> dict[str, object]:
    return {lock.id: lock.body for lock in world.sandbox.world.list(TYPE)}


def _lock(world: Attacked, name: str) -> str:
    return next(id_ for id_ in _locks(world) if id_.endswith(f"/{name}"))


def _new(world: Attacked, scope: str, level: str) -> str:
    id_ = f"{scope}/providers/{TYPE}/new"
    world.sandbox.world.put(id_, {"type": TYPE, "properties": {"level": level}})
    return id_


async def _only(world: Attacked, action: Isolate | Scan | Reimage | RemoveRunCommands) -> Change:
    (change,) = (await planned(world, action)).changes
    return change


async def test_the_approver_reads_which_locks_are_taken_off() -> None:
    async with opened(Isolate(), LOCKED) as world:
        said = (await _only(world, Isolate())).summary
        assert "the lock keep (CanNotDelete) of rg-web" in said
        assert "the lock hands-off (ReadOnly) of vm-web-2" in said
        assert said.endswith("taken off where it is in the way, and put back")
        assert "as-it-is" not in said  # on something else


async def test_a_machine_is_cut_off_and_let_go_with_all_locks_as_before() -> None:
    action = Isolate()
    async with opened(action, LOCKED) as world:
        group = subject(world, action).id.partition("/providers/")[0]
        _new(world, group, "ReadOnly")  # forbids to make a security group
        before = _locks(world)
        change = await _only(world, action)

        assert await settled(world, action, change) == ["done", "done"]

        vm = machine(world, action)
        assert not network_rules.allowed(world.sandbox.world, vm, "Outbound", "198.51.100.99", 443)
        assert _locks(world).keys() == before.keys()
        assert (await world.until_settled(action.undo, change)).status == "done"
        assert world.sandbox.world.get(change.before["group"]["id"]) is None
        assert _locks(world).keys() == before.keys()


async def test_a_scan_is_begun_and_taken_back_through_locks() -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        before = _locks(world)
        change = await _only(world, action)
        assert await settled(world, action, change) == ["done", "done"]
        assert (await world.until_settled(action.undo, change)).status == "done"
        assert world.sandbox.world.get(change.resource) is None
        assert _locks(world).keys() == before.keys()


async def test_a_lock_on_what_was_planted_goes_with_it_and_comes_back_with_it() -> None:
    action = RemoveRunCommands()
    async with opened(action, LOCKED) as world:
        before, stay = _locks(world), _lock(world, "stay")
        change = await _only(world, action)
        assert await settled(world, action, change) == ["done", "done"]
        assert _locks(world).keys() == before.keys() - {stay}
        assert (await world.until_settled(action.undo, change)).status == "done"
        assert _locks(world).keys() == before.keys()


async def test_what_somebody_else_locked_as_evidence_goes_only_where_a_person_names_it() -> None:
    action = RemoveRunCommands()
    async with opened(action, LOCKED) as world:
        planted = ResourceId.parse(_lock(world, "stay")).scope
        _new(world, planted, "CanNotDelete")
        change = await _only(world, action)
        assert change.familiarity == "unknown"
        assert "perhaps it is to stay as evidence" in change.reasons[-1]


async def test_what_azure_refused_by_a_lock_was_no_rebuild_that_failed() -> None:
    action = Reimage()
    async with opened(action, LOCKED) as world:
        change = await _only(world, action)
        assert await settled(world, action, change) == ["done", "done"]
        assert machine(world, action).properties["storageProfile"]["osDisk"]["name"] != "osdisk-web-2"


async def test_who_died_with_the_locks_off_is_made_good_by_the_next_try() -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        change, keep = await _only(world, action), _lock(world, "keep")
        world.sandbox.world.delete(keep)
        assert (await action.apply(change, world.azure)).status == "done"
        assert keep in _locks(world)


async def test_a_lock_of_the_intruder_that_another_step_removed_does_not_come_back() -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        change, his = await _only(world, action), _lock(world, "hands-off")
        world.sandbox.world.delete(his)
        await settled(world, action, change)
        await world.until_settled(action.undo, change)
        assert his not in _locks(world)


async def test_a_lock_put_there_after_the_plan_is_not_taken_off_but_planned_anew() -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        change = await _only(world, action)
        new = _new(world, subject(world, action).id, "ReadOnly")
        before = _locks(world)

        outcome = await world.until_settled(action.apply, change)

        assert outcome.status == "drifted"
        assert "Another lock was put there after the plan" in outcome.reason
        assert _locks(world).keys() == before.keys()
        assert new in {lock["id"] for lock in (await _only(world, action)).before["locks"]["above"]}


async def test_a_lock_that_was_changed_after_the_plan_is_not_taken_off() -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        change, keep = await _only(world, action), _lock(world, "keep")
        found = world.sandbox.world.get(keep)
        assert found
        world.sandbox.world.put(keep, {**found.body, "properties": {"level": "ReadOnly", "notes": "Hands off"}})
        assert (await world.until_settled(action.apply, change)).status == "drifted"
        assert world.sandbox.world.get(keep)


async def test_locks_are_back_after_an_error_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        change, before, tries = await _only(world, action), _locks(world), list[str]()
        arm = world.azure.arm

        async def broken(method: str, path: str, *args: object, **kwargs: object) -> object:
            if method == "PUT" and "/runCommands/" in path:
                tries.append(path)
                if len(tries) == 2:  # the first meets the lock
                    raise Permanent("out of order")
            return await arm(method, path, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(world.azure, "arm", broken)
        with pytest.raises(Permanent):
            await action.apply(change, world.azure)
        assert _locks(world).keys() == before.keys()


async def test_a_lock_that_azure_shows_as_gone_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Scan()
    async with opened(action, LOCKED) as world:
        change, arm = await _only(world, action), world.azure.arm

        async def stale(method: str, path: str, *args: object, **kwargs: object) -> object:
            if method == "DELETE" and f"/{TYPE.lower()}/" in path.lower():
                return None
            return await arm(method, path, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(world.azure, "arm", stale)
        with pytest.raises(Temporary, match="does not show yet that the locks are off"):
            await action.apply(change, world.azure)


async def test_links_that_a_lock_hides_are_a_persons_unless_it_was_there_all_along() -> None:
    action = RemoveShareableLinks()
    async with opened(action, LOCKED) as world:
        plan = await planned(world, action)
        assert (plan.changes, plan.by_hand) == ((), ())
        lock = world.sandbox.world.get(_lock(world, "no-links"))
        assert lock
        world.sandbox.world.delete(lock.id)
        thief = Author("dev@contoso.example", "User", world.sandbox.clock.now())
        world.sandbox.world.put(lock.id, lock.body, thief)
        locked._locks.forget(world.azure, "/".join(lock.id.split("/")[:3]))
        (todo,) = (await planned(world, action)).by_hand
        assert "can't be seen" in todo
        assert "bas-web" in todo
