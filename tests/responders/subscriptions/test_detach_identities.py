"""Identities that a suspect attached are detached; what a resource had before stays, or a person is asked."""

from collections.abc import AsyncIterator

import pytest

from responders.subscriptions import identities
from responders.subscriptions.detach_identities import DetachIdentities
from responders.subscriptions.identities import Held
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

ACTION = DetachIdentities()
MACHINE = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-web-2"
APP = f"{PROD}/resourceGroups/rg-web/providers/Microsoft.App/containerApps/ca-api"
OTHER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Other"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "borrowed-identities.yaml", ACTION.permissions) as there:
        yield there


async def test_only_what_he_added_is_taken_away(there: Attacked) -> None:
    changes = {change.resource: change for change in (await planned(there, ACTION)).changes}
    assert changes[APP].summary == "detach the identity id-deploy from ca-api (Microsoft.App/containerApps)"
    assert changes[APP].lasting == ""
    assert "another principal" in changes[MACHINE].lasting
    await there.until_settled(ACTION.apply, changes[APP])
    left = there.sandbox.world.get(APP)
    assert left
    assert [id_.rpartition("/")[2] for id_ in left.body["identity"]["userAssignedIdentities"]] == ["id-reports"]


async def test_it_explains_a_write_that_attached_identities_and_changed_nothing_else(there: Attacked) -> None:
    [deed] = [f for f in there.case.findings if f.resource == APP]
    changes = {change.resource: change for change in (await planned(there, ACTION)).changes}
    assert changes[APP].before["events"] == list(deed.events)

    [record] = [one for one in there.sandbox.world.changes if one["id"].lower() == APP.lower()]
    more = {**record["after"], "properties": {**record["after"]["properties"], "workloadProfileName": "his"}}
    there.sandbox.world.changes.append({**record, "before": record["after"], "after": more})
    changes = {change.resource: change for change in (await planned(there, ACTION)).changes}
    assert changes[APP].before["events"] == []


async def test_where_resource_graph_has_no_record_a_person_is_told(there: Attacked) -> None:
    there.sandbox.world.changes.clear()
    plan = await planned(there, ACTION)
    assert plan.changes == ()
    assert any("vm-web-2" in line and "no record" in line for line in plan.by_hand)


async def test_what_is_attached_after_the_plan_stays_and_saves_nothing(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == APP)
    found = there.sandbox.world.get(APP)
    assert found
    held = {**found.body["identity"]["userAssignedIdentities"], OTHER: {}}
    body = {**found.body, "identity": {"type": "UserAssigned", "userAssignedIdentities": held}}
    there.sandbox.world.put(APP, body)
    assert (await applied(there, ACTION, change)).status == "done"
    left = there.sandbox.world.get(APP)
    assert left
    assert OTHER in left.body["identity"]["userAssignedIdentities"]
    assert (await applied(there, ACTION, change)).status == "already_so"


@pytest.mark.parametrize(
    ("changes", "was"),
    [
        ({"identity": {"previousValue": None}}, Held()),
        ({"identity.type": {"previousValue": "UserAssigned"}}, Held(system=False, users={OTHER.lower(): OTHER})),
        ({f"identity.userAssignedIdentities.{OTHER}.principalId": {"previousValue": "null"}}, Held(system=True)),
        ({"properties.state": {"previousValue": "x"}}, Held(system=True, users={OTHER.lower(): OTHER})),
    ],
)
def test_a_record_is_read_backwards_however_it_names_the_parts(
    changes: dict[str, dict[str, str | None]], was: Held
) -> None:
    now = Held(system=True, users={OTHER.lower(): OTHER})
    assert identities.before(now, changes).same(was)


def test_a_patch_names_only_what_changes() -> None:
    now = Held(system=True, users={OTHER.lower(): OTHER})
    only = Held(users={OTHER.lower(): OTHER})
    assert identities.patch(now, gone=only)["identity"] == {
        "type": "SystemAssigned",
        "userAssignedIdentities": {OTHER: None},
    }
    assert identities.patch(only, gone=only)["identity"]["type"] == "None"
    assert identities.patch(only, more=Held(system=True))["identity"] == {"type": "SystemAssigned, UserAssigned"}
