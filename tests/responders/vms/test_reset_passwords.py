"""What the vault has is what opens the machine, whatever goes wrong; and nothing else tells it."""

from typing import Any

import pytest

from responders.errors import Permanent
from responders.model import Change, encode
from responders.vms.reset_passwords import ResetPasswords
from sandbox.azure import guest, guest_jail, guest_login
from tests.laws.stage import Attacked
from tests.responders.vms.attacked import inside, machine, opened, planned, put, settled

Json = dict[str, Any]

ACTION = ResetPasswords()
WAS = {"webadmin": "Thief-set-this-1", "deploy": "Deploy-of-old-1", "support": "Thief-was-here-1"}
WINDOWS = {"appadmin": "Appadmin-of-old-1", "svc-app": "Thief-set-this-1", "helpdesk": "Thief-was-here-1"}
WINDOWS |= {"omar": "Omar-of-old-1"}
pytestmark = pytest.mark.skipif(
    not guest_jail.available(), reason="no user namespaces here: scripts run in a jail or not"
)


def _kept(world: Attacked) -> dict[str, str]:
    """The newest password of each account in the vault."""
    vaults = world.sandbox.world.state["vault"].values()
    newest = [versions[-1] for vault in vaults for versions in vault["secrets"].values()]
    return {s["tags"]["user"]: s["value"] for s in newest if "user" in s["tags"]}


def _opens(world: Attacked, user: str, password: str) -> bool:
    at = (world.sandbox.world, world.sandbox.clock, machine(world, ACTION).id)
    return guest_login.entry(*at, user, password=password, source="").ok


async def _passwords(world: Attacked) -> Change:
    return next(c for c in (await planned(world, ACTION)).changes if c.before["kind"] == "passwords")


@pytest.mark.parametrize(("exercise", "was"), [("linux-implant", WAS), ("windows-planted-admin", WINDOWS)])
async def test_each_account_has_a_password_of_its_own_and_the_old_ones_are_dead(
    exercise: str, was: dict[str, str]
) -> None:
    async with opened(ACTION, exercise) as world:
        assert all(_opens(world, user, password) for user, password in was.items())

        assert await settled(world, ACTION, await _passwords(world)) == ["done", "done"]

        new = _kept(world)
        assert new.keys() == was.keys()
        assert len({*new.values()}) == len(new)
        assert all(len(password) >= 32 for password in new.values())
        assert all(_opens(world, user, password) for user, password in new.items())
        assert not any(_opens(world, user, password) for user, password in was.items())


async def test_a_secret_says_whose_it_is() -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        await settled(world, ACTION, change)
        (vault,) = world.sandbox.world.state["vault"].values()
        names = {name for name, versions in vault["secrets"].items() if versions[-1]["tags"].get("user") == "webadmin"}
        (name,) = names
        assert name.startswith("ir-vm-vm-web-1-webadmin-")
        tags = vault["secrets"][name][-1]["tags"]
        assert tags["machine"] == change.before["machine"]
        assert (tags["incident"], tags["change"]) == (world.case.incident, change.id)


async def test_the_run_command_is_gone_and_nothing_holds_a_password() -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        held = []
        outcome = await world.until_settled(ACTION.apply, change)
        held.append(repr([r.body for r in world.sandbox.world if r.type.lower().endswith("/runcommands")]))
        outcome = await world.until_settled(ACTION.verify, change)
        held += [repr(world.sandbox.world.state["compute"]), repr(world.sandbox.world.operations)]
        held += [encode(change).decode(), encode(outcome).decode(), repr(world.sandbox.world.activity.dump())]

        assert not any(word in text for text in held for word in _kept(world).values())
        left = world.sandbox.world.beneath(machine(world, ACTION).id)
        assert [r.name for r in left if "passwords" in r.name] == []
        assert outcome.after == {"users": ["webadmin", "deploy", "support"]}


@pytest.mark.parametrize("nth", range(1, 13))
async def test_an_answer_that_is_lost_anywhere_leaves_what_the_vault_has(nth: int) -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        world.sandbox.faults.at(nth, "reply_lost")

        await settled(world, ACTION, change)

        assert all(_opens(world, user, password) for user, password in _kept(world).items())


