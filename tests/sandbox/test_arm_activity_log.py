import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure import Clock
from tests.sandbox.arm import (
    AUTH,
    CHIEF,
    MALLORY,
    NOBODY,
    NOW,
    OPS,
    OWNER,
    READER,
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

VALUES = "/providers/Microsoft.Insights/eventtypes/management/values"
SITE = f"{G}/providers/Microsoft.Web/sites/shop"
SAMPLE = Path(__file__).parents[3] / "shared" / "samples" / "activity" / "real_rest_attack_lab.jsonl"


def since(at: datetime, more: str = "") -> str:
    return f"eventTimestamp ge '{at:%Y-%m-%dT%H:%M:%S.0000000Z}'{more}"


async def ask(call: Arm, text: str = "", *, base: str = S, who: str = OPS, **more: str) -> Answer:
    wanted = text or since(NOW - timedelta(days=1))
    return await call("GET", base + VALUES, who=who, version="2015-04-01", filter=wanted, **more)


async def events(call: Arm, text: str = "", **more: Any) -> list[Json]:
    found: list[Json] = (await ask(call, text, **more)).body["value"]
    return found


def line(event: Json) -> tuple[str, str, str]:
    return event["operationName"]["value"], event["status"]["value"], event["subStatus"]["value"]


async def test_a_write_is_logged_as_begun_and_done_newest_first() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope", "tags": {"a": "b"}}, who=MALLORY, ip="203.0.113.9")
        done, begun = await events(call)
        assert line(begun) == ("Microsoft.Web/sites/write", "Started", "")
        assert line(done) == ("Microsoft.Web/sites/write", "Succeeded", "Created")
        assert json.loads(begun["properties"]["requestbody"]) == {"location": "westeurope", "tags": {"a": "******"}}
        assert begun["correlationId"] == done["correlationId"]
        assert begun["eventDataId"] != done["eventDataId"]
        for event in (begun, done):
            assert event["caller"] == MALLORY
            assert event["httpRequest"]["clientIpAddress"] == "203.0.113.9"
            assert event["httpRequest"]["method"] == "PUT"
            assert event["authorization"] == {
                "action": "Microsoft.Web/sites/write",
                "role": "Contributor",
                "scope": SITE,
            }
            assert (event["resourceId"], event["resourceGroupName"]) == (SITE, "app")
            claims = event["claims"]
            assert claims["http://schemas.microsoft.com/identity/claims/objectidentifier"] == call.oid(MALLORY)
            assert claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] == MALLORY
            assert claims["ipaddr"] == "203.0.113.9"
            assert all(isinstance(v, str) for v in claims.values())


async def test_an_event_has_the_shape_of_a_real_one() -> None:
    if not SAMPLE.exists():
        pytest.skip("the collected samples are not here")
    real = json.loads(SAMPLE.read_text().splitlines()[0])["event"]
    async with arm() as call:
        body = assignment(OWNER, call.oid(NOBODY))
        await call("PUT", f"{S}{AUTH}/roleAssignments/{an_id(1)}", body)
        ours = (await events(call))[-1]
    assert set(ours) == {*real, "httpRequest"}
    assert set(ours["properties"]) == set(real["properties"])
    for name in (
        "operationName",
        "eventName",
        "status",
        "subStatus",
        "resourceType",
        "resourceProviderName",
        "category",
    ):
        assert ours[name] == real[name]
    assert json.loads(ours["properties"]["requestbody"]) == body
    assert ours["id"].startswith(f"{ours['resourceId']}/events/{ours['eventDataId']}/ticks/")


async def test_what_was_refused_is_logged_as_failed() -> None:
    async with arm() as call:
        await call("DELETE", STORE, who=READER)
        failed, _ = await events(call)
        assert line(failed) == ("Microsoft.Storage/storageAccounts/delete", "Failed", "Forbidden")
        assert (failed["level"], failed["caller"]) == ("Error", READER)
        assert json.loads(failed["properties"]["statusMessage"])["error"]["code"] == "AuthorizationFailed"


async def test_reads_and_strangers_leave_no_trace() -> None:
    async with arm() as call:
        await call("GET", STORE)
        await call("HEAD", STORE)
        await call("DELETE", STORE, token="")
        assert await events(call) == []


async def test_a_long_operation_is_accepted_and_later_done() -> None:
    async with arm() as call:
        await call("DELETE", G)
        assert [line(e)[1] for e in await events(call)] == ["Succeeded", "Accepted", "Started"]
        done, accepted, _ = await events(call)
        assert "httpRequest" not in done
        assert accepted["subStatus"]["value"] == "Accepted"
        assert done["correlationId"] == accepted["correlationId"]


async def test_secrets_in_a_request_do_not_reach_the_log() -> None:
    async with arm() as call:
        properties = {
            "adminPassword": "Hunter-2!",
            "protectedSettings": {"x": "Hunter-2!"},
            "nested": [{"secret": "Hunter-2!"}],
        }
        await call("PUT", SITE, {"location": "westeurope", "properties": properties})
        assert "Hunter-2!" not in json.dumps(await events(call))


async def test_an_application_is_called_by_its_object_id() -> None:
    extra = {"service_principals": [{"name": "robot", "appId": an_id(3)}]}
    async with arm(extra) as call:
        await call("DELETE", STORE, who=an_id(3))
        assert (await events(call))[0]["caller"] == call.oid(an_id(3))


