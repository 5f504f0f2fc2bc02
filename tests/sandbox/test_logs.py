"""Log Analytics' query API, in plain HTTP and by the real client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsQueryStatus
from azure.monitor.query.aio import LogsQueryClient

from sandbox.azure import Clock, World
from sandbox.azure.logs import COLUMNS
from tests.sandbox.arm import MALLORY, NOBODY, NOW, OPS, OTHER, READER, STORE, SUB, Arm, G, Json, S, arm

WORKSPACE = "cccccccc-1111-4222-8333-444444444444"
HOME = f"{G}/providers/Microsoft.OperationalInsights/workspaces/logs"
SETTING = f"{S}/providers/Microsoft.Insights/diagnosticSettings/to-logs"
STREAM: Json = {"workspaceId": HOME.upper(), "logs": [{"category": "Administrative", "enabled": True}]}
EXTRA: Json = {
    "resources": [
        {"id": HOME, "location": "westeurope", "properties": {"customerId": WORKSPACE}},
        {"id": SETTING, "properties": STREAM},
    ],
}
SITE = f"{G}/providers/Microsoft.Web/sites/shop"
RIGHT = "Microsoft.OperationalInsights/workspaces/query"


@asynccontextmanager
async def streaming(extra: Json | None = None, **options: Any) -> AsyncIterator[Arm]:
    async with arm(EXTRA, **options) as call:
        call.azure.world.load(extra or {}, NOW)
        yield call


async def post(call: Arm, body: Any, *, who: str = OPS, audience: str = "logs", token: str | None = None) -> Any:
    bearer = call.azure.token(who, audience) if token is None else token
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    url = f"{call.azure.endpoints.logs}/v1/workspaces/{WORKSPACE}/query"
    async with call.session.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def rows(call: Arm, query: str, *, who: str = OPS) -> list[Json]:
    status, body = await post(call, {"query": query}, who=who)
    assert status == 200, body
    (table,) = body["tables"]
    assert table["name"] == "PrimaryResult"
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


async def refused(call: Arm, query: str) -> tuple[str, str]:
    status, body = await post(call, {"query": query})
    assert (status, body["error"]["code"]) == (400, "BadArgumentError")
    inner = body["error"]["innererror"]
    return inner["code"], inner["message"]


async def test_what_is_done_becomes_rows_of_the_streams_own_words() -> None:
    async with streaming() as call:
        await call("PUT", SITE, {"location": "westeurope"}, who=MALLORY, ip="203.0.113.9")
        started, done = await rows(call, "AzureActivity | sort by ActivityStatusValue asc")
        assert set(started) == set(COLUMNS)
        assert (started["ActivityStatusValue"], done["ActivityStatusValue"]) == ("Start", "Success")
        assert started["OperationNameValue"] == "MICROSOFT.WEB/SITES/WRITE"
        assert started["TenantId"] == WORKSPACE
        assert (started["Caller"], started["CallerIpAddress"]) == (MALLORY, "203.0.113.9")
        assert (started["ResourceId"], started["_ResourceId"]) == (SITE, SITE.lower())
        assert started["Properties"] == started["Properties_d"]
        assert '"requestbody":"{\\"location\\":\\"westeurope\\"}"' in started["Properties"]
        assert started["TimeGenerated"] == "2026-03-02T09:00:00.0000000Z"
        assert started["OperationName"] == ""


async def test_the_real_client_reads_it() -> None:
    async with streaming() as call:
        await call("DELETE", STORE)
        credential = call.azure.credential(OPS)
        options = {"endpoint": call.azure.endpoints.logs, "connection_verify": call.azure.ca_file, "retry_total": 0}
        async with LogsQueryClient(credential, **options) as client:
            answer = await client.query_workspace(WORKSPACE, "AzureActivity | summarize n = count()", timespan=None)
            assert answer.status == LogsQueryStatus.SUCCESS
            assert [list(row) for row in answer.tables[0].rows] == [[2]]
            call.azure.world.state["logs"] = {"error": "A shard did not answer."}
            answer = await client.query_workspace(WORKSPACE, "AzureActivity", timespan=None)
            assert answer.status == LogsQueryStatus.PARTIAL
            assert answer.partial_error
            assert answer.partial_error.code == "PartialError"
            with pytest.raises(HttpResponseError, match="AzureActivty") as caught:
                await client.query_workspace(WORKSPACE, "AzureActivty", timespan=None)
            assert caught.value.error
            assert caught.value.error.code == "BadArgumentError"


async def test_only_what_is_logged_while_a_setting_streams_is_there_and_it_stays() -> None:
    async with streaming() as call:
        count = "AzureActivity | where OperationNameValue =~ 'microsoft.web/sites/write' | summarize n = count()"
        await call("PUT", SITE, {"location": "westeurope"})
        await call("DELETE", SETTING, version="2021-05-01-preview")
        await call("PUT", SITE, {"location": "westeurope"})
        assert await rows(call, count) == [{"n": 2}]
        await call("PUT", SETTING, {"properties": STREAM}, version="2021-05-01-preview")
        await call("PUT", SITE, {"location": "westeurope"})
        assert await rows(call, count) == [{"n": 4}]
        off = {**STREAM, "logs": [{"category": "Administrative", "enabled": False}]}
        await call("PUT", SETTING, {"properties": off}, version="2021-05-01-preview")
        await call("PUT", SITE, {"location": "westeurope"})
        assert await rows(call, count) == [{"n": 4}]


async def test_another_subscription_streams_only_when_it_says_so() -> None:
    other = f"/subscriptions/{OTHER}"
    owner = {"role_assignments": [{"scope": other, "role": "Owner", "principal": OPS}]}
    async with streaming(owner) as call:
        await call("PUT", f"{other}/resourceGroups/a", {"location": "westeurope"})
        assert await rows(call, "AzureActivity | summarize n = count()") == [{"n": 0}]
        setting = SETTING.replace(SUB, OTHER)
        await call("PUT", setting, {"properties": STREAM}, version="2021-05-01-preview")
        await call("PUT", f"{other}/resourceGroups/b", {"location": "westeurope"})
        found = await rows(call, "AzureActivity | project SubscriptionId, ResourceGroup")
        assert {row["SubscriptionId"] for row in found} == {OTHER}


async def test_rows_show_after_the_lag() -> None:
    clock = Clock(NOW, running=False)
    async with streaming(clock=clock) as call:
        call.azure.world.state["logs"] = {"lag": 120}
        await call("DELETE", STORE)
        assert await rows(call, "AzureActivity") == []
        clock.advance(timedelta(seconds=120))
        assert len(await rows(call, "AzureActivity")) == 2


async def test_an_answer_that_would_be_too_large_is_cut_and_says_so() -> None:
    async with streaming() as call:
        await call("DELETE", STORE)
        call.azure.world.state["logs"] = {"rows": 1}
        status, body = await post(call, {"query": "AzureActivity"})
        assert (status, len(body["tables"][0]["rows"])) == (200, 1)
        assert body["error"]["code"] == "PartialError"
        assert "E_QUERY_RESULT_SET_TOO_LARGE" in body["error"]["details"][0]["innererror"]["message"]


async def test_streamed_rows_outlive_a_restart() -> None:
    async with streaming() as call:
        await call("DELETE", STORE)
        kept = call.azure.world.activity.streams
        assert len(kept[HOME.lower()]) == 2
        assert World.restore(call.azure.world.dump()).activity.streams == kept


async def test_who_may_query() -> None:
    role = {"name": "querying", "scopes": [S], "actions": [f"{RIGHT}/read", f"{RIGHT}/AzureActivity/read"]}
    for who, held_, expected in [
        (READER, [], 200),  # */read
        (NOBODY, [], 403),
        (NOBODY, [{"scope": HOME, "role": "Log Analytics Reader", "principal": NOBODY}], 200),
        (NOBODY, [{"scope": HOME, "role": "querying", "principal": NOBODY}], 200),
    ]:
        async with streaming({"role_definitions": [role], "role_assignments": held_}) as call:
            status, body = await post(call, {"query": "AzureActivity"}, who=who)
            assert status == expected
            assert status == 200 or body["error"]["code"] == "InsufficientAccessError"


@pytest.mark.parametrize("right", [f"{RIGHT}/read", f"{RIGHT}/AzureActivity/read"])
async def test_a_right_to_query_takes_the_table_too(right: str) -> None:
    role = {"name": "half", "scopes": [S], "actions": [right]}
    given = [{"scope": HOME, "role": "half", "principal": NOBODY}]
    async with streaming({"role_definitions": [role], "role_assignments": given}) as call:
        assert (await post(call, {"query": "AzureActivity"}, who=NOBODY))[0] == 403


async def test_who_has_not_signed_in_for_it_is_refused() -> None:
    async with streaming() as call:
        query = {"query": "AzureActivity"}
        status, body = await post(call, query, token="")
        assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")
        status, body = await post(call, query, audience="arm")
        assert (status, body["error"]["code"]) == (403, "InvalidAuthenticationTokenAudience")
        status, body = await post(call, query, token="a.b.c")
        assert (status, body["error"]["code"]) == (403, "InvalidAuthenticationToken")


async def test_unknown_workspaces_and_paths_are_named() -> None:
    async with streaming() as call:
        headers = {"Authorization": f"Bearer {call.azure.token(OPS, 'logs')}"}
        base = call.azure.endpoints.logs
        async with call.session.post(f"{base}/v1/workspaces/{SUB}/query", json={}, headers=headers) as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "WorkspaceNotFoundError"
        async with call.session.post(f"{base}/v1/$batch", json={}, headers=headers) as answer:
            assert answer.status == 501
            assert "$batch" in (await answer.json())["error"]["message"]
        status, body = await post(call, {"query": "AzureActivity", "timespan": "PT1H"})
        assert (status, body["error"]["innererror"]["code"]) == (400, "NotImplemented")
        assert (await post(call, {"no": "query"}))[0] == 400


async def three(call: Arm) -> None:
    """Six rows: three hours, two each, of two callers."""
    for n, who in enumerate((OPS, MALLORY, MALLORY)):
        call.azure.clock.set(NOW + timedelta(hours=n))
        await call("PUT", f"{SITE}{n}", {"location": "westeurope"}, who=who)


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("Caller == 'mallory@contoso.example'", 4),
        ("Caller == 'MALLORY@contoso.example'", 0),
        ("Caller =~ 'MALLORY@contoso.example'", 4),
        ("Caller !~ 'MALLORY@contoso.example'", 2),
        ("Caller != 'mallory@contoso.example'", 2),
        ("Caller in~ ('x', \"OPS@contoso.example\")", 2),
        ("Caller !in~ ('x', @'OPS@contoso.example')", 4),
        ("TimeGenerated >= datetime(2026-03-02T10:00:00Z)", 4),
        ("TimeGenerated > datetime(2026-03-02 10:00:00)", 2),
        ("TimeGenerated between (datetime(2026-03-02T09:00:00Z) .. datetime(2026-03-02T10:00:00Z))", 4),
        ("ActivityStatusValue == 'Start' and Caller =~ 'ops@contoso.example'", 1),
        ("Caller =~ 'ops@contoso.example' or ActivityStatusValue == 'Start'", 4),
        ("(Caller =~ 'ops@contoso.example' or ActivityStatusValue == 'Start') and Level == 'Informational'", 4),
        ("tostring(Claims_d) != ''  // a remark", 6),
        ("coalesce(Category, CategoryValue) == 'Administrative'", 6),
    ],
)
async def test_conditions(condition: str, count: int) -> None:
    async with streaming() as call:
        await three(call)
        assert len(await rows(call, f"AzureActivity | where {condition}")) == count


async def test_lets_projections_order_and_limits() -> None:
    async with streaming() as call:
        await three(call)
        query = """
            let who = "MALLORY@contoso.example";
            let since = datetime(2026-03-02T10:30:00Z);
            AzureActivity
            | where Caller =~ who and TimeGenerated > since
            | project At = TimeGenerated, Caller, What = coalesce(OperationName, OperationNameValue)
            | order by At asc, What
            | limit 1
        """
        assert await rows(call, query) == [
            {"At": "2026-03-02T11:00:00.0000000Z", "Caller": MALLORY, "What": "MICROSOFT.WEB/SITES/WRITE"}
        ]
        ordered = await rows(
            call, "AzureActivity | sort by Caller asc, TimeGenerated desc | project Caller, TimeGenerated"
        )
        assert [row["Caller"] for row in ordered] == [MALLORY] * 4 + [OPS] * 2
        assert ordered[0]["TimeGenerated"] > ordered[3]["TimeGenerated"]


async def test_summaries() -> None:
    async with streaming() as call:
        await three(call)
        by_hour = await rows(
            call,
            "AzureActivity | summarize count(), First = min(TimeGenerated), max(TimeGenerated) "
            "by Hour = bin(TimeGenerated, 1h), Caller | sort by Hour desc | take 1",
        )
        eleven = "2026-03-02T11:00:00.0000000Z"
        assert by_hour == [
            {"Hour": eleven, "Caller": MALLORY, "count_": 2, "First": eleven, "max_TimeGenerated": eleven}
        ]
        nothing = await rows(call, "AzureActivity | where Caller == 'x' | summarize n = count(), m = max(Caller)")
        assert nothing == [{"n": 0, "m": None}]


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        ("SigninLogs", "SemanticError", "'SigninLogs'"),
        ("azureactivity", "SemanticError", "'azureactivity'"),
        ("AzureActivity | where Nothing == 'x'", "SemanticError", "'Nothing'"),
        ("AzureActivity | where caller == 'x'", "SemanticError", "'caller'"),
        ("AzureActivity | project Caller | where Level == 'x'", "SemanticError", "'Level'"),
        ("AzureActivity | where Caller == 5", "SemanticError", "string and long"),
        ("AzureActivity | where TimeGenerated > '2026-01-01'", "SemanticError", "datetime and string"),
        ("AzureActivity | join kind=inner (AzureActivity) on Caller", "SyntaxError", "'join"),
        ("AzureActivity | extend a = 1", "SyntaxError", "'extend"),
        ("AzureActivity | where Caller has 'x'", "SyntaxError", "'has"),
        ("AzureActivity | where TimeGenerated > ago(1h)", "SyntaxError", "'ago"),
        ("AzureActivity | summarize dcount(Caller)", "SyntaxError", "'dcount"),
        ("AzureActivity | take Caller", "SyntaxError", "'Caller"),
        ("AzureActivity | where Caller == 'a' 'b'", "SyntaxError", "''b'"),
        ("AzureActivity | where Caller == 'open", "SyntaxError", "''open"),
        ("AzureActivity | where Caller == '\\q'", "SyntaxError", "'\\q'"),
        ("AzureActivity | where TimeGenerated > datetime(yesterday)", "SyntaxError", "datetime(yesterday)"),
        ("AzureActivity |", "SyntaxError", "[1,16]"),
        ("AzureActivity\n| ; drop", "SyntaxError", "[2,3]"),
        ("", "SyntaxError", "[1,1]"),
        (".drop table AzureActivity", "SyntaxError", "'.drop"),
    ],
)
async def test_what_it_does_not_know_is_refused_by_name(query: str, code: str, named: str) -> None:
    async with streaming() as call:
        got, message = await refused(call, query)
        assert got == code
        assert named in message
