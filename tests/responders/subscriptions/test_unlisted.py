"""What suspects made beneath familiar resources, where no list shows it."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from docs.rights import EXCEPT
from responders.subscriptions.delete_resources import DeleteResources
from responders.subscriptions.resource_types import whose
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, planned

ACTION = DeleteResources()
HUB = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.EventHub/namespaces/eh-orders"
SCRIPTS = "Microsoft.Resources/deploymentScripts"
MONITOR, COPIES, OUT = f"{HUB}/authorizationRules/monitor", f"{HUB}/eventhubs/copies", "consumerGroups/out"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "beneath-familiar-resources.yaml", ACTION.permissions) as its:
        yield its


def nobody_made(there: Attacked, id_: str) -> None:
    """Let Azure say nothing of who made it, as many types do."""
    planted = there.sandbox.world.get(id_)
    assert planted is not None
    planted.stamps.clear()


async def test_what_was_made_beneath_goes_with_what_is_in_it(there: Attacked) -> None:
    plan = await planned(there, ACTION)

    [copies] = [c for c in plan.changes if c.resource == COPIES]
    assert [part["id"] for part in copies.before["parts"]] == [COPIES, f"{COPIES}/{OUT}"]
    assert copies.familiarity == "unfamiliar"


async def test_when_it_was_made_the_log_tells_where_azure_does_not(there: Attacked) -> None:
    nobody_made(there, MONITOR)
    log = there.sandbox.world.activity
    deed = next(e for held in log.events.values() for e in held if str(e["resourceId"]).lower() == MONITOR.lower())
    action, at = "Microsoft.EventHub/namespaces/authorizationRules/delete", f"{there.case.since:%Y-%m-%dT%H:%M:%S}Z"
    gone = {"operationName": {"value": action}, "status": {"value": "Succeeded"}, "caller": "owner@contoso.example"}
    log.add({**deed, **gone, "claims": {}, "eventTimestamp": at, "correlationId": "x", "eventDataId": "x"})

    plan = await planned(there, ACTION)

    assert [c.familiarity for c in plan.changes if c.resource == MONITOR] == ["unfamiliar"]


@pytest.mark.parametrize(("status", "familiarity"), [("OK", "unknown"), ("Created", "unfamiliar")])
async def test_what_a_write_perhaps_did_not_make_is_offered_alone(
    there: Attacked, status: str, familiarity: str
) -> None:
    nobody_made(there, MONITOR)
    for event in (one for held in there.sandbox.world.activity.events.values() for one in held):
        if str(event["resourceId"]).lower() == MONITOR.lower():
            event["subStatus"] = {"value": status}

    plan = await planned(there, ACTION)

    assert [c.familiarity for c in plan.changes if c.resource == MONITOR] == [familiarity]


async def test_what_is_gone_again_is_no_change(there: Attacked) -> None:
    there.sandbox.world.delete(MONITOR)

    plan = await planned(there, ACTION)

    assert MONITOR not in [c.resource for c in plan.changes]


async def test_a_script_that_would_run_again_is_deleted_and_never_made_anew(there: Attacked) -> None:
    script = f"{PROD}/resourceGroups/rg-bridge/providers/Microsoft.Resources/deploymentScripts/setup"
    change = replace(
        (await planned(there, ACTION)).changes[0],
        resource=script,
        before={
            "parts": [{"id": script, "version": "2020-10-01", "body": {"id": script, "type": SCRIPTS}}],
            "children": [],
            "locks": {"own": [], "above": []},
        },
    )

    undone = await ACTION.undo(change, there.azure)

    assert not whose(SCRIPTS)
    assert (undone.status, "run again" in undone.reason) == ("failed", True)
    assert there.sandbox.world.get(script) is None


@pytest.mark.parametrize("right", [right for right in EXCEPT if right.endswith(("/delete", "/*"))])
def test_what_the_role_may_not_delete_is_not_proposed(right: str) -> None:
    assert whose(right.rpartition("/")[0].removesuffix("/*"))
