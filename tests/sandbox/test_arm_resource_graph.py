"""Resource Graph: the inventory and its changes, by query."""

from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox.arm import (
    AUTH,
    CONTRIBUTOR,
    MALLORY,
    MEMBER,
    NOBODY,
    OPS,
    OTHER,
    STORE,
    SUB,
    Answer,
    Arm,
    G,
    Json,
    S,
    an_id,
    arm,
    assignment,
)

GRAPH, VERSION = "/providers/Microsoft.ResourceGraph/resources", "2022-10-01"
SITE = f"{G}/providers/Microsoft.Web/sites/shop"


async def ask(call: Arm, text: str, who: str = OPS, **more: Any) -> Answer:
    return await call("POST", GRAPH, {"subscriptions": [SUB], "query": text, **more}, who=who, version=VERSION)


async def rows(call: Arm, text: str, who: str = OPS, **more: Any) -> list[Json]:
    answer = await ask(call, text, who, **more)
    assert answer.status == 200, answer.body
    return list(answer.body["data"])


async def test_resources_are_found_by_what_they_are_and_hold() -> None:
    async with arm() as call:
        body = {"location": "westeurope", "properties": {"a": {"b": ["x", "y"]}, "on": True}, "tags": {"env": "prod"}}
        await call("PUT", SITE, body)
        every = await rows(call, "Resources | project id, type, location")
        assert {row["type"] for row in every} == {"microsoft.storage/storageaccounts", "microsoft.web/sites"}
        for condition in (
            "type =~ 'Microsoft.Web/sites'",
            "type == 'microsoft.web/sites' and resourceGroup == 'app'",
            "name contains 'HO'",
            "properties.a.b[1] == 'y'",
            "tags['env'] =~ 'PROD' and properties.on == true",
            "isnotempty(tags.env) and not(name has 'data')",
            "type in~ ('Microsoft.Web/SITES', 'other')",
            "tolower(id) !in ('x') and tostring(properties.a) startswith '{'",
            "name !has 'data' and isnotnull(properties.a)",
        ):
            assert [r["id"] for r in await rows(call, f"resources | where {condition}")] == [SITE], condition


async def test_rows_are_counted_extended_sorted_and_joined() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope", "properties": {"tier": "b"}})
        counted = await rows(call, "resources | summarize count() by type | order by type asc")
        assert counted == [
            {"type": "microsoft.storage/storageaccounts", "count_": 1},
            {"type": "microsoft.web/sites", "count_": 1},
        ]
        assert await rows(call, "resources | extend tier = tostring(properties.tier) | where tier == 'b' | count") == [
            {"Count": 1}
        ]
        joined = await rows(
            call,
            "resources | where name == 'shop' | join kind=leftouter (resourcecontainers | where type =~ "
            "'microsoft.resources/subscriptions' | project subscriptionId, subscription=name) on subscriptionId "
            "| project name, subscription",
        )
        assert joined == [{"name": "shop", "subscription": "Production"}]
        assert len(await rows(call, "resources | distinct location")) == 1


async def test_everybody_sees_what_he_may_read() -> None:
    async with arm() as call:
        assert await rows(call, "resources", NOBODY) == []
        assert [r["name"] for r in await rows(call, "resources", MEMBER)] == ["data"]
        assert await rows(call, "resources", subscriptions=[OTHER]) == []
        assert [r["name"] for r in await rows(call, "resources", subscriptions=[], managementGroups=["root"])] == [
            "data"
        ]
        containers = await rows(call, "resourcecontainers | project name, type")
        assert {(r["name"], r["type"].rpartition("/")[2]) for r in containers} == {
            ("Production", "subscriptions"),
            ("app", "resourcegroups"),
        }


async def test_role_assignments_are_found_with_who_gave_them() -> None:
    async with arm() as call:
        await call("PUT", f"{G}{AUTH}/roleAssignments/{an_id(1)}", assignment(CONTRIBUTOR, call.oid(NOBODY)))
        text = (
            "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' and "
            f"properties.principalId == '{call.oid(NOBODY)}' "
            "| project id, scope=properties.scope, by=properties.createdBy"
        )
        assert await rows(call, text) == [
            {"id": f"{G}{AUTH}/roleAssignments/{an_id(1)}", "scope": G, "by": call.oid(OPS)}
        ]


