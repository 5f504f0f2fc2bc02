"""Every day Defender's sample alerts are asked for, and when they don't arrive, somebody hears of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from azure.core.pipeline.transport import AioHttpTransport

from playbooks import heartbeat
from responders.azure import Azure
from responders.services import Services
from responders.settings import Settings
from sandbox.azure import operations
from sandbox.stage import identity
from tests.api.responder import LOGIC_APP, Responder, responder

MORNING = datetime(2026, 3, 4, 6, 17, tzinfo=UTC)
LATER = MORNING + heartbeat.PATIENCE
APPROVER, SENDER = "bob@contoso.example", "soc@contoso.example"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    async with responder(tmp_path_factory.mktemp("heartbeat")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def services(its: Responder) -> AsyncIterator[Services]:
    """The responder as its timer finds it; days of other tests are forgotten."""
    world, ends = its.sandbox.world, its.sandbox.endpoints
    world.mails.clear()
    for path in (its.evidence / "heartbeats").glob("*.json"):
        path.unlink()
    given = {
        "SUBSCRIPTIONS": its.scene.world.responder.subscriptions[0],
        "EVIDENCE": str(its.evidence),
        "ARM": ends.arm,
        "GRAPH": ends.graph,
        "MAIL_FROM": SENDER,
        "APPROVERS": APPROVER,
        "HEARTBEAT": "centralus",
    }
    settings = Settings.load({f"COUNTERSIGN_{name}": value for name, value in given.items()})
    services = Services(settings)
    async with AioHttpTransport(connection_verify=its.sandbox.ca_file) as transport:
        me = its.sandbox.credential(identity(its.scene))
        services.__dict__["azure"] = Azure(settings, me, transport)
        yield services
        await services.close()
    for alert in samples(its):
        world.delete(alert)


def samples(its: Responder, state: str = "Active") -> list[str]:
    """The sample alerts that Defender has."""
    operations.settle(its.sandbox.world, its.sandbox.clock)
    alerts = (one for one in its.sandbox.world if one.type.lower().endswith("/alerts"))
    named = (one for one in alerts if one.properties["alertType"].startswith("SIMULATED_"))
    return [one.id for one in named if one.properties["status"] == state]


async def handed_over(its: Responder) -> None:
    """The workflow automation brings what Defender has raised."""
    for alert in samples(its):
        assert (await its.ask("POST", "alerts", {"id": alert}, by=LOGIC_APP)).status == 202
    await its.host.idle()


def told(its: Responder) -> list[str]:
    return [mail["message"]["body"]["content"] for mail in its.sandbox.world.mails]


async def test_alerts_that_arrive_are_dismissed_and_nobody_is_told(its: Responder, services: Services) -> None:
    await heartbeat.tick(services, MORNING)
    raised = samples(its)
    assert len(raised) == 3
    await handed_over(its)

    await heartbeat.tick(services, LATER)

    assert told(its) == []
    assert (samples(its), sorted(samples(its, "Dismissed"))) == ([], sorted(raised))


async def test_alerts_that_do_not_arrive_are_missed_once(its: Responder, services: Services) -> None:
    await heartbeat.tick(services, MORNING)
    await heartbeat.tick(services, LATER)
    await heartbeat.tick(services, LATER + timedelta(hours=1))

    [mail] = told(its)
    assert "none of 3 came to its end here" in mail
    assert its.sandbox.world.mails[0]["message"]["toRecipients"] == [{"emailAddress": {"address": APPROVER}}]


async def test_nothing_is_held_against_alerts_that_have_time(its: Responder, services: Services) -> None:
    await heartbeat.tick(services, MORNING)
    await heartbeat.tick(services, LATER - timedelta(minutes=1))

    assert told(its) == []


async def test_a_day_is_asked_for_once(its: Responder, services: Services) -> None:
    for hour in range(3):
        await heartbeat.tick(services, MORNING + timedelta(hours=hour) / 2)

    assert len(samples(its)) == 3


async def test_yesterdays_are_missed_today(its: Responder, services: Services) -> None:
    await heartbeat.tick(services, MORNING.replace(hour=23))
    await heartbeat.tick(services, MORNING.replace(hour=23) + heartbeat.PATIENCE)

    assert len(told(its)) == 1


async def test_that_defender_can_t_be_asked_is_told(its: Responder, services: Services) -> None:
    world = its.sandbox.world
    [role] = [r for r in world if r.properties.get("roleName") == "Countersign Responder (id-countersign)"]
    [held] = role.properties["permissions"]
    less = [right for right in held["actions"] if right != "Microsoft.Security/locations/alerts/*"]
    world.put(role.id, {**role.body, "properties": {**role.properties, "permissions": [{**held, "actions": less}]}})

    await heartbeat.tick(services, MORNING)

    world.put(role.id, role.body)

    [mail] = told(its)
    assert "Defender could not be asked for sample alerts" in mail


async def test_without_the_setting_nothing_is_asked(its: Responder) -> None:
    """As by default: the timer of the host fires all the same."""
    before = len(its.sandbox.requests)
    async with its._session.post(f"{its.host.url}/admin/functions/beat", json={}) as answer:
        assert answer.status == 202
    await its.host.idle()

    me = identity(its.scene)
    assert [r for r in its.sandbox.requests[before:] if r.caller == me] == []
