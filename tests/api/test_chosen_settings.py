"""What a deployment chose: how many people a gate needs, what is never changed, how much is too much for one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from responders.approvals import selection
from sandbox.azure.well_known import made_up_id
from tests.api.responder import (
    DAVE,
    DISABLE,
    NELL,
    NILS,
    NORA,
    REVOKE,
    STRIP,
    Responder,
    assert_refused,
    responder,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NORAS_ID = made_up_id("user", "nora@contoso.example")
NILS_IN_CAPITALS = "/subscriptions" + NILS.removeprefix("/subscriptions").upper()
SETTINGS = {
    "COUNTERSIGN_GATES": f"{DISABLE}=two,{REVOKE}=auto",
    "COUNTERSIGN_PROTECTED": f"{NORAS_ID},{NILS_IN_CAPITALS},mallory@contoso.example",
    "COUNTERSIGN_MAX_CHANGES": "1",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Responder]:
    async with responder(tmp_path_factory.mktemp("strict"), SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def incident(strict: Responder) -> AsyncIterator[str]:
    """An incident whose gates are open; the attack's world is restored in the end."""
    id_ = await strict.responding(strict.raised())
    yield id_
    await strict.ended(id_)
    strict.restore()


async def test_two_people_are_needed_where_the_deployment_wants_two(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, DISABLE)
    assert gate["needs"] == 2
    async with strict.unchanged():
        first = await strict.vote(incident, gate, "alice")
        assert (first.status, first.body["state"], first.body["needs"]) == (202, "open", 2)
        assert_refused(await strict.vote(incident, gate, "alice"), 409, "You have answered this gate already")
        assert_refused(await strict.vote(incident, gate, "eve"), 403, "suspect")
    second = await strict.vote(incident, gate, "bob")
    assert (second.status, second.body["state"]) == (202, "approved")
    assert (await strict.step(incident, DISABLE))["by"] == "alice@contoso.example, bob@contoso.example"
    assert (await strict.step(incident, DISABLE))["changes"][0]["status"] == "done"


async def test_one_of_two_rejects(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, DISABLE)
    async with strict.unchanged():
        await strict.vote(incident, gate, "alice")
        assert (await strict.vote(incident, gate, "bob", decision="reject")).body["state"] == "rejected"


async def test_two_approvals_of_different_changes_are_no_two(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, STRIP)
    ids = [change["id"] for change in gate["plan"]["changes"]]
    one, other = [{"changes": [id_], "digest": selection(gate["digest"], [id_])} for id_ in ids]
    async with strict.unchanged():
        for by, said in (("alice", one), ("bob", other)):
            assert (await strict.vote(incident, gate, by, **said)).body["state"] == "open"
    assert (await strict.vote(incident, gate, "carol", **other)).body["state"] == "approved"
    await strict.host.idle()
    came_to = {c["id"]: c["status"] for c in (await strict.step(incident, STRIP))["changes"]}
    assert came_to == {ids[0]: "not_approved", ids[1]: "done"}


async def test_of_two_who_approve_at_once_both_count(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, DISABLE)
    answers = await asyncio.gather(*(strict.vote(incident, gate, by) for by in ("alice", "bob")))
    assert {answer.status for answer in answers} == {202}
    assert (await strict.step(incident, DISABLE))["state"] == "approved"


async def test_one_approval_of_two_expires(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, DISABLE)
    await strict.vote(incident, gate, "alice")
    async with strict.unchanged():
        await strict.ended(incident, votes="none")
    assert (await strict.step(incident, DISABLE))["state"] == "expired"


async def test_what_is_protected_is_withheld_and_shown_as_kept(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, STRIP)
    assert {change["resource"] for change in gate["plan"]["changes"]} == {DAVE, NELL}
    kept = (await strict.step(incident, STRIP))["kept"]
    withheld = [line for line in kept if "is protected by COUNTERSIGN_PROTECTED" in line]
    assert len(withheld) == 2
    assert any("nora@contoso.example" in line and NORAS_ID in line for line in withheld)
    assert any("nils@contoso.example" in line for line in withheld)
    for by in ("alice", "bob"):
        await strict.vote(incident, gate, by)
    await strict.host.idle()
    assert [strict.there(grant) for grant in (NORA, NILS, DAVE, NELL)] == [True, True, False, False]


async def test_a_plan_with_more_changes_than_one_may_approve_needs_two(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, STRIP)  # whose gate is "one"
    assert (len(gate["plan"]["changes"]), gate["needs"]) == (2, 2)
    async with strict.unchanged():
        assert (await strict.vote(incident, gate, "alice")).body["state"] == "open"


async def test_a_suspect_who_is_protected_is_left_alone(strict: Responder) -> None:
    incident = await strict.responding(strict.raised(strict.account("mallory")))
    async with strict.unchanged():
        shown = await strict.ended(incident, votes="approve")
    assert [step["state"] for step in shown["steps"] if step["action"] in {DISABLE, REVOKE}] == ["nothing_to_do"] * 4
    [kept, *_] = [step["kept"] for step in shown["steps"] if step["action"] == DISABLE]
    assert "mallory@contoso.example is protected by COUNTERSIGN_PROTECTED" in kept[0]


async def test_an_irreversible_step_is_never_automatic(strict: Responder, incident: str) -> None:
    gate = await strict.gate(incident, DISABLE)
    for by in ("alice", "bob"):
        await strict.vote(incident, gate, by)
    assert (await strict.gate(incident, REVOKE))["needs"] == 1  # though the deployment says auto
