"""What a suspect rewrote of familiar things, of whatever type, is written as it was, or told with before and after."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from responders.model import Known
from responders.subscriptions.restore_definitions import RestoreDefinitions
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, of, planned, plant, stands

ACTION = RestoreDefinitions()
WEB, DATA = f"{PROD}/resourceGroups/rg-web/providers", f"{PROD}/resourceGroups/rg-data/providers"
RULE = f"{DATA}/Microsoft.ServiceBus/namespaces/sb-orders/authorizationRules/orders"
RECORD = f"{WEB}/Microsoft.Network/dnsZones/contoso.example/A/www"
SITE = f"{WEB}/Microsoft.Web/sites/shop/config/web"
CLUSTER = f"{WEB}/Microsoft.ContainerService/managedClusters/aks-shop"
CART = f"{WEB}/Microsoft.App/containerApps/cart"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "familiar-things-rewritten.yaml", ACTION.permissions) as its:
        yield its


def logged(there: Attacked, resource: str) -> list[dict[str, Any]]:
    """The events of a resource, oldest first."""
    held = there.sandbox.world.activity.events[PROD.rpartition("/")[2]]
    return [event for event in held if event["resourceId"].lower() == resource.lower()]


async def test_before_and_after_are_shown_and_where_they_are_known_from(there: Attacked) -> None:
    plan = await planned(there, ACTION)

    rule, cart = of(plan, RULE), of(plan, CART)
    assert 'properties.rights[1] was not set, is "Send"; properties.rights[2] was not set, is "Manage"' in rule.reasons
    assert any("owner@contoso.example wrote it at" in reason for reason in rule.reasons)
    assert any('"docker.io/mallory/cart:7.2"' in reason and "crcontoso" in reason for reason in cart.reasons)
    assert "by Resource Graph's record of the change" in cart.reasons


async def test_what_nobody_knows_the_former_state_of_is_told_to_a_person_with_what_the_suspect_wrote(
    there: Attacked,
) -> None:
    for event in logged(there, RECORD)[:2]:
        event["properties"].pop("requestbody", None)

    plan = await planned(there, ACTION)

    assert RECORD not in {change.resource for change in plan.changes}
    [line] = [line for line in plan.by_hand if RECORD in line]
    assert "dana@contoso.example" in line
    assert "198.51.100.80" in line
    assert "neither the Activity Log nor Resource Graph tell" in line


async def test_a_part_that_somebody_patched_is_not_taken_for_the_whole(there: Attacked) -> None:
    for event in logged(there, RECORD)[:2]:
        event["httpRequest"]["method"] = "PATCH"

    plan = await planned(there, ACTION)

    assert RECORD not in {change.resource for change in plan.changes}
    assert [line for line in plan.by_hand if RECORD in line]


async def test_what_holds_secrets_is_put_back_by_hand_and_no_secret_is_told(there: Attacked) -> None:
    plant(there, SITE, connectionStrings=[{"name": "db", "connectionString": "Server=db;Password=made-up-For-db"}])

    plan = await planned(there, ACTION)

    assert SITE not in {change.resource for change in plan.changes}
    [line] = [line for line in plan.by_hand if SITE in line]
    assert "holds secrets" in line
    assert "made-up-For-db" not in str(plan)


async def test_what_a_record_has_under_a_secret_name_is_not_told(there: Attacked) -> None:
    world = there.sandbox.world
    [change] = [c for c in world.changes if c["id"] == CART]
    for side, value in (("before", "made-up-one"), ("after", "made-up-two")):
        body = change[side]
        change[side] = {**body, "properties": {**body["properties"], "apiKey": value}}
    plant(there, CART, apiKey="made-up-two")

    plan = await planned(there, ACTION)

    assert [line for line in plan.by_hand if CART in line]
    assert "made-up-" not in str(plan)


async def test_what_somebody_else_wrote_after_the_suspect_is_left_and_shown(there: Attacked) -> None:
    first, last = logged(there, RULE)[0], logged(there, RULE)[-1]
    times = {"eventTimestamp": last["eventTimestamp"], "submissionTimestamp": last["submissionTimestamp"]}
    later = {"eventDataId": "later", "correlationId": "later", "operationId": "later", **times}
    there.sandbox.world.activity.add({**first, **later})

    plan = await planned(there, ACTION)

    assert RULE not in {change.resource for change in plan.changes}
    assert [line for line in plan.kept if "owner@contoso.example" in line]


async def test_what_an_owner_knows_stays(there: Attacked) -> None:
    said = Known(id=RULE, because="said so by owner@contoso.example", by="somebody")

    plan = await planned(there, ACTION, known=(said,))

    assert RULE not in {change.resource for change in plan.changes}
    assert any("said so by owner@contoso.example" in line for line in plan.kept)


async def test_only_what_the_suspect_changed_goes_back_where_resource_graph_tells(there: Attacked) -> None:
    plant(there, CLUSTER, kubernetesVersion="1.31")
    change = of(await planned(there, ACTION), CLUSTER)

    await applied(there, ACTION, change)

    properties = stands(there, CLUSTER).properties
    assert properties["apiServerAccessProfile"] == {"authorizedIPRanges": ["203.0.113.0/24"]}
    assert properties["kubernetesVersion"] == "1.31"


async def test_what_changed_since_the_plan_is_left_as_it_is(there: Attacked) -> None:
    change = of(await planned(there, ACTION), RULE)
    plant(there, RULE, rights=["Send"])

    outcome = await applied(there, ACTION, change)

    assert outcome.status == "drifted"
    assert stands(there, RULE).properties["rights"] == ["Send"]


async def test_what_he_added_besides_has_to_be_gone_for_it_to_be_done(there: Attacked) -> None:
    topic = f"{DATA}/Microsoft.EventGrid/topics/eg-orders"
    change = of(await planned(there, ACTION), topic)
    await applied(there, ACTION, change)
    plant(there, topic, disableLocalAuth=False, publicNetworkAccess="Enabled")

    assert (await applied(there, ACTION, change)).status != "already_so"


async def test_the_os_disk_of_a_machine_that_is_cleaned_is_not_put_back_beside_its_rebuild() -> None:
    vm = f"{WEB}/Microsoft.Compute/virtualMachines/vm-web-1"
    async with attacked(EXERCISES / "another-os-disk.yaml", ACTION.permissions) as its:
        assert vm not in {change.resource for change in (await planned(its, ACTION)).changes}
        its.case = its.case.having(machines=())
        assert any("osdisk-web-1b" in r for r in of(await planned(its, ACTION), vm).reasons)


@pytest.mark.parametrize("before", [True, False])
async def test_what_azure_does_not_show_is_told_by_what_was_written(there: Attacked, *, before: bool) -> None:
    there.sandbox.world.delete(SITE)  # as settings of a site are: written, and never read
    if not before:
        for event in logged(there, SITE)[:2]:
            event["properties"].pop("requestbody", None)

    plan = await planned(there, ACTION)

    [line] = [line for line in plan.by_hand if SITE in line]
    assert "what it is now, Azure does not show" in line
    assert ('properties.ftpsState was "Disabled", is "AllAllowed"' if before else "he wrote") in line
    assert "AllAllowed" in line


async def test_what_is_gone_is_no_loss_of_this_kind(there: Attacked) -> None:
    there.sandbox.world.delete(SITE)
    wrote = next(f for f in there.case.findings if f.resource.lower() == SITE.lower())
    gone = replace(wrote, operation="microsoft.web/sites/delete", resource=SITE.partition("/config")[0])

    plan = await planned(there, ACTION, findings=(*there.case.findings, gone))

    assert not [line for line in plan.by_hand if SITE in line]


async def test_of_what_he_made_himself_nothing_is_asked() -> None:
    async with attacked(EXERCISES / "cryptomining.yaml", ACTION.permissions) as its:
        its.sandbox.world.changes.clear()  # Resource Graph is late
        first = len(its.sandbox.requests)

        plan = await planned(its, ACTION)

        assert plan.changes == ()
        assert not [r for r in its.sandbox.requests[first:] if "virtualMachines" in r.path]
