"""The engine forgets runs that ended long ago; nothing else does."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.api.responder import Json, Responder, responder

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def its(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    """A responder that keeps no run longer than it has to."""
    async with responder(tmp_path_factory.mktemp("retention"), {"COUNTERSIGN_KEEP_RUNS": "PT0S"}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def closed(its: Responder) -> AsyncIterator[str]:
    """An incident that has ended, with playbooks."""
    alert = its.raised()
    await earlier(its)
    incident = await its.responding(alert)
    await its.ended(incident)
    yield incident
    its.restore()
    its.sandbox.world.delete(alert["id"])


async def earlier(its: Responder) -> None:
    """Set the host's clock back: an incident waits for Entra's log, and the time of the nightly timer is real."""
    now = its.sandbox.clock.now() - timedelta(minutes=20)
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{its.host.url}/host/clock", json={"now": now.isoformat()})
        assert answer.status == 200


async def instances(its: Responder, incident: str) -> set[str]:
    """The instances of an incident that the engine knows."""
    key = await its.host.key("durabletask_extension")
    url = f"{its.host.url}/runtime/webhooks/durabletask/instances/?code={key}&instanceIdPrefix={incident}"
    headers = {"Authorization": f"Bearer {its.token('soc')}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        found: list[Json] = await answer.json()
        return {str(one["instanceId"]) for one in found}


async def night(its: Responder) -> None:
    """Have the nightly timer fire."""
    url = f"{its.host.url}/admin/functions/purge_runs"
    async with aiohttp.ClientSession() as session, session.post(url, json={}) as answer:
        assert answer.status == 202
    await its.host.idle()


def kept(its: Responder, incident: str) -> set[Path]:
    return {path for path in (its.evidence / "incidents" / incident).rglob("*") if path.is_file()}


async def test_a_run_that_was_reported_is_forgotten_with_its_playbooks(its: Responder, closed: str) -> None:
    assert len(await instances(its, closed)) > 1
    before, evidence = await its.show(closed), kept(its, closed)

    await night(its)

    assert await instances(its, closed) == set()
    assert kept(its, closed) == evidence
    assert await its.show(closed) == before


async def test_a_run_that_waits_stays(its: Responder) -> None:
    incident = await its.delivered(its.raised())

    await night(its)

    assert incident in await instances(its, incident)
    await its.answered(incident, expected=True)  # without letting time pass: the timer's is real


async def test_a_run_without_its_report_stays(its: Responder, closed: str) -> None:
    report = its.evidence / "incidents" / closed / "reports" / f"{closed}.html"
    report.rename(report.with_suffix(".away"))

    await night(its)

    assert closed in await instances(its, closed)
    report.with_suffix(".away").rename(report)


async def test_an_alert_that_comes_again_is_known_though_its_run_is_forgotten(its: Responder, closed: str) -> None:
    await night(its)
    assert await instances(its, closed) == set()
    before, written = await its.show(closed), its.writes()
    alert = before["alert"]["id"]

    again = await its.delivered({"id": alert})

    assert again == closed
    assert await its.show(closed) == before
    assert its.writes() == written


async def test_an_incident_whose_run_is_forgotten_can_be_run_again(its: Responder, closed: str) -> None:
    await night(its)
    assert await instances(its, closed) == set()

    answer = await its.ask("POST", f"incidents/{closed}/rerun", {}, by="carol")

    assert (answer.status, answer.body) == (202, {"run": f"{closed}-r1"})
    assert (await its.ended(closed))["run"] == f"{closed}-r1"


async def test_by_default_a_run_is_kept_for_months(tmp_path: Path) -> None:
    async with responder(tmp_path) as its:
        incident = await its.delivered(its.raised())
        await its.answered(incident, expected=True)
        assert (await its.show(incident))["status"] == "closed"

        await night(its)

        assert incident in await instances(its, incident)
