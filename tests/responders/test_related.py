"""The other alerts of a subscription, and how they are related to a case."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from responders import related
from responders.azure import explained
from responders.errors import Permanent
from responders.related import Related
from sandbox.azure import raise_alert
from tests.laws.stage import Attacked, attacked
from tests.responders.test_owners import PROD, TAKEOVER, VM

Json = dict[str, Any]
OURS, OTHERS = "ARM_OperationFromSuspiciousIP", "VM_SuspectProcess"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(TAKEOVER, related.PERMISSIONS) as there:
        yield there


def raised(there: Attacked, *who: str, kind: str = OURS, ago: timedelta = timedelta(), **more: Any) -> str:
    accounts = [
        {
            "type": "account",
            "name": n,
            "upnSuffix": "contoso.example",
            "aadUserId": there.scene.who(f"{n}@contoso.example"),
        }
        for n in who
    ]
    entities = [*accounts, *({"type": "ip", "address": a} for a in more.pop("addresses", ()))]
    at, world = there.case.alert.start - ago, there.sandbox.world
    return str(raise_alert(world, there.sandbox.clock, kind, PROD.rpartition("/")[2], at, entities, **more)["id"])


async def reviewed(there: Attacked) -> dict[str, Related]:
    case = there.case.having(until=there.sandbox.clock.now() + timedelta(minutes=5))
    return {one.id: one for one in await related.review(there.azure, case)}


async def test_the_alert_itself_is_no_other(there: Attacked) -> None:
    assert await reviewed(there) == {}


async def test_an_alert_of_the_same_actor_that_nobody_works_on_joins(there: Attacked) -> None:
    same = raised(there, "eve")
    found = (await reviewed(there))[same]
    assert (found.joins, found.status, found.severity) == (True, "Active", "Medium")
    assert found.relation == (
        "of the same root cause: it joins this incident",
        "the same actor: eve@contoso.example",
        "at the same time, within an hour",
    )


@pytest.mark.parametrize("status", ["InProgress", "Resolved", "Dismissed"])
async def test_one_that_somebody_works_on_does_not_join(there: Attacked, status: str) -> None:
    same = raised(there, "eve")
    body = there.sandbox.world.get(same)
    assert body
    there.sandbox.world.put(same, {**body.body, "properties": {**body.properties, "status": status}})
    found = (await reviewed(there))[same]
    assert (found.joins, found.status) == (False, status)


async def test_one_with_more_actors_or_of_another_plan_or_of_none_does_not_join(there: Attacked) -> None:
    ids = [raised(there, "eve", "ops"), raised(there, "eve", kind=OTHERS), raised(there), raised(there, "ops")]
    found = await reviewed(there)
    assert [found[id_].joins for id_ in ids] == [False] * 4
    assert [any("the same actor" in r for r in found[id_].relation) for id_ in ids] == [True, True, False, False]


async def test_the_same_resource_and_address_are_told(there: Attacked) -> None:
    alert = msgspec.structs.replace(
        there.case.alert, resources=(PROD, VM.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    )
    there.case = there.case.having(alert=alert)
    beneath = raised(
        there, kind=OTHERS, resources=[f"{VM}/extensions/x"], addresses=["198.51.100.7"], ago=timedelta(hours=5)
    )
    found = (await reviewed(there))[beneath]
    assert found.relation == (f"the same resource: {VM}/extensions/x", "the same address: 198.51.100.7")


async def test_what_is_only_in_the_same_subscription_is_listed_last(there: Attacked) -> None:
    far, near = raised(there, "ops", ago=timedelta(hours=5)), raised(there, "eve")
    found = await reviewed(there)
    assert list(found) == [near, far]
    assert found[far].relation == ("the same subscription, in the window",)


async def test_samples_and_what_lies_before_the_window_are_left_out(there: Attacked) -> None:
    raised(there, "eve", kind=f"SIMULATED_{OURS}")
    raised(there, "eve", ago=timedelta(hours=30))
    assert await reviewed(there) == {}


async def test_an_alert_that_can_not_be_read_hides_no_other(there: Attacked) -> None:
    broken, good = raised(there, "eve"), raised(there, "eve")
    body = there.sandbox.world.get(broken)
    assert body
    there.sandbox.world.put(broken, {**body.body, "properties": {"alertType": 7}})
    assert list(await reviewed(there)) == [good]


async def test_of_many_pages_all_are_looked_at_and_the_nearest_listed(there: Attacked) -> None:
    same = raised(there, "eve")
    for _ in range(120):
        raised(there, "ops", kind=OTHERS, ago=timedelta(hours=3))
    found = await reviewed(there)
    assert len(found) == related.MOST
    assert next(iter(found)) == same


async def test_without_the_right_it_says_so() -> None:
    async with attacked(TAKEOVER, ["Microsoft.Resources/tags/read"]) as there:
        with pytest.raises(Permanent, match="403"), explained("reading the other alerts"):
            await reviewed(there)
