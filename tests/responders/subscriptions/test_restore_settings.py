"""Settings of resources that were there before go back to what they were, and nothing else of the resource."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.model import Finding
from responders.subscriptions import whole
from responders.subscriptions.former import Former
from responders.subscriptions.restore_settings import RestoreSettings
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, of, planned, plant

ACTION = RestoreSettings()
DATA, WEB = f"{PROD}/resourceGroups/rg-data/providers", f"{PROD}/resourceGroups/rg-web/providers"
STORE = f"{DATA}/Microsoft.Storage/storageAccounts/stcontosoprod"
FLOWS = f"{WEB}/Microsoft.Logic/workflows/approve-orders"


@pytest.fixture
async def opened() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "nsg-and-storage-opened.yaml", ACTION.permissions) as there:
        yield there


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
    assert now["networkAcls"]["defaultAction"] == "Allow"  # what Azure has where nobody said anything


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


def events(there: Attacked, resource: str) -> list[str]:
    """Ids of what the log has of the suspects' writes to a resource."""
    return [event for f in there.case.findings if f.resource.lower() == resource.lower() for event in f.events]


async def test_it_explains_writes_that_changed_nothing_else(opened: Attacked) -> None:
    plan = await planned(opened, ACTION)

    assert events(opened, STORE)
    assert of(plan, STORE).before["events"] == events(opened, STORE)


async def test_it_explains_no_write_where_a_suspect_changed_more_than_is_put_back(opened: Attacked) -> None:
    [record] = records(opened, STORE)
    body = record["after"]
    later = {**body, "properties": {**body["properties"], "accessTier": "Cool"}}
    opened.sandbox.world.changes.append({**record, "before": body, "after": later})
    plant(opened, STORE, accessTier="Cool")

    change = of(await planned(opened, ACTION), STORE)

    assert "minimumTlsVersion" in change.summary
    assert change.before["events"] == []


async def test_it_explains_no_write_of_which_resource_graph_may_have_the_record_still_to_come(opened: Attacked) -> None:
    [first] = [f for f in opened.case.findings if f.resource.lower() == STORE.lower()]
    late = replace(first, at=first.at + timedelta(minutes=5), events=("late",))
    opened.case = opened.case.having(findings=(*opened.case.findings, late))

    assert of(await planned(opened, ACTION), STORE).before["events"] == []


async def test_by_the_log_it_explains_one_write_that_wrote_all_else_as_it_was(opened: Attacked) -> None:
    opened.sandbox.world.changes.clear()
    assert of(await planned(opened, ACTION), FLOWS).before["events"] == events(opened, FLOWS)

    [first] = [f for f in opened.case.findings if f.resource.lower() == FLOWS.lower()]
    again = replace(first, at=first.at + timedelta(minutes=1), events=("again",))
    opened.case = opened.case.having(findings=(*opened.case.findings, again))
    assert of(await planned(opened, ACTION), FLOWS).before["events"] == []


@pytest.mark.parametrize(
    ("wrote", "explained"),
    [
        ({"properties": {"state": "Enabled"}}, True),
        ({"location": "westeurope", "properties": {"state": "Enabled"}}, True),
        ({"location": "northeurope", "properties": {"state": "Enabled"}}, False),
        ({"properties": {"state": "Enabled", "integrationAccount": {"id": "his"}}}, False),
        ({"properties": {"state": "Enabled"}, "tags": {"a": "b"}}, False),
    ],
)
def test_by_the_log_all_that_he_wrote_counts(wrote: dict[str, Any], *, explained: bool) -> None:
    was = Former(known=True, body={"location": "westeurope", "properties": {"state": "Disabled"}}, theirs=wrote)
    deed = Finding(
        rule="other", reason="", at=datetime.now(UTC), operation="w", resource=FLOWS, caller="m", events=("e",)
    )

    assert whole.by_log([deed], was, ["properties.state"]) == (["e"] if explained else [])
