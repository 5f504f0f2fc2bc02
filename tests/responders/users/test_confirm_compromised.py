"""Identity Protection is told, where there is it."""

import pytest

from responders.azure import explained
from responders.errors import Permanent
from responders.users.confirm_compromised import ConfirmCompromised
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import GUEST, MALLORY

ACTION = ConfirmCompromised()


def _state(its: Tenant) -> str:
    return str(its.sandbox.world.directory.risky.get(its.graph.id(MALLORY), {}).get("riskState", ""))


async def test_it_is_told_and_undo_dismisses() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.licenses = ["P2"]
        (change,) = (await its.plan(ACTION)).changes
        assert await its.apply(ACTION, change) == ["done"]
        assert _state(its) == "confirmedCompromised"
        assert await its.apply(ACTION, change) == ["already_so"]
        assert not (await its.plan(ACTION)).changes
        assert await its.undo(ACTION, change) == ["done"]
        assert _state(its) == "dismissed"
        assert await its.undo(ACTION, change) == ["already_so"]


async def test_what_it_had_found_itself_is_said_to_be_dismissed_too() -> None:
    async with tenant(*ACTION.permissions) as its:
        directory = its.sandbox.world.directory
        directory.licenses = ["P2"]
        directory.risky[its.graph.id(MALLORY)] = {
            "id": its.graph.id(MALLORY),
            "riskState": "atRisk",
            "riskLevel": "low",
        }
        (change,) = (await its.plan(ACTION)).changes
        assert change.lasting


async def test_without_a_license_there_is_nothing_to_do() -> None:
    async with tenant(*ACTION.permissions) as its:
        plan = await its.plan(ACTION)
        assert "Entra ID P2" in plan.reason
        assert not plan.by_hand


async def test_without_the_right_it_fails() -> None:
    async with tenant("User.Read.All") as its:
        its.sandbox.world.directory.licenses = ["P2"]
        with pytest.raises(Permanent, match="403"), explained("planning"):
            await its.plan(ACTION)


async def test_a_guests_risk_is_his_homes() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.sandbox.world.directory.licenses = ["P2"]
        assert not (await its.plan(ACTION, GUEST)).changes
