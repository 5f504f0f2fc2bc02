"""Defender's alerts and plans, through the real SDK client."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.security.aio import SecurityCenter

from sandbox.azure import raise_alert
from sandbox.azure.alerts import types
from tests.sandbox.arm import NOW, OPS, READER, SUB, Arm, Json, S, arm, options

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
AT = NOW - timedelta(minutes=35)
ENTITIES = [
    {"type": "account", "name": "mallory", "upnSuffix": "contoso.example", "aadUserId": "an-object-id"},
    {"type": "ip", "address": "198.51.100.7"},
]


@asynccontextmanager
async def client(who: str = OPS) -> AsyncIterator[tuple[SecurityCenter, Arm]]:
    async with (
        arm(
            {"role_assignments": [{"scope": S, "role": "Security Admin", "principal": "nobody@contoso.example"}]}
        ) as call,
        SecurityCenter(call.azure.credential(who), SUB, **options(call), polling_interval=0) as sdk,
    ):
        yield sdk, call


def raised(call: Arm, type_: str = "ARM_OperationFromSuspiciousIP", **more: Any) -> Json:
    return raise_alert(call.azure.world, call.azure.clock, type_, SUB, AT, ENTITIES, **more)


async def test_an_alert_has_the_shape_of_a_real_one() -> None:
    file = SAMPLES / "alerts" / "rest-SIMULATED_ARM_AnomalousRBACRoleAssignment.json"
    if not file.exists():
        pytest.skip("the collected samples are not here")
    real = json.loads(file.read_text())
    async with arm() as call:
        ours = raised(call)
    assert set(ours) == set(real)
    assert set(ours["properties"]) == set(real["properties"])
    assert {e["type"] for e in ours["properties"]["entities"]} == {e["type"] for e in real["properties"]["entities"]}
    for part in ("resourceIdentifiers",):
        assert set(ours["properties"][part][0]) == set(real["properties"][part][0])


async def test_an_alerts_name_counts_down_from_the_end_of_time_and_its_parts_are_numbered() -> None:
    async with arm() as call:
        first, second = raised(call), raised(call)
        name, properties = first["name"], first["properties"]
        assert re.fullmatch(r"\d{19}_[0-9a-f-]{36}", name)
        start = datetime.fromisoformat(properties["startTimeUtc"].replace("0Z", "+00:00"))
        since_year_one = start - datetime(1, 1, 1, tzinfo=start.tzinfo)
        assert int(name[:19]) == 3155378975999999999 - since_year_one // timedelta(microseconds=1) * 10
        numbered = [
            e["$id"] for a in (first, second) for p in ("resourceIdentifiers", "entities") for e in a["properties"][p]
        ]
        assert numbered == [f"centralus_{n}" for n in range(1, len(numbered) + 1)]
        (connection,) = [e for e in properties["entities"] if e["type"] == "network-connection"]
        (address,) = [e for e in properties["entities"] if e["type"] == "ip"]
        assert connection["sourceAddress"] == {"$ref": address["$id"]}
        assert properties["resourceIdentifiers"][0]["azureResourceTenantId"] == call.azure.world.tenant


async def test_alerts_are_listed_by_subscription_region_and_group() -> None:
    async with client() as (sdk, call):
        plain, grouped = raised(call)["name"], raised(call, group="app")["name"]
        elsewhere = raised(call, location="westeurope")["name"]
        assert {a.name async for a in sdk.alerts.list()} == {plain, grouped, elsewhere}
        assert {a.name async for a in sdk.alerts.list_by_resource_group("app")} == {grouped}
        assert {a.name async for a in sdk.alerts.list_subscription_level_by_region("westeurope")} == {elsewhere}
        assert {a.name async for a in sdk.alerts.list_resource_group_level_by_region("centralus", "app")} == {grouped}
        read = await sdk.alerts.get_subscription_level("centralus", plain)
        assert (read.alert_type, read.severity, read.intent) == ("ARM_OperationFromSuspiciousIP", "Medium", "Execution")
        assert (await sdk.alerts.get_resource_group_level("app", "centralus", grouped)).name == grouped
        with pytest.raises(ResourceNotFoundError):
            await sdk.alerts.get_subscription_level("westeurope", plain)


async def test_an_alert_moves_between_its_states_as_often_as_one_likes() -> None:
    async with client() as (sdk, call):
        name = raised(call)["name"]
        moves = {
            "Dismissed": sdk.alerts.update_subscription_level_state_to_dismiss,
            "Resolved": sdk.alerts.update_subscription_level_state_to_resolve,
            "InProgress": sdk.alerts.update_subscription_level_state_to_in_progress,
            "Active": sdk.alerts.update_subscription_level_state_to_activate,
        }
        for state, move in moves.items():
            for _ in range(2):
                await move("centralus", name)
                assert (await sdk.alerts.get_subscription_level("centralus", name)).status == state
        with pytest.raises(ResourceNotFoundError):
            await moves["Dismissed"]("centralus", "none")


@pytest.mark.parametrize("who", [READER])
async def test_who_only_reads_can_not_dismiss(who: str) -> None:
    async with client(who) as (sdk, call):
        name = raised(call)["name"]
        with pytest.raises(HttpResponseError) as refused:
            await sdk.alerts.update_subscription_level_state_to_dismiss("centralus", name)
        assert refused.value.status_code == 403
        assert [a.status async for a in sdk.alerts.list()] == ["Active"]


async def test_sample_alerts_come_on_request_and_say_that_they_are_samples() -> None:
    async with client("nobody@contoso.example") as (sdk, _):
        body: Any = {"properties": {"kind": "Bundles", "bundles": ["ResourceManager"]}}
        poller = await sdk.alerts.begin_simulate("westeurope", body)
        await poller.result()
        found = [a async for a in sdk.alerts.list()]
        assert found
        for alert in found:
            assert alert.alert_type.startswith("SIMULATED_")
            assert alert.alert_display_name.startswith("[SAMPLE ALERT] ")
            assert alert.description.startswith("THIS IS A SAMPLE ALERT: ")
        wrong: Any = {"properties": {"kind": "Bundles", "bundles": ["Nonsense"]}}
        with pytest.raises(HttpResponseError):
            await sdk.alerts.begin_simulate("westeurope", wrong)


async def test_an_alert_is_also_an_event_of_the_activity_log() -> None:
    async with arm() as call:
        alert = raised(call)
        query = f"eventTimestamp ge '{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}'"
        path = f"{S}/providers/Microsoft.Insights/eventtypes/management/values"
        (event,) = (await call("GET", path, version="2015-04-01", filter=query)).body["value"]
        assert (event["category"]["value"], event["status"]["value"]) == ("Security", "Active")
        assert event["eventName"]["value"] == alert["properties"]["alertDisplayName"]
        assert event["correlationId"] == alert["properties"]["systemAlertId"]


async def test_plans_are_read_and_switched() -> None:
    async with client() as (sdk, call):
        scope = f"subscriptions/{SUB}"
        before = call.azure.world.snapshot()
        plan = await sdk.pricings.get(scope, "Arm")
        assert (plan.pricing_tier, plan.sub_plan) == ("Standard", "PerSubscription")
        assert "VirtualMachines" in {p.name for p in (await sdk.pricings.list(scope)).value}
        off: Any = {"properties": {"pricingTier": "Free"}}
        await sdk.pricings.update(scope, "Arm", off)
        assert (await sdk.pricings.get(scope, "Arm")).pricing_tier == "Free"
        assert call.azure.world.snapshot() != before
        with pytest.raises(ResourceNotFoundError):
            await sdk.pricings.get(scope, "Nonsense")


async def test_security_contacts_are_said_and_read_by_who_may() -> None:
    contacts, version = f"{S}/providers/Microsoft.Security/securityContacts", "2023-12-01-preview"
    said = {
        "emails": "john@contoso.example;jane@contoso.example",
        "phone": "(214)275-4038",
        "isEnabled": True,
        "notificationsByRole": {"state": "On", "roles": ["Owner"]},
        "notificationsSources": [
            {"sourceType": "AttackPath", "minimalRiskLevel": "Critical"},
            {"sourceType": "Alert", "minimalSeverity": "Medium"},
        ],
    }
    async with arm() as call:
        assert (await call("GET", contacts, version=version)).body == {"value": []}
        assert (await call("GET", f"{contacts}/default", version=version)).status == 404
        body: Any = {"properties": said}
        assert (await call("PUT", f"{contacts}/default", body, version=version)).status == 201
        assert (await call("PUT", f"{contacts}/default", body, version=version)).status == 200
        (found,) = (await call("GET", contacts, version=version)).body["value"]
        assert found == (await call("GET", f"{contacts}/default", version=version)).body
        assert (found["name"], found["type"]) == ("default", "Microsoft.Security/securityContacts")
        assert found["properties"] == said
        wrong = {"properties": {"notificationsByRole": {"state": "On", "roles": ["Everybody"]}}}
        assert (await call("PUT", f"{contacts}/default", wrong, version=version)).status == 400
        assert (await call("PUT", f"{contacts}/other", body, version=version)).status == 400


async def test_alerts_are_records_and_not_part_of_how_the_world_is() -> None:
    async with client() as (sdk, call):
        before = call.azure.world.snapshot()
        await sdk.alerts.update_subscription_level_state_to_dismiss("centralus", raised(call)["name"])
        assert call.azure.world.snapshot() == before


def test_every_current_alert_type_is_known() -> None:
    file = SAMPLES.parent / "facts" / "alerts_resource_manager.json"
    if not file.exists():
        pytest.skip("the collected facts are not here")
    current = {a["alert_type"] for a in json.loads(file.read_text()) if a["status"] == "current"}
    assert set(types()) == current