async def test_while_it_is_under_way_nothing_new_goes_into_the_vault() -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        await world.until_settled(ACTION.apply, change)
        first = _kept(world)

        assert (await world.until_settled(ACTION.apply, change)).status == "already_so"

        assert _kept(world) == first
        assert all(_opens(world, user, password) for user, password in first.items())


async def test_whoever_dies_before_the_machine_is_told_begins_anew() -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        world.sandbox.faults.on("PUT", "/runCommands/", "internal", times=99)
        with pytest.raises(AssertionError):
            await _once(world, change)
        early = _kept(world)
        world.sandbox.faults.clear()

        await settled(world, ACTION, change)

        new = _kept(world)
        assert early.keys() == new.keys()
        assert not any(_opens(world, user, password) for user, password in early.items())
        assert all(_opens(world, user, password) for user, password in new.items())


async def test_an_account_that_was_locked_meanwhile_stays_locked() -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        held = inside(world, ACTION)
        shadow = held["files"]["/etc/shadow"]
        locked = {**shadow, "text": shadow["text"].replace("deploy:$", "deploy:!$")}
        _keep(world, {**held, "files": {**held["files"], "/etc/shadow": locked}})

        await world.until_settled(ACTION.apply, change)
        outcome = await world.until_settled(ACTION.verify, change)

        assert outcome.status == "done"
        assert "deploy was locked or deleted meanwhile" in outcome.reason
        assert not _opens(world, "deploy", _kept(world)["deploy"])


async def test_a_script_that_fails_is_no_success() -> None:
    async with opened(ACTION) as world:
        change = await _passwords(world)
        held = inside(world, ACTION)
        _keep(world, {**held, "files": {k: v for k, v in held["files"].items() if k != "/etc/passwd"}})
        await world.until_settled(ACTION.apply, change)
        with pytest.raises(Permanent, match="the script came to Failed"):
            await world.until_settled(ACTION.verify, change)


async def test_what_was_put_there_after_the_suspect_came_is_proposed_and_what_was_there_is_kept() -> None:
    async with opened(ACTION) as world:
        plan = await planned(world, ACTION)
        assert [c.before["kind"] for c in plan.proposed] == ["passwords", "account", "key"]
        kept = "\n".join(plan.kept)
        assert "the account webadmin of vm-web-1: it belongs to the machine" in kept
        assert "the account deploy of vm-web-1: its password is older than the window" in kept
        assert "the machine was made with it" in kept


async def test_where_no_suspect_is_seen_before_it_is_offered_by_name() -> None:
    async with opened(ACTION) as world:
        world.case = world.case.having(findings=())
        plan = await planned(world, ACTION)
        assert [c.before["kind"] for c in plan.proposed] == ["passwords"]
        assert [c.familiarity for c in plan.changes] == ["unfamiliar", "unknown", "unknown"]


async def test_without_a_vault_no_password_is_changed() -> None:
    async with opened(ACTION, vault="") as world:
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "COUNTERSIGN_VAULT is not set" in plan.by_hand[0]


async def test_a_machine_whose_agent_is_silent_is_left_to_a_person() -> None:
    async with opened(ACTION) as world:
        vm = machine(world, ACTION)
        guest.keep(world.sandbox.world, vm, {**guest.of(world.sandbox.world, vm), "agent": "not ready"})
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "does not report in" in plan.by_hand[0]
        assert "Of webadmin alone the VMAccess extension" in plan.by_hand[0]


async def test_where_azure_runs_nothing_in_a_machine_it_is_left_to_a_person() -> None:
    async with opened(ACTION) as world:
        vm = machine(world, ACTION)
        put(world, vm.id, osProfile={**vm.properties["osProfile"], "allowExtensionOperations": False})
        plan = await planned(world, ACTION)
        assert plan.changes == ()
        assert "Set osProfile.allowExtensionOperations to true" in plan.by_hand[0]


async def test_accounts_of_a_domain_are_the_directorys() -> None:
    async with opened(ACTION, "windows-planted-admin") as world:
        plan = await planned(world, ACTION)
        assert any("joined to the domain contoso.local" in line for line in plan.kept)


async def _once(world: Attacked, change: Change) -> None:
    """Apply until the test gives up."""
    from azure.core.exceptions import AzureError

    try:
        await ACTION.apply(change, world.azure)
    except AzureError as error:
        raise AssertionError from error


def _keep(world: Attacked, held: Json) -> None:
    guest.keep(world.sandbox.world, machine(world, ACTION), held)
