"""A new password is in the vault and nowhere else, and it is the one that was set, whatever goes wrong on the way."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from responders.azure import explained
from responders.errors import Permanent, Temporary
from responders.model import Change, Outcome, encode
from responders.users.reset_password import ResetPassword
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, CHIEF, GUEST, MALLORY, OPS, PASSWORD, READER

ACTION = ResetPassword()
GRAPH = [right for right in ACTION.permissions if "/" not in right]
Json = dict[str, Any]


@asynccontextmanager
async def _opened() -> AsyncIterator[Tenant]:
    async with tenant(*GRAPH) as its:
        its.later(minutes=5)  # what is planned now was not changed in this very second
        yield its


def _password(its: Tenant, who: str = MALLORY) -> str:
    return str(its.sandbox.world.directory.private[its.graph.id(who)]["password"])


def _kept(its: Tenant) -> list[Json]:
    """Every version of every secret in the vault, in order."""
    vaults = its.sandbox.world.state.get("vault", {}).values()
    return [version for vault in vaults for versions in vault["secrets"].values() for version in versions]


async def _change(its: Tenant) -> Change:
    (change,) = (await its.plan(ACTION)).changes
    its.later(minutes=5)
    return change


async def _settled(its: Tenant, change: Change) -> Outcome:
    for _ in range(20):
        with suppress(Temporary), explained(change.summary):
            outcome = await ACTION.apply(change, its.azure)
            its.later(seconds=15)
            with explained("verify"):
                await ACTION.verify(change, its.azure)
            return outcome
        its.later(seconds=15)
    raise AssertionError("It never settles.")


async def test_the_new_password_is_in_the_vault_and_the_old_one_is_dead() -> None:
    async with _opened() as its:
        change = await _change(its)

        outcome = await _settled(its, change)

        assert outcome.status == "done"
        (secret,) = _kept(its)
        assert secret["value"] == _password(its) != PASSWORD
        assert its.sandbox.world.directory.private[its.graph.id(MALLORY)]["must_change"] is True
        assert secret["tags"] == {"user": its.graph.id(MALLORY), "incident": "i", "change": change.id}
        assert f"/keep/secrets/ir-{its.graph.id(MALLORY)}-{change.id}" in outcome.reason
        assert secret["value"] not in encode(change).decode() + encode(outcome).decode()


async def test_it_can_not_be_undone() -> None:
    async with _opened() as its:
        change = await _change(its)
        await _settled(its, change)
        assert await its.undo(ACTION, change) == ["failed"]
        assert change.lasting


async def test_every_account_and_every_try_gets_another_long_one() -> None:
    async with _opened() as its:
        change = await _change(its)
        seen = set()
        for _ in range(30):
            its.sandbox.world.directory.put(
                {**its.sandbox.world.directory.objects[its.graph.id(MALLORY)], "lastPasswordChangeDateTime": None}
            )
            await its.apply(ACTION, change)
            seen.add(_password(its))
        assert len(seen) == 30
        assert all(len(one) == 32 for one in seen)
        assert all(re.search(kind, one) for one in seen for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z\d]"))


@pytest.mark.parametrize("seed", range(24))
async def test_whatever_goes_wrong_the_newest_in_the_vault_is_the_one_that_is_set(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  what goes wrong, not what is set
    async with _opened() as its:
        change = await _change(its)
        for _ in range(chance.randrange(1, 4)):
            method, part = chance.choice([("PUT", "/secrets/"), ("PATCH", "/users/"), ("GET", "/users/")])
            fault = chance.choice(["reset", "reply_lost", "throttled_without_header", "eventual"])
            its.sandbox.faults.on(method, part, fault, times=chance.choice([1, 6]))
            with suppress(Temporary), explained("resetting"):
                await ACTION.apply(change, its.azure)
            its.sandbox.faults.clear()
            its.later(seconds=chance.choice([0, 0, 15]))

        assert (await _settled(its, change)).status in {"done", "already_so"}

        assert _kept(its)[-1]["value"] == _password(its) != PASSWORD


async def test_one_that_is_kept_and_not_set_for_sure_is_done_anew() -> None:
    """We were killed between the vault and Entra, and somebody else set a password then."""
    async with _opened() as its:
        change = await _change(its)
        its.sandbox.faults.on("PATCH", "/users/", "reset", times=9)
        with pytest.raises(Temporary), explained("resetting"):
            await ACTION.apply(change, its.azure)
        its.sandbox.faults.clear()
        its.later(minutes=10)
        profile = {"password": "Set-by-the-thief-1", "forceChangePasswordNextSignIn": False}
        await its.does(ADMIN, "PATCH", f"/users/{MALLORY}", {"passwordProfile": profile})
        its.later(minutes=1)

        assert await its.apply(ACTION, change) == ["done"]

        assert _kept(its)[-1]["value"] == _password(its)
        assert len(_kept(its)) == 2


async def test_of_two_that_are_kept_nobody_can_tell_which_is_set() -> None:
    """The first was set, which neither its answer nor a read that lags told; the second was not."""
    async with _opened() as its:
        change, directory = await _change(its), its.sandbox.world.directory
        old = directory.objects[its.graph.id(MALLORY)]
        for fault in ("reply_lost", "reset"):
            its.sandbox.faults.on("PATCH", "/users/", fault, times=9)
            with pytest.raises(Temporary), explained("resetting"):
                await ACTION.apply(change, its.azure)
            its.sandbox.faults.clear()
            if fault == "reply_lost":
                directory.remember(old, 1)
        its.later(seconds=2)

        assert (await _settled(its, change)).status == "done"

        assert _kept(its)[-1]["value"] == _password(its)
        assert len(_kept(its)) == 3


async def test_one_that_the_thief_sets_and_a_name_that_he_takes_after_the_plan_do_not_keep_him_in() -> None:
    async with _opened() as its:
        change = await _change(its)
        await its.does(ADMIN, "PATCH", f"/users/{MALLORY}", {"passwordProfile": {"password": "Another-one-1"}})
        await its.does(ADMIN, "PATCH", f"/users/{MALLORY}", {"userPrincipalName": "other@contoso.example"})
        its.later(minutes=5)

        assert (await _settled(its, change)).status == "done"

        (secret,) = _kept(its)
        assert (
            secret["value"]
            == next(its.sandbox.world.directory.private[id_]["password"] for id_ in change.principals)
            != "Another-one-1"
        )
        assert await its.apply(ACTION, change) == ["already_so"]
        assert len(_kept(its)) == 1


async def test_without_the_vault_nothing_is_set() -> None:
    async with _opened() as its:
        change = await _change(its)
        for assignment in list(its.sandbox.world.list("Microsoft.Authorization/roleAssignments")):
            its.sandbox.world.delete(assignment.id)

        with pytest.raises(Permanent, match="403"), explained("resetting"):
            await ACTION.apply(change, its.azure)

        assert _password(its) == PASSWORD


async def test_what_an_application_may_not_do_is_for_a_person() -> None:
    async with _opened() as its:
        world = its.sandbox.world.directory
        for who, what in (
            (CHIEF, "holds the directory role Global Administrator: reset its password (a Privileged Authentication"),
            (READER, "is in the group admins, which can be given directory roles: reset its password"),
        ):
            plan = await its.plan(ACTION, who)
            assert not plan.changes
            assert what in plan.by_hand[0]
        world.put({**world.objects[its.graph.id(MALLORY)], "onPremisesSyncEnabled": True})
        assert "reset its password there" in (await its.plan(ACTION)).by_hand[0]


async def test_a_restricted_unit_is_named() -> None:
    async with _opened() as its:
        unit = {"name": "Board", "restricted": True, "members": [MALLORY]}
        its.sandbox.world.load({"administrative_units": [unit]}, its.sandbox.clock.now())
        (todo,) = (await its.plan(ACTION)).by_hand
        assert "is in the restricted management administrative unit Board" in todo


async def test_without_a_vault_it_is_for_a_person_and_a_guests_is_his_homes() -> None:
    async with _opened() as its:
        its.azure.settings = msgspec.structs.replace(its.azure.settings, vault="")
        assert "COUNTERSIGN_VAULT is not set" in (await its.plan(ACTION)).by_hand[0]
        guest = await its.plan(ACTION, GUEST)
        assert not guest.changes
        assert not guest.by_hand
        assert "another tenant" in guest.reason


async def test_the_manager_hands_it_over_unless_he_is_a_suspect_or_can_not_sign_in() -> None:
    async with _opened() as its:
        directory = its.sandbox.world.directory
        directory.managers[its.graph.id(MALLORY)] = its.graph.id(OPS)
        assert f"for {OPS}" in (await its.plan(ACTION)).changes[0].summary
        its.suspects = [MALLORY, OPS]
        assert "for the approvers" in (await its.plan(ACTION)).changes[0].summary
        its.suspects = [MALLORY]
        directory.put({**directory.objects[its.graph.id(OPS)], "accountEnabled": False})
        assert "for the approvers" in (await its.plan(ACTION)).changes[0].summary


async def test_whoever_hands_it_over_is_told_where_it_is_and_not_what() -> None:
    async with _opened() as its:
        its.graph.grant("Mail.Send")
        its.azure.settings = msgspec.structs.replace(its.azure.settings, mail_from=ADMIN)
        its.sandbox.world.directory.managers[its.graph.id(MALLORY)] = its.graph.id(READER)
        outcome = await _settled(its, await _change(its))
        (mail,) = its.sandbox.world.mails
        assert mail["to"] == [READER]
        assert f"mailed to {READER}" in outcome.reason
        assert _password(its) not in str(mail)


async def test_that_nobody_could_be_told_stops_nothing() -> None:
    async with _opened() as its:  # without Mail.Send
        its.azure.settings = msgspec.structs.replace(its.azure.settings, mail_from=ADMIN)
        outcome = await _settled(its, await _change(its))
        assert outcome.status == "done"
        assert f"not mailed to {OPS}" in outcome.reason


async def test_an_account_that_a_suspect_made_gets_none() -> None:
    async with _opened() as its:
        its.suspects = [MALLORY, ADMIN]
        body = {"accountEnabled": True, "displayName": "x", "mailNickname": "x"}
        body |= {"userPrincipalName": "x@contoso.example"}
        await its.does(ADMIN, "POST", "/users", {**body, "passwordProfile": {"password": PASSWORD}})
        its.later(minutes=1)
        plan = await its.plan(ACTION, "x@contoso.example")
        assert not plan.changes
        assert "is to be deleted" in plan.reason


async def test_a_user_who_is_gone_needs_none() -> None:
    async with _opened() as its:
        change, case, gone = await _change(its), its.case, its.subject()
        its.sandbox.world.directory.delete(its.graph.id(MALLORY), its.sandbox.clock.now())
        assert await its.apply(ACTION, change) == ["already_so"]
        assert not (await ACTION.plan(case, gone, its.azure)).changes
