"""Settings of resources that were there before go back to what they were, and nothing else of the resource."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from responders.model import Change, Plan
from responders.subscriptions.restore_settings import RestoreSettings
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned, plant

ACTION = RestoreSettings()
DATA, WEB = f"{PROD}/resourceGroups/rg-data/providers", f"{PROD}/resourceGroups/rg-web/providers"
STORE = f"{DATA}/Microsoft.Storage/storageAccounts/stcontosoprod"
FLOWS = f"{WEB}/Microsoft.Logic/workflows/approve-orders"


@pytest.fixture
async def opened() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "nsg-and-storage-opened.yaml", ACTION.permissions) as there:
        yield there


def of(plan: Plan, resource: str) -> Change:
    return next(c for c in plan.changes if c.resource.lower() == resource.lower())


def stand(there: Attacked, resource: str) -> dict[str, Any]:
    found = there.sandbox.world.get(resource)
    assert found
    return found.properties


def records(there: Attacked, resource: str) -> list[dict[str, Any]]:
    return [c for c in there.sandbox.world.changes if c["id"].lower() == resource.lower()]


async def test_before_and_after_are_shown_with_where_that_is_known_from(opened: Attacked) -> None:
    change = of(await planned(opened, ACTION), STORE)

    assert 'minimumTlsVersion was "TLS1_2", is "TLS1_0"' in change.reasons
    assert "by Resource Graph's record of the change" in change.reasons


async def test_what_others_change_on_the_resource_meanwhile_stays(opened: Attacked) -> None:
    change = of(await planned(opened, ACTION), STORE)
    plant(opened, STORE, accessTier="Cool")

    outcome = await applied(opened, ACTION, change)

    assert outcome.status == "done"
    now = stand(opened, STORE)
    assert (now["minimumTlsVersion"], now["allowBlobPublicAccess"], now["accessTier"]) == ("TLS1_2", False, "Cool")
    assert "networkAcls" not in now


async def test_a_setting_that_changed_since_the_plan_stops_it(opened: Attacked) -> None:
    change = of(await planned(opened, ACTION), STORE)
    plant(opened, STORE, minimumTlsVersion="TLS1_3")

    outcome = await applied(opened, ACTION, change)

    assert outcome.status == "drifted"
    assert stand(opened, STORE)["allowBlobPublicAccess"] is True


async def test_without_a_record_of_changes_the_log_tells_what_it_was(opened: Attacked) -> None:
    opened.sandbox.world.changes.clear()

    plan = await planned(opened, ACTION)

    [item] = of(plan, FLOWS).before["settings"]
    assert set(item["was"]["actions"]) == {"mail"}
    assert any("by Azure's log, owner@contoso.example wrote it" in reason for reason in of(plan, FLOWS).reasons)


async def test_where_neither_tells_a_person_is_told_what_was_written(opened: Attacked) -> None:
    opened.sandbox.world.changes.clear()

    plan = await planned(opened, ACTION)

    assert STORE not in {c.resource for c in plan.changes}
    [told] = [line for line in plan.by_hand if STORE in line]
    assert "allowBlobPublicAccess, minimumTlsVersion, networkAcls" in told


async def test_a_record_that_does_not_end_in_what_is_there_is_not_believed(opened: Attacked) -> None:
    plant(opened, STORE, minimumTlsVersion="TLS1_3")  # Resource Graph has not noticed yet

    plan = await planned(opened, ACTION)

    assert STORE not in {c.resource for c in plan.changes}
    assert any(STORE in line for line in plan.by_hand)


async def test_what_somebody_else_set_after_the_suspect_is_left_and_shown(opened: Attacked) -> None:
    [record] = records(opened, STORE)
    body = record["after"]
    later = {**body, "properties": {**body["properties"], "minimumTlsVersion": "TLS1_3"}}
    opened.sandbox.world.changes.append({**record, "by": "owner@contoso.example", "before": body, "after": later})
    plant(opened, STORE, minimumTlsVersion="TLS1_3")

    plan = await planned(opened, ACTION)

    assert STORE not in {c.resource for c in plan.changes}
    assert any("stcontosoprod" in line and "owner@contoso.example" in line for line in plan.kept)


async def test_what_a_suspect_made_himself_is_not_restored(opened: Attacked) -> None:
    [record] = records(opened, STORE)
    record["before"] = None

    plan = await planned(opened, ACTION)

    assert STORE not in {c.resource for c in plan.changes}
    assert not any(STORE in line for line in plan.by_hand)