async def test_times_may_stand_without_quotes_as_the_azure_cli_writes_them() -> None:
    async with arm() as call:
        await call("PATCH", STORE, {"tags": {"a": "b"}})
        text = "eventTimestamp ge 2026-03-01T00:00:00 and eventTimestamp le 2026-03-02T10:00:00"
        found = (await call("GET", S + VALUES, version="2015-04-01", filter=text)).body["value"]
        assert {e["operationName"]["value"] for e in found} == {"Microsoft.Storage/storageAccounts/write"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "caller eq 'x'",
        "eventTimestamp le '2026-03-01T00:00:00Z'",
        since(NOW, " and level eq 'Error'"),
        since(NOW, " or resourceGroupName eq 'app'"),
        "eventTimestamp ge 'yesterday'",
    ],
)
async def test_the_filter_is_strict(text: str) -> None:
    async with arm() as call:
        answer = await call("GET", S + VALUES, version="2015-04-01", filter=text)
        assert (answer.status, answer.body["Code"]) == (400, "BadRequest")


async def test_the_filter_takes_an_end_and_properties() -> None:
    async with arm() as call:
        await call("PUT", SITE, {"location": "westeurope"})
        await call("PUT", f"{S}/resourceGroups/lab", {"location": "westeurope"})
        correlation = (await events(call))[0]["correlationId"]
        start = NOW - timedelta(hours=1)
        wanted = {
            " and resourceGroupName eq 'APP'": 2,
            f" and resourceUri eq '{SITE}'": 2,
            " and resourceProvider eq 'Microsoft.Resources'": 2,
            f" and correlationId eq '{correlation}'": 2,
            " and eventTimestamp le '2026-03-02T08:59:59Z'": 0,
            " and eventTimestamp le '2026-03-02T09:00:01Z' and resourceGroupName eq 'lab'": 2,
            f" and caller eq '{OPS}' and resourceGroupName eq 'lab'": 2,
            " and status eq 'Succeeded'": 2,
            " and caller eq 'nobody@contoso.example'": 0,
        }
        for more, count in wanted.items():
            assert len(await events(call, since(start, more))) == count
        # The Azure CLI's list-changelogs writes the provider first, and no quotes.
        changes = f"resourceProvider eq Microsoft.Resources and {since(start)}"
        assert len(await events(call, changes)) == 2


async def test_nothing_older_than_90_days_is_kept() -> None:
    async with arm() as call:
        answer = await ask(call, since(NOW - timedelta(days=91)))
        assert answer.status == 400
        assert set(answer.body) == {"Code", "Message"}
        assert (await ask(call, since(NOW - timedelta(days=89)))).status == 200


async def test_fields_can_be_selected() -> None:
    async with arm() as call:
        await call("DELETE", STORE)
        assert {tuple(e) for e in await events(call, select="caller, eventTimestamp")} == {("caller", "eventTimestamp")}


async def test_a_long_log_comes_in_pages_of_200_and_new_events_do_not_shift_them() -> None:
    async with arm() as call:
        call.azure.throttle.on = False
        for number in range(150):
            await call("PUT", f"{G}/providers/Microsoft.Web/sites/s{number}", {"location": "westeurope"})
        first = await ask(call)
        assert len(first.body["value"]) == 200
        await call("DELETE", STORE)
        second = await call("GET", first.body["nextLink"])
        seen = [e["eventDataId"] for e in first.body["value"] + second.body["value"]]
        assert len(seen) == len(set(seen)) == 300
        assert "nextLink" not in second.body


async def test_events_of_an_earlier_time_take_their_place() -> None:
    clock = Clock(NOW, running=False)
    async with arm(clock=clock) as call:
        await call("DELETE", STORE)
        clock.set(NOW - timedelta(days=20))
        await call("PUT", SITE, {"location": "westeurope"}, who=OPS)
        clock.set(NOW)
        times = [e["eventTimestamp"] for e in await events(call, since(NOW - timedelta(days=30)))]
        assert times == sorted(times, reverse=True)
        assert len(times) == 4


async def test_events_show_after_the_logs_delay() -> None:
    clock = Clock(NOW, running=False)
    async with arm(clock=clock) as call:
        call.azure.world.activity.delay = timedelta(minutes=5)
        await call("DELETE", STORE)
        assert await events(call) == []
        clock.advance(timedelta(minutes=5))
        (event, _) = await events(call)
        assert event["submissionTimestamp"] > event["eventTimestamp"]


async def test_elevated_access_is_in_the_tenants_log_which_takes_a_role_at_the_root() -> None:
    async with arm() as call:
        assert (await ask(call, base="", who=OPS)).status == 403
        await call("POST", f"{AUTH}/elevateAccess", who=CHIEF, version="2016-07-01")
        done, _ = await events(call, base="", who=CHIEF)
        assert line(done) == ("Microsoft.Authorization/elevateAccess/action", "Succeeded", "OK")
        assert done["caller"] == CHIEF
        assert all(e["operationName"]["value"] != line(done)[0] for e in await events(call))


async def test_who_may_not_read_the_log_does_not() -> None:
    async with arm() as call:
        assert (await ask(call, who=NOBODY)).status == 403
        assert (await ask(call, who=READER)).status == 200
        assert SUB in (await ask(call, who=NOBODY)).body["error"]["message"]