async def test_changes_tell_before_and_after_and_by_whom() -> None:
    async with arm() as call:
        rule = {"value": "203.0.113.0/24", "action": "Deny"}
        await call("PUT", SITE, {"location": "westeurope", "properties": {"rules": [rule]}})
        await call("PATCH", SITE, {"properties": {"rules": [{**rule, "action": "Allow"}]}}, who=MALLORY)
        await call("DELETE", SITE, who=MALLORY)
        found = await rows(
            call,
            "resourcechanges | extend at=todatetime(properties.changeAttributes.timestamp), "
            f"kind=tostring(properties.changeType) | where properties.targetResourceId =~ '{SITE}' | order by id asc",
        )
        assert [r["kind"] for r in found] == ["Create", "Update", "Delete"]
        update = found[1]["properties"]
        assert update["changes"] == {
            "properties.rules[0].action": {
                "previousValue": "Deny",
                "newValue": "Allow",
                "changeCategory": "User",
                "propertyChangeType": "Update",
            }
        }
        by = update["changeAttributes"]
        assert (by["changedBy"], by["changedByType"], by["clientType"]) == (MALLORY, "User", "Azure CLI")
        assert by["correlationId"] in {e["correlationId"] for e in call.azure.world.activity.events[SUB]}
        call.azure.clock.advance(timedelta(days=15))
        assert await rows(call, "resourcechanges") == []


async def test_changes_behind_an_operation_are_their_makers_too() -> None:
    async with arm() as call:
        await call("DELETE", G, who=MALLORY)
        await call("GET", S)
        for table, what in (("resourcechanges", STORE), ("resourcecontainerchanges", G)):
            found = await rows(call, f"{table} | where properties.changeType == 'Delete' | project properties")
            by = {r["properties"]["targetResourceId"]: r["properties"]["changeAttributes"]["changedBy"] for r in found}
            assert by == {what: MALLORY}


async def test_the_inventory_may_lag() -> None:
    async with arm() as call:
        call.azure.world.state["resource_graph"] = {"lag": 60}
        await call("PUT", SITE, {"location": "westeurope"})
        await call("DELETE", STORE)
        assert [r["name"] for r in await rows(call, "resources")] == ["data"]
        call.azure.clock.advance(timedelta(seconds=61))
        assert [r["name"] for r in await rows(call, "resources")] == ["shop"]


async def test_pages_follow_by_token_as_long_as_there_are_ids() -> None:
    many = [{"id": f"{SITE}{n:04}", "location": "westeurope", "properties": {}} for n in range(1200)]
    async with arm({"resources": many}) as call:
        first = (await ask(call, "resources | where name startswith 'shop' | project id")).body
        assert (first["totalRecords"], first["count"], first["resultTruncated"]) == (1200, 1000, "false")
        rest = await ask(
            call, "resources | where name startswith 'shop' | project id", options={"$skipToken": first["$skipToken"]}
        )
        assert (rest.body["count"], "$skipToken" in rest.body) == (200, False)
        assert len({r["id"] for r in first["data"] + rest.body["data"]}) == 1200
        blind = (await ask(call, "resources | project name", options={"$top": 5})).body
        assert (blind["count"], blind["resultTruncated"], "$skipToken" in blind) == (5, "true", False)
        table = (await ask(call, "resources | take 1 | project name", options={"resultFormat": "table"})).body["data"]
        assert table == {"columns": [{"name": "name", "type": "string"}], "rows": [["data"]]}


@pytest.mark.parametrize(
    "text",
    ["resources | make-series x", "nothing", "resources | where", "resources | where x == 'y'", "", "where where"],
)
async def test_what_is_not_known_is_refused_in_the_services_words(text: str) -> None:
    async with arm() as call:
        answer = await ask(call, text)
        assert (answer.status, answer.code) == (400, "BadRequest")
        assert answer.message.startswith("Please provide below info when asking for support: timestamp = ")
        assert answer.body["error"]["details"][0]["code"] == "InvalidQuery"
