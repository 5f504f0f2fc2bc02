"""What a suspect moved into another group goes back, so that nothing beneath it is hidden by its new id."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from responders.model import Known
from responders.subscriptions.move_back import MoveBack
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

ACTION = MoveBack()
DATA, WEB = f"{PROD}/resourceGroups/rg-data", f"{PROD}/resourceGroups/rg-web"
BUS = "providers/Microsoft.ServiceBus/namespaces/sb-orders"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "moved-away.yaml", ACTION.permissions) as its:
        yield its


def asked(there: Attacked, old: str, new: str) -> None:
    """Let the log have another text in the request of the move."""
    for event in there.sandbox.world.activity.events[PROD.rpartition("/")[2]]:
        if "moveResources" in event["operationName"]["value"] and "requestbody" in event["properties"]:
            body = event["properties"]["requestbody"]
            assert old in body
            event["properties"]["requestbody"] = body.replace(old, new)


async def test_it_says_what_goes_back_where_to_and_what_stays_lost(there: Attacked) -> None:
    [change] = (await planned(there, ACTION)).changes

    assert change.summary == "move Microsoft.ServiceBus/namespaces sb-orders back from rg-web to rg-data"
    assert "Role assignments" in change.lasting
    assert change.familiarity == "unfamiliar"


async def test_where_it_went_is_told_to_a_person_if_that_is_not_guarded(there: Attacked) -> None:
    elsewhere = "/subscriptions/a91d4e07-62cf-4f3b-8e28-c7b05d13f986/resourceGroups/rg-web"
    asked(there, WEB, elsewhere)

    plan = await planned(there, ACTION)

    assert plan.changes == ()
    [line] = plan.by_hand
    assert f"{DATA}/{BUS} to {elsewhere}, which is not guarded here" in line
    assert "runs the incident again" in line


@pytest.mark.parametrize("text", ['"resources":["/subscriptions/../x"]', '"others":[]'])
async def test_what_the_log_does_not_tell_is_for_a_person(there: Attacked, text: str) -> None:
    asked(there, f'"resources":["{DATA}/{BUS}"]', text)

    plan = await planned(there, ACTION)

    assert plan.changes == ()
    [line] = plan.by_hand
    assert "dana@contoso.example" in line
    assert "Azure's log does not tell which, or where" in line


async def test_what_he_did_to_it_at_its_new_place_is_told(there: Attacked) -> None:
    move = next(f for f in there.case.findings if f.operation.endswith("moveresources/action"))
    wrote = replace(
        move,
        operation="microsoft.servicebus/namespaces/authorizationrules/write",
        resource=f"{WEB}/{BUS}/authorizationRules/late",
        at=there.case.until,
        reason="a rule was written",
    )

    plan = await planned(there, ACTION, findings=(*there.case.findings, wrote))

    assert len(plan.changes) == 1
    assert [line for line in plan.by_hand if f"{WEB}/{BUS} was changed by the suspect after he had moved it" in line]


async def test_what_is_gone_meanwhile_stops_it(there: Attacked) -> None:
    [change] = (await planned(there, ACTION)).changes
    there.sandbox.world.delete(f"{WEB}/{BUS}")

    assert (await applied(there, ACTION, change)).status == "drifted"


async def test_a_move_that_an_owner_knows_stays(there: Attacked) -> None:
    said = Known(id=DATA, because="said so by owner@contoso.example", by="somebody")

    plan = await planned(there, ACTION, known=(said,))

    assert plan.changes == ()
    assert any("said so by owner@contoso.example" in line for line in plan.kept)
