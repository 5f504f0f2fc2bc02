"""Sample alerts on their way through a sandbox deployment: each hop is told, and the first that is broken."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from azure.core.pipeline.transport import AioHttpTransport

from playbooks import smoke
from playbooks.remote import Api
from responders.azure import Azure
from responders.services import Services
from responders.settings import Settings
from sandbox import alerting, logic_app
from sandbox.azure.world import Pace
from tests.api.responder import LOGIC_APP, PROD, Responder, responder

SUBSCRIPTION = PROD.rpartition("/")[2]
WANTED = smoke.Wanted("", "centralus", timedelta(minutes=2))
IMPATIENT = WANTED._replace(patience=timedelta())
OPERATOR = "sec@contoso.example"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    async with responder(tmp_path_factory.mktemp("smoke")) as running:
        world = running.sandbox.world
        world.load({"users": [{"upn": OPERATOR}]}, running.scene.now)
        role = {"scope": PROD, "role": "Security Admin", "principal": OPERATOR}
        world.load({"role_assignments": [role]}, running.scene.now)
        yield running


@pytest.fixture
def api(its: Responder, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setenv("COUNTERSIGN_URL", its.host.url)
    monkeypatch.setenv("COUNTERSIGN_TOKEN", its.token("soc"))
    return Api()


async def followed(its: Responder, api: Api, wanted: smoke.Wanted, by: str = OPERATOR) -> list[smoke.Hop]:
    ends = its.sandbox.endpoints
    given = {"SUBSCRIPTIONS": SUBSCRIPTION, "EVIDENCE": "memory://", "ARM": ends.arm, "GRAPH": ends.graph}
    settings = Settings.load({f"COUNTERSIGN_{name}": value for name, value in given.items()})
    services = Services(settings)
    async with AioHttpTransport(connection_verify=its.sandbox.ca_file) as transport:
        services.__dict__["azure"] = Azure(settings, its.sandbox.credential(by), transport)
        try:
            return await smoke.follow(services, api, wanted, poll=0.01)
        finally:
            await services.close()


def samples(its: Responder) -> list[str]:
    alerts = (one for one in its.sandbox.world if one.type.lower().endswith("/alerts"))
    return [one.id for one in alerts if one.properties["alertType"].startswith("SIMULATED_")]


async def automation(its: Responder) -> None:
    """Start the Logic App for each sample alert that is raised."""
    before = set(samples(its))
    while True:
        if new := set(samples(its)) - before:
            break
        await asyncio.sleep(0.01)
    for alert in new:
        found = its.sandbox.world.get(alert)
        assert found
        body = await logic_app.handed(alerting.exported(found.body), its.sandbox.clock.now())
        assert (await its.ask("POST", "alerts", body, by=LOGIC_APP)).status == 202


async def test_sample_alerts_go_all_the_way_and_change_nothing(its: Responder, api: Api) -> None:
    before = its.sandbox.world.snapshot()

    _, hops = await asyncio.gather(automation(its), followed(its, api, WANTED))

    assert [(hop.name, hop.ok) for hop in hops] == [
        ("asked", True),
        ("raised", True),
        ("arrived", True),
        ("closed", True),
    ]
    assert all(hop.seconds >= 0 and not hop.fix for hop in hops)
    assert its.sandbox.world.snapshot() == before


async def test_alerts_that_are_not_handed_over_are_missed(its: Responder, api: Api) -> None:
    hops = await followed(its, api, IMPATIENT)

    assert [(hop.name, hop.ok) for hop in hops] == [("asked", True), ("raised", True), ("arrived", False)]
    assert "Logic App" in hops[-1].fix


async def test_those_of_an_earlier_drill_do_not_count(its: Responder, api: Api) -> None:
    await asyncio.gather(automation(its), followed(its, api, WANTED))

    hops = await followed(its, api, IMPATIENT)

    assert not hops[-1].ok
    assert hops[-1].name == "arrived"


async def test_that_defender_raises_nothing_is_told(its: Responder, api: Api) -> None:
    world = its.sandbox.world
    world.pace, before = Pace(seconds=86_400), world.pace
    try:
        hops = await followed(its, api, IMPATIENT)
    finally:
        world.pace = before
        world.operations.clear()

    assert [(hop.name, hop.ok) for hop in hops] == [("asked", True), ("raised", False)]
    assert "doctor" in hops[-1].fix


async def test_who_may_not_ask_defender_is_told_what_is_missing(its: Responder, api: Api) -> None:
    hops = await followed(its, api, IMPATIENT, by="nora@contoso.example")

    assert [(hop.name, hop.ok) for hop in hops] == [("asked", False)]
    assert "Microsoft.Security/locations/alerts/simulate/action" in hops[-1].fix


async def test_a_run_that_does_not_end_is_told(its: Responder, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident that waits: the responder took the alert for a real one."""
    ask = Api.ask

    async def as_real(api: Api, method: str, path: str, **more: Any) -> Any:
        found = await ask(api, method, path, **more)
        return {**found, "status": "waiting for the owner", "result": ""}

    monkeypatch.setattr(Api, "ask", as_real)

    _, hops = await asyncio.gather(automation(its), followed(its, api, WANTED._replace(patience=timedelta(seconds=1))))

    assert (hops[-1].name, hops[-1].ok) == ("closed", False)
    assert hops[-1].text.endswith("is waiting for the owner.")
